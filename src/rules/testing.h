/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.h -- for tests, fuzzing and benches alone: libpcap as the reference, captures through it, and programs
 * and frames made of random (or a fuzzer's) bytes. */
#ifndef NETTALLY_RULES_TESTING_H
#define NETTALLY_RULES_TESTING_H

#include "model/frame.h"
#include "rules/program.h"

#include <stdio.h>

/* libpcap's interpreter on flat bytes. */
uint32_t reference_run(const struct program *p, const uint8_t *bytes, uint32_t wire_len, uint32_t cap_len);

struct capture;

/* A file through libpcap; NULL: it cannot be read, which is said on stderr. */
struct capture *capture_open(const char *path);
uint16_t capture_linktype(const struct capture *c);
/* False at the end, and where libpcap stops at damage. The frame is valid until the next call. */
bool capture_next(struct capture *c, struct frame *ret);
void capture_close(struct capture *c);

/* Bytes to decide by: those given, then pseudo-random ones. */
struct dice {
	const uint8_t *data;
	size_t len;
	uint64_t seed;
};

static inline uint32_t dice_throw(struct dice *d, uint32_t sides)
{
	if (d->len) {
		uint32_t value = d->data[0];

		if (sides > 256 && d->len > 1)
			value |= (uint32_t)*++d->data << 8, d->len--;
		d->data++;
		d->len--;
		return value % sides;
	}
	d->seed = d->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(d->seed >> 33) % sides;
}

#define DICE_SLOTS 4 /* scratch words that programs use, all written at their start: libpcap's are not cleared */

static inline uint32_t dice_constant(struct dice *d)
{
	static const uint32_t known[] = { 0, 1, 2, 4, 6, 14, 17, 20, 53, 80, 443, 0x800, 0x806, 0x86dd, 0x8100, 0x1fff,
					  0x0f, 0xf0, 0xff00, 0xffff, 0xffffff00, 0x0a000000, 0x7fffffff, 0xffffffff };

	switch (dice_throw(d, 4)) {
	case 0:
		return known[dice_throw(d, sizeof known / sizeof *known)];
	case 1:
		return dice_throw(d, 32);
	case 2:
		return dice_throw(d, 256);
	default:
		return dice_throw(d, 65536) << dice_throw(d, 17);
	}
}

/* Where a load reads: mostly where a frame has something. */
static inline uint32_t dice_offset(struct dice *d)
{
	static const uint32_t common[] = { 12, 14, 16, 20, 23, 26, 30, 34, 36, 0, 6, 18, 54, 60, 62, 64 };

	switch (dice_throw(d, 8)) {
	case 0:
		return dice_throw(d, 80);
	case 1:
		return dice_constant(d);
	default:
		return common[dice_throw(d, 16)];
	}
}

static inline struct sock_filter dice_insn(struct dice *d, uint32_t room)
{
	static const uint16_t sizes[] = { BPF_W, BPF_H, BPF_B };
	static const uint16_t alus[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_NEG,
					 BPF_MOD, BPF_XOR, BPF_AND };
	static const uint16_t jumps[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	uint16_t size = sizes[dice_throw(d, 3)], op, source = dice_throw(d, 4) ? BPF_K : BPF_X;
	struct sock_filter i = { .k = 0 };

	switch (dice_throw(d, 16)) {
	case 0: case 1: case 2: case 3:
		return (struct sock_filter){ .code = BPF_LD | BPF_ABS | size, .k = dice_offset(d) };
	case 4:
		return (struct sock_filter){ .code = BPF_LD | BPF_IND | size, .k = dice_offset(d) };
	case 5:
		return (struct sock_filter){ .code = BPF_LDX | BPF_MSH | BPF_B, .k = dice_offset(d) };
	case 6:
		op = dice_throw(d, 2) ? BPF_LD : BPF_LDX;
		if (dice_throw(d, 2))
			return (struct sock_filter){ .code = op | BPF_W | BPF_LEN };
		return (struct sock_filter){ .code = op | BPF_IMM, .k = dice_constant(d) };
	case 7:
		op = dice_throw(d, 2) ? BPF_LD : BPF_LDX;
		return (struct sock_filter){ .code = op | BPF_MEM, .k = dice_throw(d, DICE_SLOTS) };
	case 8:
		return (struct sock_filter){ .code = dice_throw(d, 2) ? BPF_ST : BPF_STX, .k = dice_throw(d, DICE_SLOTS) };
	case 9:
		return (struct sock_filter){ .code = BPF_MISC | (dice_throw(d, 2) ? BPF_TAX : BPF_TXA) };
	case 10: case 11:
		op = alus[dice_throw(d, 12)];
		i = (struct sock_filter){ .code = BPF_ALU | op | (op == BPF_NEG ? BPF_K : source), .k = dice_constant(d) };
		if ((op == BPF_DIV || op == BPF_MOD) && i.k == 0)
			i.k = 3;
		if (op == BPF_LSH || op == BPF_RSH)
			i.k &= 31;
		return i;
	case 12:
		if (dice_throw(d, 4) == 0)
			return (struct sock_filter){ .code = BPF_JMP | BPF_JA, .k = dice_throw(d, room) };
		/* fall through */
	default:
		op = jumps[dice_throw(d, 4)];
		return (struct sock_filter){ .code = BPF_JMP | op | source, .k = dice_constant(d),
					     .jt = (uint8_t)dice_throw(d, room < 255 ? room : 255),
					     .jf = (uint8_t)dice_throw(d, room < 255 ? room : 255) };
	}
}

/* A program of `len` instructions at least 2 * DICE_SLOTS + 2; valid, without loops. */
static inline void dice_program(struct dice *d, struct sock_filter *insns, uint32_t len)
{
	uint32_t at = 0;

	for (; at < DICE_SLOTS; at++)
		insns[at] = (struct sock_filter){ .code = BPF_ST, .k = at };
	for (; at + 2 < len; at++)
		insns[at] = dice_insn(d, len - at - 1);
	insns[at] = (struct sock_filter){ .code = BPF_RET | (dice_throw(d, 3) ? BPF_K : BPF_A) };
	insns[at + 1] = (struct sock_filter){ .code = BPF_RET | BPF_K, .k = 1 };
}

/* A frame: often an IPv4 or IPv6 packet, sometimes noise. Returns its length, at most `room`. */
static inline uint32_t dice_frame(struct dice *d, uint8_t *bytes, uint32_t room)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806, 0x8100, 0x8864, 0x8847 };
	static const uint8_t protocols[] = { 1, 6, 17, 58, 44, 47, 132, 0 };
	static const uint16_t ports[] = { 53, 80, 443, 68, 1024, 40000 };
	uint32_t len = dice_throw(d, 3) ? dice_throw(d, room + 1) : dice_throw(d, 64) % (room + 1), at = 12, port;
	uint16_t type = types[dice_throw(d, 6)];

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)dice_throw(d, 256);
	if (len < 64 || dice_throw(d, 8) == 0)
		return len;
	if (type == 0x8100) {
		bytes[at++] = 0x81, bytes[at++] = 0, at += 2;
		type = types[dice_throw(d, 3)];
	}
	bytes[at++] = (uint8_t)(type >> 8);
	bytes[at++] = (uint8_t)type;
	if (type == 0x0800) {
		bytes[at] = (uint8_t)(0x45 + (dice_throw(d, 4) == 0));
		if (dice_throw(d, 4))
			bytes[at + 6] = bytes[at + 7] = 0;
		bytes[at + 9] = protocols[dice_throw(d, 8)];
		bytes[at + 12] = 10;
		port = at + (bytes[at] & 15) * 4;
	} else {
		bytes[at] = 0x60;
		bytes[at + 6] = protocols[dice_throw(d, 8)];
		port = at + 40;
	}
	for (unsigned i = 0; i < 2 && port + 2 <= len; i++, port += 2) {
		uint16_t p = ports[dice_throw(d, 6)];

		bytes[port] = (uint8_t)(p >> 8), bytes[port + 1] = (uint8_t)p;
	}
	return len;
}

#endif
