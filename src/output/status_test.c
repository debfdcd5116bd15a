/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/status.h"

#include "output/testing.h"
#include "output/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct strings *strings;
static struct snapshot *snapshot;

static int set_up(void **state)
{
	(void)state;
	strings_new(&strings);
	snapshot = testing_snapshot(strings);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	snapshot_unref(&snapshot);
	strings_free(&strings);
	return 0;
}

static char *written(void (*write)(FILE *to, const struct snapshot *s))
{
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	write(to, snapshot);
	fclose(to);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

/* Nothing but printable characters and line ends: whatever the names were. */
static void assert_safe(const char *text)
{
	uint32_t code;

	while (*text) {
		unsigned len = utf8_take(text, &code);

		if (len == 0 || (code != '\n' && !utf8_is_printable(code)))
			fail_msg("unsafe byte %02x before '%.20s'", (uint8_t)*text, text + 1);
		text += len;
	}
}

static void test_metrics(void **state)
{
	char *text = written(metrics_text);
	static const char *const wanted[] = {
		"nettally_build_info{version=\"0.1\"} 1\n",
		("# TYPE nettally_hosts_bytes_total counter\n"
		"nettally_hosts_bytes_total{host=\"192.0.2.1\",packet_direction=\"ingress\",direction=\"receive\"} 100\n"
		"nettally_hosts_bytes_total{host=\"192.0.2.1\",packet_direction=\"ingress\",direction=\"transmit\"} 200\n"
		"nettally_hosts_bytes_total{host=\"other\",packet_direction=\"other\",direction=\"receive\"} 600\n"),
		"nettally_hosts_packets_total{host=\"192.0.2.1\",packet_direction=\"ingress\",direction=\"receive\"} 1\n",
		"nettally_account_capture_bytes_total{service=\"\\\"<b>?[31m\\n\\\\?{}\xc3\xa4\"} 700\n",
		("# TYPE nettally_capture_lost_packets_total counter\n"
		 "nettally_capture_lost_packets_total{reason=\"ring_full\"} 3\n"),
		"nettally_unaccounted_packets_total{interface=\"eth0\"} 0\n",
		"nettally_interface_packets_total{interface=\"eth0\",direction=\"receive\"} 4\n",
		("# TYPE nettally_interface_capture_info gauge\n"
		 "nettally_interface_capture_info{interface=\"eth0\",capture=\"socket\",why=\"asked for\"} 1\n"),
		"nettally_interface_overflowed_total{interface=\"eth0\"} 0\n",
		"# TYPE nettally_kernel_left_epochs_total counter\n",
		"nettally_ledger_failing 1\n",
		"nettally_ledger_pending_records 17\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		assert_has(text, wanted[i]);
	assert_safe(text);
	free(text);
}

/* Each family once: one TYPE line, and all its samples behind it before the next. */
static void test_metrics_families(void **state)
{
	char *text = written(metrics_text), *save, seen[128][96], family[96] = "";
	size_t count = 0;

	(void)state;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "# TYPE ", 7) == 0) {
			snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
			for (size_t i = 0; i < count; i++)
				assert_string_not_equal(seen[i], family);
			assert_true(count < 128);
			strcpy(seen[count++], family);
		} else if (line[0] != '#') {
			assert_int_equal(strcspn(line, "{ "), strlen(family));
			assert_memory_equal(line, family, strlen(family));
		}
	}
	assert_true(count > 30);
	free(text);
}

static void test_status_json(void **state)
{
	char *text = written(status_json);

	(void)state;
	assert_has(text, "\"state\":\"degraded\"");
	assert_has(text, "\"version\":\"0.1\"");
	assert_has(text, "\"started\":\"2023-11-14T22:13:20Z\"");
	assert_has(text, "\"uptime_seconds\":100");
	assert_has(text, "the ledger cannot be written: disk full");
	assert_has(text, "\"lost_ring\":3");
	assert_has(text, "\"capture\":\"socket\",\"capture_why\":\"asked for\"");
	assert_has(text, "\"overflowed\":0,\"lost_packets\":2");
	assert_has(text, "\"name\":\"hosts\",\"from\":\"packets\",\"by\":[\"host\",\"direction\"],\"of\":\"both\",\"every\":60");
	assert_has(text, "\"state\":\"failing\",\n    \"path\":\"/tmp/\\\"\\u003cb\\u003e\\u001b[31m\\u000a\\\\\\u00ff{}");
	assert_safe(text);
	snapshot->ledger.state = LEDGER_OK;
	snapshot->interfaces[1].up = true;
	free(text);
	text = written(status_json);
	assert_has(text, "\"state\":\"ok\",\n  \"problems\":[]");
	free(text);
}

static void page(FILE *to, const struct snapshot *s)
{
	status_page(to, s, false);
}

static void audit(FILE *to, const struct snapshot *s)
{
	audit_page(to, s, false);
}

