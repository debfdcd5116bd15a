/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapfile_test.c -- captures of every variant, made here, read as a file and through a pipe,
 * whole and cut at every byte. */
#include "capture/pcapfile.h"
#include "capture/testing.h"
#include "model/key.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a reader --- */

struct seen {
	struct frame frames[400]; /* their bytes were looked at and are gone */
	char names[400][40];
	size_t count;
	int code;                 /* of open or of the last next */
	bool opened;
	uint32_t snap_len;
	struct err e;
};

static void keep(struct seen *ret, const struct frame *f, const struct strings *strings)
{
	assert_true(ret->count < 400);
	for (uint32_t i = 0; i < f->cap_len; i++)
		assert_int_equal(f->bytes[i], (uint8_t)i);
	ret->frames[ret->count] = *f;
	ret->frames[ret->count].bytes = NULL;
	ret->frames[ret->count].interface = 0;
	snprintf(ret->names[ret->count++], 40, "%s", strings_at(strings, f->interface));
}

static void see(struct seen *ret, const char *path)
{
	struct frame frames[FRAME_BATCH];
	struct pcapfile *f = NULL;
	struct strings *strings;
	int r;

	memset(ret, 0, sizeof *ret);
	assert_int_equal(strings_new(&strings), 0);
	ret->code = pcapfile_open(&f, path, strings, &ret->e);
	ret->opened = ret->code == 0;
	if (ret->opened) {
		while ((r = pcapfile_next(f, frames, 0, &ret->e)) > 0)
			for (int i = 0; i < r; i++)
				keep(ret, &frames[i], strings);
		ret->code = r;
		ret->snap_len = pcapfile_snap_len(f);
		assert_int_equal(pcapfile_packets(f), ret->count);
		assert_int_equal(pcapfile_next(f, frames, 0, NULL), 0); /* an error comes once */
	}
	assert_true(ret->code == 0 || ret->e.msg[0]);
	pcapfile_close(&f);
	assert_null(f);
	strings_free(&strings);
}

static int image_fd(const struct image *m, size_t len)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, m->bytes, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void see_file(struct seen *ret, const struct image *m, size_t len)
{
	int fd = image_fd(m, len);
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	see(ret, path);
	close(fd);
}

struct feeder {
	const struct image *image;
	size_t len, chunk;
	int fd;
};

static void *feed(void *arg)
{
	struct feeder *f = arg;

	for (size_t at = 0; at < f->len; at += f->chunk) {
		size_t n = f->len - at < f->chunk ? f->len - at : f->chunk;

		if (write(f->fd, f->image->bytes + at, n) != (ssize_t)n)
			break;
	}
	close(f->fd);
	return NULL;
}

/* Standard input becomes a pipe that is fed `chunk` bytes at a time. */
static void see_pipe(struct seen *ret, const struct image *m, size_t len, size_t chunk)
{
	struct feeder f = { m, len, chunk, -1 };
	int ends[2], before = dup(STDIN_FILENO);
	pthread_t thread;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	f.fd = ends[1];
	assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
	see(ret, "-");
	close(STDIN_FILENO); /* a reader that gave up: the feeder's write fails (SIGPIPE is ignored) */
	pthread_join(thread, NULL);
	if (before >= 0) {
		dup2(before, STDIN_FILENO);
		close(before);
	}
}

static void assert_same(const struct seen *a, const struct seen *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->code, b->code);
	assert_memory_equal(a->names, b->names, sizeof a->names);
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(a->frames[i].seen_utc_ns, b->frames[i].seen_utc_ns);
		assert_int_equal(a->frames[i].cap_len, b->frames[i].cap_len);
		assert_int_equal(a->frames[i].wire_len, b->frames[i].wire_len);
		assert_int_equal(a->frames[i].direction, b->frames[i].direction);
		assert_int_equal(a->frames[i].linktype, b->frames[i].linktype);
	}
	if (a->code) /* the sentence behind the name of the file */
		assert_string_equal(strstr(a->e.msg, ": "), strstr(b->e.msg, ": "));
}

