/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route_table.c -- a struct lpm whose values are path ids, and the words of the paths behind it. */
#include "routes/route_table.h"

#include "routes/lpm.h"
#include "routes/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct route_builder {
	struct lpm_builder *prefixes;
	struct paths *paths;
};

struct route_table {
	struct lpm *lpm;
	uint32_t *words;   /* of all paths */
	uint32_t *starts;  /* of path `id`: starts[id - 1] to starts[id] */
	uint32_t path_count;
};

int route_builder_new(struct route_builder **ret)
{
	struct route_builder *b = calloc(1, sizeof *b);

	if (!b)
		return -ENOMEM;
	if (lpm_builder_new(&b->prefixes) < 0 || paths_new(&b->paths) < 0) {
		route_builder_free(&b);
		return -ENOMEM;
	}
	*ret = b;
	return 0;
}

void route_builder_free(struct route_builder **b)
{
	if (*b) {
		lpm_builder_free(&(*b)->prefixes);
		paths_free(&(*b)->paths);
	}
	free(*b);
	*b = NULL;
}

uint32_t route_builder_path(struct route_builder *b, const struct as_path *path)
{
	return paths_hold(b->paths, path->words, path->count);
}

int route_builder_add(struct route_builder *b, const struct prefix *p, uint32_t path)
{
	return lpm_add(b->prefixes, p, path);
}

static int copy_paths(struct route_table *t, const struct paths *from)
{
	uint32_t count = paths_last(from), len;
	size_t words = 0;

	t->starts = malloc(((size_t)count + 1) * sizeof *t->starts);
	if (!t->starts)
		return -ENOMEM;
	for (uint32_t id = 1; id <= count; id++) {
		t->starts[id - 1] = (uint32_t)words; /* paths.c holds fewer than UINT32_MAX */
		(void)paths_at(from, id, &len);
		words += len;
	}
	t->starts[count] = (uint32_t)words;
	t->words = malloc(words * sizeof *t->words + 1);
	if (!t->words)
		return -ENOMEM;
	for (uint32_t id = 1; id <= count; id++) {
		const uint32_t *at = paths_at(from, id, &len);

		if (len)
			memcpy(t->words + t->starts[id - 1], at, len * sizeof *at);
	}
	t->path_count = count;
	return 0;
}

int route_table_build(struct route_table **ret, struct route_builder **b, struct err *e)
{
	struct route_table *t = calloc(1, sizeof *t);
	int r = t ? copy_paths(t, (*b)->paths) : -ENOMEM;

	if (r < 0)
		err_set(e, r, "no memory for the paths of a table");
	else
		r = lpm_build(&t->lpm, &(*b)->prefixes, e);
	route_builder_free(b);
	if (r < 0) {
		route_table_free(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void route_table_free(struct route_table **t)
{
	if (*t) {
		lpm_free(&(*t)->lpm);
		free((*t)->words);
		free((*t)->starts);
	}
	free(*t);
	*t = NULL;
}

bool route_table_find(const struct route_table *t, const struct addr *a, struct route *ret)
{
	struct lpm_match m = lpm_find(t->lpm, a);

	if (!m.value)
		return false;
	*ret = (struct route){ lpm_prefix(a, m.bits), m.value };
	return true;
}

struct as_path route_table_path(const struct route_table *t, uint32_t id)
{
	if (id == 0 || id > t->path_count)
		return (struct as_path){ 0 };
	return (struct as_path){ t->words + t->starts[id - 1], t->starts[id] - t->starts[id - 1] };
}

uint32_t route_table_paths(const struct route_table *t)
{
	return t->path_count;
}

size_t route_table_count(const struct route_table *t, enum addr_family family)
{
	return lpm_count(t->lpm, family);
}

struct route route_table_at(const struct route_table *t, enum addr_family family, size_t i)
{
	struct route r;

	r.path = lpm_at(t->lpm, family, i, &r.prefix);
	return r;
}

size_t route_table_bytes(const struct route_table *t)
{
	return sizeof *t + lpm_bytes(t->lpm) +
	       ((size_t)t->starts[t->path_count] + t->path_count + 1) * sizeof(uint32_t);
}

const struct lpm *route_table_lpm(const struct route_table *t)
{
	return t->lpm;
}
