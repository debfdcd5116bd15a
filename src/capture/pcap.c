/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcap.c -- the records of a pcap file (draft-ietf-opsawg-pcap). The hot path of `nettally
 * read`. */
#include "capture/pcapfile.h"
#include "capture/pcapfile_format.h"

#include <errno.h>
#include <inttypes.h>

#define PCAP_MICRO 0xa1b2c3d4
#define PCAP_NANO 0xa1b23c4d
#define PCAP_MODIFIED 0xa1b2cd34 /* Kuznetzov's: 8 more bytes (interface, protocol, packet type) in each record header */

#define RECORD_LEN 16
#define RECORD_LEN_MODIFIED 24

struct lengths {
	uint32_t cap, wire;
};

/* In files before version 2.3 the original length comes first, in those of 2.3 either way (as
 * libpcap's sf-pcap.c reads them). */
static inline __attribute__((always_inline)) struct lengths record_lengths(const uint8_t *at, const struct pcap_variant v)
{
	uint32_t first = load32(at + 8, v.swap), second = load32(at + 12, v.swap);

	if (v.order == WIRE_LEN_FIRST || (v.order == LARGER_IS_WIRE_LEN && first > second))
		return (struct lengths){ .cap = second, .wire = first };
	return (struct lengths){ .cap = first, .wire = second };
}

static int record_unfit(struct pcapfile *f, struct err *e)
{
	size_t have = (size_t)(f->in.end - f->in.at);
	struct lengths lengths;

	f->need = f->variant.header_len;
	if (have < f->need)
		return 0;
	lengths = record_lengths(f->in.at, f->variant);
	if (lengths.cap > PCAPFILE_CAP_LEN_MAX)
		return err_set(e, -EBADMSG, "damaged: its captured length is %" PRIu32 " bytes, more than %u",
			       lengths.cap, PCAPFILE_CAP_LEN_MAX);
	f->need += lengths.cap;
	return 0;
}

/* Each record is checked once: its header before it is read, its bytes by `cap_len` against what
 * is left. Callers give a constant variant, so that the compiler makes a loop for each. */
static inline __attribute__((always_inline)) int walk(struct pcapfile *f, struct frame *frames,
						      const struct pcap_variant v, struct err *e)
{
	const uint8_t *at = f->in.at, *end = f->in.end;
	const struct frame common = f->common;
	const uint32_t tick_ns = f->tick_ns;
	int n = 0;

	while (n < FRAME_BATCH && (size_t)(end - at) >= v.header_len) {
		struct lengths lengths = record_lengths(at, v);

		if (lengths.cap > (size_t)(end - at) - v.header_len || lengths.cap > PCAPFILE_CAP_LEN_MAX)
			break;
		frames[n] = common;
		frames[n].bytes = at + v.header_len;
		frames[n].cap_len = lengths.cap;
		frames[n].wire_len = lengths.wire;
		frames[n].seen_utc_ns =
			(int64_t)load32(at, v.swap) * 1000000000 + (int64_t)load32(at + 4, v.swap) * tick_ns;
		at += v.header_len + lengths.cap;
		n++;
	}
	f->in.at = at;
	return n > 0 ? n : record_unfit(f, e);
}

static int walk_native(struct pcapfile *f, struct frame *frames, struct err *e)
{
	return walk(f, frames, (struct pcap_variant){ false, CAP_LEN_FIRST, RECORD_LEN }, e);
}

static int walk_swapped(struct pcapfile *f, struct frame *frames, struct err *e)
{
	return walk(f, frames, (struct pcap_variant){ true, CAP_LEN_FIRST, RECORD_LEN }, e);
}

/* What is rare: the modified format, old versions. */
static int walk_any(struct pcapfile *f, struct frame *frames, struct err *e)
{
	return walk(f, frames, f->variant, e);
}

static const struct {
	uint32_t magic; /* as this machine reads it */
	uint32_t tick_ns;
	bool swap;
	uint8_t header_len;
} magics[] = {
	{ PCAP_MICRO, 1000, false, RECORD_LEN },
	{ PCAP_NANO, 1, false, RECORD_LEN },
	{ PCAP_MODIFIED, 1000, false, RECORD_LEN_MODIFIED },
	{ __builtin_bswap32(PCAP_MICRO), 1000, true, RECORD_LEN },
	{ __builtin_bswap32(PCAP_NANO), 1, true, RECORD_LEN },
	{ __builtin_bswap32(PCAP_MODIFIED), 1000, true, RECORD_LEN_MODIFIED },
};

#define MAGICS (sizeof magics / sizeof *magics)

bool pcap_is_magic(uint32_t magic)
{
	for (size_t i = 0; i < MAGICS; i++)
		if (magics[i].magic == magic)
			return true;
	return false;
}

static int version_check(uint16_t major, uint16_t minor, uint8_t *ret_order, struct err *e)
{
	*ret_order = CAP_LEN_FIRST;
	if (major == 543 || (major == 2 && minor < 3)) /* 543: an old Digital Unix */
		*ret_order = WIRE_LEN_FIRST;
	else if (major == 2 && minor == 3)
		*ret_order = LARGER_IS_WIRE_LEN;
	else if (major != 2)
		return err_set(e, -EINVAL, "pcap version %u.%u is not known, only 2 is", major, minor);
	return 0;
}

int pcap_start(struct pcapfile *f, struct err *e)
{
	const uint8_t *header = f->in.at;
	uint32_t magic = load32(header, false);
	struct pcap_variant *v = &f->variant;
	size_t i = 0;

	while (i < MAGICS - 1 && magics[i].magic != magic)
		i++;
	v->swap = magics[i].swap;
	v->header_len = magics[i].header_len;
	if (version_check(load16(header + 4, v->swap), load16(header + 6, v->swap), &v->order, e) < 0)
		return -EINVAL;
	f->walk = v->swap ? walk_swapped : walk_native;
	if (v->order != CAP_LEN_FIRST || v->header_len != RECORD_LEN)
		f->walk = walk_any;
	f->tick_ns = magics[i].tick_ns;
	f->snap_len = load32(header + 16, v->swap);
	f->common.linktype = linktype_of_file(load32(header + 20, v->swap));
	f->in.at += PCAP_HEADER_LEN;
	return 0;
}
