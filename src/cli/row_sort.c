/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/row_sort.h"

#define SMALL 24        /* rows that are sorted by insertion */
#define AHEAD 16        /* rows */
#define HOST_CHARS 12   /* characters of an address in a word, 5 bits each */

/* Which word of the sort key. */
struct level {
	unsigned column, part;
};

static const struct table *row_table(const struct count *c, const struct row_ref *row)
{
	return row->slot & ROW_IN_OTHERS ? &c->others : &c->table;
}

static const uint8_t *row_slot(const struct count *c, const struct row_ref *row)
{
	return table_slot(row_table(c, row), row->slot & ~ROW_IN_OTHERS);
}

const uint8_t *row_key(const struct count *c, const struct row_ref *row, uint64_t scratch[static KEY_WORDS_MAX])
{
	return count_key(c, row_table(c, row), row_slot(c, row), scratch);
}

void row_tally(const struct count *c, const struct row_ref *row, struct party_tally *ret)
{
	count_tally(c, row_table(c, row), row_slot(c, row), ret);
}

/* Sorted rows lie anywhere in the table: what comes next is asked for ahead. */
void row_prefetch(const struct count *c, const struct row_ref *rows, size_t at, size_t n)
{
	if (at + AHEAD < n)
		__builtin_prefetch(row_slot(c, &rows[at + AHEAD]));
}

uint64_t row_counter(const struct row_sorter *s, const struct row_ref *row, unsigned counter)
{
	struct party_tally t;

	row_tally(s->count, row, &t);
	switch (counter) {
	case 0: return t.rx.packets;
	case 1: return tally_bytes(&t.rx, s->basis);
	case 2: return t.tx.packets;
	default: return tally_bytes(&t.tx, s->basis);
	}
}

static bool is_address(enum field f)
{
	return f == FIELD_HOST || f == FIELD_SRC_HOST || f == FIELD_DST_HOST;
}

/* Text that is read in several words; every other field is one. */
static bool is_text(enum field f)
{
	return field_width(f) == 4 && !field_is_number(f) && f != FIELD_ETHERTYPE;
}

/* The characters that an address, "-" and "other" are made of, in the order of their bytes. */
static const uint8_t host_codes[256] = {
	['-'] = 1, ['.'] = 2, ['0'] = 3, ['1'] = 4, ['2'] = 5, ['3'] = 6, ['4'] = 7, ['5'] = 8, ['6'] = 9,
	['7'] = 10, ['8'] = 11, ['9'] = 12, [':'] = 13, ['a'] = 14, ['b'] = 15, ['c'] = 16, ['d'] = 17,
	['e'] = 18, ['f'] = 19, ['h'] = 20, ['o'] = 21, ['r'] = 22, ['t'] = 23,
};

static uint64_t host_word(const char *text, size_t len, unsigned part)
{
	uint64_t word = 0;

	for (unsigned i = part * HOST_CHARS; i < (part + 1) * HOST_CHARS; i++)
		word = word << 5 | (i < len ? host_codes[(uint8_t)text[i]] : 0);
	return word << 4;
}

/* The same for an IPv4 address, without its text: most rows of a long list are such. */
static uint64_t ip4_word(const uint8_t *bytes, unsigned part)
{
	__extension__ unsigned __int128 codes = 0;
	unsigned chars = 0;

	for (unsigned i = 0; i < 4; i++) {
		unsigned v = bytes[i];

		if (i) {
			codes = codes << 5 | host_codes['.'];
			chars++;
		}
		for (unsigned unit = v >= 100 ? 100 : v >= 10 ? 10 : 1; unit; unit /= 10) {
			codes = codes << 5 | (host_codes['0'] + v / unit % 10);
			chars++;
		}
	}
	codes <<= 5 * (2 * HOST_CHARS - chars);
	return (uint64_t)(part ? codes : codes >> (5 * HOST_CHARS)) << 4;
}

static uint64_t text_word(const char *text, size_t len, unsigned part)
{
	uint64_t word = 0;

	for (unsigned i = part * 8; i < (part + 1) * 8; i++)
		word = word << 8 | (i < len ? (uint8_t)text[i] : 0);
	return word;
}

static uint64_t number_word(const struct key_layout *l, const uint8_t *key, enum field f)
{
	return key_field_is_other(l, key, f) ? UINT64_MAX : (uint64_t)(key_get_number(l, key, f) + 1);
}

/* "-" before "egress" before "ingress" before "other". */
static uint64_t direction_word(uint8_t direction)
{
	switch (direction) {
	case DIRECTION_UNKNOWN: return 0;
	case DIRECTION_EGRESS: return 1;
	case DIRECTION_INGRESS: return 2;
	default: return 3;
	}
}

