/* SPDX-License-Identifier: GPL-2.0-or-later */
/* row_sort_test.c -- sorted rows against the plain definition: numbers by value, text by its bytes,
 * unknown first, `other` last, columns from the left; and a limit gives the head of the whole. */
#include "cli/row_sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS 3000

struct scene {
	const char *why;
	enum field by[4];
	unsigned by_count;
	int counter;        /* sort column: -1 none, else rx packets, rx bytes, tx packets, tx bytes */
	int key;            /* sort column: index into by, -1 none */
	bool descending;
	uint64_t limit;     /* keys of the table; what is beyond is `other` */
};

static const struct scene scenes[] = {
	{ "by host", { FIELD_HOST }, 1, -1, -1, false, ROWS * 4 },
	{ "by host, few fit", { FIELD_HOST }, 1, -1, -1, false, 40 },
	{ "by host, largest first", { FIELD_HOST }, 1, 1, -1, true, ROWS * 4 },
	{ "by host, fewest packets first", { FIELD_HOST }, 1, 2, -1, false, ROWS * 4 },
	{ "by host backwards", { FIELD_HOST }, 1, -1, 0, true, ROWS * 4 },
	{ "by mac and host", { FIELD_MAC, FIELD_HOST }, 2, -1, -1, false, ROWS * 4 },
	{ "by port, proto and ends", { FIELD_DST_PORT, FIELD_PROTO, FIELD_SRC_HOST, FIELD_DST_HOST }, 4, -1, -1, false,
	  ROWS * 4 },
	{ "by direction, vlan and ethertype, second column asked", { FIELD_DIRECTION, FIELD_VLAN, FIELD_ETHERTYPE }, 3,
	  -1, 1, true, ROWS * 4 },
	{ "by interface, names of any length", { FIELD_INTERFACE, FIELD_PROTO }, 2, -1, -1, false, ROWS * 4 },
	{ "by interface backwards", { FIELD_INTERFACE, FIELD_HOST }, 2, -1, 0, true, ROWS * 4 },
};

static void random_addr(struct addr *a)
{
	static const char *const some[] = { "::ffff:10.0.0.1", "::1", "::", "2001:db8::1", "2001:db8:1::1", "::10.0.0.1" };

	*a = (struct addr){ 0 };
	switch (random() % 4) {
	case 0:
		return;
	case 1:
		assert_int_equal(addr_parse(a, some[random() % 6]), 0);
		return;
	case 2:
		a->family = ADDR_IP6;
		for (unsigned i = 0; i < 16; i++)
			a->bytes[i] = random() % 3 ? 0 : (uint8_t)random();
		return;
	default:
		assert_int_equal(addr_parse(a, "10.0.0.0"), 0);
		a->bytes[13] = (uint8_t)(random() % 3 * 100);
		a->bytes[15] = (uint8_t)random();
	}
}

static void random_packet(struct packet *p, struct strings *strings)
{
	char name[64];

	*p = (struct packet){ .segments = 1, .l2_bytes = (uint64_t)random() % 5000 + 60 };
	random_addr(&p->src);
	random_addr(&p->dst);
	p->src_mac = random() % 5 ? UINT64_C(1) << 48 | (uint64_t)random() : 0;
	p->dst_mac = random() % 5 ? UINT64_C(1) << 48 | (uint64_t)random() << 17 : 0;
	p->dst_port = random() % 4 ? 0x10000u | (uint32_t)(random() & 0xffff) : 0;
	p->proto = random() % 4 ? (uint16_t)(0x100 | (random() & 0xff)) : 0;
	p->vlan = random() % 2 ? (uint16_t)(0x1000 | (random() & 0xfff)) : 0;
	p->ethertype = random() % 4 ? 0x10000u | (uint32_t)(random() & 0xffff) : 0;
	p->direction = (uint8_t)(random() % 3);
	snprintf(name, sizeof name, "%.*s%ld", (int)(random() % 30), "interface-with-a-long-name-00000", random() % 50);
	p->interface = random() % 5 ? strings_add(strings, name) : 0;
}

