/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/as_path.h"

#include <errno.h>
#include <string.h>

bool as_path_next(const struct as_path *p, uint32_t *at, struct as_segment *ret)
{
	uint32_t head;

	if (*at >= p->count)
		return false;
	head = p->words[*at];
	if (AS_SEGMENT_COUNT(head) > p->count - *at - 1)
		return false;
	*ret = (struct as_segment){ (enum as_segment_kind)AS_SEGMENT_KIND(head), p->words + *at + 1, AS_SEGMENT_COUNT(head) };
	*at += 1 + AS_SEGMENT_COUNT(head);
	return true;
}

/* Text that may be longer than its room: counts on, as snprintf() does. */
struct writer {
	char *text;
	size_t size, used;
};

static void put(struct writer *w, char c)
{
	if (w->used + 1 < w->size)
		w->text[w->used] = c;
	w->used++;
}

static void put_number(struct writer *w, uint32_t n)
{
	char digits[10];
	unsigned count = 0;

	do {
		digits[count++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (count)
		put(w, digits[--count]);
}

static size_t finish(struct writer *w)
{
	if (w->size)
		w->text[w->used < w->size ? w->used : w->size - 1] = '\0';
	return w->used;
}

static const struct segment_form {
	char open, between, close; /* open 0 = bare */
} segment_forms[] = {
	[AS_SEGMENT_SET] = { '{', ',', '}' },
	[AS_SEGMENT_SEQUENCE] = { 0, ' ', 0 },
	[AS_SEGMENT_CONFED_SEQUENCE] = { '(', ' ', ')' },
	[AS_SEGMENT_CONFED_SET] = { '[', ',', ']' },
};

static void put_segment(struct writer *w, const struct as_segment *s)
{
	const struct segment_form *form = &segment_forms[s->kind];

	if (form->open)
		put(w, form->open);
	for (uint32_t i = 0; i < s->count; i++) {
		if (i)
			put(w, form->between);
		put_number(w, s->as[i]);
	}
	if (form->close)
		put(w, form->close);
}

size_t as_path_format(const struct as_path *p, char *text, size_t size)
{
	struct writer w = { text, size, 0 };
	struct as_segment s;

	for (uint32_t at = 0; as_path_next(p, &at, &s);) {
		if (w.used)
			put(&w, ' ');
		put_segment(&w, &s);
	}
	return finish(&w);
}

static bool take_as(const char **text, uint32_t *ret)
{
	uint64_t n = 0;

	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		if ((n = n * 10 + (uint64_t)(**text - '0')) > UINT32_MAX)
			return false;
	*ret = (uint32_t)n;
	return true;
}

static enum as_segment_kind kind_that_opens(char c)
{
	for (unsigned kind = 1; kind < sizeof segment_forms / sizeof *segment_forms; kind++)
		if (segment_forms[kind].open == c && c)
			return (enum as_segment_kind)kind;
	return AS_SEGMENT_SEQUENCE;
}

int as_path_parse(uint32_t *words, uint32_t room, uint32_t *ret_count, const char *text)
{
	uint32_t used = 0, n;

	while (*text == ' ')
		text++;
	while (*text) {
		enum as_segment_kind kind = kind_that_opens(*text);
		const struct segment_form *form = &segment_forms[kind];
		uint32_t head = used++;

		text += form->open != 0;
		for (n = 0;; n++, text++) {
			if (used >= room)
				return -ENOSPC;
			if (!take_as(&text, &words[used++]))
				return -EINVAL;
			if (*text != form->between || (!form->open && kind_that_opens(text[1]) != kind))
				break;
		}
		words[head] = AS_SEGMENT(kind, n + 1);
		if (form->close && *text++ != form->close)
			return -EINVAL;
		if (*text && *text++ != ' ')
			return -EINVAL;
	}
	*ret_count = used;
	return 0;
}

static bool is_confederation(const struct as_segment *s)
{
	return s->kind == AS_SEGMENT_CONFED_SEQUENCE || s->kind == AS_SEGMENT_CONFED_SET;
}

uint32_t as_path_length(const struct as_path *p)
{
	struct as_segment s;
	uint32_t length = 0;

	for (uint32_t at = 0; as_path_next(p, &at, &s);)
		if (!is_confederation(&s))
			length += s.kind == AS_SEGMENT_SET ? 1 : s.count;
	return length;
}

struct as_origin as_path_origin(const struct as_path *p)
{
	struct as_segment s, last = { 0 };

	for (uint32_t at = 0; as_path_next(p, &at, &s);)
		last = s;
	if (last.count == 0)
		return (struct as_origin){ 0 };
	if (last.kind == AS_SEGMENT_SET || last.kind == AS_SEGMENT_CONFED_SET)
		return (struct as_origin){ .set = last };
	return (struct as_origin){ .as = last.as[last.count - 1] };
}

size_t as_origin_format(const struct as_origin *o, char *text, size_t size)
{
	struct writer w = { text, size, 0 };

	if (o->set.count)
		put_segment(&w, &o->set);
	else if (o->as)
		put_number(&w, o->as);
	return finish(&w);
}

uint32_t as_path_neighbour(const struct as_path *p)
{
	struct as_segment s;

	for (uint32_t at = 0; as_path_next(p, &at, &s);) {
		if (is_confederation(&s))
			continue;
		return s.kind == AS_SEGMENT_SET && s.count != 1 ? 0 : s.as[0];
	}
	return 0;
}

/* Paths are short (5 ASes, rarely 20): the plain way, bounded for what is foreign. */
static bool seen_before(const uint32_t *as, uint32_t count, uint32_t one)
{
	for (uint32_t i = 0; i < count; i++)
		if (as[i] == one)
			return true;
	return false;
}

uint32_t as_path_distinct(const struct as_path *p, uint32_t *as, uint32_t room)
{
	struct as_segment s;
	uint32_t count = 0;

	for (uint32_t at = 0; as_path_next(p, &at, &s);)
		for (uint32_t i = 0; i < s.count && count < room; i++)
			if (!seen_before(as, count, s.as[i]))
				as[count++] = s.as[i];
	return count;
}