/* --- pcap --- */

static const struct {
	const char *why;
	uint32_t magic;
	bool modified;
	uint32_t part;     /* of a second, as written */
	int64_t want_ns;
} magic_cases[] = {
	{ "microseconds", 0xa1b2c3d4, false, 999999, 4294967295999999000 },
	{ "nanoseconds", 0xa1b23c4d, false, 999999999, 4294967295999999999 },
	{ "a part beyond a second is taken as it is", 0xa1b23c4d, false, 4294967295, 4294967299294967295 },
	{ "modified", 0xa1b2cd34, true, 7, 4294967295000007000 },
};

static void pcap_variants(void **state)
{
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < 2 * (sizeof magic_cases / sizeof *magic_cases); i++) {
		struct image m = { .swap = i & 1 };

		pcap_header(&m, magic_cases[i / 2].magic, 4, LINKTYPE_LINUX_SLL);
		for (uint32_t n = 0; n < 70; n++) {
			put32(&m, UINT32_MAX); /* the last second of 2106 */
			put32(&m, magic_cases[i / 2].part);
			put32(&m, n);
			put32(&m, n == 3 ? UINT32_MAX : n + 1);
			if (magic_cases[i / 2].modified)
				put64(&m, 0);
			put_fill(&m, n);
		}
		see_file(&seen, &m, m.len);
		assert_int_equal(seen.code, 0);
		assert_int_equal(seen.count, 70);
		assert_int_equal(seen.snap_len, 65535);
		for (uint32_t n = 0; n < 70; n++) {
			assert_int_equal(seen.frames[n].seen_utc_ns, magic_cases[i / 2].want_ns);
			assert_int_equal(seen.frames[n].cap_len, n);
			assert_int_equal(seen.frames[n].wire_len, n == 3 ? UINT32_MAX : n + 1);
			assert_int_equal(seen.frames[n].linktype, LINKTYPE_LINUX_SLL);
			assert_string_equal(seen.names[n], "-");
		}
		free(m.bytes);
	}
}

static const struct {
	const char *why;
	uint16_t minor;
	uint32_t first, second, want_cap, want_wire;
} version_cases[] = {
	{ "2.4: captured first", 4, 5, 60, 5, 60 },
	{ "2.4: captured more than there was", 4, 60, 5, 60, 5 },
	{ "2.3: the larger is the original", 3, 60, 5, 5, 60 },
	{ "2.3: already in order", 3, 5, 60, 5, 60 },
	{ "2.0: original first", 0, 60, 5, 5, 60 },
};

static void pcap_versions(void **state)
{
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < 2 * (sizeof version_cases / sizeof *version_cases); i++) {
		struct image m = { .swap = i & 1 };

		pcap_header(&m, 0xa1b2c3d4, version_cases[i / 2].minor, 1);
		for (int n = 0; n < 3; n++) {
			put64(&m, 0);
			put32(&m, version_cases[i / 2].first);
			put32(&m, version_cases[i / 2].second);
			put_fill(&m, version_cases[i / 2].want_cap);
		}
		see_file(&seen, &m, m.len);
		assert_int_equal(seen.code, 0);
		assert_int_equal(seen.count, 3);
		assert_int_equal(seen.frames[2].cap_len, version_cases[i / 2].want_cap);
		assert_int_equal(seen.frames[2].wire_len, version_cases[i / 2].want_wire);
		free(m.bytes);
	}
}

static const struct {
	uint32_t written;
	uint16_t want;
} linktype_cases[] = {
	{ 1, LINKTYPE_ETHERNET }, { 0x44000001, LINKTYPE_ETHERNET }, { 0x02240001, LINKTYPE_ETHERNET },
	{ 12, LINKTYPE_RAW },     { 14, LINKTYPE_RAW },              { 276, LINKTYPE_LINUX_SLL2 },
};

