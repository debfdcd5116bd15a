/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit_bytes_test.c -- why an interface's own byte counters may differ from the bytes booked. */
#include "output/audit_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define HEADERS "it leaves out the 14-byte header of "
#define TAGS "perhaps VLAN tags that the hardware "

struct counted {
	uint64_t packets, bytes;
};

static const struct {
	const char *why;
	const char *capture;
	struct counted frames, wire, kernel; /* wire 0: as frames */
	const char *what[2];                 /* the reasons */
	int64_t unexplained;
} cases[] = {
	{ "nothing", "kernel", { 0, 0 }, { 0, 0 }, { 0, 0 }, { NULL }, 0 },
	{ "the same", "kernel", { 100, 9000 }, { 0, 0 }, { 100, 9000 }, { NULL }, 0 },
	{ "the same in super-packets", "kernel", { 199598, 11788017500 }, { 8136439, 12311849006 },
	  { 199598, 11788017500 }, { NULL }, 0 },
	{ "the same on the wire", "kernel", { 33132, 2009826082 }, { 1387431, 2099209816 },
	  { 1387431, 2099209816 }, { NULL }, 0 },
	{ "veth under XDP", "xdp", { 1387431, 2099209816 }, { 0, 0 }, { 1387431, 2079785782 },
	  { HEADERS "1387431 packets" }, 0 },
	{ "veth, XDP of another or at the other end", "kernel", { 33132, 2009826082 }, { 1387431, 2099209816 },
	  { 1387431, 2079785782 }, { HEADERS "1387431 packets" }, 0 },
	{ "not quite the headers", "xdp", { 100, 9000 }, { 0, 0 }, { 100, 9000 - 1399 }, { NULL }, -1399 },
	{ "headers of some only", "xdp", { 100, 9000 }, { 0, 0 }, { 100, 9000 - 14 * 99 }, { NULL }, -14 * 99 },
	{ "checksums", "kernel", { 100, 9000 }, { 0, 0 }, { 100, 9400 }, { "it counts the 4-byte checksum of 100 packets" }, 0 },
	{ "checksums of segments", "kernel", { 10, 9000 }, { 100, 14400 }, { 100, 14800 },
	  { "it counts the 4-byte checksum of 100 packets" }, 0 },
	{ "tags beside the frame, counted", "kernel", { 100, 9000 }, { 100, 9200 }, { 100, 9200 }, { NULL }, 0 },
	{ "tags beside the frame, not counted", "kernel", { 100, 9000 }, { 100, 9200 }, { 100, 9000 }, { NULL }, 0 },
	{ "tags that we did not see", "socket", { 100, 9000 }, { 0, 0 }, { 100, 9200 },
	  { TAGS "takes off: 4 bytes of 50 packets" }, 0 },
	{ "tags that it does not count", "socket", { 100, 9000 }, { 0, 0 }, { 100, 8800 },
	  { TAGS "puts in: 4 bytes of 50 packets" }, 0 },
	{ "more tags than packets", "socket", { 100, 9000 }, { 0, 0 }, { 100, 9404 }, { NULL }, 404 },
	{ "no multiple of 4", "socket", { 100, 9000 }, { 0, 0 }, { 100, 9002 }, { NULL }, 2 },
	{ "on their way", "kernel", { 97, 9000 }, { 0, 0 }, { 100, 9300 }, { "3 packets that were not booked" }, 0 },
	{ "on their way, and checksums", "kernel", { 999990, 90000000 }, { 0, 0 }, { 1000000, 90000000 + 4000000 + 860 },
	  { "it counts the 4-byte checksum of 1000000 packets", "10 packets that were not booked" }, 0 },
	{ "on their way under XDP", "xdp", { 97, 9000 }, { 0, 0 }, { 100, 9300 - 1400 },
	  { HEADERS "100 packets", "3 packets that were not booked" }, 0 },
	{ "too few bytes for them", "kernel", { 999997, 90000000 }, { 0, 0 }, { 1000000, 90000020 }, { NULL }, 20 },
	{ "booked, then dropped", "kernel", { 105, 9500 }, { 0, 0 }, { 100, 9000 }, { "5 packets that did not get past" }, 0 },
};

