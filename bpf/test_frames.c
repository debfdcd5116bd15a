/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_frames.c -- frames by hand and by chance. */
#include "test_frames.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- frames ---- */

#define MACS "02000000000b 02000000000a "
#define ADDRS4 "c0000201 c6336402 "
#define ADDRS6 "20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define IP4_OF(vihl, total, fragment, proto) vihl "00" total "0001" fragment "40" proto "0000" ADDRS4
#define IP4(total, proto) IP4_OF("45", total, "0000", proto)
#define IP6(payload, next) "60000000" payload next "40" ADDRS6
#define TCP "1f900050 00000001 00000002 50100100 00000000 "
#define UDP "1f900050 000c0000 6e657474 "
#define UDP_IP4 IP4("0020", "11") UDP
#define UDP_IP6 IP6("000c", "11") UDP
#define ETHER4(total, proto) MACS "0800" IP4(total, proto)
#define ETHER6(payload, next) MACS "86dd" IP6(payload, next)

const char *const made_frames[] = {
	MACS "0800" UDP_IP4, ETHER4("0028", "06") TCP, MACS "0800" UDP_IP4 "0000000000000000", /* padding */
	ETHER4("001c", "01") "0800000000000000", ETHER4("0014", "01"), ETHER4("0016", "11") "1f90",
	MACS "0800" IP4_OF("46", "0024", "0000", "11") "01010100" UDP, /* options */
	MACS "0800" IP4_OF("4f", "0048", "0000", "11") "0101010101010101010101010101010101010101"
	"0101010101010101010101010101010101010100" UDP,
	MACS "0800" IP4_OF("45", "0020", "2000", "11") UDP, MACS "0800" IP4_OF("45", "0020", "4000", "11") UDP, /* fragments */
	MACS "0800" IP4_OF("45", "0020", "2001", "11") UDP, MACS "0800" IP4_OF("45", "0020", "1fff", "06") UDP,
	ETHER4("0038", "33") "1104000000000001000000010102030405060708090a0b0c" UDP, /* AH */
	MACS "0800" IP4_OF("45", "0038", "0001", "33") "1104000000000001000000010102030405060708090a0b0c" UDP,
	ETHER4("001c", "33") "06ff000000000001", ETHER4("0015", "33") "06",
	ETHER4("001c", "32") "0000000100000001", ETHER4("0034", "04") "450000200001000040110000 0a000001 0a000002" UDP,
	ETHER4("0000", "11") UDP, ETHER4("0001", "11") UDP, ETHER4("0013", "11") UDP, ETHER4("0014", "11") UDP, /* lengths */
	ETHER4("0fff", "11") UDP, ETHER4("ffff", "06") TCP,
	MACS "0800" IP4_OF("44", "0020", "0000", "11") UDP, MACS "0800" IP4_OF("55", "0020", "0000", "11") UDP,
	MACS "0800" UDP_IP6, MACS "86dd" UDP_IP4, MACS "0800", MACS "86dd", MACS "0800" "45",
	MACS "86dd" UDP_IP6, ETHER6("0014", "06") TCP, ETHER6("0008", "3a") "8000000000000000", ETHER6("0004", "3b") "00000000",
	ETHER6("0000", "3a") "80000000", ETHER6("ffff", "06") TCP, ETHER6("0000", "06") TCP, ETHER6("0001", "06") TCP,
	ETHER6("0014", "00") "1100050200000100" UDP, /* extension headers */
	ETHER6("0034", "00") "2b00050200000100" "2c01040000000000aaaaaaaaaaaaaaaa" "3c00000100000007" "1100010400000000" UDP,
	ETHER6("0014", "2c") "1100000800000007" UDP, ETHER6("0014", "2c") "1100000700000007" UDP,
	ETHER6("0020", "33") "0601000000000001 00000001" TCP, ETHER6("001c", "8b") "8c00000000000000" "1100000000000000" UDP,
	ETHER6("0000", "00") "1100c20400000014" UDP, ETHER6("0014", "00") "11ff050200000100" UDP,
	ETHER6("0014", "00") "00ff050200000100" UDP, ETHER6("0004", "00") "1100",
	MACS "0806 0001080006040001 02000000000ac0000201 000000000000c6336402", MACS "0806",
	MACS "8100a064 0800" UDP_IP4, MACS "8100e000 0800" UDP_IP4, MACS "81000fff 86dd" UDP_IP6, /* tags */
	MACS "88a80064 810000c8 0800" UDP_IP4, MACS "88a80064 810000c8 86dd" IP6("0014", "06") TCP,
	MACS "91000001 91000002 81000003 0800" UDP_IP4, MACS "91000001 91000002 81000003 81000004 86dd" UDP_IP6,
	MACS "81000064 0806 0001080006040001", MACS "8100", MACS "810000", MACS "81000064 8100", MACS "81000064 810000c8 9100",
	MACS "81000064 0800 45", MACS "81000064 0800" IP4_OF("46", "0024", "0000", "11") "01010100" UDP,
	MACS "0028 aaaa03000000 0800" UDP_IP4, MACS "81000064 0028 aaaa03000000 86dd" UDP_IP6, /* 802.3 */
	MACS "0026 424203 0000000000", MACS "0003 f0f07f", MACS "0003 aaaa03", MACS "0003 aaaa0300000008", MACS "0002 4242",
	MACS "0010 aaaa0300000c 2000 0000000000000000", MACS "0010 aaaa03000000 0005 0000000000000000",
	MACS "0028 aaaa03000000 8100 0001 0800" UDP_IP4, MACS "0000", MACS "05dc 424203", MACS "05dd 424203",
	MACS "8847 00064140" UDP_IP4, MACS "8848 00064040 00065040 00066140" UDP_IP6, MACS "8847 00064040", /* MPLS */
	MACS "8847 00064140 00000000" MACS "0800" UDP_IP4, MACS "81000005 8847 00064140" UDP_IP4, MACS "8847 00064140",
	MACS "8864 11000001 0022 0021" UDP_IP4, MACS "8864 11000001 0036 0057" UDP_IP6, /* PPPoE */
	MACS "8864 11000001 0021 21" UDP_IP4, MACS "8864 11000001 0006 c021 09000004",
	MACS "8864 11000001 0026 0281 00064140" UDP_IP4,
	MACS "8864 11000001 0026 0283 00064140" UDP_IP4, MACS "8863 11090000 0004 01010000",
	MACS "8864 1101", MACS "8864 11000001 0002 00",
	MACS "8864 21000001 0022 0021" UDP_IP4, MACS "81000007 8864 11000001 0022 0021" UDP_IP4,
	UDP_IP4, UDP_IP6, IP6("0014", "06") TCP, "7500002000010000c0000201", "4500002000010000c0000201c633", /* raw */
};

