/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter_fuzz.c -- valid filter programs and frames made of any bytes: libpcap's interpreter, ours, the decision
 * graph and the machine agree; the translation to eBPF can be made. */
#include "rules/machine.h"
#include "rules/testing.h"
#include "rules/translate.h"

#include <stdlib.h>
#include <string.h>

#define PROGRAMS 4
#define LEN_MAX 60
#define FRAMES 4
#define FRAME_MAX 120

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frames(struct machine *m, const struct graph *g, const struct function *functions,
			 const struct program *const *programs, struct dice *d)
{
	for (unsigned n = 0; n < FRAMES; n++) {
		uint8_t bytes[FRAME_MAX], *exact;
		uint32_t len = dice_frame(d, bytes, sizeof bytes), matched[PROGRAMS], count, want = 0, got = 0;
		struct frame frame = { .linktype = LINKTYPE_ETHERNET, .cap_len = len, .wire_len = len + dice_throw(d, 3) };
		struct view view;

		exact = malloc(len ? len : 1); /* so that a sanitizer sees a read one byte past it */
		if (!exact)
			return;
		frame.bytes = memcpy(exact, bytes, len);
		view_of(&view, &frame);
		count = machine_match(m, &view, matched);
		for (uint32_t i = 0; i < count; i++)
			got |= 1u << matched[i];
		for (uint32_t i = 0; i < PROGRAMS; i++) {
			bool says = reference_run(programs[i], exact, frame.wire_len, len) != 0;

			want |= (uint32_t)says << i;
			if ((program_run(programs[i], &view) != 0) != says)
				abort();
			if (graph_walk(g, &g->nodes, functions[i].root, &view) != says)
				abort();
		}
		if (want != got)
			abort();
		free(exact);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dice d = { data, size, 1 };
	struct sock_filter insns[PROGRAMS][LEN_MAX];
	struct program programs[PROGRAMS];
	const struct program *pointers[PROGRAMS];
	struct function functions[PROGRAMS] = { 0 };
	uint32_t order[PROGRAMS];
	struct translate t = { .hook = TRANSLATE_TC, .tagged = size & 1, .next_fd = -1 };
	struct translated made = { 0 };
	struct machine *m = NULL;
	struct graph g;
	struct err e;

	for (uint32_t i = 0; i < PROGRAMS; i++) {
		uint32_t len = 2 * DICE_SLOTS + 2 + dice_throw(&d, LEN_MAX - 2 * DICE_SLOTS - 1);

		dice_program(&d, insns[i], len);
		programs[i] = (struct program){ insns[i], len };
		pointers[i] = &programs[i];
		order[i] = i;
		if (program_check(&programs[i], &e) < 0)
			abort();
	}
	if (translate(&made, &t, pointers, PROGRAMS, &e) < 0)
		abort();
	free(made.insns);
	if (graph_open(&g, pointers) < 0)
		return 0;
	for (uint32_t i = 0; i < PROGRAMS; i++) {
		bool whole;

		functions[i].root = graph_add(&g, &programs[i], i, &whole);
	}
	if (!graph_failed(&g) && machine_open(&m, &g, functions, order, PROGRAMS) == 0)
		check_frames(m, &g, functions, pointers, &d);
	machine_close(&m);
	graph_close(&g);
	return 0;
}
