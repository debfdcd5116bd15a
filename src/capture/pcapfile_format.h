/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapfile_format.h -- what the two formats, pcap.c and pcapng.c, share with pcapfile.c. Private
 * to these.
 *
 * A format's walk() takes whole records from `in` into frames. It is called again and again, and
 * never waits: where the next record is not whole it sets `need`, the bytes that the record
 * wants as far as is known, and returns the frames so far. What is damaged is left where it is
 * until a call finds it first: so the frames before the damage always come first. */
#ifndef NETTALLY_CAPTURE_PCAPFILE_FORMAT_H
#define NETTALLY_CAPTURE_PCAPFILE_FORMAT_H

#include "base/err.h"
#include "base/strings.h"
#include "capture/input.h"
#include "model/frame.h"

#include <stdbool.h>
#include <string.h>

struct pcapng_interface;

enum length_order { CAP_LEN_FIRST, WIRE_LEN_FIRST, LARGER_IS_WIRE_LEN };

struct pcap_variant {
	bool swap;           /* the other byte order */
	uint8_t order;       /* enum length_order */
	uint8_t header_len;  /* of a record */
};

struct pcapfile {
	/* The number of frames, 0 = see `need`, -EBADMSG = damage, with its reason alone in the
	 * sentence. */
	int (*walk)(struct pcapfile *f, struct frame *frames, struct err *e);
	struct input in;
	size_t need;
	uint64_t packets;             /* given so far */
	uint32_t snap_len;
	bool done;
	bool swap;                    /* pcapng: the current section is in the other byte order */
	uint32_t tick_ns;             /* pcap: 1000 or 1 */
	struct pcap_variant variant;  /* pcap */
	struct frame common;          /* pcap: what all frames have in common */
	struct strings *strings;      /* borrowed */
	struct pcapng_interface *interfaces; /* pcapng: of the current section */
	size_t interface_count, interface_room;
	char name[256];               /* for error sentences */
};

/* True when the magic (as this machine reads it) is this format's. */
bool pcap_is_magic(uint32_t magic);
/* Reads the file header, of which all bytes are there. */
#define PCAP_HEADER_LEN 24
int pcap_start(struct pcapfile *f, struct err *e);

/* The section header's block type reads the same in both byte orders; pcapng_start() looks at
 * the byte-order magic. */
#define PCAPNG_MAGIC 0x0a0d0d0a
#define PCAPNG_HEADER_LEN 12
int pcapng_start(struct pcapfile *f, struct err *e);
void pcapng_stop(struct pcapfile *f);

/* A LINKTYPE_ as files have it: without the FCS length and class bits above it, and the values
 * of DLT_RAW that BSD systems wrote turned into LINKTYPE_RAW. */
uint16_t linktype_of_file(uint32_t word);

static inline uint32_t load32(const uint8_t *b, bool swap)
{
	uint32_t v;

	memcpy(&v, b, sizeof v);
	return swap ? __builtin_bswap32(v) : v;
}

static inline uint64_t load64(const uint8_t *b, bool swap)
{
	uint64_t v;

	memcpy(&v, b, sizeof v);
	return swap ? __builtin_bswap64(v) : v;
}

static inline uint16_t load16(const uint8_t *b, bool swap)
{
	uint16_t v;

	memcpy(&v, b, sizeof v);
	return swap ? __builtin_bswap16(v) : v;
}

#endif
