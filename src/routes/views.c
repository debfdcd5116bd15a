/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/views.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_SET_KEY(id) (UINT64_C(2) << 32 | (id))
#define NOT_YET UINT32_MAX

struct prefix_text {
	uint64_t words[2];
	uint32_t id;   /* 0 = the slot is free */
	uint16_t head; /* family and length */
};

struct view_texts {
	struct strings *strings;
	struct prefix_text *prefixes; /* open addressing, a power of two */
	size_t count, room;
	char *text;                   /* of a path */
	size_t text_size;
};

struct path_keys {
	uint64_t origin, neighbour;
	uint32_t *transit;
	uint32_t transit_count;
	uint32_t text;  /* NOT_YET: nobody wanted it */
	bool known;     /* all but the text */
};

struct view_table {
	unsigned refs;
	struct route_table *table;
	struct path_keys *paths; /* by id; pages that nobody touches cost nothing */
	size_t transit_bytes;
};

int view_texts_new(struct view_texts **ret, struct strings *s)
{
	struct view_texts *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	t->strings = s;
	t->room = 1024;
	t->text_size = 4096;
	t->prefixes = calloc(t->room, sizeof *t->prefixes);
	t->text = malloc(t->text_size);
	if (!t->prefixes || !t->text) {
		view_texts_free(&t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void view_texts_free(struct view_texts **pt)
{
	struct view_texts *t = *pt;

	*pt = NULL;
	if (!t)
		return;
	free(t->prefixes);
	free(t->text);
	free(t);
}

/* ---- prefixes ---- */

static size_t slot_of(const struct view_texts *t, const struct prefix_text *p)
{
	uint64_t hash = (p->words[0] ^ p->words[1] * UINT64_C(0x9e3779b97f4a7c15) ^ p->head) * UINT64_C(0xbf58476d1ce4e5b9);
	size_t i = (hash ^ hash >> 32) & (t->room - 1);

	while (t->prefixes[i].id && (t->prefixes[i].words[0] != p->words[0] || t->prefixes[i].words[1] != p->words[1] ||
				     t->prefixes[i].head != p->head))
		i = (i + 1) & (t->room - 1);
	return i;
}

static int grow(struct view_texts *t)
{
	struct view_texts old = *t;
	struct prefix_text *more = calloc(old.room * 2, sizeof *more);

	if (!more)
		return -ENOMEM;
	t->prefixes = more;
	t->room *= 2;
	for (size_t i = 0; i < old.room; i++)
		if (old.prefixes[i].id)
			t->prefixes[slot_of(t, &old.prefixes[i])] = old.prefixes[i];
	free(old.prefixes);
	return 0;
}

static uint32_t prefix_id(struct view_texts *t, const struct prefix *p)
{
	struct prefix_text key = { .head = (uint16_t)(p->addr.family << 8 | p->bits) };
	char text[PREFIX_TEXT_MAX];
	size_t at;

	memcpy(key.words, p->addr.bytes, sizeof key.words);
	at = slot_of(t, &key);
	if (t->prefixes[at].id)
		return t->prefixes[at].id;
	prefix_format(p, text);
	key.id = strings_add(t->strings, text);
	if (key.id == 0 || (t->count * 2 >= t->room && grow(t) < 0))
		return key.id;
	t->prefixes[slot_of(t, &key)] = key;
	t->count++;
	return key.id;
}

/* ---- paths ---- */

static uint32_t path_id(struct view_texts *t, const struct as_path *p)
{
	size_t len = as_path_format(p, t->text, t->text_size);

	if (len == 0)
		return 0; /* the router's own: there is no path */
	if (len >= t->text_size) {
		char *more = realloc(t->text, len + 1);

		if (!more)
			return 0;
		t->text = more;
		t->text_size = len + 1;
		as_path_format(p, t->text, t->text_size);
	}
	return strings_add(t->strings, t->text);
}

static uint64_t origin_key(struct view_texts *t, const struct as_path *p)
{
	struct as_origin o = as_path_origin(p);
	size_t len;

	if (o.as || o.set.count == 0)
		return o.as ? AS_KEY(o.as) : 0;
	len = as_origin_format(&o, t->text, t->text_size);
	if (len >= t->text_size) { /* larger than any path that was seen: its own text */
		char *more = realloc(t->text, len + 1);

		if (!more)
			return 0;
		t->text = more;
		t->text_size = len + 1;
		as_origin_format(&o, t->text, t->text_size);
	}
	return ORIGIN_SET_KEY(strings_add(t->strings, t->text));
}

static void know(struct view_table *v, struct view_texts *t, struct path_keys *k, const struct as_path *p)
{
	uint32_t neighbour = as_path_neighbour(p);

	k->known = true;
	k->text = NOT_YET;
	k->origin = origin_key(t, p);
	k->neighbour = neighbour ? AS_KEY(neighbour) : 0;
	k->transit = p->count ? malloc(p->count * sizeof *k->transit) : NULL;
	if (!k->transit)
		return;
	k->transit_count = as_path_distinct(p, k->transit, p->count);
	v->transit_bytes += p->count * sizeof *k->transit;
}

void view_attribute(struct view_table *v, struct view_texts *t, const struct addr *a, uint64_t wanted, struct attribution *ret)
{
	struct path_keys *k;
	struct as_path path;
	struct route route;

	if (!route_table_find(v->table, a, &route))
		return;
	if (wanted & FIELD_BIT(FIELD_PREFIX))
		ret->prefix = prefix_id(t, &route.prefix);
	k = &v->paths[route.path];
	if (!k->known || (k->text == NOT_YET && wanted & FIELD_BIT(FIELD_AS_PATH))) {
		path = route_table_path(v->table, route.path);
		if (!k->known)
			know(v, t, k, &path);
		if (wanted & FIELD_BIT(FIELD_AS_PATH))
			k->text = path_id(t, &path);
	}
	if (wanted & FIELD_BIT(FIELD_AS_PATH))
		ret->as_path = k->text;
	ret->origin_as = k->origin;
	ret->neighbour_as = k->neighbour;
	ret->transit = k->transit;
	ret->transit_count = k->transit_count;
}

/* ---- life ---- */

int view_table_new(struct view_table **ret, struct route_table **t)
{
	struct view_table *v = calloc(1, sizeof *v);

	if (v)
		v->paths = calloc((size_t)route_table_paths(*t) + 1, sizeof *v->paths);
	if (!v || !v->paths) {
		free(v);
		route_table_free(t);
		return -ENOMEM;
	}
	v->refs = 1;
	v->table = *t;
	*t = NULL;
	*ret = v;
	return 0;
}

struct view_table *view_table_ref(struct view_table *v)
{
	v->refs++;
	return v;
}

void view_table_unref(struct view_table **pv)
{
	struct view_table *v = *pv;

	*pv = NULL;
	if (!v || --v->refs)
		return;
	for (uint32_t i = 0; i <= route_table_paths(v->table); i++)
		free(v->paths[i].transit);
	free(v->paths);
	route_table_free(&v->table);
	free(v);
}

const struct route_table *view_table_routes(const struct view_table *v)
{
	return v->table;
}

size_t view_table_bytes(const struct view_table *v)
{
	return sizeof *v + route_table_bytes(v->table) + v->transit_bytes +
	       ((size_t)route_table_paths(v->table) + 1) * sizeof *v->paths;
}