static void pcap_linktypes(void **state)
{
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < sizeof linktype_cases / sizeof *linktype_cases; i++) {
		struct image m = { 0 };

		pcap_header(&m, 0xa1b2c3d4, 4, linktype_cases[i].written);
		pcap_record(&m, 1, 2, 3, 4);
		see_file(&seen, &m, m.len);
		assert_int_equal(seen.count, 1);
		assert_int_equal(seen.frames[0].linktype, linktype_cases[i].want);
		free(m.bytes);
	}
}

static void pcap_damage(void **state)
{
	struct image m = { 0 };
	struct seen seen;

	(void)state;
	pcap_header(&m, 0xa1b2c3d4, 4, 1);
	for (int i = 0; i < 40; i++)
		pcap_record(&m, 1, 2, 60, 60);
	pcap_record(&m, 1, 2, PCAPFILE_CAP_LEN_MAX, 1);
	pcap_record(&m, 1, 2, PCAPFILE_CAP_LEN_MAX + 1, 1);
	pcap_record(&m, 1, 2, 60, 60);
	see_file(&seen, &m, m.len);
	assert_int_equal(seen.count, 41);
	assert_int_equal(seen.code, -EBADMSG);
	assert_non_null(strstr(seen.e.msg, ": packet 42: damaged: its captured length is 262145 bytes"));
	free(m.bytes);
}

/* --- pcapng --- */

static void pcapng_order(bool swap)
{
	struct image m = { .swap = swap };
	uint32_t flags[3] = { 1, 2, 0xfffffffc };
	struct seen seen;
	size_t at;

	section(&m);
	interface(&m, 1, 96, "eth0");
	interface(&m, 101, 0, NULL);
	at = block_begin(&m, 0xbad); /* a custom block, skipped */
	put_fill(&m, 31);
	block_end(&m, at);
	for (int i = 0; i < 3; i++) {
		uint32_t v = m.swap ? __builtin_bswap32(flags[i]) : flags[i];

		at = enhanced_begin(&m, i == 2, 1700000000123456, 61, 1514);
		option(&m, 1, "hello", 5);
		option(&m, 2, &v, 4);
		if (i == 0)
			option(&m, 0, NULL, 0);
		block_end(&m, at);
	}
	at = block_begin(&m, 3); /* simple: the snap length of interface 0 */
	put32(&m, 1000);
	put_fill(&m, 96);
	block_end(&m, at);
	at = block_begin(&m, 2); /* obsolete: a 16-bit interface, drops */
	put16(&m, 1);
	put16(&m, 0xffff);
	put64(&m, 0);
	put32(&m, 0);
	put32(&m, 77);
	block_end(&m, at);
	see_file(&seen, &m, m.len);
	assert_int_equal(seen.code, 0);
	assert_int_equal(seen.count, 5);
	assert_int_equal(seen.snap_len, 96);
	assert_string_equal(seen.names[0], "eth0");
	assert_string_equal(seen.names[2], "1");
	assert_int_equal(seen.frames[0].seen_utc_ns, 1700000000123456000);
	assert_int_equal(seen.frames[0].cap_len, 61);
	assert_int_equal(seen.frames[0].wire_len, 1514);
	assert_int_equal(seen.frames[0].direction, DIRECTION_INGRESS);
	assert_int_equal(seen.frames[1].direction, DIRECTION_EGRESS);
	assert_int_equal(seen.frames[2].direction, DIRECTION_UNKNOWN);
	assert_int_equal(seen.frames[2].linktype, LINKTYPE_RAW);
	assert_int_equal(seen.frames[3].cap_len, 96);
	assert_int_equal(seen.frames[3].wire_len, 1000);
	assert_int_equal(seen.frames[3].seen_utc_ns, 0);
	assert_int_equal(seen.frames[4].wire_len, 77);
	assert_string_equal(seen.names[4], "1");
	free(m.bytes);
}

static void pcapng_blocks(void **state)
{
	(void)state;
	pcapng_order(false);
	pcapng_order(true);
}

