/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.c -- heads that differ from the frame's. */
#include "rules/view.h"

#include <string.h>
#include <sys/socket.h>

#define MAC_PAIR 12
#define TAG 4
#define SPLIT (VIEW_HEAD - 4) /* a number that begins below it ends in the head */

static void put_tag_back(struct view *v, const struct frame *frame)
{
	uint32_t rest = frame->cap_len - MAC_PAIR;

	if (rest > VIEW_HEAD - MAC_PAIR - TAG)
		rest = VIEW_HEAD - MAC_PAIR - TAG;
	memcpy(v->rebuilt, frame->bytes, MAC_PAIR);
	v->rebuilt[12] = (uint8_t)(frame->vlan_tpid >> 8);
	v->rebuilt[13] = (uint8_t)frame->vlan_tpid;
	v->rebuilt[14] = (uint8_t)(frame->vlan_tci >> 8);
	v->rebuilt[15] = (uint8_t)frame->vlan_tci;
	memcpy(v->rebuilt + MAC_PAIR + TAG, frame->bytes + MAC_PAIR, rest);
	v->head = v->rebuilt;
	v->split = SPLIT;
	v->shift = TAG;
	v->cap_len += TAG;
	v->wire_len += TAG;
}

/* NULL and LOOP frames begin with the address family of the system that captured: in its byte order (NULL), and
 * for IPv6 by its number. The program was compiled for this system. */
static void use_own_family(struct view *v, const struct frame *frame)
{
	uint32_t family = be32(frame->bytes), own;

	if (family > 0xffff)
		family = __builtin_bswap32(family);
	if (family == 24 || family == 28 || family == 30) /* NetBSD and OpenBSD, FreeBSD, macOS */
		family = AF_INET6;
	own = frame->linktype == LINKTYPE_NULL ? family : __builtin_bswap32(family);
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		own = family;
	memcpy(v->rebuilt, frame->bytes, frame->cap_len < VIEW_HEAD ? frame->cap_len : VIEW_HEAD);
	memcpy(v->rebuilt, &own, sizeof own);
	v->head = v->rebuilt;
	v->split = SPLIT;
}

void view_rebuild(struct view *ret, const struct frame *frame)
{
	ret->head = ret->bytes = frame->bytes;
	ret->split = ret->shift = 0;
	ret->cap_len = frame->cap_len;
	ret->wire_len = frame->wire_len;
	if (frame->linktype == LINKTYPE_ETHERNET) {
		if (frame->cap_len >= MAC_PAIR)
			put_tag_back(ret, frame);
	} else if (frame->linktype == LINKTYPE_NULL || frame->linktype == LINKTYPE_LOOP) {
		if (frame->cap_len >= 4)
			use_own_family(ret, frame);
	}
}
