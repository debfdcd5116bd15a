/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_crash_test.c -- killed between any two steps, while frames come in: each of them is booked once.
 *
 * A process counts, books and is killed at one of the fault points (base/fault.h); a second one recovers. The
 * ledger is memory that they share: what is written there between two fault points is a transaction. Skipped
 * (77) in builds without fault points and where BPF is not permitted. */
#include "capture/kernel.h"

#include "model/frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define GENERATIONS_MAX 64
#define FRAME_LEN 60
#define NOW_NS INT64_C(1700000000000000000)

struct books {
	struct {
		char id[KERNEL_ID_TEXT];
		uint64_t number;
	} booked[GENERATIONS_MAX];
	size_t count;
	uint64_t frames, received, transmitted; /* by the sums, by the keys */
	atomic_ulong sent;
	atomic_bool enough;
};

static char pins[64];
static struct books *books;

/* ---- the ledger ---- */

static uint64_t *booked_of(const char *id)
{
	for (size_t i = 0; i < books->count; i++)
		if (strcmp(books->booked[i].id, id) == 0)
			return &books->booked[i].number;
	if (books->count == GENERATIONS_MAX)
		abort();
	memcpy(books->booked[books->count].id, id, KERNEL_ID_TEXT);
	return &books->booked[books->count++].number;
}

static void add_entry(void *arg, const struct kernel_entry *e)
{
	(void)arg;
	*(e->side == TALLY_RX ? &books->received : &books->transmitted) += e->counters.packets;
}

static void book(const struct kernel_generation *g, const struct kernel_epoch *epoch)
{
	uint64_t *booked = booked_of(kernel_describe(g)->id);
	struct tally_sums sums;

	if (epoch->number <= *booked)
		return;
	kernel_sums(g, epoch, &sums);
	books->frames += sums.hooks[TALLY_INGRESS].frames;
	kernel_read(g, epoch, add_entry, NULL);
	*booked = epoch->number;
}

static void book_and_remove(struct kernel_generation *g)
{
	struct kernel_epoch epochs[TALLY_EPOCHS];

	kernel_epochs(g, epochs);
	for (unsigned i = 0; i < TALLY_EPOCHS; i++)
		book(g, &epochs[i]);
	kernel_generation_remove(&g);
}

/* ---- processes ---- */

static struct kernel_point *open_and_book(bool xdp)
{
	const struct kernel_form form = {
		.fields = { [TALLY_PARTY] = FIELD_BIT(FIELD_HOST) }, .keys_first = 64, .keys_max = 4096,
	};
	const struct kernel_config cf = {
		.interface = "near", .ifindex = if_nametoindex("near"), .linktype = LINKTYPE_ETHERNET, .pins = pins,
		.now_utc_s = 1700000000, .xdp = xdp,
	};
	struct kernel_generation *g;
	struct kernel_point *k;
	struct err e;