/* Sections of alternating byte order, each with its own interface 0. */
static void pcapng_sections(void **state)
{
	struct image m = { 0 };
	struct seen seen;

	(void)state;
	for (int i = 0; i < 80; i++) {
		m.swap = i % 3 == 1;
		section(&m);
		if (i == 5)
			continue; /* an empty section */
		interface(&m, (uint16_t)(i % 2 ? 1 : 113), 0, i % 2 ? "a\nb" : NULL);
		for (int n = 0; n < i % 4; n++)
			enhanced(&m, 0, (uint64_t)i, (uint32_t)n, (uint32_t)i);
	}
	see_file(&seen, &m, m.len);
	assert_int_equal(seen.code, 0);
	assert_int_equal(seen.count, 119);
	assert_int_equal(seen.frames[118].wire_len, 79);
	assert_int_equal(seen.frames[118].seen_utc_ns, 79000);
	assert_string_equal(seen.names[118], "a?b");
	assert_string_equal(seen.names[0], "a?b");
	assert_int_equal(seen.frames[1].linktype, 113);
	assert_string_equal(seen.names[1], "-");
	free(m.bytes);
}

static const struct {
	const char *why;
	int resolution; /* -1: the option is missing */
	int64_t offset_s;
	uint64_t ticks;
	int64_t want_ns;
} time_cases[] = {
	{ "microseconds without the option", -1, 0, 1700000000000001, 1700000000000001000 },
	{ "nanoseconds", 9, 0, 1700000000000000001, 1700000000000000001 },
	{ "seconds", 0, 0, 4294967295, 4294967295000000000 },
	{ "milliseconds and an offset", 3, 1000, 1500, 1001500000000 },
	{ "a negative offset", 6, -1, 0, -1000000000 },
	{ "picoseconds", 12, 0, 1999, 1 },
	{ "10^-127", 127, 0, UINT64_MAX, 0 },
	{ "10^-29", 29, 0, UINT64_MAX, 0 },
	{ "10^-28", 28, 0, UINT64_MAX, 1 },
	{ "2^0", 0x80, 0, 3, 3000000000 },
	{ "2^-10", 0x8a, 0, 1536, 1500000000 },
	{ "2^-32", 0xa0, 0, 1ull << 31, 500000000 },
	{ "2^-127", 0xff, 0, UINT64_MAX, 0 },
	{ "2^-93: the last bit", 0x80 + 93, 0, UINT64_MAX, 1 },
	{ "beyond our clock", 6, 0, UINT64_MAX, INT64_MAX },
	{ "beyond our clock by the offset", 6, INT64_MAX, 0, INT64_MAX },
	{ "before our clock", 6, INT64_MIN, 0, INT64_MIN },
};

static void pcapng_times(void **state)
{
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < 2 * (sizeof time_cases / sizeof *time_cases); i++) {
		struct image m = { .swap = i & 1 };
		uint8_t resolution = (uint8_t)time_cases[i / 2].resolution;
		uint64_t offset = (uint64_t)time_cases[i / 2].offset_s;
		size_t at;

		section(&m);
		at = block_begin(&m, 1);
		put16(&m, 1);
		put16(&m, 0);
		put32(&m, 0);
		offset = m.swap ? __builtin_bswap64(offset) : offset;
		option(&m, 14, &offset, 8);
		if (time_cases[i / 2].resolution >= 0)
			option(&m, 9, &resolution, 1);
		block_end(&m, at);
		enhanced(&m, 0, time_cases[i / 2].ticks, 4, 4);
		see_file(&seen, &m, m.len);
		assert_int_equal(seen.code, 0);
		assert_int_equal(seen.count, 1);
		if (seen.frames[0].seen_utc_ns != time_cases[i / 2].want_ns)
			fail_msg("%s: %" PRId64, time_cases[i / 2].why, seen.frames[0].seen_utc_ns);
		free(m.bytes);
	}
}

