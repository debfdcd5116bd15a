/* SPDX-License-Identifier: GPL-2.0-or-later */
/* geo.c -- see geo.h. The walk gives networks in the order of addresses, so two halves of one prefix come one after the
 * other, and what is merged already can be merged further. */
#include "routes/geo.h"

#include "routes/geo_file.h"
#include "routes/lpm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNTRIES_MAX 4096u
#define ALIAS 8192u /* value of an alias: ALIAS + the bit where the IPv4 address begins */

struct geo {
	struct lpm *lpm;
	uint32_t count;
	char countries[COUNTRIES_MAX + 1][COUNTRY_TEXT_MAX]; /* [0] is "-" */
};

struct pending {
	struct prefix prefix;
	uint32_t value;
};

struct flatten {
	struct geo_file *file;
	struct geo *geo;
	struct lpm_builder *builder;
	struct pending stack[130]; /* merged as far as can be; each is one bit shorter or farther on */
	size_t top;
	uint32_t *records;         /* country of a record, by its place; a hash table, 0 = free */
	uint32_t *values;
	size_t record_count, record_room;
};

/* ---- what a record says ---- */

static int intern(struct geo *g, const char *code)
{
	for (uint32_t i = 1; i <= g->count; i++)
		if (memcmp(g->countries[i], code, COUNTRY_TEXT_MAX) == 0)
			return (int)i;
	if (g->count == COUNTRIES_MAX)
		return -ENOSPC;
	memcpy(g->countries[++g->count], code, COUNTRY_TEXT_MAX);
	return (int)g->count;
}

/* The country's number, 0 = the record has none. */
static int read_country(struct flatten *f, uint32_t record, struct err *e)
{
	static const char *const paths[][3] = { { "country", "iso_code", NULL }, { "country_code", NULL }, { "country", NULL } };
	char text[64], code[COUNTRY_TEXT_MAX];
	int r = 0;

	for (size_t i = 0; i < sizeof paths / sizeof *paths && r == 0; i++)
		r = geo_file_text(f->file, record, paths[i], text, sizeof text, e);
	if (r <= 0 || !country_code_clean(code, text))
		return r < 0 ? r : 0;
	r = intern(f->geo, code);
	return r < 0 ? err_set(e, r, "more than %u different countries", COUNTRIES_MAX) : r;
}

static size_t slot_of(const struct flatten *f, uint32_t record)
{
	size_t i = record * UINT32_C(2654435761) & (f->record_room - 1);

	while (f->records[i] && f->records[i] != record + 1)
		i = (i + 1) & (f->record_room - 1);
	return i;
}

static int grow_records(struct flatten *f)
{
	struct flatten old = *f;
	size_t room = old.record_room ? old.record_room * 2 : 1024;
	uint32_t *records = calloc(room, sizeof *records), *values = calloc(room, sizeof *values);

	if (!records || !values) {
		free(records);
		free(values);
		return -ENOMEM;
	}
	f->records = records;
	f->values = values;
	f->record_room = room;
	for (size_t i = 0; i < old.record_room; i++) {
		if (!old.records[i])
			continue;
		size_t at = slot_of(f, old.records[i] - 1);

		f->records[at] = old.records[i];
		f->values[at] = old.values[i];
	}
	free(old.records);
	free(old.values);
	return 0;
}

/* Many networks share a record: each is read once. */
static int country_of(struct flatten *f, uint32_t record, struct err *e)
{
	size_t at;
	int r;

	if (record == UINT32_MAX)
		return err_set(e, -EBADMSG, "a record is outside of the file");
	if (f->record_count * 2 >= f->record_room && grow_records(f) < 0)
		return err_set(e, -ENOMEM, "countries: out of memory");
	at = slot_of(f, record);
	if (f->records[at])
		return (int)f->values[at];
	r = read_country(f, record, e);
	if (r < 0)
		return r;
	f->records[at] = record + 1;
	f->values[at] = (uint32_t)r;
	f->record_count++;
	return r;
}

/* ---- flattening ---- */

static int put(struct flatten *f, const struct pending *p, struct err *e)
{
	int r = p->value ? lpm_add(f->builder, &p->prefix, p->value) : 0;

	return r < 0 ? err_errno(e, r, "countries: no room for all networks") : 0;
}

static int put_all(struct flatten *f, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < f->top && r == 0; i++)
		r = put(f, &f->stack[i], e);
	f->top = 0;
	return r;
}

static bool bit_of(const struct prefix *p, unsigned bit)
{
	if (p->addr.family == ADDR_IP4)
		bit += 96;
	return p->addr.bytes[bit / 8] & 0x80 >> bit % 8;
}

