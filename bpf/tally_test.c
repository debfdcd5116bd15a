/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally_test.c -- the programs of tally.bpf.c against src/decode/: the same frames give the same keys, packets and
 * bytes. Frames are made ones, those of the decoder's fuzz corpus, captures of $NETTALLY_DATA, and mutations of all.
 *
 * What BPF_PROG_TEST_RUN cannot be given, and so is not compared: frames under 14 bytes; over 3400 but at XDP. */
#include "test_frames.h"
#include "test_world.h"

#include "capture/pcapfile.h"
#include "decode/decode.h"
#include "model/account.h"
#include "model/key.h"

#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MUTANTS 100000
#define CONFIGS 20 /* or $NETTALLY_CONFIGS */

#define EVERY_SMALL (TALLY_F_PROTO | TALLY_F_VLAN | TALLY_F_ETHERTYPE | TALLY_F_SERVICE | TALLY_F_DIRECTION)
#define EVERY_PLAIN (EVERY_SMALL | TALLY_F_PORTS | TALLY_F_WIDE)
#define EVERY_PARTY (EVERY_PLAIN | TALLY_F_HOST | TALLY_F_MAC | TALLY_F_LOCALITY)
#define NARROW_PARTY (EVERY_PARTY & ~TALLY_F_WIDE)

static void fill_services(struct world *w)
{
	for (unsigned i = 0; i < COUNT(w->services); i++)
		w->services[i] = (uint16_t)(i % 3 == 0 ? i % 60000 + 1 : 0);
}

static void open_world(struct world *w, uint32_t party, uint32_t plain, bool raw_ip, bool tagged)
{
	struct tally_config cf = { .raw_ip = raw_ip, .fields = { party, plain }, .grains = 3 };

	fill_services(w);
	world_open(w, &cf, tagged);
}

static void compare_frames(const struct world *w, const struct frames *fs)
{
	for (unsigned i = 0; i < fs->count; i++)
		compare_frame(w, frame_of(fs, i));
}

/* A tag in metadata, a super-packet, both. */
static void compare_super_packets(const struct world *w, const struct frames *fs)
{
	for (unsigned i = 0; i < fs->count; i++) {
		struct frame f = frame_of(fs, i);
		struct packet p;

		f.vlan_tpid = i & 1 ? 0x8100 : 0x88a8;
		f.vlan_tci = (uint16_t)(i * 977);
		compare_frame(w, f);
		f.linktype = w->t.config.raw_ip ? LINKTYPE_RAW : LINKTYPE_ETHERNET;
		f.wire_len = f.cap_len;
		f.gso_size = 1;
		decode_frame_generally(&f, &p);
		if (p.segments == 1)
			continue; /* the decoder cannot tell, the kernel can */
		f.gso_size = (uint16_t)(1 + i % 7);
		compare_frame(w, f);
		f.vlan_tpid = 0;
		compare_frame(w, f);
	}
}

static void test_made_frames(void **state)
{
	static struct world w;
	struct frames fs = { 0 };

	(void)state;
	make_frames(&fs);
	for (unsigned raw = 0; raw < 2; raw++) {
		open_world(&w, NARROW_PARTY, EVERY_PLAIN, raw, true);
		compare_frames(&w, &fs);
		compare_super_packets(&w, &fs);
		world_close(&w);
	}
	frames_free(&fs);
}

/* What the mutants are counted by: all fields, the words of either kind of slot, and the shortest way's. */
static const struct {
	uint32_t party, plain, grains, of;
	unsigned locals;
	bool raw_ip;
} mutant_worlds[] = {
	{ NARROW_PARTY, EVERY_PLAIN, 3, OF_BOTH, 2, false },
	{ EVERY_PARTY, EVERY_PLAIN & ~TALLY_F_WIDE, 3, OF_BOTH, 0, false },
	{ NARROW_PARTY, EVERY_PLAIN, 3, OF_REMOTE, 2, true },
	{ TALLY_F_HOST | TALLY_F_SERVICE, 0, 1, OF_REMOTE, 1, false },
	{ TALLY_F_HOST | TALLY_F_SERVICE, 0, 1, OF_LOCAL, 4, false },
	{ TALLY_F_HOST, 0, 1, OF_BOTH, 0, false },
};

static void mutate_frames(const struct world *w, const struct frames *fs, uint64_t *seed)
{
	static uint8_t bytes[FRAME_MAX];

	for (unsigned i = 0; i < MUTANTS / COUNT(mutant_worlds); i++) {
		struct frame f = frame_of(fs, (unsigned)(next_random(seed) % fs->count));
		uint64_t r = next_random(seed);

		if (f.cap_len < 14)
			continue;
		memcpy(bytes, f.bytes, f.cap_len);
		f.bytes = bytes;
		for (unsigned m = 0; m < 1 + r % 4 && f.cap_len; m++)
			mutate(bytes, &f.cap_len, seed);
		f.vlan_tpid = r >> 8 & 15 ? 0 : 0x8100;
		f.vlan_tci = (uint16_t)(r >> 16);
		compare_frame_at(w, f, 1u << i % 3); /* one hook each, by turns */
	}
}