enum harm { LENGTH_ODD, LENGTH_SMALL, LENGTH_HUGE, TRAILER, NO_INTERFACE, CAPTURED, CAPTURED_MAX, OPTION_LONG, FLAGS_LEN,
	    TSRESOL_LEN, TSOFFSET_LEN, MAJOR, ORDER_MAGIC, SHORT_INTERFACE, SHORT_PACKET, SIMPLE_ALONE };

static const struct {
	const char *want;
	enum harm harm;
} harm_cases[] = {
	{ "a block of 45 bytes", LENGTH_ODD },
	{ "a block of 8 bytes", LENGTH_SMALL },
	{ "a block of 16777220 bytes", LENGTH_HUGE },
	{ "a block of 44 bytes says 48 at its end", TRAILER },
	{ "its interface 1 is not described", NO_INTERFACE },
	{ "its captured length is 13 bytes in a block of 44", CAPTURED },
	{ "its captured length is 4294967295 bytes", CAPTURED_MAX },
	{ "an option is longer than its block", OPTION_LONG },
	{ "its flags have 3 bytes instead of 4", FLAGS_LEN },
	{ "an interface's option 9 has 2 bytes", TSRESOL_LEN },
	{ "an interface's option 14 has 4 bytes", TSOFFSET_LEN },
	{ "pcapng version 2 is not known", MAJOR },
	{ "byte-order magic is 0x01020304", ORDER_MAGIC },
	{ "an interface description is too short", SHORT_INTERFACE },
	{ "its block is too short", SHORT_PACKET },
	{ "no interface is described before it", SIMPLE_ALONE },
};

static void harm_packet(struct image *m, enum harm harm)
{
	size_t at = enhanced_begin(m, harm == NO_INTERFACE, 1, 12, 60);

	if (harm == OPTION_LONG) {
		put16(m, 1);
		put16(m, 9);
	}
	if (harm == FLAGS_LEN)
		option(m, 2, "abc", 3);
	block_end(m, at);
	if (harm == LENGTH_ODD)
		patch32(m, at + 4, 45);
	if (harm == LENGTH_SMALL)
		patch32(m, at + 4, 8);
	if (harm == LENGTH_HUGE)
		patch32(m, at + 4, (16 << 20) + 4);
	if (harm == TRAILER)
		patch32(m, at + 40, 48);
	if (harm == CAPTURED)
		patch32(m, at + 20, 13);
	if (harm == CAPTURED_MAX)
		patch32(m, at + 20, UINT32_MAX);
}

static void harm_block(struct image *m, enum harm harm)
{
	size_t at = m->len;

	if (harm == MAJOR || harm == ORDER_MAGIC || harm == SIMPLE_ALONE)
		section(m);
	if (harm == MAJOR)
		m->bytes[at + 12] = 2;
	if (harm == ORDER_MAGIC)
		memcpy(m->bytes + at + 8, "\1\2\3\4", 4);
	if (harm == SHORT_INTERFACE || harm == SHORT_PACKET || harm == SIMPLE_ALONE) {
		at = block_begin(m, harm == SHORT_INTERFACE ? 1 : harm == SHORT_PACKET ? 6 : 3);
		put32(m, 0);
		block_end(m, at);
	}
	if (harm == TSRESOL_LEN || harm == TSOFFSET_LEN) {
		at = block_begin(m, 1);
		put64(m, 1);
		option(m, harm == TSRESOL_LEN ? 9 : 14, "abcd", harm == TSRESOL_LEN ? 2 : 4);
		block_end(m, at);
	}
}

static void pcapng_damage(void **state)
{
	struct seen seen, piped;

	(void)state;
	for (size_t i = 0; i < sizeof harm_cases / sizeof *harm_cases; i++) {
		struct image m = { 0 };
		enum harm harm = harm_cases[i].harm;

		section(&m);
		interface(&m, 1, 0, "eth0");
		for (int n = 0; n < 35; n++)
			enhanced(&m, 0, 1, 12, 60);
		if (harm <= FLAGS_LEN)
			harm_packet(&m, harm);
		else
			harm_block(&m, harm);
		if (harm != ORDER_MAGIC)
			enhanced(&m, 0, 1, 12, 60);
		see_file(&seen, &m, m.len);
		assert_int_equal(seen.code, -EBADMSG);
		assert_int_equal(seen.count, 35);
		if (!strstr(seen.e.msg, harm_cases[i].want) || !strstr(seen.e.msg, ": packet 36: "))
			fail_msg("\"%s\" instead of \"%s\"", seen.e.msg, harm_cases[i].want);
		see_pipe(&piped, &m, m.len, 4096);
		assert_same(&seen, &piped);
		free(m.bytes);
	}
}