static void fill(struct count *c, const struct scene *s, struct strings *strings)
{
	struct grain g = { .limit = s->limit };
	uint64_t fields = 0;

	for (unsigned i = 0; i < s->by_count; i++)
		fields |= FIELD_BIT(s->by[i]);
	g.party = (fields & FIELDS_OF_PARTY) != 0;
	assert_int_equal(key_layout_make(&g.layout, fields, NULL), 0);
	g.narrow = grain_may_be_narrow(&g);
	assert_int_equal(count_open(c, &g, NULL), 0);
	for (unsigned i = 0; i < ROWS; i++) {
		struct packet p;

		random_packet(&p, strings);
		count_packets(c, &p, 1);
	}
}

/* One column of two rows, by the definition. */
static int compare_column(const struct row_sorter *s, const struct sort_column *column, const struct row_ref *a,
			  const struct row_ref *b)
{
	const struct key_layout *l = &s->count->grain.layout;
	uint64_t a_key[KEY_WORDS_MAX], b_key[KEY_WORDS_MAX];
	int c;

	if (column->is_counter) {
		uint64_t x = row_counter(s, a, column->counter), y = row_counter(s, b, column->counter);

		c = (x > y) - (x < y);
	} else {
		c = key_compare(l, &column->field, 1, s->strings, row_key(s->count, a, a_key),
				row_key(s->count, b, b_key));
	}
	return column->descending ? -c : c;
}

static int compare_rows(const struct row_sorter *s, const struct row_ref *a, const struct row_ref *b)
{
	for (unsigned i = 0; i < s->column_count; i++) {
		int c = compare_column(s, &s->columns[i], a, b);

		if (c)
			return c;
	}
	return 0;
}

static struct row_ref *rows_of(const struct count *c, uint64_t *ret_count)
{
	uint64_t n = c->table.used + c->others.used;
	struct row_ref *rows = calloc(2 * n + 1, sizeof *rows);

	assert_non_null(rows);
	for (uint64_t i = 0; i < n; i++)
		rows[i].slot = i < c->table.used ? (uint32_t)i : (uint32_t)(i - c->table.used) | ROW_IN_OTHERS;
	*ret_count = n;
	return rows;
}

static void check_scene(const struct scene *scene, struct strings *strings)
{
	struct count c;
	struct row_sorter s = { .count = &c, .strings = strings, .basis = BYTES_L2 };
	struct row_ref *rows, *head;
	uint64_t n;

	fill(&c, scene, strings);
	table_compact(&c.table);
	table_compact(&c.others);
	if (scene->counter >= 0)
		s.columns[s.column_count++] = (struct sort_column){ .is_counter = true,
								      .counter = (unsigned)scene->counter,
								      .descending = scene->descending };
	if (scene->key >= 0)
		s.columns[s.column_count++] = (struct sort_column){ .field = scene->by[scene->key],
								      .descending = scene->descending };
	for (unsigned i = 0; i < scene->by_count; i++)
		s.columns[s.column_count++] = (struct sort_column){ .field = scene->by[i] };
	rows = rows_of(&c, &n);
	row_sort(&s, rows, rows + n, n, n);
	for (uint64_t i = 1; i < n; i++)
		assert_true(compare_rows(&s, &rows[i - 1], &rows[i]) < 0);
	for (uint64_t wanted = 0; wanted < 20 && wanted <= n; wanted++) {
		head = rows_of(&c, &n);
		row_sort(&s, head, head + n, n, wanted);
		for (uint64_t i = 0; i < wanted; i++)
			assert_int_equal(head[i].slot, rows[i].slot);
		free(head);
	}
	free(rows);
	count_close(&c);
}

static void test_scenes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof scenes / sizeof *scenes; i++) {
		struct strings *strings;

		srandom(i + 1);
		print_message("%s\n", scenes[i].why);
		assert_int_equal(strings_new(&strings), 0);
		check_scene(&scenes[i], strings);
		strings_free(&strings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scenes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