static void test_mutated_frames(void **state)
{
	static const char *const locals[] = { "192.0.2.0/24", "2001:db8::1", "0.0.0.0/1", "198.51.100.2/31" };
	static struct world w;
	struct frames fs = { 0 };
	uint64_t seed = 0x6e657474616c6c79;

	(void)state;
	make_frames(&fs);
	for (unsigned i = 0; i < COUNT(mutant_worlds); i++) {
		struct tally_config cf = {
			.fields = { mutant_worlds[i].party, mutant_worlds[i].plain },
			.grains = mutant_worlds[i].grains,
			.of = mutant_worlds[i].of,
			.raw_ip = mutant_worlds[i].raw_ip,
		};

		for (unsigned j = 0; j < mutant_worlds[i].locals; j++)
			add_local(&w.local, locals[j]);
		fill_services(&w);
		world_open(&w, &cf, true);
		compare_frames(&w, &fs);
		mutate_frames(&w, &fs, &seed);
		world_close(&w);
	}
	frames_free(&fs);
}

/* Lists that are compared in the program, and those that are looked up. */
static void test_localities(void **state)
{
	static const char *const prefixes[] = {
		"192.0.2.0/28", "2001:db8::/127", "10.0.0.0/8", "fd00::/8", "198.51.100.2", "0.0.0.0/1", "2001:db8::2/128",
		"172.16.0.0/12", "203.0.113.7/32", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "::/0", "2001:db8:1::/48",
		"2001:db8:2::/48", "2001:db8:3::/48", "2001:db8:4::/48", "2001:db8:5::/48", "2001:db8:6::/48",
	};
	static struct world w;
	struct frames fs = { 0 };

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		add_hex(&fs, made_frames[i]);
	for (unsigned n = 0; n <= COUNT(prefixes); n = n < 3 ? n + 1 : n + 8) {
		for (unsigned of = OF_BOTH; of <= OF_REMOTE; of++) {
			uint32_t fields = (n + of) % 2 ? NARROW_PARTY : TALLY_F_HOST;
			struct tally_config cf = { .fields = { fields, 0 }, .grains = 1 << TALLY_PARTY, .of = of };

			for (unsigned i = 0; i < n; i++)
				add_local(&w.local, prefixes[i]);
			fill_services(&w);
			world_open(&w, &cf, false);
			compare_frames(&w, &fs);
			world_close(&w);
		}
	}
	frames_free(&fs);
}

/* Whatever accounts may ask for is accepted by the verifier, and counts the same. */
static void test_configurations(void **state)
{
	static struct world w;
	struct frames fs = { 0 };
	uint64_t seed = 88172645463325252;
	const char *given = getenv("NETTALLY_CONFIGS");
	const unsigned configs = given ? (unsigned)strtoul(given, NULL, 10) : CONFIGS;

	(void)state;
	make_frames(&fs);
	for (unsigned i = 0; i < configs; i++) {
		uint64_t r = next_random(&seed);
		struct tally_config cf = {
			.fields = { r & EVERY_PARTY, r >> 16 & EVERY_PLAIN },
			.grains = (uint32_t)(r >> 32) & 3,
			.of = (uint32_t)(r >> 34) % 3,
			.raw_ip = (uint32_t)(r >> 40) & 1,
		};

		if (r >> 41 & 1) /* narrow ones are few among all */
			cf.fields[TALLY_PARTY] &= NARROW_PARTY;
		if (r >> 42 & 1)
			cf.fields[TALLY_PLAIN] &= ~TALLY_F_WIDE;
		if (r >> 43 & 1)
			add_local(&w.local, "192.0.2.0/24");
		if (r >> 44 & 1)
			add_local(&w.local, "2001:db8::2");
		fill_services(&w);
		world_open(&w, &cf, i % 8 == 0);
		for (unsigned j = i % 16; j < fs.count && j < made_count; j += 16)
			compare_frame(&w, frame_of(&fs, j));
		world_close(&w);
	}
	frames_free(&fs);
}

