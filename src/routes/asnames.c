/* SPDX-License-Identifier: GPL-2.0-or-later */
/* asnames.c -- see asnames.h. Names are gathered in any order, then sorted by number. */
#include "routes/asnames.h"

#include "routes/geo_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_FILE_MAX (256u << 20)

struct name {
	uint32_t as;
	uint32_t at; /* in text */
};

struct asnames {
	struct name *names;
	size_t count, room;
	char *text;
	size_t text_len, text_room;
};

static int grow(void **at, size_t *room, size_t want, size_t size)
{
	size_t more = *room ? *room : 256;
	void *p;

	while (more < want)
		more *= 2;
	if (more == *room)
		return 0;
	p = realloc(*at, more * size);
	if (!p)
		return -ENOMEM;
	*at = p;
	*room = more;
	return 0;
}

static int add(struct asnames *n, uint32_t as, const char *text, size_t len)
{
	if (len > ASNAME_TEXT_MAX - 1)
		len = ASNAME_TEXT_MAX - 1;
	if (len == 0)
		return 0;
	if (n->count == ASNAMES_MAX)
		return -E2BIG;
	if (grow((void **)&n->names, &n->room, n->count + 1, sizeof *n->names) < 0 ||
	    grow((void **)&n->text, &n->text_room, n->text_len + len + 1, 1) < 0)
		return -ENOMEM;
	n->names[n->count++] = (struct name){ .as = as, .at = (uint32_t)n->text_len };
	memcpy(n->text + n->text_len, text, len);
	n->text[n->text_len + len] = '\0';
	n->text_len += len + 1;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->as != y->as)
		return x->as < y->as ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* One name per AS: the first that was given. */
static void finish(struct asnames *n)
{
	size_t kept = 0;

	if (n->count)
		qsort(n->names, n->count, sizeof *n->names, by_number);
	for (size_t i = 0; i < n->count; i++)
		if (kept == 0 || n->names[i].as != n->names[kept - 1].as)
			n->names[kept++] = n->names[i];
	n->count = kept;
}

static int refuse(struct asnames **n, int r, const char *name, struct err *e)
{
	asnames_free(n);
	if (r == -E2BIG)
		return err_set(e, r, "%s: more than %u names", name, ASNAMES_MAX);
	return err_errno(e, r, "%s", name);
}

/* ---- a text table ---- */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\r';
}

/* 1 a name, 0 an empty line or a comment, -EINVAL. */
static int parse_line(struct slice line, uint32_t *ret_as, struct slice *ret_name)
{
	const uint8_t *at = line.at, *end = line.at + line.len;
	uint64_t as = 0;
	unsigned digits = 0;

	while (at < end && is_space(*at))
		at++;
	while (end > at && is_space(end[-1]))
		end--;
	if (at == end || *at == '#')
		return 0;
	if (end - at > 2 && (at[0] | 0x20) == 'a' && (at[1] | 0x20) == 's')
		at += 2;
	for (; at < end && *at >= '0' && *at <= '9' && digits < 11; at++, digits++)
		as = as * 10 + (uint64_t)(*at - '0');
	if (digits == 0 || as > UINT32_MAX || at == end || !is_space(*at))
		return -EINVAL;
	while (at < end && is_space(*at))
		at++;
	*ret_as = (uint32_t)as;
	*ret_name = (struct slice){ at, (size_t)(end - at) };
	return memchr(at, 0, (size_t)(end - at)) ? -EINVAL : 1;
}

int asnames_parse(struct asnames **ret, struct slice text, const char *name, struct err *e)
{
	struct asnames *n = calloc(1, sizeof *n);
	unsigned long line = 0;
	int r = n ? 0 : -ENOMEM;

	while (r == 0 && text.len) {
		const uint8_t *end = memchr(text.at, '\n', text.len);
		size_t len = end ? (size_t)(end - text.at) : text.len;
		struct slice found;
		uint32_t as;

		line++;
		r = parse_line((struct slice){ text.at, len }, &as, &found);
		if (r == -EINVAL) {
			asnames_free(&n);
			return err_set(e, r, "%s:%lu: write the AS number, then its name, such as: 64500 Example Networks", name,
				       line);
		}
		if (r == 1)
			r = add(n, as, (const char *)found.at, found.len);
		len += end ? 1 : 0;
		text.at += len;
		text.len -= len;
	}
	if (r < 0)
		return refuse(&n, r, name, e);
	finish(n);
	*ret = n;
	return 0;
}