static struct interface_books books_of(size_t i, enum byte_side side)
{
	struct counted wire = cases[i].wire.packets ? cases[i].wire : cases[i].frames;
	struct interface_books b = { .booked_frames = cases[i].frames.packets, .booked_frame_bytes = cases[i].frames.bytes,
				     .booked_packets = wire.packets, .booked_l2_bytes = wire.bytes };

	strcpy(b.capture, cases[i].capture);
	if (side == BYTES_RX) {
		b.ingress_frames = b.booked_frames;
		b.ingress_frame_bytes = b.booked_frame_bytes;
		b.ingress_packets = b.booked_packets;
		b.ingress_l2_bytes = b.booked_l2_bytes;
		b.kernel_rx_packets = cases[i].kernel.packets;
		b.kernel_rx_bytes = cases[i].kernel.bytes;
	} else {
		b.egress_frames = b.booked_frames;
		b.egress_frame_bytes = b.booked_frame_bytes;
		b.egress_packets = b.booked_packets;
		b.egress_l2_bytes = b.booked_l2_bytes;
		b.kernel_tx_packets = cases[i].kernel.packets;
		b.kernel_tx_bytes = cases[i].kernel.bytes;
	}
	return b;
}

static void test_case(size_t i, enum byte_side side)
{
	struct interface_books b = books_of(i, side);
	struct byte_balance x, other;
	int64_t sum = 0;
	size_t count = 0;

	print_message("%s, %s\n", cases[i].why, side == BYTES_RX ? "rx" : "tx");
	audit_bytes(&b, side, &x);
	assert_true(x.is_known);
	while (count < COUNT(cases[i].what) && cases[i].what[count])
		count++;
	assert_int_equal(x.reason_count, count);
	for (size_t r = 0; r < count; r++) {
		if (!strstr(x.reasons[r].what, cases[i].what[r]))
			fail_msg("%s: not '%s'", x.reasons[r].what, cases[i].what[r]);
		sum += x.reasons[r].bytes;
	}
	assert_int_equal(x.unexplained, cases[i].unexplained);
	assert_int_equal(x.difference, sum + x.unexplained);
	assert_int_equal(x.difference, (int64_t)(cases[i].kernel.bytes - x.booked));
	audit_bytes(&b, side == BYTES_RX ? BYTES_TX : BYTES_RX, &other);
	assert_true(other.is_known && other.difference == 0 && other.reason_count == 0);
}

static void test_reasons(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		test_case(i, BYTES_RX);
		test_case(i, BYTES_TX);
	}
}

static void test_who_is_named(void **state)
{
	struct interface_books b = books_of(4, BYTES_RX);
	struct byte_balance x;

	(void)state;
	audit_bytes(&b, BYTES_RX, &x);
	assert_string_equal(x.reasons[0].what, "it leaves out the 14-byte header of 1387431 packets under XDP");
	strcpy(b.capture, "kernel");
	audit_bytes(&b, BYTES_RX, &x);
	assert_string_equal(x.reasons[0].what, "it leaves out the 14-byte header of 1387431 packets, as a veth does under XDP");
}

/* An older version kept no bytes by direction: then nothing is said. */
static void test_not_known(void **state)
{
	struct interface_books b = books_of(1, BYTES_RX), old = b;
	struct byte_balance x;

	(void)state;
	old.ingress_frame_bytes = old.ingress_l2_bytes = 0;
	audit_bytes(&old, BYTES_RX, &x);
	assert_false(x.is_known);
	old = b;
	old.ingress_frames = 0;
	audit_bytes(&old, BYTES_RX, &x);
	assert_false(x.is_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_who_is_named),
		cmocka_unit_test(test_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
