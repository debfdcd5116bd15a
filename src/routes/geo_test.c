/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small MMDB files, made here: each record size, IPv4 and IPv6, aliases, both forms of record; and the same ones damaged. */
#include "routes/geo.h"

#include "base/prefix.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES_MAX 600
#define EMPTY UINT32_MAX
#define DATA 0x80000000u /* | place in the data section */

struct maker {
	unsigned record_bits, ip_version;
	uint32_t nodes[NODES_MAX][2]; /* a node, EMPTY, DATA | place */
	unsigned node_count;
	uint8_t data[512];
	size_t data_len;
	uint8_t file[16384];
	size_t len;
};

static void put(struct maker *m, const void *at, size_t len)
{
	assert_true(m->len + len <= sizeof m->file);
	memcpy(m->file + m->len, at, len);
	m->len += len;
}

static void put_text(struct maker *m, const char *text)
{
	uint8_t head = (uint8_t)(2 << 5 | strlen(text));

	assert_true(strlen(text) < 29);
	put(m, &head, 1);
	put(m, text, strlen(text));
}

static void put_number(struct maker *m, const char *key, unsigned type, uint32_t value)
{
	uint8_t bytes[5] = { (uint8_t)(type << 5 | 4), (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
			     (uint8_t)value };

	put_text(m, key);
	if (type == 5) { /* uint16 */
		uint8_t two[3] = { 5 << 5 | 2, bytes[3], bytes[4] };

		put(m, two, 3);
	} else {
		put(m, bytes, 5);
	}
}

/* {"country": {"iso_code": CODE}} or {"country_code": CODE} into the data section. */
static uint32_t add_country(struct maker *m, const char *code, bool nested)
{
	struct maker part = { 0 };
	uint8_t map = 7 << 5 | 1;
	uint32_t place = (uint32_t)m->data_len;

	put(&part, &map, 1);
	if (nested) {
		put_text(&part, "country");
		put(&part, &map, 1);
		put_text(&part, "iso_code");
	} else {
		put_text(&part, "country_code");
	}
	put_text(&part, code);
	memcpy(m->data + m->data_len, part.file, part.len);
	m->data_len += part.len;
	return DATA | place;
}

static void add_network(struct maker *m, const char *text, uint32_t value)
{
	struct prefix p;
	struct err e;
	uint32_t at = 0;
	unsigned begin, bits;

	assert_int_equal(prefix_parse(&p, text, &e), 0);
	begin = p.addr.family == ADDR_IP4 && m->ip_version == 4 ? 96 : 0;
	bits = p.addr.family == ADDR_IP4 && m->ip_version == 6 ? p.bits + 96u : p.bits;
	if (p.addr.family == ADDR_IP4 && m->ip_version == 6)
		p.addr.bytes[10] = p.addr.bytes[11] = 0; /* ::/96 */
	for (unsigned i = 0; i < bits; i++) {
		unsigned bit = begin + i, side = p.addr.bytes[bit / 8] >> (7 - bit % 8) & 1;

		if (i + 1 == bits) {
			m->nodes[at][side] = value;
		} else if (m->nodes[at][side] == EMPTY) {
			assert_true(m->node_count < NODES_MAX);
			m->nodes[m->node_count][0] = m->nodes[m->node_count][1] = EMPTY;
			m->nodes[at][side] = m->node_count++;
			at = m->nodes[at][side];
		} else {
			at = m->nodes[at][side];
		}
	}
}

static uint32_t node_at(const struct maker *m, unsigned zero_bits)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < zero_bits; i++)
		at = m->nodes[at][0];
	return at;
}