/* Fragments of a frame that XDP has in several pieces, and frames as long as they get here. */
static void test_long_frames(void **state)
{
	static struct world w;
	static uint8_t bytes[16384];
	static const uint32_t lens[] = { 1514, 3500, 4096, 9014, 16000 };

	(void)state;
	open_world(&w, NARROW_PARTY, EVERY_PLAIN, false, false);
	for (unsigned i = 0; i < 20; i++) {
		struct frames fs = { 0 };
		struct frame f;

		add_hex(&fs, made_frames[i]);
		f = frame_of(&fs, 0);
		memset(bytes, 0, sizeof bytes);
		memcpy(bytes, f.bytes, f.cap_len);
		f.bytes = bytes;
		for (unsigned j = 0; j < COUNT(lens); j++) {
			f.cap_len = lens[j];
			compare_frame(&w, f);
		}
		frames_free(&fs);
	}
	world_close(&w);
}

static void count_slots(const struct tables *t, unsigned grain, unsigned *slots, struct tally_counters *sum)
{
	unsigned words = t->config.wide & 1u << grain ? TALLY_WIDE_WORDS : TALLY_NARROW_WORDS;

	for (size_t at = 0; at < t->bytes[grain]; at += slot_bytes(&t->config, grain)) {
		const uint64_t *slot = (const uint64_t *)(const void *)(t->slots[grain][0] + at);

		*slots += slot[words] != 0;
		sum->packets += slot[words];
		sum->l2_bytes += slot[words + 1];
		sum->l3_bytes += slot[words + 2];
	}
}

/* Room for 16 keys: what finds none is in `other`, and nothing is lost. 40 hosts send to one. */
static void fill_table(uint32_t party, uint32_t plain, uint32_t grains)
{
	static struct world w;
	struct tally_config cf = { .fields = { party, plain }, .grains = grains };
	const unsigned frames = 1000, bookings[TALLY_GRAINS] = { 2 * frames, frames };
	struct tally_counters (*other)[TALLY_SIDES][TALLY_LOCALITIES];
	uint64_t overflowed = 0;
	struct frames fs = { 0 };

	add_hex(&fs, made_frames[0]);
	add_local(&w.local, "192.0.2.0/24");
	world_open(&w, &cf, false);
	for (unsigned i = 0; i < frames; i++) {
		struct bpf_test_run_opts opts = {
			.sz = sizeof opts, .data_in = fs.bytes[0], .data_size_in = fs.len[0], .repeat = 1,
		};

		fs.bytes[0][29] = (uint8_t)(i % 40); /* of the source's address */
		assert_int_equal(bpf_prog_test_run_opts(w.programs[XDP], &opts), 0);
	}
	other = w.t.sums[0].other;
	for (unsigned g = 0; g < TALLY_GRAINS; g++) {
		struct tally_counters sum = { 0, 0, 0 };
		unsigned slots = 0;

		if (!(grains & 1u << g))
			continue;
		count_slots(&w.t, g, &slots, &sum);
		assert_int_equal(slots, 16);
		assert_int_equal(w.t.sums[0].used[g], 16);
		for (unsigned side = 0; side < TALLY_SIDES; side++) {
			for (unsigned l = 0; l < TALLY_LOCALITIES; l++) {
				sum.packets += other[g][side][l].packets;
				sum.l2_bytes += other[g][side][l].l2_bytes;
				sum.l3_bytes += other[g][side][l].l3_bytes;
				overflowed += other[g][side][l].packets;
			}
		}
		assert_int_equal(sum.packets, bookings[g]);
		assert_int_equal(sum.l2_bytes, bookings[g] * fs.len[0]);
		assert_int_equal(sum.l3_bytes, bookings[g] * (fs.len[0] - 14));
	}
	assert_int_equal(w.t.sums[0].overflowed, overflowed);
	if (party & TALLY_F_LOCALITY) { /* sources are local, and they are what finds no room */
		assert_true(other[TALLY_PARTY][TALLY_TX][LOCALITY_LOCAL].packets > 0);
		assert_int_equal(other[TALLY_PARTY][TALLY_TX][LOCALITY_REMOTE].packets, 0);
	}
	assert_int_equal(w.t.sums[0].hooks[TALLY_INGRESS].frames, frames);
	world_close(&w);
	frames_free(&fs);
}

static void test_full_table(void **state)
{
	(void)state;
	fill_table(TALLY_F_HOST | TALLY_F_LOCALITY, TALLY_F_SRC_HOST, 3);
	fill_table(TALLY_F_HOST, 0, 1);
	fill_table(EVERY_PARTY, 0, 1);
}

/* Ethernet frames of every capture, those that were cut short too. */
/* 200 times 200 keys that differ in two bytes, each the highest of a word: room for three times as many, in the 128
 * slots that are looked at from a key's home on. */
