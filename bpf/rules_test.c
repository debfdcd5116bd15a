/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_test.c -- rules in the kernel as the daemon has them: an interface is opened with rules and a pre-filter, its
 * programs are run on frames (BPF_PROG_TEST_RUN), and what kernel_rules_read() says is what libpcap's interpreter says.
 * Skipped (77) where BPF or namespaces are not permitted. */
#include "daemon/rules_kernel.h"

#include "capture/kernel_generation.h"
#include "capture/kernel_pins.h"
#include "rules/testing.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define RULES_MOST 1200
#define FRAME_MAX 160
#define FRAMES 1500
#define TAG 0x8100
#define TCI 0x2007 /* VLAN 7, with a priority */

static const char *const expressions[] = {
	"arp", "ip", "ip6", "tcp", "udp", "icmp", "tcp port 80", "udp port 53", "port 443", "not port 80",
	"portrange 1024-65535", "net 10.0.0.0/8", "src net 192.168.0.0/16", "host 10.1.2.3",
	"ether broadcast", "ether multicast", "ip multicast",
	"tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", "ip[6:2] & 0x1fff != 0", "ip6[40] == 135", "greater 100", "less 64",
	"vlan", "vlan and ip", "vlan 7", "vlan and udp port 53", "vlan and vlan", "mpls", "pppoes and ip",
	"ether[70] & 1 == 1", "ether[14:2] > 0x8000", "ip[0] & 0xf > 5", "ip[2:2] > len - 20", "ether[12:4] = 0x81002007",
	"ether[15:4] > 0x7000000", "ether[ether[20] & 31] & 1 = 0", "udp[8:4] > 1", "ether[100:4] > 3 or arp", "len > 120",
	"ip6 protochain 6",
};

#define EXPRESSIONS (sizeof expressions / sizeof *expressions)

struct world {
	struct program programs[RULES_MOST];
	struct kernel_filter filters[RULES_MOST];
	struct kernel_rules rules;
	struct program gate;
	struct kernel_point *point;
	struct tally_counters want[TALLY_HOOKS][RULES_MOST], have[TALLY_HOOKS][RULES_MOST];
	uint64_t filtered, filtered_bytes, passed;
	unsigned matches;
	int tagger, tagged; /* a program that pushes a tag and goes on to the one in this PROG_ARRAY */
};

static struct world w;
static char test_pins[64]; /* of this process; set in main() */

static void compile(struct program *to, const char *expression)
{
	struct err e;

	if (program_compile(to, expression, LINKTYPE_ETHERNET, &e) < 0)
		fail_msg("%s: %s", expression, e.msg);
}

/* Frames reach the counting program as after a device that takes tags off. */
static void make_tagger(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = __builtin_bswap16(TAG) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = TCI },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_6 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_2, .src_reg = BPF_PSEUDO_MAP_FD },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 99 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	w.tagged = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "nt_test", 4, 4, 1, NULL);
	assert_true(w.tagged >= 0);
	insns[5].imm = w.tagged;
	w.tagger = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "nt_test", "GPL", insns, sizeof insns / sizeof *insns, NULL);
	assert_true(w.tagger >= 0);
}

static void open_point(bool xdp, const char *pins)
{
	const struct kernel_config cf = {
		.interface = "near", .ifindex = if_nametoindex("near"), .linktype = LINKTYPE_ETHERNET, .now_utc_s = 1700000000,
		.xdp = xdp, .pins = pins,
	};
	const struct kernel_form form = {
		.fields = { [TALLY_PARTY] = FIELD_BIT(FIELD_HOST) }, .keys_first = 64, .rules = &w.rules,
	};
	struct err e;

	if (kernel_open(&w.point, &cf, &form, &e) < 0)
		fail_msg("%s", e.msg);
}

static void open_world(size_t count, const char *gate, bool xdp, const char *pins)
{
	assert_true(count <= RULES_MOST);
	w = (struct world){ .rules = { w.filters, (uint32_t)count, { 0 }, rules_kernel_translate } };
	for (size_t i = 0; i < count; i++) {
		char numbered[64];

		snprintf(numbered, sizeof numbered, "udp port %zu or host 10.0.%zu.%zu", i, i / 256, i % 256);
		compile(&w.programs[i], i < EXPRESSIONS ? expressions[i] : numbered);
		w.filters[i] = (struct kernel_filter){ w.programs[i].insns, w.programs[i].len };
	}
	if (gate) {
		compile(&w.gate, gate);
		w.rules.gate = (struct kernel_filter){ w.gate.insns, w.gate.len };
	}
	open_point(xdp, pins);
	make_tagger();
}

static void close_world(void)
{
	kernel_close(&w.point);
	for (size_t i = 0; i < w.rules.count; i++)
		program_free(&w.programs[i]);
	program_free(&w.gate);
	close(w.tagger);
	close(w.tagged);
}

