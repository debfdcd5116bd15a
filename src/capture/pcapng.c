/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapng.c -- the blocks of a pcapng file (draft-ietf-opsawg-pcapng).
 *
 * The section's length is not used: blocks are walked one by one, so that a length of -1 (not
 * known) and a wrong one do no harm. An interface's name is its if_name; where a section has
 * several, one without a name is called by its index, as soon as the second is described. A
 * simple packet block has no time: its frame's is 0. */
#include "capture/pcapfile.h"
#include "capture/pcapfile_format.h"
#include "base/slice.h"
#include "base/text.h"
#include "model/key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete */
	BLOCK_SIMPLE_PACKET = 3,
	BLOCK_ENHANCED_PACKET = 6,
	BLOCK_SECTION = PCAPNG_MAGIC,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define BLOCK_LEN_MIN 12
#define BLOCK_LEN_MAX (16u << 20) /* as libpcap: a length beyond is damage, not a reason to allocate */
#define INTERFACES_MAX 65536
#define INTERFACE_NAME_LEN_MAX 255

enum { OPTION_END = 0, OPTION_FLAGS = 2, OPTION_IF_NAME = 2, OPTION_IF_TSRESOL = 9, OPTION_IF_TSOFFSET = 14 };

__extension__ typedef __int128 wide; /* 64-bit ticks of up to 2^-127 s, in nanoseconds */

struct pcapng_interface {
	struct frame common;    /* link type, name */
	uint32_t snap_len;      /* 0 = none */
	uint8_t resolution;     /* if_tsresol */
	int64_t offset_s;       /* if_tsoffset */
	/* Where the resolution is 10^0 to 10^-9, there is no offset and `ticks` < ticks_max: */
	uint64_t ticks_max, tick_ns;
};

static int damaged(struct err *e, const char *what)
{
	return err_set(e, -EBADMSG, "damaged: %s", what);
}

static wide power10(unsigned n)
{
	wide p = 1;

	while (n-- > 0)
		p *= 10;
	return p;
}

/* 64-bit ticks need no more than 20 digits or 94 bits (2^64 * 10^9): a resolution beyond gives
 * 0. */