static void put_node(struct maker *m, const uint32_t node[2])
{
	uint32_t v[2];
	uint8_t b[8];

	for (unsigned i = 0; i < 2; i++)
		v[i] = node[i] == EMPTY ? m->node_count : node[i] & DATA ? m->node_count + 16 + (node[i] & ~DATA) : node[i];
	if (m->record_bits == 24) {
		uint8_t six[6] = { (uint8_t)(v[0] >> 16), (uint8_t)(v[0] >> 8), (uint8_t)v[0],
				   (uint8_t)(v[1] >> 16), (uint8_t)(v[1] >> 8), (uint8_t)v[1] };

		put(m, six, 6);
		return;
	}
	if (m->record_bits == 28) {
		uint8_t seven[7] = { (uint8_t)(v[0] >> 16), (uint8_t)(v[0] >> 8), (uint8_t)v[0],
				     (uint8_t)((v[0] >> 24 & 15) << 4 | (v[1] >> 24 & 15)),
				     (uint8_t)(v[1] >> 16), (uint8_t)(v[1] >> 8), (uint8_t)v[1] };

		put(m, seven, 7);
		return;
	}
	for (unsigned i = 0; i < 8; i++)
		b[i] = (uint8_t)(v[i / 4] >> (24 - i % 4 * 8));
	put(m, b, 8);
}

static void finish(struct maker *m)
{
	static const uint8_t zeros[16];
	uint8_t map = 7 << 5 | 9, empty_array[2] = { 0, 4 }, empty_map = 7 << 5, epoch[3] = { 1, 2, 1 };

	for (unsigned i = 0; i < m->node_count; i++)
		put_node(m, m->nodes[i]);
	put(m, zeros, 16);
	put(m, m->data, m->data_len);
	put(m, "\xab\xcd\xefMaxMind.com", 14);
	put(m, &map, 1);
	put_number(m, "node_count", 6, m->node_count);
	put_number(m, "record_size", 5, m->record_bits);
	put_number(m, "ip_version", 5, m->ip_version);
	put_number(m, "binary_format_major_version", 5, 2);
	put_number(m, "binary_format_minor_version", 5, 0);
	put_text(m, "build_epoch");
	put(m, epoch, 3); /* uint64 of one byte */
	put_text(m, "database_type");
	put_text(m, "Test");
	put_text(m, "languages");
	put(m, empty_array, 2);
	put_text(m, "description");
	put(m, &empty_map, 1);
}

static void begin(struct maker *m, unsigned record_bits, unsigned ip_version)
{
	memset(m, 0, sizeof *m);
	m->record_bits = record_bits;
	m->ip_version = ip_version;
	m->node_count = 1;
	m->nodes[0][0] = m->nodes[0][1] = EMPTY;
}

static void make(struct maker *m, unsigned record_bits, unsigned ip_version, bool nested)
{
	uint32_t de, us;

	begin(m, record_bits, ip_version);
	de = add_country(m, "DE", nested);
	us = add_country(m, "us", nested);
	add_network(m, "192.0.2.0/25", de);
	add_network(m, "192.0.2.128/25", de); /* becomes one /24 */
	add_network(m, "192.0.3.0/24", us);
	add_network(m, "198.51.100.7/32", us);
	if (ip_version == 6) {
		add_network(m, "2001:db8::/32", de);
		add_network(m, "2001:db9::/48", us);
		add_network(m, "2002::/16", node_at(m, 96));
		add_network(m, "::ffff:0:0/96", node_at(m, 96));
	}
	finish(m);
}

static const struct {
	const char *address, *in_ip4, *in_ip6;
} answers[] = {
	{ "192.0.2.1", "DE", "DE" },
	{ "192.0.2.255", "DE", "DE" },
	{ "192.0.3.0", "US", "US" },
	{ "192.0.4.0", "-", "-" },
	{ "198.51.100.7", "US", "US" },
	{ "198.51.100.8", "-", "-" },
	{ "0.0.0.0", "-", "-" },
	{ "255.255.255.255", "-", "-" },
	{ "2001:db8::1", "-", "DE" },
	{ "2001:db9:0:ffff::1", "-", "US" },
	{ "2001:db9:1::", "-", "-" },
	{ "::c000:201", "-", "DE" },        /* ::/96 is IPv4 */
	{ "::ffff:192.0.2.1", "-", "DE" },  /* aliases */
	{ "2002:c000:0301::1", "-", "US" },
	{ "2002:0101:0101::1", "-", "-" },
};

static const struct {
	unsigned record_bits, ip_version;
	bool nested;
} files[] = {
	{ 24, 4, true }, { 28, 4, true }, { 32, 4, true }, { 24, 6, true }, { 28, 6, false }, { 32, 6, false },
};