static void want(unsigned hook, const uint8_t *bytes, uint32_t len)
{
	if (w.gate.len && !reference_run(&w.gate, bytes, len, len)) {
		w.filtered++;
		w.filtered_bytes += len;
		return;
	}
	w.passed++;
	for (size_t i = 0; i < w.rules.count; i++) {
		if (!w.programs[i].len || program_loops(&w.programs[i]) || !reference_run(&w.programs[i], bytes, len, len))
			continue;
		w.want[hook][i].packets++;
		w.want[hook][i].l2_bytes += len;
		w.matches++;
	}
}

static void run(int program, const uint8_t *bytes, uint32_t len)
{
	uint8_t out[2 * FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = len, .data_out = out, .data_size_out = sizeof out);

	assert_int_equal(bpf_prog_test_run_opts(program, &opts), 0);
	assert_int_not_equal(opts.retval, 99);
}

/* The tag is pushed as metadata; the wire had it in the frame. */
static void run_tagged(int program, unsigned hook, const uint8_t *bytes, uint32_t len)
{
	const uint8_t tag[] = { TAG >> 8, TAG & 255, TCI >> 8, TCI & 255 };
	uint8_t wire[FRAME_MAX + 4];
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(w.tagged, &zero, &program, BPF_ANY), 0);
	memcpy(wire, bytes, 12);
	memcpy(wire + 12, tag, 4);
	memcpy(wire + 16, bytes + 12, len - 12);
	want(hook, wire, len + 4);
	run(w.tagger, bytes, len);
}

/* programs: by KERNEL_INGRESS..., -1 = none */
static void run_through(const int programs[KERNEL_PROGRAMS], unsigned frames)
{
	struct dice d = { .seed = 7 };

	for (unsigned n = 0; n < frames; n++) {
		uint8_t bytes[FRAME_MAX];
		uint32_t len = dice_frame(&d, bytes, sizeof bytes);
		const unsigned program = n % 3, hook = program == KERNEL_EGRESS ? TALLY_EGRESS : TALLY_INGRESS;

		if (len < 14 || programs[program] < 0)
			continue;
		if (program != KERNEL_XDP && n % 4 == 0) {
			bytes[12] &= 0x7f; /* a second tag would be pushed into the frame, the first stays in metadata */
			run_tagged(programs[program], hook, bytes, len);
			continue;
		}
		want(hook, bytes, len);
		run(programs[program], bytes, len);
	}
}

static void run_frames(unsigned frames)
{
	run_through(kernel_current(w.point)->programs, frames);
}

static void see(void *arg, enum tally_hook hook, uint32_t rule, const struct tally_counters *c)
{
	(void)arg;
	w.have[hook][rule] = *c;
}

static void check(const struct kernel_generation *g)
{
	struct kernel_epoch epochs[TALLY_EPOCHS];
	struct tally_sums sums;
	uint64_t filtered = 0, filtered_packets = 0, filtered_bytes = 0, frames = 0;

	kernel_epochs(g, epochs);
	if (epochs[0].number == 0)
		epochs[0] = epochs[1]; /* the one that is counted into */
	memset(w.have, 0, sizeof w.have);
	kernel_rules_read(g, &epochs[0], see, NULL);
	for (unsigned hook = 0; hook < TALLY_HOOKS; hook++)
		for (size_t i = 0; i < w.rules.count; i++)
			if (w.have[hook][i].packets != w.want[hook][i].packets ||
			    w.have[hook][i].l2_bytes != w.want[hook][i].l2_bytes)
				fail_msg("rule %zu at hook %u: %llu packets, %llu bytes; not %llu, %llu", i, hook,
					 w.have[hook][i].packets, w.have[hook][i].l2_bytes, w.want[hook][i].packets,
					 w.want[hook][i].l2_bytes);
	kernel_sums(g, &epochs[0], &sums);
	for (unsigned hook = 0; hook < TALLY_HOOKS; hook++) {
		frames += sums.hooks[hook].frames;
		filtered += sums.hooks[hook].filtered_frames;
		filtered_packets += sums.hooks[hook].filtered_packets;
		filtered_bytes += sums.hooks[hook].filtered_l2_bytes;
	}
	assert_int_equal(frames, w.passed);
	assert_int_equal(filtered, w.filtered);
	assert_int_equal(filtered_packets, w.filtered);
	assert_int_equal(filtered_bytes, w.filtered_bytes);
	assert_int_equal(sums.rules_missed, 0);
}

/* All that was counted is in the epoch that is closed; the next begins at zero. */
static void check_epochs(void)
{
	struct kernel_epoch epoch;

	check(kernel_current(w.point));
	assert_int_equal(kernel_swap(w.point, 1, &epoch, NULL), 0);
	check(kernel_current(w.point));
	kernel_clean(w.point);
	memset(w.want, 0, sizeof w.want);
	w.filtered = w.filtered_bytes = w.passed = 0;
	run_frames(30);
	assert_int_equal(kernel_swap(w.point, 2, &epoch, NULL), 0);
	check(kernel_current(w.point));
}