static void pcapng_many_interfaces(void **state)
{
	struct image m = { 0 };
	struct seen seen;

	(void)state;
	section(&m);
	for (int i = 0; i < 65536; i++)
		interface(&m, 1, 0, NULL);
	enhanced(&m, 65535, 0, 1, 1);
	see_file(&seen, &m, m.len);
	assert_int_equal(seen.code, 0);
	assert_string_equal(seen.names[0], "65535");
	interface(&m, 1, 0, NULL);
	see_file(&seen, &m, m.len);
	assert_int_equal(seen.code, -EBADMSG);
	assert_int_equal(seen.count, 1);
	assert_non_null(strstr(seen.e.msg, "more than 65536 interfaces"));
	free(m.bytes);
}

/* --- cut at every byte --- */

static void cut_everywhere(const struct image *m)
{
	struct seen cut, piped;

	for (size_t len = 0, next = 0; len <= m->len; len++) {
		bool at_end_of_record = next < m->wholes && m->whole[next] == len;

		see_file(&cut, m, len);
		if (at_end_of_record) {
			assert_int_equal(cut.code, 0);
			assert_int_equal(cut.count, m->whole_packets[next++]);
		} else {
			assert_int_equal(cut.code, cut.opened ? -EBADMSG : -EINVAL);
			assert_int_equal(cut.count, next > 0 ? m->whole_packets[next - 1] : 0);
		}
		if (cut.code == -EBADMSG)
			assert_non_null(strstr(cut.e.msg, "cut short: the file ends in the middle of it"));
		see_pipe(&piped, m, len, 97);
		assert_same(&cut, &piped);
	}
}

static void pcap_cut(void **state)
{
	(void)state;
	for (int swap = 0; swap < 2; swap++) {
		struct image m = { .swap = swap };

		pcap_header(&m, 0xa1b2c3d4, 4, 1);
		whole(&m, 0);
		for (uint32_t i = 1; i <= 34; i++) {
			pcap_record(&m, i, 0, i, 1514);
			whole(&m, i);
		}
		cut_everywhere(&m);
		free(m.bytes);
	}
}

static void pcapng_cut(void **state)
{
	(void)state;
	for (int swap = 0; swap < 2; swap++) {
		struct image m = { .swap = swap };

		section(&m);
		whole(&m, 0);
		interface(&m, 1, 0, "eth0");
		whole(&m, 0);
		interface(&m, 113, 0, NULL);
		whole(&m, 0);
		for (uint32_t i = 1; i <= 34; i++) {
			enhanced(&m, i % 2, i, i % 7, 1514);
			whole(&m, i);
		}
		cut_everywhere(&m);
		free(m.bytes);
	}
}

/* --- streams --- */

