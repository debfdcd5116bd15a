/* SPDX-License-Identifier: GPL-2.0-or-later */
/* translate_test.c -- translated programs, run by the kernel (BPF_PROG_TEST_RUN), say what libpcap's interpreter says:
 * filters of libpcap's and random valid programs on random frames, with tags in metadata, and with bytes beyond the
 * linear part. Skipped where this process may not load programs. */
#include "rules/translate.h"

#include "rules/testing.h"

#include <bpf/rules_shared.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAMS 40
#define LEN_MAX 40
#define FRAME_MAX 160
#define CPUS_MAX 512
#define LOG_SIZE (1 << 20)

static const char *const expressions[PROGRAMS] = {
	"arp", "ip", "ip6", "tcp", "udp", "icmp", "tcp port 80", "udp port 53", "port 443", "not port 80",
	"portrange 1024-65535",
	"net 10.0.0.0/8", "src net 192.168.0.0/16", "host 10.1.2.3",
	"ether broadcast", "ether multicast", "ip multicast",
	"tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", "ip[6:2] & 0x1fff != 0", "ip6[40] == 135", "greater 100", "less 64",
	"vlan",
	"vlan and ip", "vlan 7", "vlan and udp port 53", "vlan and vlan", "mpls", "pppoes and ip",
	"ether[70] & 1 == 1",
	"ether[14:2] > 0x8000", "ip[0] & 0xf > 5", "tcp src port 443 and tcp dst portrange 1-50000",
	"ip[2:2] > len - 20",
	"ether[15:4] > 0x7000000", "ether[ether[20] & 31] & 1 = 0", "udp[8:4] > 1",
	"ether[100:4] > 3 or arp", "sctp", "len > 5000",
};

struct world {
	struct sock_filter insns[PROGRAMS][LEN_MAX];
	struct program programs[PROGRAMS];
	const struct program *pointers[PROGRAMS];
	int scratch_fd, counters_fd, prog_fd;
	unsigned cpus;
	size_t stride;
	struct rules_counters *counters;
	uint64_t before[PROGRAMS];
	unsigned matches;
};

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof *attr);
}

static int map_create(enum bpf_map_type type, uint32_t value_size, uint32_t entries, uint32_t flags)
{
	union bpf_attr attr = { .map_type = type, .key_size = 4, .value_size = value_size, .max_entries = entries,
				.map_flags = flags };

	return (int)bpf(BPF_MAP_CREATE, &attr);
}

static unsigned possible_cpus(void)
{
	unsigned first = 0, last = 0;
	FILE *f = fopen("/sys/devices/system/cpu/possible", "r");

	if (!f)
		return 1;
	if (fscanf(f, "%u-%u", &first, &last) < 2)
		last = first;
	fclose(f);
	return last + 1;
}

static bool open_world(struct world *w)
{
	size_t bytes;

	*w = (struct world){ .prog_fd = -1, .cpus = possible_cpus() };
	assert_true(w->cpus <= CPUS_MAX);
	w->scratch_fd = map_create(BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct rules_scratch), 1, 0);
	w->counters_fd = map_create(BPF_MAP_TYPE_ARRAY, PROGRAMS * sizeof(struct rules_counters), w->cpus, BPF_F_MMAPABLE);
	if (w->scratch_fd < 0 || w->counters_fd < 0) {
		print_message("skipped: no BPF here: %s\n", strerror(errno));
		return false;
	}
	w->stride = PROGRAMS * sizeof(struct rules_counters) / sizeof *w->counters;
	bytes = (w->cpus * PROGRAMS * sizeof(struct rules_counters) + 4095) & ~(size_t)4095;
	w->counters = mmap(NULL, bytes, PROT_READ, MAP_SHARED, w->counters_fd, 0);
	assert_true(w->counters != MAP_FAILED);
	return true;
}

