/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_frames.h -- frames to test with: made ones, the decoder's fuzz corpus, and mutants. */
#ifndef NETTALLY_BPF_TEST_FRAMES_H
#define NETTALLY_BPF_TEST_FRAMES_H

#include "model/frame.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 4096

struct frames {
	uint8_t (*bytes)[FRAME_MAX];
	uint32_t *len;
	unsigned count, room;
};

/* Hexadecimal digits; blanks are left out. */
extern const char *const made_frames[];
extern const unsigned made_count;

uint64_t next_random(uint64_t *state);
void frames_add(struct frames *fs, const uint8_t *bytes, size_t len);
void add_hex(struct frames *fs, const char *hex);
void make_frames(struct frames *fs);
void frames_free(struct frames *fs);
struct frame frame_of(const struct frames *fs, unsigned i);
void mutate(uint8_t *b, uint32_t *len, uint64_t *seed);

#endif
