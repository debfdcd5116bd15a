/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which view answers for whom, and what it answers: with MRT files of one row each, made here. */
#include "routes/routes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL FIELDS_OF_ROUTES

struct made {
	uint8_t at[512];
	size_t len;
};

static void put(struct made *m, uint64_t value, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		m->at[m->len++] = (uint8_t)(value >> 8 * i);
}

/* TABLE_DUMP_V2 (RFC 6396 4.3): 10.0.0.0/8 by this path; the last two ASes are a set where `set`. */
static void make_mrt(struct made *m, const uint32_t *path, unsigned count, bool set)
{
	unsigned sequence = set ? count - 2 : count, path_bytes = 2 + 4 * sequence + (set ? 10 : 0);

	m->len = 0;
	put(m, 1700000000, 4);
	put(m, 0x000d0001, 4); /* the peer index table */
	put(m, 8 + 13, 4);
	put(m, 0xc0000201, 4);
	put(m, 1, 4); /* no view name, one peer */
	put(m, 2, 1); /* IPv4, AS of 4 octets */
	put(m, 0xc0000202, 4);
	put(m, 0xc0000202, 4);
	put(m, path[0], 4);
	put(m, 1700000000, 4);
	put(m, 0x000d0002, 4); /* RIB_IPV4_UNICAST */
	put(m, 4 + 2 + 2 + 8 + 4 + 3 + path_bytes + 7, 4);
	put(m, 0, 4);
	put(m, 0x080a, 2);
	put(m, 1, 2);
	put(m, 0, 2);
	put(m, 1700000000, 4);
	put(m, 4 + 3 + path_bytes + 7, 2);
	put(m, 0x40010100, 4);
	put(m, 0x4002, 2);
	put(m, path_bytes, 1);
	put(m, 0x0200 | sequence, 2);
	for (unsigned i = 0; i < count; i++) {
		if (set && i == sequence)
			put(m, 0x0102, 2);
		put(m, path[i], 4);
	}
	put(m, UINT64_C(0x400304c0000202), 7);
}

static void write_mrt(const char *path, const uint32_t *as, unsigned count, bool set)
{
	struct made m;
	FILE *f = fopen(path, "we");

	make_mrt(&m, as, count, set);
	assert_non_null(f);
	assert_int_equal(fwrite(m.at, 1, m.len, f), m.len);
	fclose(f);
}

struct fixture {
	char folder[64];
	struct strings *strings;
	struct routes *routes;
	struct routes_view views[3];
	struct routes_interface interface;
	struct routes_config config;
};

static void add_prefix(struct prefix_set *s, const char *text)
{
	struct prefix p;
	struct err e;

	assert_int_equal(prefix_parse(&p, text, &e), 0);
	assert_int_equal(prefix_set_add(s, &p), 0);
}

static void set_view(struct fixture *f, size_t i, const char *name, const char *serves)
{
	snprintf(f->views[i].name, sizeof f->views[i].name, "%s", name);
	snprintf(f->views[i].mrt, sizeof f->views[i].mrt, "%s/%s.mrt", f->folder, name);
	if (serves)
		add_prefix(&f->views[i].serves, serves);
}

static void wait_loaded(struct routes *r)
{
	struct timespec pause = { .tv_nsec = 5000000 };

	for (unsigned i = 0; i < 1000 && !routes_is_loaded(r); i++) {
		nanosleep(&pause, NULL);
		routes_tick(r);
	}
	routes_tick(r);
}