static void test_answers(void **state)
{
	struct maker *m = malloc(sizeof *m);

	(void)state;
	for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
		struct err e = { 0 };
		struct geo *g = NULL;

		make(m, files[f].record_bits, files[f].ip_version, files[f].nested);
		if (geo_load_bytes(&g, (struct slice){ m->file, m->len }, "test", &e) < 0)
			fail_msg("file %zu: %s", f, e.msg);
		for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
			const char *want = files[f].ip_version == 6 ? answers[i].in_ip6 : answers[i].in_ip4, *is;
			struct addr a;

			assert_int_equal(addr_parse(&a, answers[i].address), 0);
			is = geo_country(g, geo_find(g, &a));
			if (strcmp(is, want) != 0)
				fail_msg("file %zu, %s: %s, expected %s", f, answers[i].address, is, want);
		}
		assert_int_equal(geo_networks(g, ADDR_IP4), 3); /* neighbours were merged */
		geo_free(&g);
	}
	free(m);
}

/* Cut at every byte, and every byte changed in turn. */
static void test_damage(void **state)
{
	struct maker *m = malloc(sizeof *m);
	struct geo *g = NULL;

	(void)state;
	make(m, 24, 6, true);
	for (size_t len = 0; len < m->len; len++)
		if (geo_load_bytes(&g, (struct slice){ m->file, len }, "cut", NULL) == 0)
			geo_free(&g);
	for (size_t i = 0; i < m->len; i++) {
		m->file[i] ^= 0xff;
		if (geo_load_bytes(&g, (struct slice){ m->file, m->len }, "changed", NULL) == 0)
			geo_free(&g);
		m->file[i] ^= 0xff;
	}
	free(m);
}

static void make_loop(struct maker *m)
{
	begin(m, 24, 6);
	add_country(m, "DE", true);
	m->node_count = 2;
	m->nodes[0][0] = m->nodes[0][1] = m->nodes[1][0] = m->nodes[1][1] = 1;
	finish(m);
}

/* Each node leads to the next by both sides: 2^60 ways. */
static void make_bomb(struct maker *m)
{
	begin(m, 24, 6);
	m->node_count = 120;
	for (unsigned i = 0; i < 119; i++)
		m->nodes[i][0] = m->nodes[i][1] = i + 1;
	m->nodes[119][0] = m->nodes[119][1] = add_country(m, "DE", true);
	finish(m);
}

static void make_without(struct maker *m)
{
	begin(m, 24, 4);
	add_network(m, "192.0.2.0/24", add_country(m, "not a code", true));
	finish(m);
}

static const struct {
	const char *why, *says;
	void (*make)(struct maker *m);
} refused[] = {
	{ "a node that leads to itself", "deeper than an address", make_loop },
	{ "a tree that never ends", "too many ways", make_bomb },
	{ "no country", "no record has a country", make_without },
};

static void test_refused(void **state)
{
	struct maker *m = malloc(sizeof *m);

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct err e = { 0 };
		struct geo *g = NULL;

		refused[i].make(m);
		if (geo_load_bytes(&g, (struct slice){ m->file, m->len }, "bad", &e) != -EBADMSG ||
		    !strstr(e.msg, refused[i].says))
			fail_msg("%s: %s", refused[i].why, e.msg);
	}
	free(m);
}

static const struct {
	const char *group, *country;
	bool has;
} groups[] = {
	{ "eu", "DE", true }, { "eu", "NO", true }, { "eu", "CH", false }, { "eu", "GB", false },
	{ "nordic", "DK", true }, { "nordic", "DE", false },
};

static void test_groups(void **state)
{
	struct geo_groups g = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(geo_groups_add(&g, "nordic", "DK", &e), 0);
	assert_int_equal(geo_groups_add(&g, "nordic", "no", &e), 0);
	assert_int_equal(geo_groups_add(&g, "nordic", "NO", &e), -EINVAL);
	assert_int_equal(geo_groups_add(&g, "nordic", "DEU", &e), -EINVAL);
	assert_int_equal(geo_groups_add(&g, "EU", "DE", &e), -EINVAL);
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		assert_int_equal(geo_group_has(geo_groups_find(&g, groups[i].group), groups[i].country), groups[i].has);
	assert_null(geo_groups_find(&g, "africa"));
	assert_non_null(geo_groups_find(NULL, "eu"));
	geo_groups_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_damage), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