static int load(const struct world *w, const struct translate *t)
{
	static char log[LOG_SIZE];
	struct translated made;
	union bpf_attr attr = { .license = (uintptr_t)"GPL" };
	struct err e;
	int fd;

	if (translate(&made, t, w->pointers, PROGRAMS, &e) < 0)
		fail_msg("%s", e.msg);
	attr.prog_type = t->hook == TRANSLATE_TC ? BPF_PROG_TYPE_SCHED_CLS : BPF_PROG_TYPE_XDP;
	attr.prog_flags = t->hook == TRANSLATE_TC ? 0 : BPF_F_XDP_HAS_FRAGS;
	attr.insns = (uintptr_t)made.insns;
	attr.insn_cnt = (uint32_t)made.count;
	fd = (int)bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0) { /* again, to be told why */
		size_t len;

		attr.log_buf = (uintptr_t)log;
		attr.log_size = sizeof log;
		attr.log_level = 1;
		(void)bpf(BPF_PROG_LOAD, &attr);
		len = strlen(log);
		fail_msg("the kernel refuses it (%s):\n%s", strerror(errno), log + (len > 3000 ? len - 3000 : 0));
	}
	free(made.insns);
	return fd;
}

static void fill_scratch(const struct world *w, const struct rules_scratch *s)
{
	static struct rules_scratch all[CPUS_MAX];
	uint32_t zero = 0;
	union bpf_attr attr = { .map_fd = (uint32_t)w->scratch_fd, .key = (uintptr_t)&zero, .value = (uintptr_t)all };

	for (unsigned i = 0; i < w->cpus; i++)
		all[i] = *s;
	assert_int_equal(bpf(BPF_MAP_UPDATE_ELEM, &attr), 0);
}

static uint64_t sum(const struct world *w, unsigned rule)
{
	uint64_t packets = 0;

	for (unsigned cpu = 0; cpu < w->cpus; cpu++)
		packets += ((volatile struct rules_counters *)w->counters)[cpu * w->stride + rule].packets;
	return packets;
}

/* False: this kernel does not run such frames (a linear part of a given length). */
static bool run(const struct world *w, enum translate_hook hook, const uint8_t *bytes, uint32_t len, uint32_t linear)
{
	struct __sk_buff skb = { .data_end = linear };
	struct xdp_md xdp = { .data_end = linear };
	uint8_t out[FRAME_MAX];
	union bpf_attr attr = { 0 };

	attr.test.prog_fd = (uint32_t)w->prog_fd;
	attr.test.data_in = (uintptr_t)bytes;
	attr.test.data_size_in = len;
	attr.test.data_out = (uintptr_t)out;
	attr.test.data_size_out = sizeof out;
	attr.test.repeat = 1;
	if (linear < len) {
		attr.test.ctx_in = hook == TRANSLATE_TC ? (uintptr_t)&skb : (uintptr_t)&xdp;
		attr.test.ctx_size_in = hook == TRANSLATE_TC ? sizeof skb : sizeof xdp;
	}
	if (bpf(BPF_PROG_TEST_RUN, &attr) < 0) {
		if (linear < len)
			return false;
		fail_msg("BPF_PROG_TEST_RUN of %u bytes: %s", len, strerror(errno));
	}
	assert_int_equal(attr.test.retval, 2);
	return true;
}

/* One frame of `len` bytes as on the wire. */
static bool check_frame(struct world *w, const struct translate *t, uint8_t *bytes, uint32_t len, uint32_t linear)
{
	struct rules_scratch s = { .packets = 1, .l2_bytes = len, .wire_len = len, .verdict = 2, .beyond = linear < len };
	uint8_t bare[FRAME_MAX];
	const uint8_t *real = bytes;

	if (t->tagged) {
		memcpy(bare, bytes, 12);
		memcpy(bare + 12, bytes + 16, len - 16);
		memcpy(s.head, bytes, len < RULES_HEAD ? len : RULES_HEAD);
		s.beyond = linear < len - 4;
		real = bare;
	}
	fill_scratch(w, &s);
	if (!run(w, t->hook, real, t->tagged ? len - 4 : len, linear))
		return false;
	for (unsigned i = 0; i < PROGRAMS; i++) {
		bool want = w->programs[i].len && reference_run(&w->programs[i], bytes, len, len) != 0;
		uint64_t now = sum(w, i);

		if ((now != w->before[i]) != want)
			fail_msg("program %u on %u bytes (%u linear, tagged %d): the kernel says %d", i, len, linear,
				 t->tagged, !want);
		w->before[i] = now;
		w->matches += want;
	}
	return true;
}