/* A frame comes as soon as it is whole; an idle stream says so, in the middle of a record too. */
static void stream_does_not_wait(void **state)
{
	struct frame frames[FRAME_BATCH];
	struct image m = { 0 };
	struct pcapfile *f;
	struct strings *strings;
	struct err e;
	char path[64];
	int ends[2];

	(void)state;
	pcap_header(&m, 0xa1b2c3d4, 4, 1);
	pcap_record(&m, 1, 2, 100, 100);
	pcap_record(&m, 3, 4, 100, 100);
	assert_int_equal(strings_new(&strings), 0);
	assert_int_equal(pipe(ends), 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
	assert_int_equal(write(ends[1], m.bytes, 24), 24);
	assert_int_equal(pcapfile_open(&f, path, strings, &e), 0);
	assert_int_equal(pcapfile_next(f, frames, 1, &e), -EAGAIN);
	assert_int_equal(write(ends[1], m.bytes + 24, 150), 150);
	assert_int_equal(pcapfile_next(f, frames, 1, &e), 1);
	assert_int_equal(frames[0].seen_utc_ns, 1000002000);
	assert_int_equal(pcapfile_next(f, frames, 1, &e), -EAGAIN);
	assert_int_equal(write(ends[1], m.bytes + 174, 82), 82);
	assert_int_equal(pcapfile_next(f, frames, 1, &e), 1);
	assert_int_equal(frames[0].seen_utc_ns, 3000004000);
	assert_int_equal(frames[0].bytes[99], 99);
	close(ends[1]);
	assert_int_equal(pcapfile_next(f, frames, 1, &e), 0);
	pcapfile_close(&f);
	pcapfile_close(&f);
	strings_free(&strings);
	close(ends[0]);
	free(m.bytes);
}

/* More than the buffer, in records of every size, so that they lie across its end in every way. */
static void longer_than_the_buffer(void **state)
{
	struct image m = { 0 };
	struct seen file, piped;

	(void)state;
	pcap_header(&m, 0xa1b2c3d4, 4, 1);
	for (uint32_t i = 0; i < 390; i++)
		pcap_record(&m, i, 0, i == 200 ? PCAPFILE_CAP_LEN_MAX : i * 37, i);
	see_file(&file, &m, m.len);
	assert_int_equal(file.code, 0);
	assert_int_equal(file.count, 390);
	assert_int_equal(file.frames[389].cap_len, 389 * 37);
	see_pipe(&piped, &m, m.len, 10007);
	assert_same(&file, &piped);
	free(m.bytes);
}

static const struct {
	const char *bytes;
	size_t len;
	const char *want;
} other_cases[] = {
	{ "", 0, "empty" },
	{ "ab", 2, "not a capture file (2 bytes in all)" },
	{ "GET / HTTP/1.1\r\n\r\n", 18, "not a capture file (magic 0x47455420)" },
	{ "\x1f\x8b\x08\x00", 4, "zcat" },
	{ "\xd4\xc3\xb2\xa1\x02\x00\x04\x00", 8, "in the middle of its header" },
	{ "\xd4\xc3\xb2\xa1\x09\x00\x04\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, "version 9.4" },
	{ "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x00\x00\x00\x00", 12, "byte-order magic" },
};

static void no_captures(void **state)
{
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < sizeof other_cases / sizeof *other_cases; i++) {
		struct image m = { .bytes = (uint8_t *)(uintptr_t)other_cases[i].bytes, .len = other_cases[i].len };

		see_file(&seen, &m, m.len);
		assert_false(seen.opened);
		assert_int_equal(seen.code, -EINVAL);
		if (!strstr(seen.e.msg, other_cases[i].want))
			fail_msg("\"%s\" instead of \"%s\"", seen.e.msg, other_cases[i].want);
	}
	see(&seen, "/nonexistent/file");
	assert_int_equal(seen.code, -ENOENT);
	see(&seen, "/");
	assert_int_equal(seen.code, -EISDIR);
	assert_non_null(strstr(seen.e.msg, "/: is a directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_variants),
		cmocka_unit_test(pcap_versions),
		cmocka_unit_test(pcap_linktypes),
		cmocka_unit_test(pcap_damage),
		cmocka_unit_test(pcapng_blocks),
		cmocka_unit_test(pcapng_sections),
		cmocka_unit_test(pcapng_times),
		cmocka_unit_test(pcapng_damage),
		cmocka_unit_test(pcapng_many_interfaces),
		cmocka_unit_test(pcap_cut),
		cmocka_unit_test(pcapng_cut),
		cmocka_unit_test(stream_does_not_wait),
		cmocka_unit_test(longer_than_the_buffer),
		cmocka_unit_test(no_captures),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
