/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_test.c -- random valid programs on random frames: the machine, the graph alone and our interpreter say
 * what libpcap's interpreter says. */
#include "rules/machine.h"

#include "rules/testing.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PROGRAMS 24
#define LEN_MAX 48
#define FRAME_MAX 120

struct world {
	struct sock_filter insns[PROGRAMS][LEN_MAX];
	struct program programs[PROGRAMS];
	const struct program *pointers[PROGRAMS];
	struct graph graph;
	struct function functions[PROGRAMS];
	uint32_t order[PROGRAMS];
	struct machine *machine;
	uint64_t want[PROGRAMS]; /* bytes */
	unsigned whole, matched;
};

static void make_world(struct world *w, struct dice *d)
{
	struct err e;

	for (uint32_t i = 0; i < PROGRAMS; i++) {
		uint32_t len = 2 * DICE_SLOTS + 2 + dice_throw(d, LEN_MAX - 2 * DICE_SLOTS - 1);

		dice_program(d, w->insns[i], len);
		w->programs[i] = (struct program){ w->insns[i], len };
		w->pointers[i] = &w->programs[i];
		if (program_check(&w->programs[i], &e) < 0)
			fail_msg("%s", e.msg);
		w->order[i] = i;
	}
	assert_int_equal(graph_open(&w->graph, w->pointers), 0);
	for (uint32_t i = 0; i < PROGRAMS; i++) {
		bool whole;

		w->functions[i].root = graph_add(&w->graph, &w->programs[i], i, &whole);
		w->whole += whole;
	}
	assert_false(graph_failed(&w->graph));
	assert_int_equal(machine_open(&w->machine, &w->graph, w->functions, w->order, PROGRAMS), 0);
}

static void check_frame(struct world *w, const struct frame *frame)
{
	struct tally weight = { 1, frame->wire_len, 0 };
	uint32_t matched[PROGRAMS], count;
	uint64_t want = 0, got = 0;
	struct view view;

	view_of(&view, frame);
	for (uint32_t i = 0; i < PROGRAMS; i++) {
		bool says = reference_run(&w->programs[i], frame->bytes, frame->wire_len, frame->cap_len) != 0;

		assert_int_equal(program_run(&w->programs[i], &view) != 0, says);
		if (graph_walk(&w->graph, &w->graph.nodes, w->functions[i].root, &view) != says)
			fail_msg("program %u: the graph says %d", i, !says);
		want |= (uint64_t)says << i;
		w->want[i] += says ? frame->wire_len : 0;
		w->matched += says;
	}
	count = machine_match(w->machine, &view, matched);
	for (uint32_t i = 0; i < count; i++)
		got |= 1ull << matched[i];
	if (got != want)
		fail_msg("%" PRIx64 ", libpcap says %" PRIx64, got, want);
	machine_count(w->machine, &view, &weight, 1);
}

static void random_programs(void **state)
{
	struct dice d = { .seed = 1 };
	unsigned whole = 0, matched = 0;

	(void)state;
	for (unsigned round = 0; round < 150; round++) {
		struct world w = { 0 };
		uint8_t bytes[FRAME_MAX];

		make_world(&w, &d);
		for (unsigned n = 0; n < 200; n++) {
			struct frame frame = { .linktype = LINKTYPE_ETHERNET, .bytes = bytes,
					       .cap_len = dice_frame(&d, bytes, sizeof bytes) };

			frame.wire_len = frame.cap_len + (dice_throw(&d, 2) ? 0 : dice_throw(&d, 2000));
			check_frame(&w, &frame);
		}
		machine_credit(w.machine);
		for (uint32_t i = 0; i < PROGRAMS; i++)
			assert_int_equal(w.functions[i].tally.l2_bytes, w.want[i]);
		whole += w.whole;
		matched += w.matched;
		machine_close(&w.machine);
		graph_close(&w.graph);
	}
	print_message("%u matches; %u programs run as a whole\n", matched, whole);
	assert_true(matched > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_programs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