	if (kernel_open(&k, &cf, &form, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	while ((g = kernel_take_left(k)))
		book_and_remove(g);
	return k;
}

static void swap_and_book(struct kernel_point *k)
{
	struct kernel_epoch epoch;

	if (kernel_swap(k, NOW_NS, &epoch, NULL) < 0)
		abort();
	book(kernel_current(k), &epoch);
	kernel_clean(k);
}

/* All that a daemon does; with an end, or as it is killed. */
static void live(bool to_the_end)
{
	struct kernel_point *k = open_and_book(false);
	struct kernel_generation *old;

	for (unsigned i = 0; i < 3; i++) {
		usleep(5000);
		swap_and_book(k);
	}
	if (kernel_renew(k, NULL, NOW_NS, &old, NULL) < 0)
		abort();
	book_and_remove(old);
	usleep(5000);
	swap_and_book(k);
	if (to_the_end) {
		if (kernel_detach(k, &old, NULL) < 0)
			abort();
		book_and_remove(old);
	}
	kernel_close(&k);
}

static void reap(void)
{
	struct kernel_generation **left;
	size_t count;

	if (kernel_reap(pins, "near", &left, &count, NULL) < 0)
		abort();
	for (size_t i = 0; i < count; i++)
		book_and_remove(left[i]);
	free(left);
	kernel_forget(pins, "near");
}

static void send_until_enough(void)
{
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("far"), .sll_halen = 6,
	};
	uint8_t frame[FRAME_LEN] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, FRAME_LEN - 14, 0, 0, 0, 0, 64, 17, 0, 0,
		10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x12, 0x34, 0, FRAME_LEN - 34,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	for (unsigned i = 0; !books->enough; i++) {
		frame[33] = (uint8_t)i;
		if (sendto(fd, frame, sizeof frame, 0, (const struct sockaddr *)&to, sizeof to) == sizeof frame)
			books->sent++;
		if (i % 32 == 0)
			usleep(1000);
	}
	close(fd);
}

/* Gives the child's wait status. */
static int in_child(void (*what)(void), const char *fault, unsigned nth)
{
	char value[64];
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		alarm(30);
		snprintf(value, sizeof value, "%s:%u", fault, nth);
		setenv("NETTALLY_FAULT", value, 1);
		what();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

static void live_on(void)
{
	live(false);
}

static void live_to_the_end(void)
{
	live(true);
}

static void live_with_xdp(void)
{
	struct kernel_point *k = open_and_book(true);

	swap_and_book(k);
	kernel_close(&k);
}

/* ---- tests ---- */

static bool was_killed(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL; /* base/fault.c */
}

static void start(void)
{
	struct kernel_point *k;

	memset(books, 0, sizeof *books);
	if (system("ip link add near type veth peer name far && ip link set near up && ip link set far up") != 0)
		fail_msg("no veth");
	k = open_and_book(false);
	kernel_close(&k);
}

static pid_t start_sender(void)
{
	pid_t sender = fork();

	assert_true(sender >= 0);
	if (sender == 0) {
		alarm(60);
		send_until_enough();
		_exit(0);
	}
	return sender;
}

static void stop_sender(pid_t sender)
{
	books->enough = true;
	waitpid(sender, NULL, 0);
	usleep(20000);
}

static void finish(const char *step, unsigned nth)
{
	reap();
	if (books->frames != books->sent || books->received != books->sent || books->transmitted != books->sent)
		fail_msg("%s:%u: sent %lu, booked %lu, received %lu, transmitted %lu", step, nth, books->sent,
			 (unsigned long)books->frames, (unsigned long)books->received, (unsigned long)books->transmitted);
	assert_true(books->sent > 100);
	assert_int_equal(system("ip link del near"), 0);
}

/* Steps of a life that goes on; the nth time that each is passed. */
static const struct {
	const char *step;
	unsigned times;
} steps[] = {
	{ "kernel_hook_taken", 2 }, { "kernel_half_pinned", 2 }, { "kernel_unnamed", 2 }, { "kernel_pinned", 2 },
	{ "kernel_unwanted_dropped", 1 }, { "kernel_ingress_updated", 2 }, { "kernel_egress_updated", 2 },
	{ "kernel_quiet", 2 }, { "swap_numbered", 2 }, { "swap_active", 2 }, { "swap_quiet", 2 }, { "clean_begun", 2 },
	{ "clean_half", 1 }, { "clean_done", 1 }, { "remove_begun", 2 }, { "remove_half", 2 }, { "remove_done", 2 },
};

static void killed_while_it_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		for (unsigned nth = 1; nth <= steps[i].times; nth++) {
			pid_t sender;

			start();
			sender = start_sender();
			if (!was_killed(in_child(live_on, steps[i].step, nth)))
				fail_msg("%s:%u was not passed", steps[i].step, nth);
			usleep(10000); /* counted while nobody is there */
			assert_int_equal(in_child(live_on, "none", 1), 0);
			stop_sender(sender);
			finish(steps[i].step, nth);
		}
	}
}

/* What ends the counting: no frame comes meanwhile. */
static void killed_as_it_ends(void **state)
{
	static const struct {
		const char *step;
		void (*what)(void);
	} ends[] = {
		{ "detach_half", live_to_the_end }, { "detach_quiet", live_to_the_end },
		{ "reap_half", reap }, { "reap_detached", reap }, { "reap_quiet", reap }, { "remove_half", reap },
		/* from tcx to XDP, and on to what finish() finds */
		{ "kernel_pinned", live_with_xdp }, { "kernel_unwanted_dropped", live_with_xdp },
		{ "kernel_ingress_updated", live_with_xdp }, { "kernel_egress_updated", live_with_xdp },
	};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		pid_t sender;

		start();
		sender = start_sender();
		usleep(50000);
		stop_sender(sender);
		if (!was_killed(in_child(ends[i].what, ends[i].step, 1)))
			fail_msg("%s was not passed", ends[i].step);
		finish(ends[i].step, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_while_it_counts),
		cmocka_unit_test(killed_as_it_ends),
	};
	struct err e = { .msg = "no network namespace" };
	int failed;

#ifndef NETTALLY_FAULTS
	printf("skipped: built without fault points (-Dfaults=true)\n");
	return 77;
#endif
	snprintf(pins, sizeof pins, KERNEL_PINS_DEFAULT "-crash-%d", getpid());
	books = mmap(NULL, sizeof *books, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (books == MAP_FAILED || kernel_usable(&e) < 0 || kernel_pins_prepare(pins, &e) < 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: %s\n", e.msg);
		return 77;
	}
	if (system("test ! -e /proc/sys/net/ipv6 || echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6") != 0)
		printf("IPv6 goes on sending\n");
	alarm(240);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	kernel_forget(pins, ".");
	rmdir(pins);
	return failed;
}