static void test_rules(void **state)
{
	(void)state;
	open_world(EXPRESSIONS, NULL, false, NULL);
	run_frames(FRAMES);
	check_epochs();
	for (uint32_t i = 0; i + 1 < EXPRESSIONS; i++)
		assert_true(kernel_rule_is_counted(kernel_current(w.point), i));
	assert_false(kernel_rule_is_counted(kernel_current(w.point), EXPRESSIONS - 1)); /* protochain */
	assert_true(w.matches > FRAMES);
	close_world();
}

static void test_xdp(void **state)
{
	(void)state;
	open_world(EXPRESSIONS, "not port 53", true, NULL);
	run_frames(FRAMES / 3); /* a run takes 1 ms there */
	check_epochs();
	close_world();
}

static void test_gate(void **state)
{
	static const char *const gates[] = { "ip", "vlan 7 or tcp port 80", "not ether multicast", "ether[70] & 1 == 1" };

	(void)state;
	for (size_t i = 0; i < sizeof gates / sizeof *gates; i++) {
		open_world(i % 2 ? EXPRESSIONS : 0, gates[i], false, NULL);
		run_frames(FRAMES / 2);
		assert_true(w.filtered > 10 && w.passed > 10);
		check_epochs();
		close_world();
	}
}

static void test_gate_loops(void **state)
{
	struct program p;
	struct kernel_rules rules = { .translate = rules_kernel_translate };
	const struct kernel_config cf = {
		.interface = "near", .ifindex = if_nametoindex("near"), .linktype = LINKTYPE_ETHERNET,
	};
	const struct kernel_form form = {
		.fields = { [TALLY_PARTY] = FIELD_BIT(FIELD_HOST) }, .keys_first = 64, .rules = &rules,
	};
	struct kernel_point *k;
	struct err e;

	(void)state;
	compile(&p, "ip6 protochain 6");
	rules.gate = (struct kernel_filter){ p.insns, p.len };
	assert_int_equal(kernel_open(&k, &cf, &form, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "protochain"));
	program_free(&p);
}

static void test_many(void **state)
{
	struct kernel_generation *old;

	(void)state;
	open_world(RULES_MOST, NULL, false, NULL);
	run_frames(300);
	check_epochs();
	assert_int_equal(kernel_renew(w.point, NULL, 3, &old, NULL), 0); /* with the point's own copy of the rules */
	kernel_generation_remove(&old);
	memset(w.want, 0, sizeof w.want);
	w.passed = 0;
	run_frames(300);
	check(kernel_current(w.point));
	close_world();
}

/* Nobody has the programs and their counters open but the pins: they go on, and are read afterwards. */
static void test_pinned(void **state)
{
	static const char *const names[] = { "program-ingress", "program-egress", "program-xdp" };
	int programs[KERNEL_PROGRAMS];
	struct kernel_generation *left;
	char id[KERNEL_ID_TEXT];

	(void)state;
	for (unsigned xdp = 0; xdp < 2; xdp++) {
		open_world(EXPRESSIONS, xdp ? "not port 53" : NULL, xdp, test_pins);
		assert_true(kernel_is_pinned(w.point));
		run_frames(FRAMES / 5);
		memcpy(id, kernel_describe(kernel_current(w.point))->id, sizeof id);
		kernel_close(&w.point);
		for (unsigned i = 0; i < KERNEL_PROGRAMS; i++) {
			char path[256];

			snprintf(path, sizeof path, "%s/near/g%s/%s", test_pins, id, names[i]);
			programs[i] = bpf_obj_get(path);
		}
		run_through(programs, FRAMES / 5);
		for (unsigned i = 0; i < KERNEL_PROGRAMS; i++)
			if (programs[i] >= 0)
				close(programs[i]);
		open_point(xdp, test_pins);
		left = kernel_take_left(w.point);
		assert_non_null(left);
		assert_int_equal(kernel_describe(left)->rules, EXPRESSIONS);
		check(left);
		assert_true(w.passed > 100);
		kernel_generation_remove(&left);
		memset(w.want, 0, sizeof w.want);
		w.filtered = w.filtered_bytes = w.passed = 0;
		run_frames(FRAMES / 5);
		check(kernel_current(w.point)); /* the new one began at zero */
		assert_int_equal(kernel_detach(w.point, &left, NULL), 0);
		kernel_generation_remove(&left);
		close_world();
	}
	kernel_pins_remove(test_pins);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_xdp),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_gate_loops),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_pinned),
	};
	struct err e = { .msg = "no network namespace, or no ip(8)" };
	cpu_set_t one;
	int failed;

	snprintf(test_pins, sizeof test_pins, KERNEL_PINS_DEFAULT "-test-%d", getpid());
	if (kernel_usable(&e) < 0 || kernel_pins_prepare(test_pins, &e) < 0 || unshare(CLONE_NEWNET) < 0 ||
	    system("ip link add near type veth peer name far") != 0) { /* down: no frames but ours */
		printf("skipped: %s\n", e.msg);
		return 77;
	}
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof one, &one);
	alarm(200);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	kernel_pins_remove(test_pins);
	return failed;
}