static int set_up(void **state)
{
	static const uint32_t one[] = { 64500, 64510, 64510, 64520 }, two[] = { 64501 }, three[] = { 64502, 64530, 64531 };
	struct fixture *f = calloc(1, sizeof *f);
	struct err e = { 0 };

	strcpy(f->folder, "/tmp/nettally-routes-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	set_view(f, 0, "one", "192.0.2.0/24");
	set_view(f, 1, "two", "192.0.2.128/25");
	set_view(f, 2, "three", NULL);
	f->views[0].is_default = true;
	write_mrt(f->views[0].mrt, one, 4, false);
	write_mrt(f->views[1].mrt, two, 1, false);
	write_mrt(f->views[2].mrt, three, 3, true);
	strcpy(f->interface.interface, "eth3");
	strcpy(f->interface.view, "three");
	f->config = (struct routes_config){ .views = f->views, .view_count = 3, .interfaces = &f->interface,
					    .interface_count = 1 };
	assert_int_equal(strings_new(&f->strings), 0);
	if (routes_open(&f->routes, &f->config, f->strings, "", &e) < 0 || routes_start(f->routes, &e) < 0)
		fail_msg("%s", e.msg);
	wait_loaded(f->routes);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	routes_close(&f->routes);
	for (size_t i = 0; i < 3; i++) {
		unlink(f->views[i].mrt);
		prefix_set_free(&f->views[i].serves);
	}
	rmdir(f->folder);
	strings_free(&f->strings);
	free(f);
	return 0;
}

static const struct {
	const char *why, *router, *address, *prefix, *path, *origin;
	uint32_t neighbour, transit;
} cases[] = {
	{ "the default view", NULL, "10.1.2.3", "10.0.0.0/8", "64500 64510 64510 64520", "64520", 64500, 3 },
	{ "a router that has no view", "unknown", "10.1.2.3", "10.0.0.0/8", "64500 64510 64510 64520", "64520", 64500, 3 },
	{ "by its name", "two", "10.1.2.3", "10.0.0.0/8", "64501", "64501", 64501, 1 },
	{ "an interface's view, and a set as origin", "eth3", "10.1.2.3", "10.0.0.0/8", "64502 {64530,64531}",
	  "{64530,64531}", 64502, 3 },
	{ "no route", "two", "11.0.0.1", "-", "-", NULL, 0, 0 },
	{ "the other family", "two", "2001:db8::1", "-", "-", NULL, 0, 0 },
};

static void check_origin(const struct fixture *f, const char *why, const struct attribution *at, const char *want)
{
	char text[64] = "";

	if (at->origin_as >> 32 == 1)
		snprintf(text, sizeof text, "%u", (unsigned)at->origin_as);
	else if (at->origin_as >> 32 == 2)
		snprintf(text, sizeof text, "%s", strings_at(f->strings, (uint32_t)at->origin_as));
	if (strcmp(text, want ? want : "") != 0)
		fail_msg("%s: origin '%s'", why, text);
}

static void test_views(void **state)
{
	struct fixture *f = *state;

	for (size_t round = 0; round < 2; round++) { /* the second time from what was remembered */
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			uint32_t router = cases[i].router ? strings_add(f->strings, cases[i].router) : 0;
			struct attribution at = { 0 };
			struct addr a;

			assert_int_equal(addr_parse(&a, cases[i].address), 0);
			routes_attribute(f->routes, router, &a, ALL, &at);
			if (strcmp(strings_at(f->strings, at.prefix), cases[i].prefix) != 0 ||
			    strcmp(strings_at(f->strings, at.as_path), cases[i].path) != 0)
				fail_msg("%s: %s by %s", cases[i].why, strings_at(f->strings, at.prefix),
					 strings_at(f->strings, at.as_path));
			assert_int_equal(at.neighbour_as, cases[i].neighbour ? AS_KEY(cases[i].neighbour) : 0);
			assert_int_equal(at.transit_count, cases[i].transit);
			assert_int_equal(at.country, 0);
			check_origin(f, cases[i].why, &at, cases[i].origin);
		}
	}
}

static const struct {
	const char *server, *router;
} servers[] = {
	{ "192.0.2.1", "one" }, { "192.0.2.129", "two" }, { "192.0.3.1", "-" }, { "2001:db8::1", "-" },
};

static void test_router_of(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
		struct addr a;

		assert_int_equal(addr_parse(&a, servers[i].server), 0);
		assert_string_equal(strings_at(f->strings, routes_router_of(f->routes, &a)), servers[i].router);
	}
}

/* Views that stay keep their table; others go; without a default and several views nobody answers. */
static void test_change(void **state)
{
	struct fixture *f = *state;
	struct routes_config c = f->config;
	struct attribution at = { 0 };
	struct err e = { 0 };
	struct addr a;

	f->views[0].is_default = false;
	c.view_count = 2;
	c.interface_count = 0;
	assert_int_equal(addr_parse(&a, "10.0.0.1"), 0);
	assert_int_equal(routes_change(f->routes, &c, &e), 0);
	routes_attribute(f->routes, strings_add(f->strings, "two"), &a, ALL, &at); /* before anything could be read again */
	assert_string_equal(strings_at(f->strings, at.as_path), "64501");
	at = (struct attribution){ 0 };
	routes_attribute(f->routes, strings_add(f->strings, "eth3"), &a, ALL, &at);
	assert_int_equal(at.prefix, 0);
	c.view_count = 1;
	assert_int_equal(routes_change(f->routes, &c, &e), 0);
	routes_attribute(f->routes, 0, &a, ALL, &at); /* the only one is the default */
	assert_string_equal(strings_at(f->strings, at.as_path), "64500 64510 64510 64520");
	assert_null(routes_table(f->routes, "two"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_views, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_router_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_change, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