/* `b` is the right half of the prefix whose left half is `a`. */
static bool are_halves(const struct pending *a, const struct pending *b)
{
	struct prefix up = b->prefix;

	if (a->value != b->value || a->prefix.bits != b->prefix.bits || a->prefix.bits == 0 ||
	    a->prefix.addr.family != b->prefix.addr.family || bit_of(&a->prefix, up.bits - 1u) || !bit_of(&up, up.bits - 1u))
		return false;
	up.bits--;
	return prefix_contains(&up, &a->prefix.addr);
}

static int push(struct flatten *f, struct pending p, struct err *e)
{
	while (f->top && are_halves(&f->stack[f->top - 1], &p)) {
		p.prefix = f->stack[--f->top].prefix;
		p.prefix.bits--;
	}
	/* Behind a right half that has no equal left one, nothing that waits can become larger. */
	if (f->top == sizeof f->stack / sizeof *f->stack || (p.prefix.bits && bit_of(&p.prefix, p.prefix.bits - 1u))) {
		int r = put_all(f, e);

		if (r < 0)
			return r;
	}
	f->stack[f->top++] = p;
	return 0;
}

static int on_network(void *arg, const struct prefix *p, uint32_t record, struct err *e)
{
	struct flatten *f = arg;
	int country = country_of(f, record, e);

	if (country <= 0)
		return country;
	return push(f, (struct pending){ *p, (uint32_t)country }, e);
}

static int on_alias(void *arg, const struct prefix *p, struct err *e)
{
	return push(arg, (struct pending){ *p, ALIAS + p->bits }, e);
}

static int flatten(struct flatten *f, const char *name, struct err *e)
{
	struct geo_walk walk = { .network = on_network, .alias = on_alias, .arg = f };
	int r;

	f->geo = calloc(1, sizeof *f->geo);
	if (!f->geo || lpm_builder_new(&f->builder) < 0)
		return err_set(e, -ENOMEM, "%s: out of memory", name);
	strcpy(f->geo->countries[0], "-");
	r = geo_file_walk(f->file, &walk, e);
	if (r == 0)
		r = put_all(f, e);
	if (r == 0 && f->geo->count == 0)
		r = err_set(e, -EBADMSG, "%s: no record has a country (country.iso_code or country_code)", name);
	if (r == 0)
		r = lpm_build(&f->geo->lpm, &f->builder, e);
	return r;
}

static int load(struct geo **ret, struct geo_file *file, const char *name, struct err *e)
{
	struct flatten *f = calloc(1, sizeof *f);
	int r;

	if (!f) {
		geo_file_close(&file);
		return err_set(e, -ENOMEM, "%s: out of memory", name);
	}
	f->file = file;
	r = flatten(f, name, e);
	if (r == 0) {
		*ret = f->geo;
		f->geo = NULL;
	}
	geo_free(&f->geo);
	lpm_builder_free(&f->builder);
	geo_file_close(&f->file);
	free(f->records);
	free(f->values);
	free(f);
	return r;
}

int geo_load(struct geo **ret, const char *path, struct err *e)
{
	struct geo_file *file = NULL;
	int r = geo_file_open(&file, path, e);

	return r < 0 ? r : load(ret, file, path, e);
}

int geo_load_bytes(struct geo **ret, struct slice bytes, const char *name, struct err *e)
{
	struct geo_file *file = NULL;
	int r = geo_file_open_bytes(&file, bytes, name, e);

	return r < 0 ? r : load(ret, file, name, e);
}

void geo_free(struct geo **pg)
{
	struct geo *g = *pg;

	*pg = NULL;
	if (!g)
		return;
	lpm_free(&g->lpm);
	free(g);
}

/* ---- look-ups ---- */

/* The four bytes that begin at a bit of an IPv6 address, as an IPv4 address. */
static struct addr inner(const struct addr *a, unsigned bit)
{
	struct addr ret = { .bytes = { [10] = 0xff, [11] = 0xff }, .family = ADDR_IP4 };

	for (unsigned i = 0; i < 4; i++) {
		unsigned at = bit / 8 + i, two = (unsigned)a->bytes[at] << 8 | (at + 1 < 16 ? a->bytes[at + 1] : 0);

		ret.bytes[12 + i] = (uint8_t)(two >> (8 - bit % 8));
	}
	return ret;
}

uint32_t geo_find(const struct geo *g, const struct addr *a)
{
	uint32_t value = lpm_find(g->lpm, a).value;

	if (value >= ALIAS) {
		struct addr ip4 = inner(a, value - ALIAS);

		value = lpm_find(g->lpm, &ip4).value;
	}
	return value;
}

const char *geo_country(const struct geo *g, uint32_t number)
{
	return g->countries[number <= g->count ? number : 0];
}

uint32_t geo_countries(const struct geo *g)
{
	return g->count;
}

size_t geo_networks(const struct geo *g, enum addr_family family)
{
	return lpm_count(g->lpm, family);
}

size_t geo_bytes(const struct geo *g)
{
	return sizeof *g + lpm_bytes(g->lpm);
}
