/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag_message_test.c -- messages made here, whole, cut at every byte and at odds with themselves. */
#include "sockets/diag_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct message {
	_Alignas(8) uint8_t at[1024];
	size_t len;
};

static void put(struct message *m, const void *from, size_t len)
{
	memcpy(m->at + m->len, from, len);
	m->len += (len + 3) / 4 * 4;
}

static void put_head(struct message *m, uint16_t type, size_t payload)
{
	const struct nlmsghdr head = { .nlmsg_len = (uint32_t)(sizeof head + payload), .nlmsg_type = type };

	put(m, &head, sizeof head);
}

static struct tcp_info some_info(void)
{
	return (struct tcp_info){ .tcpi_bytes_acked = 1, .tcpi_bytes_sent = 2, .tcpi_bytes_retrans = 3, .tcpi_data_segs_out = 4,
				  .tcpi_total_retrans = 5, .tcpi_rtt = 6 };
}

static void put_connection(struct message *m, uint8_t family, uint8_t state, size_t info_bytes)
{
	struct inet_diag_msg d = { .idiag_family = family, .idiag_state = state };
	const struct rtattr shutdown = { .rta_len = sizeof shutdown + 1, .rta_type = INET_DIAG_SHUTDOWN };
	const struct rtattr attr = { .rta_len = (uint16_t)(sizeof attr + info_bytes), .rta_type = INET_DIAG_INFO };
	uint8_t info[512] = { 0 };
	const struct tcp_info some = some_info();
	const uint8_t one[4] = { 1 };

	memcpy(info, &some, sizeof some);
	d.id.idiag_sport = htons(443);
	d.id.idiag_dport = htons(50000);
	d.id.idiag_cookie[0] = 7;
	d.id.idiag_cookie[1] = 1;
	inet_pton(family, family == AF_INET ? "192.0.2.1" : "2001:db8::1", d.id.idiag_src);
	inet_pton(family, family == AF_INET ? "192.0.2.2" : "::ffff:192.0.2.2", d.id.idiag_dst);
	put_head(m, SOCK_DIAG_BY_FAMILY, sizeof d + 8 + sizeof attr + info_bytes);
	put(m, &d, sizeof d);
	put(m, &shutdown, sizeof shutdown);
	put(m, one, 4);
	put(m, &attr, sizeof attr);
	put(m, info, info_bytes);
}

static void put_code(struct message *m, uint16_t type, int code)
{
	put_head(m, type, sizeof code);
	put(m, &code, sizeof code);
}

static int next(struct message *m, enum diag_kind *kind, struct connection *c)
{
	struct cursor cursor = cursor_of((struct slice){ m->at, m->len });

	return diag_message_next(&cursor, kind, c);
}

static void test_connections(void **state)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 2 };
	struct message m = { .len = 0 };
	struct connection c;
	enum diag_kind kind;
	struct cursor cursor;

	(void)state;
	put_connection(&m, AF_INET, 1, sizeof(struct tcp_info));
	put_connection(&m, AF_INET6, 4, sizeof(struct tcp_info) + 16); /* a newer kernel */
	put_code(&m, NLMSG_DONE, 0);
	cursor = cursor_of((struct slice){ m.at, m.len });
	for (int i = 0; i < 2; i++) {
		assert_int_equal(diag_message_next(&cursor, &kind, &c), 1);
		assert_int_equal(kind, DIAG_CONNECTION);
		assert_int_equal(c.cookie, (UINT64_C(1) << 32) + 7);
		assert_int_equal(c.ends.local_port, 443);
		assert_int_equal(c.ends.remote_port, 50000);
		assert_memory_equal(c.ends.remote, mapped, 16);
		assert_int_equal(c.counters.bytes_acked, 1);
		assert_int_equal(c.counters.bytes_sent, 2);
		assert_int_equal(c.counters.bytes_retrans, 3);
		assert_int_equal(c.counters.data_segments, 4);
		assert_int_equal(c.counters.retransmits, 5);
		assert_int_equal(c.srtt_us, 6);
		assert_false(c.listens);
	}
	assert_int_equal(diag_message_next(&cursor, &kind, &c), 1);
	assert_int_equal(kind, DIAG_DONE);
	assert_int_equal(diag_message_next(&cursor, &kind, &c), 0);
}

static const struct {
	const char *why;
	uint8_t family, state;
	size_t info_bytes;
	enum diag_kind want;
} cases[] = {
	{ "listens", AF_INET, 10, 0, DIAG_CONNECTION },
	{ "closed meanwhile", AF_INET, 7, sizeof(struct tcp_info), DIAG_OTHER },
	{ "an old kernel", AF_INET, 1, offsetof(struct tcp_info, tcpi_bytes_sent), DIAG_OTHER },
	{ "just enough", AF_INET, 1, offsetof(struct tcp_info, tcpi_bytes_retrans) + 8, DIAG_CONNECTION },
	{ "another family", AF_UNIX, 1, sizeof(struct tcp_info), DIAG_OTHER },
};

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message m = { .len = 0 };
		struct connection c;
		enum diag_kind kind;

		print_message("%s\n", cases[i].why);
		put_connection(&m, cases[i].family, cases[i].state, cases[i].info_bytes);
		assert_int_equal(next(&m, &kind, &c), 1);
		assert_int_equal(kind, cases[i].want);
	}
}

static void test_errors(void **state)
{
	static const struct {
		uint16_t type;
		int code, want;
	} errors[] = { { NLMSG_ERROR, -EPERM, -EPERM }, { NLMSG_ERROR, 0, 1 }, { NLMSG_DONE, -ENOENT, -ENOENT },
		       { NLMSG_ERROR, 5, -EBADMSG }, { NLMSG_ERROR, -100000, -EBADMSG } };
	struct connection c;
	enum diag_kind kind;

	(void)state;
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct message m = { .len = 0 };

		put_code(&m, errors[i].type, errors[i].code);
		assert_int_equal(next(&m, &kind, &c), errors[i].want);
	}
}

/* At every length a copy of its own, so that the sanitizer sees what lies behind. */
static void test_cut(void **state)
{
	struct message m = { .len = 0 };
	size_t whole;

	(void)state;
	put_connection(&m, AF_INET6, 1, sizeof(struct tcp_info));
	whole = m.len;
	for (size_t len = 1; len < whole; len++) {
		uint8_t *copy = malloc(len);
		struct cursor cursor;
		struct connection c;
		enum diag_kind kind;

		memcpy(copy, m.at, len);
		cursor = cursor_of((struct slice){ copy, len });
		assert_int_equal(diag_message_next(&cursor, &kind, &c), -EBADMSG);
		free(copy);
	}
	for (uint16_t len = 0; len < 4; len++) { /* an attribute shorter than its own head */
		struct connection c;
		enum diag_kind kind;

		memcpy(m.at + sizeof(struct nlmsghdr) + sizeof(struct inet_diag_msg), &len, sizeof len);
		assert_int_equal(next(&m, &kind, &c), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
