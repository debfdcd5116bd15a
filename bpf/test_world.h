/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_world.h -- programs of a configuration, loaded; and a frame through them, held against src/decode/. */
#ifndef NETTALLY_BPF_TEST_WORLD_H
#define NETTALLY_BPF_TEST_WORLD_H

#include "testing.h"

#include "base/prefix.h"
#include "model/frame.h"

enum { TC_INGRESS, TC_EGRESS, TC_TAGGED_INGRESS, TC_TAGGED_EGRESS, XDP, PROGRAMS };

/* Programs of one configuration, loaded. */
struct world {
	struct tally_bpf *tally;
	struct bench_bpf *bench; /* NULL: no programs that push tags */
	struct tables t, tagged; /* around `tally`, around `bench` */
	uint16_t services[131072];
	struct prefix_set local;
	uint32_t buckets;        /* of a table, a power of two; 0 = 2 */
	int programs[PROGRAMS];
};

/* `given` needs only what an account asks for; w->services and w->local are there. With `tagged` frames may have tags
 * in metadata. */
void world_open(struct world *w, const struct tally_config *given, bool tagged);
void world_close(struct world *w);
void add_local(struct prefix_set *s, const char *text);

/* Runs the frame through the programs that can have it, and fails the test where keys, counters or sums are other
 * than those of decode_frame_generally(). Uses f.bytes, cap_len, gso_size and the tag. */
enum { COMPARE_INGRESS = 1, COMPARE_EGRESS = 2, COMPARE_XDP = 4 };

void compare_frame_at(const struct world *w, struct frame f, unsigned hooks);
void compare_frame(const struct world *w, struct frame f); /* all of them */

#endif