static int64_t ticks_to_ns(const struct pcapng_interface *i, uint64_t ticks)
{
	unsigned n = i->resolution & 0x7f;
	wide ns;

	if (i->resolution & 0x80)
		ns = n < 96 ? (wide)ticks * 1000000000 >> n : 0;
	else if (n <= 9)
		ns = (wide)ticks * power10(9 - n);
	else
		ns = n - 9 <= 20 ? (wide)ticks / power10(n - 9) : 0;
	ns += (wide)i->offset_s * 1000000000;
	if (ns > INT64_MAX)
		return INT64_MAX;
	return ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

static void interface_set_times(struct pcapng_interface *i)
{
	if (i->resolution > 9 || i->offset_s != 0)
		return;
	i->tick_ns = (uint64_t)power10(9u - i->resolution);
	i->ticks_max = (uint64_t)INT64_MAX / i->tick_ns;
}

/* One option at a time: 1 = *ret_code and *ret_value, 0 = no more, -EBADMSG. */
static int option_next(struct cursor *c, bool swap, unsigned *ret_code, struct slice *ret_value, struct err *e)
{
	const uint8_t *header;
	size_t len;

	if (c->rest.len == 0)
		return 0; /* draft-ietf-opsawg-pcapng 3.5: opt_endofopt may be missing */
	header = cursor_take(c, 4);
	if (!header)
		return damaged(e, "an option is cut short");
	*ret_code = load16(header, swap);
	len = load16(header + 2, swap);
	*ret_value = cursor_slice(c, len);
	if (len % 4)
		(void)cursor_slice(c, 4 - len % 4);
	if (c->truncated)
		return damaged(e, "an option is longer than its block");
	return *ret_code != OPTION_END;
}

static uint32_t name_add(struct strings *strings, struct slice value)
{
	char name[INTERFACE_NAME_LEN_MAX + 1], printable[sizeof name];
	size_t len = value.len < sizeof name ? value.len : sizeof name - 1;

	memcpy(name, value.at, len);
	name[len] = '\0';
	return name[0] ? strings_add(strings, text_printable(name, printable, sizeof printable)) : 0;
}

static int interface_option(struct pcapfile *f, struct pcapng_interface *i, unsigned code, struct slice value)
{
	if (code == OPTION_IF_NAME)
		i->common.interface = name_add(f->strings, value);
	if (code == OPTION_IF_TSRESOL) {
		if (value.len != 1)
			return -EBADMSG;
		i->resolution = value.at[0];
	}
	if (code == OPTION_IF_TSOFFSET) {
		if (value.len != 8)
			return -EBADMSG;
		i->offset_s = (int64_t)load64(value.at, f->swap);
	}
	return 0;
}

static int interface_room(struct pcapfile *f, struct err *e)
{
	size_t room = f->interface_room ? f->interface_room * 2 : 4;
	struct pcapng_interface *grown;

	if (f->interface_count == INTERFACES_MAX)
		return err_set(e, -EBADMSG, "damaged: a section has more than %d interfaces", INTERFACES_MAX);
	if (f->interface_count < f->interface_room)
		return 0;
	grown = reallocarray(f->interfaces, room, sizeof *grown);
	if (!grown)
		return err_set(e, -ENOMEM, "no memory for %zu interfaces", room);
	f->interfaces = grown;
	f->interface_room = room;
	return 0;
}

static void name_by_index(struct pcapfile *f, size_t index)
{
	char text[24];

	if (f->interfaces[index].common.interface != 0)
		return;
	snprintf(text, sizeof text, "%zu", index);
	f->interfaces[index].common.interface = strings_add(f->strings, text);
}

/* 4.2: link type, snap length, options. */
static int interface_block(struct pcapfile *f, struct slice body, struct err *e)
{
	struct pcapng_interface i = { .resolution = 6 };
	struct cursor c = cursor_of(body);
	const uint8_t *fixed = cursor_take(&c, 8);
	struct slice value = { 0 };
	unsigned code = 0;
	int r;

	if (!fixed)
		return damaged(e, "an interface description is too short");
	i.common.linktype = linktype_of_file(load16(fixed, f->swap));
	i.snap_len = load32(fixed + 4, f->swap);
	while ((r = option_next(&c, f->swap, &code, &value, e)) > 0)
		if (interface_option(f, &i, code, value) < 0)
			return err_set(e, -EBADMSG, "damaged: an interface's option %u has %zu bytes", code, value.len);
	if (r < 0)
		return r;
	r = interface_room(f, e);
	if (r < 0)
		return r;
	interface_set_times(&i);
	f->interfaces[f->interface_count++] = i;
	if (f->interface_count == 2)
		name_by_index(f, 0);
	if (f->interface_count >= 2)
		name_by_index(f, f->interface_count - 1);
	if (i.snap_len > f->snap_len)
		f->snap_len = i.snap_len;
	return 0;
}

/* epb_flags and pack_flags have the same code and the same direction bits. */
static int packet_options(struct frame *ret, struct slice options, bool swap, struct err *e)
{
	static const uint8_t directions[4] = { DIRECTION_UNKNOWN, DIRECTION_INGRESS, DIRECTION_EGRESS,
					       DIRECTION_UNKNOWN };
	struct cursor c = cursor_of(options);
	struct slice value = { 0 };
	unsigned code = 0;
	int r;

	while ((r = option_next(&c, swap, &code, &value, e)) > 0) {
		if (code != OPTION_FLAGS)
			continue;
		if (value.len != 4)
			return err_set(e, -EBADMSG, "damaged: its flags have %zu bytes instead of 4", value.len);
		ret->direction = directions[load32(value.at, swap) & 3];
	}
	return r;
}

/* 4.3, and A. of the draft: the obsolete block differs in its interface number, 16 bits before a
 * drop count. 1 or -EBADMSG. */
static inline __attribute__((always_inline)) int packet_block(struct pcapfile *f, const uint8_t *block, uint32_t len,
							      const bool swap, struct frame *ret, struct err *e)
{
	const struct pcapng_interface *i;
	uint32_t id, cap_len, padded;
	uint64_t ticks;

	if (len < 32)
		return damaged(e, "its block is too short");
	id = load32(block, swap) == BLOCK_PACKET ? load16(block + 8, swap) : load32(block + 8, swap);
	cap_len = load32(block + 20, swap);
	padded = (cap_len + 3) & ~3u;
	if (id >= f->interface_count)
		return err_set(e, -EBADMSG, "damaged: its interface %" PRIu32 " is not described", id);
	if (cap_len > PCAPFILE_CAP_LEN_MAX || padded > len - 32)
		return err_set(e, -EBADMSG, "damaged: its captured length is %" PRIu32 " bytes in a block of %" PRIu32,
			       cap_len, len);
	i = &f->interfaces[id];
	*ret = i->common;
	ret->bytes = block + 28;
	ret->cap_len = cap_len;
	ret->wire_len = load32(block + 24, swap);
	ticks = (uint64_t)load32(block + 12, swap) << 32 | load32(block + 16, swap);
	ret->seen_utc_ns = ticks < i->ticks_max ? (int64_t)(ticks * i->tick_ns) : ticks_to_ns(i, ticks);
	if (padded == len - 32)
		return 1;
	return packet_options(ret, (struct slice){ block + 28 + padded, len - 32 - padded }, swap, e) < 0 ? -EBADMSG : 1;
}

/* 4.4: the captured length is not written: it is the original length or the snap length of
 * interface 0. */
static int simple_packet_block(struct pcapfile *f, const uint8_t *block, uint32_t len, struct frame *ret, struct err *e)
{
	uint32_t cap_len;

	if (len < 16)
		return damaged(e, "its block is too short");
	if (f->interface_count == 0)
		return damaged(e, "no interface is described before it");
	*ret = f->interfaces[0].common;
	ret->bytes = block + 12;
	ret->wire_len = load32(block + 8, f->swap);
	cap_len = ret->wire_len;
	if (f->interfaces[0].snap_len != 0 && f->interfaces[0].snap_len < cap_len)
		cap_len = f->interfaces[0].snap_len;
	if (cap_len > PCAPFILE_CAP_LEN_MAX || cap_len > len - 16)
		return err_set(e, -EBADMSG, "damaged: its captured length is %" PRIu32 " bytes in a block of %" PRIu32,
			       cap_len, len);
	ret->cap_len = cap_len;
	return 1;
}

/* 4.1: what follows has its byte order, and interfaces of its own. */
static int section_block(struct pcapfile *f, const uint8_t *block, uint32_t len, struct err *e)
{
	uint16_t major;

	if (len < 28)
		return damaged(e, "a section header is too short");
	major = load16(block + 12, f->swap);
	if (major != 1)
		return err_set(e, -EBADMSG, "pcapng version %u is not known, only 1 is", major);
	f->interface_count = 0;
	return 0;
}

static int other_block(struct pcapfile *f, const uint8_t *block, uint32_t len, struct frame *ret, struct err *e)
{
	switch (load32(block, f->swap)) {
	case BLOCK_SECTION:
		return section_block(f, block, len, e);
	case BLOCK_INTERFACE:
		return interface_block(f, (struct slice){ block + 8, len - BLOCK_LEN_MIN }, e);
	case BLOCK_SIMPLE_PACKET:
		return simple_packet_block(f, block, len, ret, e);
	case BLOCK_PACKET:
		return packet_block(f, block, len, f->swap, ret, e);
	default:
		return 0;
	}
}

static int byte_order(struct pcapfile *f, const uint8_t *block, struct err *e)
{
	uint32_t magic = load32(block + 8, false);

	if (magic != BYTE_ORDER_MAGIC && magic != __builtin_bswap32(BYTE_ORDER_MAGIC))
		return err_set(e, -EBADMSG, "damaged: a section's byte-order magic is 0x%08" PRIx32, be32(block + 8));
	f->swap = magic != BYTE_ORDER_MAGIC;
	return 0;
}

/* The next block, in bounds: 1 = a frame, 0 = a block without one, -EAGAIN = see `need`,
 * -EBADMSG. */
static inline __attribute__((always_inline)) int take_block(struct pcapfile *f, const bool swap, struct frame *ret,
							    struct err *e)
{
	const uint8_t *block = f->in.at;
	size_t have = (size_t)(f->in.end - block);
	uint32_t len;
	int r;

	f->need = BLOCK_LEN_MIN;
	if (have < BLOCK_LEN_MIN)
		return -EAGAIN;
	len = load32(block + 4, swap);
	if (len < BLOCK_LEN_MIN || len % 4 != 0 || len > BLOCK_LEN_MAX)
		return err_set(e, -EBADMSG, "damaged: a block of %" PRIu32 " bytes", len);
	f->need = len;
	if (len > have)
		return -EAGAIN;
	if (load32(block + len - 4, swap) != len)
		return err_set(e, -EBADMSG, "damaged: a block of %" PRIu32 " bytes says %" PRIu32 " at its end", len,
			       load32(block + len - 4, swap));
	if (load32(block, swap) == BLOCK_ENHANCED_PACKET)
		r = packet_block(f, block, len, swap, ret, e);
	else
		r = other_block(f, block, len, ret, e);
	if (r >= 0)
		f->in.at += len;
	return r;
}

/* Until `n` is full or the byte order may have changed. Only a call that gives no frame tells
 * its error. */
static inline __attribute__((always_inline)) int take_section(struct pcapfile *f, const bool swap, struct frame *frames,
							      int *n, struct err *e)
{
	int r = 0;

	while (*n < FRAME_BATCH && r >= 0 && f->swap == swap) {
		if (f->in.end - f->in.at >= BLOCK_LEN_MIN && load32(f->in.at, false) == BLOCK_SECTION) {
			r = byte_order(f, f->in.at, *n > 0 ? NULL : e);
			if (r < 0 || f->swap != swap)
				break;
		}
		r = take_block(f, swap, &frames[*n], *n > 0 ? NULL : e);
		if (r > 0)
			++*n;
	}
	return r;
}

static int walk_pcapng(struct pcapfile *f, struct frame *frames, struct err *e)
{
	int n = 0, r = 0;

	while (n < FRAME_BATCH && r >= 0)
		r = f->swap ? take_section(f, true, frames, &n, e) : take_section(f, false, frames, &n, e);
	if (n > 0)
		return n;
	return r == -EAGAIN ? 0 : r;
}

int pcapng_start(struct pcapfile *f, struct err *e)
{
	f->walk = walk_pcapng;
	return byte_order(f, f->in.at, e) < 0 ? -EINVAL : 0;
}

void pcapng_stop(struct pcapfile *f)
{
	free(f->interfaces);
	f->interfaces = NULL;
}