const unsigned made_count = COUNT(made_frames);

void frames_add(struct frames *fs, const uint8_t *bytes, size_t len)
{
	if (fs->count == fs->room) {
		fs->room = fs->room ? fs->room * 2 : 256;
		fs->bytes = realloc(fs->bytes, fs->room * sizeof *fs->bytes);
		fs->len = realloc(fs->len, fs->room * sizeof *fs->len);
		assert_true(fs->bytes && fs->len);
	}
	fs->len[fs->count] = (uint32_t)(len < FRAME_MAX ? len : FRAME_MAX);
	memcpy(fs->bytes[fs->count], bytes, fs->len[fs->count]);
	fs->count++;
}

static unsigned nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

void add_hex(struct frames *fs, const char *hex)
{
	uint8_t bytes[FRAME_MAX];
	size_t len = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		bytes[len++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
		hex++;
	}
	frames_add(fs, bytes, len);
}

/* `count` times the four bytes `unit` between MAC addresses and an IPv4 packet. */
static void add_layers(struct frames *fs, const char *unit, const char *behind, unsigned count)
{
	static char hex[3 * FRAME_MAX];
	size_t at = (size_t)snprintf(hex, sizeof hex, "%s", MACS);

	for (unsigned i = 0; i < count; i++)
		at += (size_t)snprintf(hex + at, sizeof hex - at, "%s", unit);
	snprintf(hex + at, sizeof hex - at, "%s%s", behind, UDP_IP4);
	add_hex(fs, hex);
}

static void add_corpus(struct frames *fs)
{
	const char *dir = getenv("NETTALLY_CORPUS");
	DIR *d = dir ? opendir(dir) : NULL;
	uint8_t bytes[FRAME_MAX];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[512];
		FILE *f;
		size_t n;

		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
		if (!f)
			continue;
		n = fread(bytes, 1, sizeof bytes, f);
		frames_add(fs, bytes, n);
		for (size_t skip = 1; skip < n && skip <= 16; skip++) /* what a file begins with is the fuzz target's own */
			frames_add(fs, bytes + skip, n - skip);
		fclose(f);
	}
	if (d)
		closedir(d);
}

void make_frames(struct frames *fs)
{
	for (unsigned i = 0; i < made_count; i++)
		add_hex(fs, made_frames[i]);
	add_layers(fs, "81000001", "0800", 390); /* a few more by mutation; the program's end is 400 */
	add_layers(fs, "88a80001", "0800", 40);
	add_layers(fs, "88470006 4140", "", 1);
	add_hex(fs, ETHER4("0020", "11"));
	add_corpus(fs);
}

void frames_free(struct frames *fs)
{
	free(fs->bytes);
	free(fs->len);
}

struct frame frame_of(const struct frames *fs, unsigned i)
{
	return (struct frame){ .bytes = fs->bytes[i], .cap_len = fs->len[i] };
}

/* ---- random numbers: xorshift64 ---- */

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One mutation or a few: bytes, bits, cuts, tags put in, pieces doubled. */
void mutate(uint8_t *b, uint32_t *len, uint64_t *seed)
{
	uint64_t r = next_random(seed);
	uint32_t at = (uint32_t)((r >> 8) % *len);

	switch (r % 8) {
	case 0: b[at] = (uint8_t)(r >> 40); break;
	case 1: b[at] ^= (uint8_t)(1 << (r >> 40 & 7)); break;
	case 2: *len = at < 14 ? 14 : at; break;
	case 3: /* a tag */
		if (*len < 14 || *len + 4 > FRAME_MAX)
			break;
		memmove(b + 16, b + 12, *len - 12);
		memcpy(b + 12, r >> 40 & 1 ? "\x81\x00\x01" : "\x88\xa8\x02", 3);
		*len += 4;
		break;
	case 4: /* the fields that decide most */
		at = 12 + (uint32_t)((r >> 8) % 12);
		if (at < *len)
			b[at] = (uint8_t)"\x08\x00\x86\xdd\x81\x88\x47\x64\x45\x46\x60\x33\x06\x11\x2c\x3c"[r >> 40 & 15];
		break;
	case 5:
		if (*len > 24)
			b[23] = (uint8_t)"\x33\x06\x11\x01\x00\x2b\x2c\x3c"[r >> 40 & 7];
		break;
	case 6: /* grows */
		for (unsigned i = 0; i < 8 && *len < FRAME_MAX; i++)
			b[(*len)++] = (uint8_t)(r >> (8 + i));
		break;
	default: /* a piece comes again */
		if (*len + 8 <= FRAME_MAX && at + 8 <= *len) {
			memmove(b + at + 8, b + at, *len - at);
			*len += 8;
		}
		break;
	}
}