/* How many frames ran. */
static unsigned check_frames(struct world *w, struct translate *t, struct dice *d, unsigned frames, bool linear)
{
	unsigned ran = 0;

	t->scratch_fd = w->scratch_fd;
	t->counters_fd = w->counters_fd;
	t->next_fd = -1;
	w->prog_fd = load(w, t);
	for (unsigned n = 0; n < frames; n++) {
		uint8_t bytes[FRAME_MAX];
		uint32_t len = dice_frame(d, bytes, sizeof bytes), head;

		if (len < 18)
			continue;
		if (t->tagged && n % 8)
			bytes[12] = 0x81, bytes[13] = 0;
		head = linear ? len : 14 + dice_throw(d, len - 14);
		if (check_frame(w, t, bytes, len, head))
			ran++;
		else if (!ran)
			break;
	}
	close(w->prog_fd);
	return ran;
}

static void close_world(struct world *w)
{
	munmap(w->counters, (w->cpus * PROGRAMS * sizeof(struct rules_counters) + 4095) & ~(size_t)4095);
	close(w->scratch_fd);
	close(w->counters_fd);
}

static void check_hooks(struct world *w, struct dice *d, unsigned frames, unsigned *beyond)
{
	struct translate tc = { .hook = TRANSLATE_TC }, tagged = { .hook = TRANSLATE_TC, .tagged = true };
	struct translate xdp = { .hook = TRANSLATE_XDP };

	check_frames(w, &tc, d, frames, true);
	check_frames(w, &tagged, d, frames, true);
	check_frames(w, &xdp, d, frames / 8, true); /* a run takes 1 ms there */
	*beyond += check_frames(w, &tc, d, frames, false);
	*beyond += check_frames(w, &tagged, d, frames, false);
	*beyond += check_frames(w, &xdp, d, frames / 8, false);
}

static void filters_of_libpcap(void **state)
{
	struct world w;
	struct dice d = { .seed = 3 };
	unsigned beyond = 0;
	struct err e;

	(void)state;
	if (!open_world(&w))
		skip();
	for (unsigned i = 0; i < PROGRAMS; i++) {
		if (program_compile(&w.programs[i], expressions[i], LINKTYPE_ETHERNET, &e) < 0)
			fail_msg("%s: %s", expressions[i], e.msg);
		w.pointers[i] = &w.programs[i];
	}
	check_hooks(&w, &d, 4000, &beyond);
	print_message("%u matches; %u frames with bytes beyond the linear part\n", w.matches, beyond);
	for (unsigned i = 0; i < PROGRAMS; i++)
		program_free(&w.programs[i]);
	close_world(&w);
}

static void random_programs(void **state)
{
	struct world w;
	struct dice d = { .seed = 4 };
	unsigned beyond = 0;

	(void)state;
	if (!open_world(&w))
		skip();
	for (unsigned round = 0; round < 12; round++) {
		for (uint32_t i = 0; i < PROGRAMS; i++) {
			uint32_t len = 2 * DICE_SLOTS + 2 + dice_throw(&d, LEN_MAX - 2 * DICE_SLOTS - 1);

			dice_program(&d, w.insns[i], len);
			w.programs[i] = (struct program){ w.insns[i], len };
			w.pointers[i] = &w.programs[i];
		}
		check_hooks(&w, &d, 300, &beyond);
	}
	print_message("%u matches; %u frames with bytes beyond the linear part\n", w.matches, beyond);
	close_world(&w);
}

static void loops_are_refused(void **state)
{
	struct translate t = { .next_fd = -1 };
	struct program p;
	const struct program *one = &p;
	struct translated made = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(program_compile(&p, "ip6 protochain 6", LINKTYPE_ETHERNET, &e), 0);
	assert_int_equal(translate(&made, &t, &one, 1, &e), -ENOTSUP);
	assert_null(made.insns);
	program_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loops_are_refused),
		cmocka_unit_test(filters_of_libpcap),
		cmocka_unit_test(random_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