/* ---- an MMDB file ---- */

struct gather {
	struct geo_file *f;
	struct asnames *n;
	uint8_t *seen; /* one bit a record that was looked at */
	size_t seen_bits;
};

static int see(struct gather *g, uint32_t record, bool *ret_known)
{
	size_t want = (size_t)record + 1, bytes = g->seen_bits / 8;

	if (want > g->seen_bits) {
		size_t more = (want + 7) / 8 * 2;
		uint8_t *p = realloc(g->seen, more);

		if (!p)
			return -ENOMEM;
		memset(p + bytes, 0, more - bytes);
		g->seen = p;
		g->seen_bits = more * 8;
	}
	*ret_known = g->seen[record / 8] & 1 << record % 8;
	g->seen[record / 8] |= (uint8_t)(1 << record % 8);
	return 0;
}

static int gather_network(void *arg, const struct prefix *p, uint32_t record, struct err *e)
{
	static const char *const number[] = { "autonomous_system_number", NULL };
	static const char *const organization[] = { "autonomous_system_organization", NULL };
	struct gather *g = arg;
	char text[ASNAME_TEXT_MAX];
	bool known = false;
	uint32_t as;
	int r = see(g, record, &known);

	(void)p;
	if (r < 0)
		return err_set(e, r, "names of AS: out of memory");
	if (known)
		return 0;
	r = geo_file_number(g->f, record, number, &as, e);
	if (r == 1)
		r = geo_file_text(g->f, record, organization, text, sizeof text, e);
	if (r != 1)
		return r;
	r = add(g->n, as, text, strlen(text));
	return r < 0 ? err_errno(e, r, "names of AS") : 0;
}

static int load_mmdb(struct asnames **ret, const char *path, struct err *e)
{
	struct gather g = { .n = calloc(1, sizeof *g.n) };
	struct geo_walk walk = { .network = gather_network, .arg = &g };
	int r = g.n ? geo_file_open(&g.f, path, e) : err_set(e, -ENOMEM, "%s: out of memory", path);

	if (r == 0)
		r = geo_file_walk(g.f, &walk, e);
	if (r == 0 && g.n->count == 0)
		r = err_set(e, -EBADMSG, "%s: no record has autonomous_system_organization", path);
	geo_file_close(&g.f);
	free(g.seen);
	if (r < 0) {
		asnames_free(&g.n);
		return r;
	}
	finish(g.n);
	*ret = g.n;
	return 0;
}

/* ---- either ---- */

static int read_all(const char *path, uint8_t **ret, size_t *ret_len, struct err *e)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *at;

	if (!f)
		return err_errno(e, -errno, "%s", path);
	if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)TEXT_FILE_MAX) {
		fclose(f);
		return err_set(e, -EINVAL, "%s: no file, or over 256 MiB", path);
	}
	at = malloc((size_t)st.st_size + 1);
	*ret_len = at ? fread(at, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (!at)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	*ret = at;
	return 0;
}

int asnames_load(struct asnames **ret, const char *path, struct err *e)
{
	uint8_t *at = NULL;
	size_t len = 0;
	int r = read_all(path, &at, &len, e);

	if (r < 0)
		return r;
	if (memchr(at, 0, len < 4096 ? len : 4096)) /* no text has these: the nodes of a search tree do */
		r = load_mmdb(ret, path, e);
	else
		r = asnames_parse(ret, (struct slice){ at, len }, path, e);
	free(at);
	return r;
}

const char *asnames_find(const struct asnames *n, uint32_t as)
{
	size_t low = 0, high = n ? n->count : 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (n->names[mid].as == as)
			return n->text + n->names[mid].at;
		if (n->names[mid].as < as)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

size_t asnames_count(const struct asnames *n)
{
	return n ? n->count : 0;
}

size_t asnames_bytes(const struct asnames *n)
{
	return n ? sizeof *n + n->room * sizeof *n->names + n->text_room : 0;
}

void asnames_free(struct asnames **pn)
{
	struct asnames *n = *pn;

	*pn = NULL;
	if (!n)
		return;
	free(n->names);
	free(n->text);
	free(n);
}
