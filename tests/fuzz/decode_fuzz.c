/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_fuzz.c -- any bytes as a frame. The first eight say what the source tells about it:
 * link type (2, little endian), tag taken off (1: which), its TCI (1), segment size (2), wire
 * length (1: how much more than captured, 255 = as much as there can be), direction (1). The
 * frame is given in an allocation of its own, so that a sanitizer sees a read one byte past it.
 * What must hold of any packet is checked. */
#include "decode/decode.h"

#include <stdlib.h>
#include <string.h>

#define META_LEN 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct frame frame_of(const uint8_t *meta, uint8_t *bytes, size_t len)
{
	static const uint16_t tpids[4] = { 0, 0x8100, 0x88a8, 0x9100 };

	return (struct frame){
		.bytes = bytes,
		.cap_len = (uint32_t)len,
		.wire_len = meta[6] == 255 ? UINT32_MAX : (uint32_t)len + meta[6],
		.seen_utc_ns = 1,
		.linktype = (uint16_t)(meta[0] | meta[1] << 8),
		.vlan_tpid = tpids[meta[2] & 3],
		.vlan_tci = meta[3],
		.gso_size = (uint16_t)(meta[4] | meta[5] << 8),
		.direction = meta[7] % 3,
	};
}

static void check(const struct packet *p, const struct frame *f)
{
	if (p->segments < 1 || p->l2_bytes < f->wire_len || p->src.family != p->dst.family)
		abort();
	if (p->src.family != ADDR_NONE && p->src.family != ADDR_IP4 && p->src.family != ADDR_IP6)
		abort();
	if (p->seen_utc_ns != f->seen_utc_ns || (f->direction && p->direction != f->direction))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frames[2];
	struct packet alone, batch[2];
	uint8_t *bytes;

	if (size < META_LEN)
		return 0;
	bytes = malloc(size - META_LEN ? size - META_LEN : 1);
	if (!bytes)
		return 0;
	memcpy(bytes, data + META_LEN, size - META_LEN);
	frames[0] = frames[1] = frame_of(data, bytes, size - META_LEN);
	memset(&alone, 0, sizeof alone);
	memset(batch, 0, sizeof batch);
	decode_frame(&frames[0], &alone);
	check(&alone, &frames[0]);
	decode_batch(frames, 2, batch);
	if (memcmp(&alone, &batch[1], sizeof alone) != 0)
		abort();
	free(bytes);
	return 0;
}