static void test_status_page_of_the_kernel(void **state)
{
	struct interface_books *b = &snapshot->interfaces[0];
	char *text;

	(void)state;
	strcpy(b->capture, "kernel");
	strcpy(b->capture_why, "auto: tcx, pinned");
	text = written(page);
	assert_has(text, "\n                kernel (auto: tcx, pinned)\n");
	free(text);
	b->overflowed = 12;
	text = written(page);
	assert_has(text, "\n                kernel, 12 under other: table full (auto: tcx, pinned)\n");
	free(text);
}

/* 80 columns and 24 lines, however much there is. */
static void test_status_page(void **state)
{
	char *text = written(page), *save;
	size_t lines = 0;

	(void)state;
	assert_safe(text);
	assert_has(text, "nettally 0.1, degraded, up 1min 40s");
	assert_has(text, "http://127.0.0.1:9390");
	assert_has(text, "\neth0            up    socket         7     700 B         2            0\n"
			 "                socket (asked for)\n");
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
		size_t columns = 0;

		for (const char *at = line; *at; at++)
			columns += (*at & 0xc0) != 0x80;
		if (columns > 80)
			fail_msg("%zu columns: %s", columns, line);
	}
	assert_true(lines < 24);
	free(text);
}

static void test_audit(void **state)
{
	char *text = written(audit);

	(void)state;
	assert_safe(text);
	assert_has(text, "eth0            kernel counted 10, booked 7, lost 2, filtered 1, unaccounted 0: closes\n");
	assert_has(text, "kernel counted 9, booked 5, lost 0, filtered 0, unaccounted 4: does NOT close\n");
	assert_has(text, "hosts           received 7 packets 700 bytes, sent 7 packets 700 bytes: closes\n");
	assert_has(text, "the books do NOT close");
	assert_false(audit_closes(snapshot));
	free(text);
	text = written(audit_json);
	assert_has(text, "\"unaccounted_packets\":4,\"closes\":false");
	assert_has(text, "\"account\":\"hosts\",\"rx_packets\":7,\"tx_packets\":7");
	assert_has(text, "\"closes\":false\n}\n");
	assert_null(strstr(text, "\"account\":\"capture\"")); /* no parties: nothing to balance */
	free(text);
	snapshot->interfaces[1].in_flight_packets = 4;
	text = written(audit);
	assert_has(text, "booked 5, lost 0, filtered 0, on their way 4, unaccounted 0: closes\n");
	free(text);
	assert_true(audit_closes(snapshot));
	snapshot->accounts[0].total.tx.l2_bytes++;
	assert_false(audit_closes(snapshot));
}

/* veth, with XDP at its end: a counter of the wire and without headers for rx, super-packets for tx. */
static void test_audit_of_bytes(void **state)
{
	struct interface_books *b = &snapshot->interfaces[0];
	char *text;

	(void)state;
	*b = (struct interface_books){
		.name = "eth0", .up = true, .capture = "xdp", .booked_frames = 150, .booked_frame_bytes = 150000,
		.booked_packets = 600, .booked_l2_bytes = 210000, .ingress_frames = 100, .ingress_packets = 100,
		.ingress_frame_bytes = 50000, .ingress_l2_bytes = 50000, .egress_frames = 50, .egress_packets = 500,
		.egress_frame_bytes = 100000, .egress_l2_bytes = 160000, .kernel_rx_packets = 100,
		.kernel_rx_bytes = 50000 - 1400, .kernel_tx_packets = 50, .kernel_tx_bytes = 100000, .overflowed = 7,
	};
	text = written(audit);
	assert_has(text, "eth0            kernel counted 150, booked 150 frames (of these 7 under other: kernel table full), "
			 "lost 0, filtered 0, unaccounted 0: closes\n"
			 "                bytes: kernel received 1400 less: it leaves out the 14-byte header of 100 packets "
			 "under XDP\n");
	free(text);
	b->kernel_tx_bytes += 3;
	text = written(audit);
	assert_has(text, "under XDP; kernel sent 3 more: why is not known\n");
	free(text);
	text = written(audit_json);
	assert_has(text, "\"explained\":[{\"direction\":\"rx\",\"what\":\"it leaves out the 14-byte header of 100 packets "
			 "under XDP\",\"bytes\":-1400}],\"unexplained_rx_bytes\":0,\"unexplained_tx_bytes\":3");
	assert_has(text, "\"overflowed\":7");
	assert_has(text, "\"ingress_l2_bytes\":50000,\"egress_l2_bytes\":160000");
	free(text);
	b->kernel_rx_packets = 101; /* bytes never decide, packets do */
	text = written(audit);
	assert_has(text, "unaccounted 1: does NOT close\n");
	free(text);
	b->kernel_rx_packets = 100;
	b->ingress_packets = 1000; /* and merged behind the counter: now each direction has another basis */
	b->booked_packets = 1500;
	b->kernel_rx_packets = 1000;
	text = written(audit);
	assert_has(text, "kernel counted 1050, booked 1050 (received in packets, sent in frames)");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_metrics, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_metrics_families, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_status_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_status_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_status_page_of_the_kernel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_audit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_audit_of_bytes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
