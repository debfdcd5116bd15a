/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_test.c -- counting for real, between two ends of a veth in a network namespace of this process's own.
 * Skipped (77) where BPF, namespaces or a bpffs are not permitted. */
#include "capture/kernel.h"

#include "capture/kernel_bpf.h"
#include "capture/kernel_generation.h"
#include "capture/kernel_left.h"
#include "capture/kernel_pins.h"
#include "model/frame.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAME_LEN 100
#define NOW_S 1700000000
#define SECOND_NS INT64_C(1000000000)

static char pins[64]; /* of this process; set in main() */

/* ---- a world ---- */

static int run(const char *fmt, ...)
{
	char command[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof command, fmt, args);
	va_end(args);
	return system(command);
}

/* Else the kernel sends frames of its own. */
static int disable_ip6(void)
{
	return run("test ! -e /proc/sys/net/ipv6 || echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
}

/* near: counted; far: the other end. */
static int make_veth(void **state)
{
	(void)state;
	return run("ip link add near type veth peer name far && ip link set near up && ip link set far up");
}

static int drop_veth(void **state)
{
	(void)state;
	(void)run("ip link del near 2>/dev/null; ip link del far 2>/dev/null; ip link del near2 2>/dev/null");
	kernel_pins_remove(pins);
	return kernel_pins_make(pins);
}

static void make_frame(uint8_t frame[static FRAME_LEN], uint32_t source, uint32_t destination)
{
	const uint8_t head[] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,
		0x45, 0, 0, FRAME_LEN - 14, 0, 0, 0, 0, 64, 17, 0, 0,
	};

	memset(frame, 0, FRAME_LEN);
	memcpy(frame, head, sizeof head);
	source = htonl(source);
	destination = htonl(destination);
	memcpy(frame + 26, &source, 4);
	memcpy(frame + 30, &destination, 4);
	frame[34] = frame[36] = 0x12; /* ports 4660 */
	frame[35] = frame[37] = 0x34;
	frame[39] = FRAME_LEN - 34;
}

/* `count` frames out of an interface; to as many hosts if `hosts`, else all to the first. */
static void send_frames(const char *interface, unsigned count, bool hosts)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface),
		.sll_halen = 6, .sll_addr = { 2, 0, 0, 0, 0, 1 },
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	uint8_t frame[FRAME_LEN];

	assert_true(fd >= 0);
	for (unsigned i = 0; i < count; i++) {
		make_frame(frame, 0x0a000001, 0x0a010000 + (hosts ? i : 0));
		assert_int_equal(sendto(fd, frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to), sizeof frame);
	}
	close(fd);
	usleep(20000); /* the far end's softirq may run on another CPU */
}

static struct kernel_config config_for(const char *interface, bool pinned)
{
	return (struct kernel_config){
		.interface = interface, .ifindex = if_nametoindex(interface), .linktype = LINKTYPE_ETHERNET,
		.pins = pinned ? pins : NULL, .now_utc_s = NOW_S, .base = { .rx_packets = 7 },
	};
}

static struct kernel_form by_host(void)
{
	return (struct kernel_form){
		.fields = { [TALLY_PARTY] = FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_WINDOW) },
		.note = "account hosts", .keys_first = 1000,
	};
}

static struct kernel_point *open_point(const struct kernel_config *cf, const struct kernel_form *form)
{
	struct kernel_point *k = NULL;
	struct err e = { 0 };

	if (kernel_open(&k, cf, form, &e) < 0)
		fail_msg("%s", e.msg);
	return k;
}

/* ---- what was counted ---- */

struct seen {
	uint64_t packets[TALLY_GRAINS][TALLY_SIDES], bytes, others, entries;
};

static void see(void *arg, const struct kernel_entry *e)
{
	struct seen *s = arg;

	s->packets[e->grain][e->side] += e->counters.packets;
	s->bytes += e->counters.l2_bytes;
	s->others += e->other ? e->counters.packets : 0;
	s->entries += !e->other;
}

static struct seen seen_in(const struct kernel_generation *g)
{
	struct kernel_epoch epochs[TALLY_EPOCHS];
	struct seen s = { 0 };

