/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.h -- a frame as filter programs expect it, without copying it.
 *
 * Two things differ between a frame as it came and the bytes that libpcap's programs were made for: a VLAN tag
 * that the kernel took off is put back, and the address family of NULL and LOOP frames becomes this system's own.
 * Both change the head alone. So a view is a rebuilt head for what begins below `split`, and behind it the frame's
 * own bytes, `shift` further down. Borrowed from the frame; must not be copied while it points into itself. */
#ifndef NETTALLY_RULES_VIEW_H
#define NETTALLY_RULES_VIEW_H

#include "base/slice.h"
#include "model/frame.h"

#define VIEW_HEAD 64

struct view {
	const uint8_t *head;
	const uint8_t *bytes;
	uint32_t split, shift;
	uint32_t cap_len, wire_len; /* with the tag */
	uint8_t rebuilt[VIEW_HEAD];
};

void view_rebuild(struct view *ret, const struct frame *frame); /* only for view_of() */

static inline void view_of(struct view *ret, const struct frame *frame)
{
	if (frame->vlan_tpid || frame->linktype == LINKTYPE_NULL || frame->linktype == LINKTYPE_LOOP) {
		view_rebuild(ret, frame);
		return;
	}
	ret->head = ret->bytes = frame->bytes;
	ret->split = ret->shift = 0;
	ret->cap_len = frame->cap_len;
	ret->wire_len = frame->wire_len;
}

/* Where the bytes from `at` on are; at least 4 of them are together, if the frame has as many. */
static inline const uint8_t *view_at(const struct view *v, uint32_t at)
{
	return at < v->split ? v->head + at : v->bytes + (at - v->shift);
}

/* A big-endian number of 1, 2 or 4 bytes; false where the frame ends before. */
static inline bool view_load(const struct view *v, uint64_t at, unsigned size, uint32_t *ret)
{
	const uint8_t *b;

	if (at + size > v->cap_len)
		return false;
	b = view_at(v, (uint32_t)at);
	*ret = size == 4 ? be32(b) : size == 2 ? be16(b) : b[0];
	return true;
}

#endif
