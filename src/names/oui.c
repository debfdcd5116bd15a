/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A block is two lines, the first bytes and the range behind them:
 *   70-B3-D5   (hex)		TELEPLATFORMS
 *   F2F000-F2FFFF     (base 16)		TELEPLATFORMS
 * or, of a whole OUI, "002272     (base 16)		...". */
#include "names/oui.h"

#include "base/text.h"
#include "names/file_text.h"
#include "names/name_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct block {
	uint64_t first;     /* 48 bits */
	uint32_t name;      /* in `names` */
	uint8_t bits;
};

struct oui {
	struct block *blocks;
	size_t count, room;
	char *names;
	size_t names_used, names_room;
};

struct oui *oui_new(void)
{
	return calloc(1, sizeof(struct oui));
}

void oui_free(struct oui **po)
{
	struct oui *o = *po;

	if (!o)
		return;
	free(o->blocks);
	free(o->names);
	free(o);
	*po = NULL;
}

static int add_name(struct oui *o, const char *name, uint32_t *ret)
{
	size_t len = strlen(name) + 1;

	if (o->names_room - o->names_used < len) {
		size_t room = o->names_room ? o->names_room * 2 : 1 << 16;
		char *names = realloc(o->names, room);

		if (!names)
			return -ENOMEM;
		o->names = names;
		o->names_room = room;
	}
	*ret = (uint32_t)o->names_used;
	memcpy(o->names + o->names_used, name, len);
	o->names_used += len;
	return 0;
}

static int add_block(struct oui *o, struct block b, const char *name)
{
	if (o->count == OUI_MAX)
		return 0;
	if (o->count == o->room) {
		size_t room = o->room ? o->room * 2 : 4096;
		struct block *blocks = realloc(o->blocks, room * sizeof *blocks);

		if (!blocks)
			return -ENOMEM;
		o->blocks = blocks;
		o->room = room;
	}
	if (add_name(o, name, &b.name) < 0)
		return -ENOMEM;
	o->blocks[o->count++] = b;
	return 0;
}

/* Six hexadecimal digits, with `dash` ("70-B3-D5") or without. */
static bool parse_hex24(struct slice s, bool dash, uint32_t *ret)
{
	uint32_t value = 0;

	if (s.len != (dash ? 8 : 6))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.at[i], low = c | 0x20;

		if (dash && i % 3 == 2) {
			if (c != '-')
				return false;
		} else if (c >= '0' && c <= '9') {
			value = value << 4 | (uint32_t)(c - '0');
		} else if (low >= 'a' && low <= 'f') {
			value = value << 4 | (uint32_t)(low - 'a' + 10);
		} else {
			return false;
		}
	}
	*ret = value;
	return true;
}

/* "002272", or the range "F2F000-F2FFFF" behind `first`. */
static bool parse_range(struct slice s, uint32_t oui, bool has_oui, struct block *ret)
{
	uint32_t from, to, size;

	if (parse_hex24(s, false, &from)) {
		*ret = (struct block){ .first = (uint64_t)from << 24, .bits = 24 };
		return true;
	}
	if (!has_oui || s.len != 13 || s.at[6] != '-' || !parse_hex24((struct slice){ s.at, 6 }, false, &from) ||
	    !parse_hex24((struct slice){ s.at + 7, 6 }, false, &to) || to < from)
		return false;
	size = to - from + 1;
	if ((size & (size - 1)) != 0 || (from & (size - 1)) != 0)
		return false; /* no block of a power of two */
	*ret = (struct block){ .first = (uint64_t)oui << 24 | from, .bits = (uint8_t)(24 + __builtin_clz(size) - 7) };
	return true;
}

static void take_name(struct slice line, char *ret, size_t size)
{
	char raw[128];

	while (line.len && (*line.at == ' ' || *line.at == '\t')) {
		line.at++;
		line.len--;
	}
	while (line.len && (line.at[line.len - 1] == ' ' || line.at[line.len - 1] == '\t'))
		line.len--;
	if (line.len >= sizeof raw)
		line.len = sizeof raw - 1;
	if (!slice_text(line, raw, sizeof raw))
		raw[0] = '\0';
	text_printable(raw, ret, size);
}

int oui_parse(struct oui *o, struct slice text)
{
	uint32_t oui = 0;
	bool has_oui = false;
	int r = 0;

	while (text.len && r == 0) {
		struct slice line = slice_line(&text), first = slice_word(&line), second = slice_word(&line), third = line;
		struct block b;
		char name[128];

		if (slice_is(second, "(hex)")) {
			has_oui = parse_hex24(first, true, &oui);
			continue;
		}
		if (!slice_is(second, "(base") || !slice_is(slice_word(&third), "16)") || !parse_range(first, oui, has_oui, &b))
			continue;
		take_name(third, name, sizeof name);
		if (name[0])
			r = add_block(o, b, name);
	}
	return r;
}

static int compare_blocks(const void *pa, const void *pb)
{
	const struct block *a = pa, *b = pb;

	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first;
}

void oui_sort(struct oui *o)
{
	if (o->count)
		qsort(o->blocks, o->count, sizeof *o->blocks, compare_blocks);
}

const char *oui_find(const struct oui *o, uint64_t mac)
{
	static const uint8_t lengths[] = { 36, 28, 24 };

	for (size_t i = 0; i < sizeof lengths && o->count; i++) {
		uint64_t mask = ~UINT64_C(0) << (48 - lengths[i]) & 0xffffffffffff;
		struct block want = { .first = mac & mask, .bits = lengths[i] }, *found;

		found = bsearch(&want, o->blocks, o->count, sizeof *o->blocks, compare_blocks);
		if (found)
			return o->names + found->name;
	}
	return NULL;
}

size_t oui_count(const struct oui *o)
{
	return o->count;
}

static int read_one(struct oui *o, const char *path, struct err *e)
{
	struct file_text f = { 0 };
	int r = file_text_read(&f, path, e);

	if (r < 0)
		return r;
	r = oui_parse(o, f.text);
	file_text_free(&f);
	return r < 0 ? err_set(e, r, "%s: no memory", path) : 0;
}

/* `path` is a folder: as many of the lists as there are, one at least. */
static int read_folder(struct oui *o, const char *path, struct err *e)
{
	static const char *const lists[] = { "oui.txt", "mam.txt", "oui36.txt", "iab.txt" };
	unsigned found = 0;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		char file[512];
		int r;

		if ((size_t)snprintf(file, sizeof file, "%s/%s", path, lists[i]) >= sizeof file)
			return err_set(e, -ENAMETOOLONG, "%s: the path is too long", path);
		r = read_one(o, file, e);
		if (r < 0 && r != -ENOENT)
			return r;
		found += r == 0;
	}
	return found ? 0 : err_set(e, -ENOENT, "%s: no oui.txt is there; install ieee-data", path);
}

int oui_read(struct oui **ret, const char *path, struct err *e)
{
	struct oui *o = oui_new();
	struct stat st;
	int r;

	if (!o)
		return err_set(e, -ENOMEM, "no memory");
	r = stat(path, &st) < 0 ? err_errno(e, -errno, "%s", path) : 0;
	if (r == 0)
		r = S_ISDIR(st.st_mode) ? read_folder(o, path, e) : read_one(o, path, e);
	if (r == 0 && o->count == 0)
		r = err_set(e, -EINVAL, "%s: no list of MAC addresses as ieee-data has it", path);
	if (r < 0) {
		oui_free(&o);
		return r;
	}
	oui_sort(o);
	*ret = o;
	return 0;
}