	kernel_epochs(g, epochs);
	for (unsigned i = 0; i < TALLY_EPOCHS; i++)
		if (epochs[i].number)
			kernel_read(g, &epochs[i], see, &s);
	return s;
}

static uint64_t frames_in(const struct kernel_generation *g)
{
	const struct seen s = seen_in(g);

	/* double entry */
	assert_int_equal(s.packets[TALLY_PARTY][TALLY_RX], s.packets[TALLY_PARTY][TALLY_TX]);
	assert_int_equal(s.bytes, 2 * FRAME_LEN * s.packets[TALLY_PARTY][TALLY_RX]);
	assert_int_equal(kernel_generation_frames(g), s.packets[TALLY_PARTY][TALLY_RX]);
	return s.packets[TALLY_PARTY][TALLY_RX];
}

static void detach(struct kernel_point **k)
{
	struct kernel_generation *g = NULL;

	assert_int_equal(kernel_detach(*k, &g, NULL), 0);
	kernel_generation_remove(&g);
	assert_null(g);
	kernel_close(k);
	assert_null(*k);
}

static bool exists(const char *name)
{
	char *path = kernel_path(pins, name);
	const bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* ---- tests ---- */

static void counts_swaps_reads_cleans(void **state)
{
	const struct kernel_config cf = config_for("near", false);
	const struct kernel_form form = by_host();
	struct kernel_point *k = open_point(&cf, &form);
	struct kernel_epoch epoch, epochs[TALLY_EPOCHS];
	struct tally_sums sums;
	struct seen s = { 0 };

	(void)state;
	assert_false(kernel_is_pinned(k));
	assert_null(kernel_take_left(k));
	assert_null(kernel_warning(k));
	assert_int_equal(kernel_describe(kernel_current(k))->ifindex, cf.ifindex);
	send_frames("far", 30, false);
	send_frames("near", 20, false);
	assert_int_equal(frames_in(kernel_current(k)), 50);
	assert_int_equal(kernel_swap(k, NOW_S * SECOND_NS + 1, &epoch, NULL), 0);
	assert_int_equal(epoch.number, 1);
	kernel_read(kernel_current(k), &epoch, see, &s);
	assert_int_equal(s.packets[TALLY_PARTY][TALLY_RX], 50);
	kernel_sums(kernel_current(k), &epoch, &sums);
	assert_int_equal(sums.hooks[TALLY_INGRESS].frames, 30);
	assert_int_equal(sums.hooks[TALLY_EGRESS].frames, 20);
	assert_int_equal(sums.hooks[TALLY_EGRESS].l2_bytes, 20 * FRAME_LEN);
	send_frames("far", 5, false);
	assert_int_equal(kernel_swap(k, 0, &epoch, NULL), -EAGAIN);
	kernel_clean(k);
	assert_int_equal(frames_in(kernel_current(k)), 5);
	assert_int_equal(kernel_swap(k, NOW_S * SECOND_NS + 2, &epoch, NULL), 0);
	assert_int_equal(epoch.number, 2);
	assert_int_equal(epoch.opened_utc_ns, NOW_S * SECOND_NS + 1);
	kernel_epochs(kernel_current(k), epochs);
	assert_int_equal(epochs[0].number, 2);
	assert_int_equal(epochs[1].number, 3);
	detach(&k);
}

static void unpinned_ends_with_its_process(void **state)
{
	const struct kernel_form form = by_host();

	(void)state;
	for (unsigned clsact = 0; clsact < 2; clsact++) {
		struct kernel_config cf = config_for("near", false);
		struct kernel_point *k;

		cf.clsact = clsact;
		k = open_point(&cf, &form);
		assert_string_equal(kernel_hooks(k), clsact ? "clsact" : "tcx");
		kernel_close(&k);
		assert_int_not_equal(run("bpftool net show dev near | grep -q tally"), 0);
	}
}

static void pinned_goes_on_without_us(void **state)
{
	const struct kernel_form form = by_host();

	(void)state;
	for (unsigned clsact = 0; clsact < 2; clsact++) {
		struct kernel_config cf = config_for("near", true);
		struct kernel_generation *g;
		struct kernel_point *k;
		char id[KERNEL_ID_TEXT];
		struct interface_stats base;

		cf.clsact = clsact;
		k = open_point(&cf, &form);
		assert_true(kernel_is_pinned(k));
		base = kernel_describe(kernel_current(k))->base;
		assert_int_equal(base.rx_packets, 34 * clsact); /* as it is, not as `cf` says */
		send_frames("far", 10, false);
		memcpy(id, kernel_describe(kernel_current(k))->id, sizeof id);
		kernel_close(&k);
		send_frames("far", 20, false);
		send_frames("near", 3, false);
		cf.now_utc_s++;
		cf.base.rx_packets = 99;
		k = open_point(&cf, &form);
		send_frames("far", 4, false);
		g = kernel_take_left(k);
		assert_non_null(g);
		assert_null(kernel_take_left(k));
		assert_string_equal(kernel_describe(g)->id, id);
		assert_string_equal(kernel_describe(g)->note, "account hosts");
		assert_int_equal(frames_in(g), 33);
		assert_int_equal(frames_in(kernel_current(k)), 4);
		/* it went on, so its books do */
		assert_int_equal(kernel_describe(kernel_current(k))->since_utc_s, NOW_S);
		assert_memory_equal(&kernel_describe(kernel_current(k))->base, &base, sizeof base);
		kernel_generation_remove(&g);
		detach(&k);
		assert_false(exists("near"));
	}
}

/* Killed between any two steps: here, what the directory can look like then. */
static void what_a_crash_leaves(void **state)
{
	const struct kernel_config cf = config_for("near", true);
	const struct kernel_form form = by_host();
	struct kernel_point *k = open_point(&cf, &form);
	struct kernel_generation *g;
	char from[128], to[128];

	(void)state;
	send_frames("far", 10, false);
	/* one that was never finished, and one of another version */
	assert_int_equal(run("mkdir %s/near/n0123456789abcdef %s/near/gfedcba9876543210", pins, pins), 0);
	kernel_close(&k);
	k = open_point(&cf, &form);
	assert_non_null(kernel_warning(k));
	assert_non_null(strstr(kernel_warning(k), "gfedcba9876543210"));
	assert_false(exists("near/n0123456789abcdef"));
	assert_true(exists("near/gfedcba9876543210"));
	g = kernel_take_left(k);
	/* booked, half removed */
	snprintf(from, sizeof from, "%s/near/g%s", pins, kernel_describe(g)->id);
	snprintf(to, sizeof to, "%s/near/r%s", pins, kernel_describe(g)->id);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(run("rm %s/description", to), 0);
	kernel_generation_close(&g);
	kernel_close(&k);
	k = open_point(&cf, &form);
	assert_false(exists(strrchr(to, '/') - 5));
	g = kernel_take_left(k);
	assert_int_equal(frames_in(g), 0);
	kernel_generation_remove(&g);
	detach(&k);
	kernel_forget(pins, "near");
	assert_false(exists("near"));
}

static void another_form(void **state)
{
	const struct kernel_config cf = config_for("near", true);
	const struct kernel_form form = by_host();
	const struct kernel_form other = {
		.fields = {
			[TALLY_PARTY] = FIELD_BIT(FIELD_MAC) | FIELD_BIT(FIELD_HOST),
			[TALLY_PLAIN] = FIELD_BIT(FIELD_SRC_HOST) | FIELD_BIT(FIELD_DST_HOST) | FIELD_BIT(FIELD_PROTO),
		},
		.note = "other accounts",
	};
	const struct kernel_form wrong = { .fields = { [TALLY_PLAIN] = FIELD_BIT(FIELD_RULE) } };
	struct kernel_point *k = open_point(&cf, &form);
	struct kernel_generation *old = NULL;
	struct err e;

	(void)state;
	send_frames("far", 10, false);
	assert_int_equal(kernel_renew(k, &wrong, 0, &old, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "rule"));
	assert_int_equal(kernel_renew(k, &other, NOW_S * SECOND_NS, &old, NULL), 0);
	send_frames("far", 6, false);
	assert_int_equal(frames_in(old), 10);
	assert_int_equal(frames_in(old), 10);
	assert_string_equal(kernel_describe(kernel_current(k))->note, "other accounts");
	assert_int_equal(kernel_describe(kernel_current(k))->fields[TALLY_PLAIN], other.fields[TALLY_PLAIN]);
	assert_int_equal(kernel_generation_frames(kernel_current(k)), 6);
	assert_int_equal(seen_in(kernel_current(k)).packets[TALLY_PARTY][TALLY_RX], 6);
	kernel_generation_remove(&old);
	detach(&k);
}

static void full_and_growing(void **state)
{
	const struct kernel_config cf = config_for("near", true);
	struct kernel_form form = by_host();
	struct kernel_generation *old;
	struct kernel_point *k;
	struct seen s;

	(void)state;
	form.keys_first = 4;
	form.keys_max = 128;
	k = open_point(&cf, &form);
	send_frames("far", 3, true);
	assert_int_equal(kernel_is_filling(k), 1); /* 4 keys in 8 slots */
	send_frames("far", 200, true);
	s = seen_in(kernel_current(k));
	assert_true(s.others > 0);
	assert_true(s.entries <= 2 * 8); /* two CPUs at most */
	assert_int_equal(frames_in(kernel_current(k)), 203);
	for (unsigned slots = 32; ; slots *= 4) {
		slots = slots > 256 ? 256 : slots;
		assert_int_equal(kernel_renew(k, NULL, NOW_S * SECOND_NS, &old, NULL), 0);
		assert_int_equal(kernel_current(k)->about.slots[TALLY_PARTY], slots);
		kernel_generation_remove(&old);
		send_frames("far", 400, true);
		assert_int_equal(frames_in(kernel_current(k)), 400);
		if (slots == 256)
			break;
		assert_int_equal(kernel_is_filling(k), 1);
	}
	assert_int_equal(kernel_is_filling(k), 0); /* no larger one may be made */
	/* A restart begins with tables as large. */
	kernel_close(&k);
	k = open_point(&cf, &form);
	assert_int_equal(kernel_current(k)->about.slots[TALLY_PARTY], 256);
	old = kernel_take_left(k);
	kernel_generation_remove(&old);
	detach(&k);
}

static void vanishes_and_comes_back(void **state)
{
	struct kernel_config cf = config_for("near", true);
	const struct kernel_form form = by_host();
	struct kernel_point *k = open_point(&cf, &form);
	struct kernel_generation *g;
	struct kernel_epoch epoch;

	(void)state;
	send_frames("far", 10, false);
	assert_int_equal(run("ip link del near"), 0);
	assert_int_equal(kernel_swap(k, NOW_S * SECOND_NS, &epoch, NULL), 0); /* what was counted can be booked */
	assert_int_equal(kernel_renew(k, &form, NOW_S * SECOND_NS, &g, NULL), -ENODEV);
	assert_int_equal(frames_in(kernel_current(k)), 10);
	kernel_close(&k);
	assert_int_equal(make_veth(NULL), 0);
	cf = config_for("near", true);
	cf.now_utc_s += 5;
	k = open_point(&cf, &form);
	send_frames("far", 4, false);
	g = kernel_take_left(k);
	assert_int_equal(frames_in(g), 10);
	kernel_generation_remove(&g);
	assert_null(kernel_take_left(k));
	assert_int_equal(frames_in(kernel_current(k)), 4);
	assert_int_equal(kernel_describe(kernel_current(k))->since_utc_s, NOW_S + 5);
	detach(&k);
}

static void reap(const char *interface, unsigned frames)
{
	struct kernel_generation **left;
	size_t count;
	char **names;

	assert_int_equal(kernel_list(pins, &names, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_string_equal(names[0], interface);
	kernel_pins_names_free(names, count);
	assert_int_equal(kernel_reap(pins, interface, &left, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(frames_in(left[0]), frames);
	kernel_generation_remove(&left[0]);
	free(left);
	kernel_forget(pins, interface);
	assert_false(exists(interface));
}

/* The end of a veth sends only once the kernel has seen to it that the other is up again, within a second. */
static void far_up_again(void)
{
	assert_int_equal(run("ip link set far down && ip link set far up"), 0);
}

static void reaped_wherever_it_is(void **state)
{
	const struct kernel_form form = by_host();
	struct kernel_config cf = config_for("near", true);
	struct kernel_point *k = open_point(&cf, &form);
	pid_t holder;

	(void)state;
	kernel_close(&k);
	send_frames("far", 10, false);
	assert_int_equal(run("ip link set near down && ip link set near name near2 && ip link set near2 up"), 0);
	far_up_again();
	send_frames("far", 5, false);
	reap("near", 15);
	assert_int_not_equal(run("bpftool net show dev near2 | grep -q tally"), 0);

	cf = config_for("near2", true);
	k = open_point(&cf, &form);
	kernel_close(&k);
	send_frames("far", 10, false);
	holder = fork();
	if (holder == 0) {
		alarm(20); /* should this test end early */
		_exit(unshare(CLONE_NEWNET) == 0 && disable_ip6() == 0 ? pause() : 1);
	}
	usleep(50000);
	assert_int_equal(run("ip link set near2 netns %d && nsenter -t %d -n ip link set near2 up", holder, holder), 0);
	far_up_again();
	send_frames("far", 5, false);
	reap("near2", 15);
	send_frames("far", 5, false);
	assert_int_equal(run("nsenter -t %d -n ip link del near2", holder), 0);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

static int foreign_program(void)
{
	int program = kernel_program_idle(true), link;
	KERNEL_OPTS(bpf_link_create_opts, opts);

	opts.flags = XDP_FLAGS_DRV_MODE;
	link = bpf_link_create(program, (int)if_nametoindex("near"), BPF_XDP, &opts);

	close(program);
	return link;
}

static void xdp_slot_of_another(void **state)
{
	struct kernel_config cf = config_for("near", true);
	const struct kernel_form form = by_host();
	struct kernel_point *k = NULL;
	int link = foreign_program();
	uint32_t before = 0, after = 0;
	struct err e;

	(void)state;
	assert_true(link >= 0);
	bpf_xdp_query_id((int)cf.ifindex, 0, &before);
	cf.xdp = true;
	assert_int_equal(kernel_open(&k, &cf, &form, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "near"));
	assert_null(k);
	bpf_xdp_query_id((int)cf.ifindex, 0, &after);
	assert_int_equal(before, after);
	assert_false(exists("near"));
	close(link);
}

static void xdp_counts(void **state)
{
	const struct kernel_form form = by_host();

	(void)state;
	for (unsigned mirror = 0; mirror < 2; mirror++) {
		struct kernel_config cf = config_for("near", true);
		struct kernel_generation *g;
		struct kernel_point *k;

		cf.xdp = true;
		cf.mirror = mirror;
		k = open_point(&cf, &form);
		assert_string_equal(kernel_hooks(k), mirror ? "xdp" : "xdp+tcx");
		assert_string_equal(kernel_describe(kernel_current(k))->capture, "xdp");
		send_frames("far", 10, false);
		send_frames("near", 7, false);
		kernel_close(&k);
		send_frames("far", 5, false);
		k = open_point(&cf, &form);
		g = kernel_take_left(k);
		assert_int_equal(frames_in(g), mirror ? 15 : 22);
		kernel_generation_remove(&g);
		detach(&k);
	}
}

/* From one capture to another: no hook is forgotten, none counts twice. */
static void another_capture(void **state)
{
	static const struct {
		bool xdp, clsact, mirror;
	} steps[] = {
		{ false, false, false }, { true, false, false }, { true, false, true }, { false, true, false },
		{ false, false, false }, { true, true, false }, { true, false, false }, { false, true, false },
	};
	const struct kernel_form form = by_host();

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct kernel_config cf = config_for("near", true);
		struct kernel_generation *g;
		struct kernel_point *k;

		cf.xdp = steps[i].xdp;
		cf.clsact = steps[i].clsact;
		cf.mirror = steps[i].mirror;
		k = open_point(&cf, &form);
		while ((g = kernel_take_left(k)))
			kernel_generation_remove(&g);
		send_frames("far", 10, false);
		send_frames("near", 5, false);
		assert_int_equal(frames_in(kernel_current(k)), cf.mirror ? 10 : 15);
		kernel_close(&k);
	}
	assert_int_equal(run("ip link del near"), 0);
}

static void loopback_once(void **state)
{
	struct kernel_config cf = config_for("lo", false);
	const struct kernel_form form = by_host();
	struct kernel_point *k;

	(void)state;
	cf.loopback = true;
	assert_int_equal(run("ip link set lo up"), 0);
	k = open_point(&cf, &form);
	send_frames("lo", 10, false);
	assert_int_equal(frames_in(kernel_current(k)), 10);
	detach(&k);
	cf.linktype = 0xffff;
	assert_int_equal(kernel_open(&k, &cf, &form, NULL), -EOPNOTSUPP);
}

static void promiscuous_until_the_end(void **state)
{
	struct kernel_config cf = config_for("near", true);
	const struct kernel_form form = by_host();
	struct kernel_point *k;
	struct interface_info info;
	struct netlink *n;

	(void)state;
	assert_int_equal(netlink_open(&n, NULL), 0);
	assert_int_equal(netlink_set_promiscuous(n, cf.ifindex, true, NULL), 0);
	cf.promiscuous = true;
	k = open_point(&cf, &form);
	kernel_close(&k);
	cf.promiscuous = false; /* it was on already, the next one sees */
	k = open_point(&cf, &form);
	assert_true(kernel_describe(kernel_current(k))->promiscuous);
	assert_int_equal(netlink_interface(n, "near", 0, &info, NULL), 0);
	assert_true(info.promiscuous);
	detach(&k);
	assert_int_equal(netlink_interface(n, "near", 0, &info, NULL), 0);
	assert_false(info.promiscuous);
	netlink_close(&n);
}

static void refused_directories(void **state)
{
	struct err e;
	char path[128];

	(void)state;
	assert_int_equal(kernel_pins_prepare("/tmp/nettally-pins", &e), -ENOENT);
	assert_int_equal(kernel_pins_prepare("relative", &e), -EINVAL);
	snprintf(path, sizeof path, "%s/with.dot", pins);
	assert_int_equal(kernel_pins_prepare(path, &e), -EINVAL);
	snprintf(path, sizeof path, "%s/a/b", pins);
	assert_int_equal(kernel_pins_prepare(path, &e), 0);
	assert_int_equal(kernel_pins_prepare(path, &e), 0);
	assert_true(exists("a/b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIVE(test) cmocka_unit_test_setup_teardown(test, make_veth, drop_veth)
		LIVE(counts_swaps_reads_cleans),
		LIVE(unpinned_ends_with_its_process),
		LIVE(pinned_goes_on_without_us),
		LIVE(what_a_crash_leaves),
		LIVE(another_form),
		LIVE(full_and_growing),
		LIVE(vanishes_and_comes_back),
		LIVE(reaped_wherever_it_is),
		LIVE(xdp_slot_of_another),
		LIVE(xdp_counts),
		LIVE(another_capture),
		LIVE(loopback_once),
		LIVE(promiscuous_until_the_end),
		LIVE(refused_directories),
	};
	struct err e = { .msg = "no network namespace, or no ip(8) and bpftool(8)" };
	int failed;

	snprintf(pins, sizeof pins, KERNEL_PINS_DEFAULT "-test-%d", getpid());
	if (kernel_usable(&e) < 0 || kernel_pins_prepare(pins, &e) < 0 || unshare(CLONE_NEWNET) < 0 ||
	    run("command -v ip bpftool >/dev/null") != 0) {
		printf("skipped: %s\n", e.msg);
		return 77;
	}
	(void)disable_ip6();
	alarm(120);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	kernel_pins_remove(pins);
	return failed;
}