static const struct {
	uint32_t fields[TALLY_GRAINS];
	const char *frame;
	unsigned at[2];
} regular_cases[] = {
	{ { 0, TALLY_F_SRC_HOST | TALLY_F_DST_HOST }, "02000000000b 02000000000a 0800 450000200001000040110000 0a000001 0a000101"
	  "1f900050 000c0000 6e657474", { 29, 33 } },
	{ { 0, TALLY_F_SRC_HOST | TALLY_F_DST_HOST }, "02000000000b 02000000000a 86dd 60000000000c1140"
	  "20010db8000000000000000000000001 20010db8000000000000000000000002 1f900050 000c0000 6e657474", { 37, 53 } },
	{ { TALLY_F_HOST, 0 }, "02000000000b 02000000000a 86dd 60000000000c1140"
	  "20010db8000000000000000000000001 20010db8000000000000000000000002 1f900050 000c0000 6e657474", { 29, 37 } },
	{ { TALLY_F_HOST, 0 }, "02000000000b 02000000000a 0800 450000200001000040110000 0a000001 0a000101"
	  "1f900050 000c0000 6e657474", { 28, 29 } },
};

static void test_regular_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(regular_cases); i++) {
		static struct world w;
		const uint32_t *fields = regular_cases[i].fields;
		const unsigned grain = fields[TALLY_PARTY] ? TALLY_PARTY : TALLY_PLAIN;
		struct tally_config cf = { .fields = { fields[0], fields[1] }, .grains = 1u << grain };
		struct frames fs = { 0 };

		add_hex(&fs, regular_cases[i].frame);
		w.buckets = 1 << 14;
		world_open(&w, &cf, false);
		for (unsigned k = 0; k < 200 * 200; k++) {
			struct bpf_test_run_opts opts = {
				.sz = sizeof opts, .data_in = fs.bytes[0], .data_size_in = fs.len[0], .repeat = 1,
			};

			fs.bytes[0][regular_cases[i].at[0]] = (uint8_t)(k % 200);
			fs.bytes[0][regular_cases[i].at[1]] = (uint8_t)(k / 200);
			assert_int_equal(bpf_prog_test_run_opts(w.programs[XDP], &opts), 0);
		}
		assert_in_range(w.t.sums[0].used[grain], 200 * 200, 200 * 200 + 1); /* a party: the receiver too */
		assert_int_equal(w.t.sums[0].overflowed, 0);
		world_close(&w);
		w.buckets = 0;
		frames_free(&fs);
	}
}

static void compare_capture(const struct world *w, const char *path, struct strings *strings, unsigned *frames)
{
	struct frame batch[FRAME_BATCH];
	struct pcapfile *file;
	int n;

	if (pcapfile_open(&file, path, strings, NULL) < 0)
		return;
	while ((n = pcapfile_next(file, batch, 0, NULL)) > 0) {
		for (int i = 0; i < n && *frames < 20000; i++) {
			if (batch[i].linktype != LINKTYPE_ETHERNET || batch[i].cap_len > 65536)
				continue;
			batch[i].gso_size = 0;
			batch[i].vlan_tpid = 0;
			compare_frame(w, batch[i]);
			*frames += 1;
		}
	}
	pcapfile_close(&file);
}

static void test_captures(void **state)
{
	const char *data = getenv("NETTALLY_DATA");
	static struct world w;
	struct strings *strings;
	char path[1024];
	struct dirent *e;
	unsigned all = 0;
	DIR *d;

	(void)state;
	snprintf(path, sizeof path, "%s/pcap", data ? data : "");
	d = data && *data ? opendir(path) : NULL;
	if (!d) {
		print_message("no captures: NETTALLY_DATA is not set, or has no pcap/\n");
		skip();
	}
	assert_int_equal(strings_new(&strings), 0);
	open_world(&w, NARROW_PARTY, EVERY_PLAIN, false, false);
	while ((e = readdir(d))) {
		unsigned frames = 0;

		snprintf(path, sizeof path, "%s/pcap/%s", data, e->d_name);
		if (strstr(e->d_name, ".pcap") && !strstr(e->d_name, ".truth") && !strstr(e->d_name, ".txt"))
			compare_capture(&w, path, strings, &frames);
		all += frames;
	}
	print_message("%u frames of captures\n", all);
	closedir(d);
	world_close(&w);
	strings_free(&strings);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_frames),
		cmocka_unit_test(test_localities),
		cmocka_unit_test(test_long_frames),
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_regular_keys),
		cmocka_unit_test(test_mutated_frames),
		cmocka_unit_test(test_configurations),
		cmocka_unit_test(test_captures),
	};
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (!bpf_is_permitted())
		return SKIPPED;
	if (sched_setaffinity(0, sizeof first, &first) < 0) {
		printf("skipped: cannot stay on CPU 0: %s\n", strerror(errno));
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
