/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neighbours_test.c -- messages of the kernel's neighbour table, and the table itself. */
#include "names/testing.h"

#include "names/neighbours.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

struct heard {
	struct neighbour at[8];
	size_t count;
};

static void hear(void *arg, const struct neighbour *n)
{
	struct heard *h = arg;

	if (h->count < COUNT(h->at))
		h->at[h->count] = *n;
	h->count++;
}

struct message {
	uint8_t bytes[256];
	size_t len;
};

static void put_attribute(struct message *m, uint16_t type, const void *value, uint16_t len)
{
	struct rtattr a = { .rta_len = (uint16_t)(sizeof a + len), .rta_type = type };

	memcpy(m->bytes + m->len, &a, sizeof a);
	memcpy(m->bytes + m->len + sizeof a, value, len);
	m->len += (sizeof a + len + 3u) & ~3u;
}

static void put_neighbour(struct message *m, uint16_t type, uint16_t state, const char *host, const uint8_t mac[6])
{
	struct addr a = addr_of(host);
	struct ndmsg nd = { .ndm_family = a.family == ADDR_IP4 ? AF_INET : AF_INET6, .ndm_state = state };
	size_t begin = m->len;

	m->len += sizeof(struct nlmsghdr);
	memcpy(m->bytes + m->len, &nd, sizeof nd);
	m->len += sizeof nd;
	if (a.family == ADDR_IP4)
		put_attribute(m, NDA_DST, addr_ip4_bytes(&a), 4);
	else
		put_attribute(m, NDA_DST, a.bytes, 16);
	if (mac)
		put_attribute(m, NDA_LLADDR, mac, 6);
	struct nlmsghdr h = { .nlmsg_len = (uint32_t)(m->len - begin), .nlmsg_type = type };
	memcpy(m->bytes + begin, &h, sizeof h);
}

static const uint8_t mac[6] = { 0xaa, 0xbb, 0xcc, 0, 0, 1 }, group[6] = { 0x01, 0, 0x5e, 0, 0, 1 }, zeros[6];

static void who_is_a_neighbour(void **state)
{
	static const struct { const char *why; uint16_t type,
		state; const char *host; const uint8_t *mac; size_t want; } rows[] = {
		{ "reachable", RTM_NEWNEIGH, NUD_REACHABLE, "192.0.2.1", mac, 1 },
		{ "stale", RTM_NEWNEIGH, NUD_STALE, "192.0.2.1", mac, 1 },
		{ "IPv6", RTM_NEWNEIGH, NUD_PERMANENT, "fe80::1", mac, 1 },
		{ "failed", RTM_NEWNEIGH, NUD_FAILED, "192.0.2.1", mac, 0 },
		{ "incomplete", RTM_NEWNEIGH, NUD_INCOMPLETE, "192.0.2.1", NULL, 0 },
		{ "no ARP", RTM_NEWNEIGH, NUD_NOARP, "192.0.2.1", mac, 0 },
		{ "gone", RTM_DELNEIGH, NUD_STALE, "192.0.2.1", mac, 0 },
		{ "a group's MAC", RTM_NEWNEIGH, NUD_STALE, "192.0.2.1", group, 0 },
		{ "a group", RTM_NEWNEIGH, NUD_STALE, "ff02::1", mac, 0 },
		{ "no MAC", RTM_NEWNEIGH, NUD_STALE, "192.0.2.1", zeros, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct heard h = { .count = 0 };
		struct message m = { .len = 0 };
		struct addr want = addr_of(rows[i].host);

		print_message("%s\n", rows[i].why);
		put_neighbour(&m, rows[i].type, rows[i].state, rows[i].host, rows[i].mac);
		put_neighbour(&m, rows[i].type, rows[i].state, rows[i].host, rows[i].mac);
		assert_int_equal(neighbours_parse((struct slice){ m.bytes, m.len }, hear, &h), 0);
		assert_int_equal(h.count, 2 * rows[i].want);
		if (rows[i].want) {
			assert_true(addr_equal(&h.at[0].host, &want));
			assert_int_equal(h.at[1].mac, UINT64_C(0x1aabbcc000001));
		}
		for (size_t len = 1; len < m.len; len++) { /* cut anywhere: no more than whole messages */
			h.count = 0;
			neighbours_parse((struct slice){ m.bytes, len }, hear, &h);
			assert_true(h.count <= 1);
		}
	}
}

/* What this machine has; no more is known than that it can be asked. */
static void the_kernel_answers(void **state)
{
	struct heard h = { .count = 0 };
	int fd, r;

	(void)state;
	r = neighbours_open(&fd, NULL);
	assert_int_equal(r, 0);
	usleep(20000);
	assert_int_equal(neighbours_read(fd, hear, &h), 0);
	print_message("%zu neighbours\n", h.count);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_is_a_neighbour), cmocka_unit_test(the_kernel_answers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