static uint64_t field_word(const struct row_sorter *s, const uint8_t *key, enum field f, unsigned part)
{
	const struct key_layout *l = &s->count->grain.layout;
	char scratch[KEY_TEXT_MAX];
	const char *text;
	uint64_t word;
	size_t len;

	switch (f) {
	case FIELD_WINDOW:
		memcpy(&word, key + l->at[f], sizeof word);
		return word ^ UINT64_C(1) << 63; /* signed */
	case FIELD_MAC:
	case FIELD_SRC_MAC:
	case FIELD_DST_MAC: /* 0 unknown, all ones `other`; text of one length orders as the number */
		memcpy(&word, key + l->at[f], sizeof word);
		return word;
	case FIELD_DIRECTION:
		return direction_word(key[l->at[f]]);
	default:
		if (!is_text(f) && !is_address(f))
			return number_word(l, key, f);
		if (is_address(f)) {
			struct addr a;

			key_get_addr(l, key, f, &a);
			if (a.family == ADDR_IP4)
				return ip4_word(addr_ip4_bytes(&a), part);
		}
		text = key_text(l, key, f, s->strings, scratch, &len);
		return is_address(f) ? host_word(text, len, part) : text_word(text, len, part);
	}
}

static uint64_t row_word(const struct row_sorter *s, const struct row_ref *row, struct level at)
{
	const struct sort_column *c = &s->columns[at.column];
	uint64_t scratch[KEY_WORDS_MAX], word;

	if (c->is_counter)
		word = row_counter(s, row, c->counter);
	else
		word = field_word(s, row_key(s->count, row, scratch), c->field, at.part);

	return c->descending ? ~word : word;
}

/* The word behind one that is equal in several rows: the text's next part, or the next column. */
static struct level next_level(const struct row_sorter *s, struct level at, uint64_t word)
{
	const struct sort_column *c = &s->columns[at.column];

	word = c->descending ? ~word : word;
	if (!c->is_counter && is_address(c->field) && word & 0x1f0)
		return (struct level){ at.column, at.part + 1 };
	if (!c->is_counter && is_text(c->field) && word & 0xff)
		return (struct level){ at.column, at.part + 1 };
	return (struct level){ at.column + 1, 0 };
}

static void insertion_sort(struct row_ref *rows, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct row_ref row = rows[i];
		size_t to = i;

		for (; to > 0 && rows[to - 1].word > row.word; to--)
			rows[to] = rows[to - 1];
		rows[to] = row;
	}
}

static void radix_pass(const struct row_ref *from, struct row_ref *to, size_t n, unsigned shift)
{
	size_t at[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		at[from[i].word >> shift & 255]++;
	for (unsigned d = 0; d < 256; d++) {
		size_t count = at[d];

		at[d] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i].word >> shift & 255]++] = from[i];
}

/* Least significant byte first; bytes in which all words agree are left out. */
static void radix_sort(struct row_ref *rows, struct row_ref *spare, size_t n)
{
	struct row_ref *from = rows, *to = spare, *swap;
	uint64_t differs = 0;

	for (size_t i = 1; i < n; i++)
		differs |= rows[i].word ^ rows[0].word;
	for (unsigned shift = 0; shift < 64; shift += 8) {
		if ((differs >> shift & 255) == 0)
			continue;
		radix_pass(from, to, n, shift);
		swap = from;
		from = to;
		to = swap;
	}
	if (from != rows)
		memcpy(rows, from, n * sizeof *rows);
}

static void fill_words(const struct row_sorter *s, struct row_ref *rows, size_t n, struct level at)
{
	for (size_t i = 0; i < n; i++) {
		row_prefetch(s->count, rows, i, n);
		rows[i].word = row_word(s, &rows[i], at);
	}
}

/* Recursion ends with the columns: at most their words deep. */
static void sort_level(const struct row_sorter *s, struct row_ref *rows, struct row_ref *spare, size_t n,
		       struct level at)
{
	if (at.column == s->column_count)
		return;
	fill_words(s, rows, n, at);
	if (n <= SMALL)
		insertion_sort(rows, n);
	else
		radix_sort(rows, spare, n);
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && rows[to].word == rows[from].word; to++)
			;
		if (to - from > 1)
			sort_level(s, rows + from, spare, to - from, next_level(s, at, rows[from].word));
	}
}

/* The value up to which at least `wanted` words go, found from the top byte down: the rows above
 * it need no sorting. */
static uint64_t word_bound(const struct row_ref *rows, size_t n, size_t wanted)
{
	uint64_t bound = 0, fixed = 0; /* bits of the bound that are decided */

	for (unsigned shift = 64; shift > 0 && wanted > 0;) {
		size_t at[256] = { 0 };
		unsigned d = 0;

		shift -= 8;
		for (size_t i = 0; i < n; i++)
			if ((rows[i].word & fixed) == bound)
				at[rows[i].word >> shift & 255]++;
		while (d < 255 && at[d] < wanted)
			wanted -= at[d++];
		bound |= (uint64_t)d << shift;
		fixed |= UINT64_C(255) << shift;
	}
	return bound;
}

static size_t keep_least(struct row_ref *rows, size_t n, size_t wanted)
{
	uint64_t bound = word_bound(rows, n, wanted);
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (rows[i].word <= bound)
			rows[kept++] = rows[i];
	return kept;
}

void row_sort(const struct row_sorter *s, struct row_ref *rows, struct row_ref *spare, size_t n, size_t wanted)
{
	if (wanted == 0)
		return;
	if (wanted < n / 4) {
		fill_words(s, rows, n, (struct level){ 0, 0 });
		n = keep_least(rows, n, wanted);
	}
	sort_level(s, rows, spare, n, (struct level){ 0, 0 });
}
