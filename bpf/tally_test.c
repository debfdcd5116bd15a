/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally_test.c -- the programs of tally.bpf.c against src/decode/: the same frames give the same keys, packets and
 * bytes. Frames are made ones, those of the decoder's fuzz corpus, captures of $NETTALLY_DATA, and mutations of all.
 *
 * What BPF_PROG_TEST_RUN cannot be given, and so is not compared: frames under 14 bytes; over 3400 but at XDP. */
#include "testing.h"

#include "bench.skel.h"
#include "tally.skel.h"

#include "base/prefix.h"
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
#define FRAME_MAX 4096
#define SKB_MAX 3400 /* a test run's, a page less what surrounds the frame */
#define MUTANTS 100000
#define CONFIGS 20

enum { TC_INGRESS, TC_EGRESS, TC_TAGGED_INGRESS, TC_TAGGED_EGRESS, XDP, PROGRAMS };

static const char *const program_names[PROGRAMS] = {
	"tally_ingress", "tally_egress", "tagged_ingress", "tagged_egress", "tally_xdp",
};

/* Programs of one configuration, loaded. */
struct world {
	struct tally_bpf *tally;
	struct bench_bpf *bench; /* NULL: no programs that push tags */
	struct tables t, tagged; /* around `tally`, around `bench` */
	uint16_t services[131072];
	struct prefix_set local;
	int programs[PROGRAMS];
};

struct wanted {
	uint64_t key[TALLY_WIDE_WORDS];
	struct tally_counters counters;
	bool seen;
};

/* ---- random numbers: xorshift64 ---- */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- worlds ---- */

static void add_local(struct prefix_set *s, const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(&p, text, NULL), 0);
	assert_int_equal(prefix_set_add(s, &p), 0);
}

static void mask_of(const struct prefix *p, uint8_t mask[16])
{
	unsigned bits = p->addr.family == ADDR_IP4 ? p->bits + 96u : p->bits;

	for (unsigned i = 0; i < 16; i++)
		mask[i] = (uint8_t)(bits >= 8 * (i + 1) ? 0xff : bits > 8 * i ? 0xff00 >> (bits - 8 * i) : 0);
}

static void configure_local(struct tally_config *cf, const struct prefix_set *local)
{
	for (size_t i = 0; i < local->count; i++) {
		const struct prefix *p = &local->at[i];
		uint8_t mask[16];

		mask_of(p, mask);
		if (p->addr.family == ADDR_IP4 && cf->local4_count++ < TALLY_LOCAL_INLINE) {
			memcpy(&cf->local4[cf->local4_count - 1].network, p->addr.bytes + 12, 4);
			memcpy(&cf->local4[cf->local4_count - 1].mask, mask + 12, 4);
		} else if (p->addr.family == ADDR_IP6 && cf->local6_count++ < TALLY_LOCAL_INLINE) {
			memcpy(cf->local6[cf->local6_count - 1].network, p->addr.bytes, 16);
			memcpy(cf->local6[cf->local6_count - 1].mask, mask, 16);
		}
	}
}

static void fill_local(struct bpf_map *m, const struct prefix_set *local)
{
	for (size_t i = 0; i < local->count; i++) {
		const struct prefix *p = &local->at[i];
		bool ip4 = p->addr.family == ADDR_IP4;
		struct tally_local_key key = { 32u + p->bits + (ip4 ? 96 : 0), ip4 ? TALLY_IP4 : TALLY_IP6, { 0, 0 } };
		uint32_t value = 1;

		memcpy(key.address, p->addr.bytes, 16);
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(m), &key, &value, 0), 0);
	}
}

static int load_object(struct world *w, struct tables *t, struct bpf_object *object, void *config, void *services)
{
	memcpy(config, &t->config, sizeof t->config);
	memcpy(services, w->services, sizeof w->services);
	assert_int_equal(tables_prepare(t, object), 0);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "local"), (uint32_t)w->local.count + 1);
	return bpf_object__load(object);
}

static void world_open(struct world *w, const struct tally_config *given, bool tagged)
{
	struct tally_config cf = *given;

	configure_local(&cf, &w->local);
	w->t.used = 1; /* CPU 0, where this test stays */
	tables_configure(&w->t, &cf, 2);
	w->tagged = w->t;
	w->tally = tally_bpf__open();
	assert_non_null(w->tally);
	assert_int_equal(load_object(w, &w->t, w->tally->obj, (void *)(uintptr_t)&w->tally->rodata->config,
				     (void *)(uintptr_t)w->tally->rodata_services->service_of_port), 0);
	assert_int_equal(tables_fill(&w->t), 0);
	fill_local(w->tally->maps.local, &w->local);
	if (tagged) {
		w->bench = bench_bpf__open();
		assert_non_null(w->bench);
		assert_int_equal(load_object(w, &w->tagged, w->bench->obj, (void *)(uintptr_t)&w->bench->rodata->config,
					     (void *)(uintptr_t)w->bench->rodata_services->service_of_port), 0);
		assert_int_equal(tables_fill(&w->tagged), 0);
		fill_local(w->bench->maps.local, &w->local);
	}
	for (unsigned i = 0; i < PROGRAMS; i++) {
		bool of_bench = i == TC_TAGGED_INGRESS || i == TC_TAGGED_EGRESS;

		w->programs[i] = of_bench && !tagged ? -1 : bpf_program__fd(bpf_object__find_program_by_name(
			of_bench ? w->bench->obj : w->tally->obj, program_names[i]));
	}
}

static void world_close(struct world *w)
{
	tables_free(&w->t);
	if (w->bench)
		tables_free(&w->tagged);
	tally_bpf__destroy(w->tally);
	bench_bpf__destroy(w->bench);
	prefix_set_free(&w->local);
	*w = (struct world){ 0 };
}

/* ---- what a frame must be booked as, by src/decode/ ---- */

static uint64_t service_of(const struct world *w, const struct packet *p)
{
	const uint16_t *of = w->services + (p->proto == (0x100 | 6) ? TALLY_SERVICE_TCP : TALLY_SERVICE_UDP);

	if ((p->proto != (0x100 | 6) && p->proto != (0x100 | 17)) || !p->dst_port)
		return 0;
	return of[p->dst_port & 0xffff] ? of[p->dst_port & 0xffff] : of[p->src_port & 0xffff];
}

static uint64_t family_of(const struct packet *p)
{
	return p->src.family == ADDR_IP4 ? TALLY_IP4 : p->src.family == ADDR_IP6 ? TALLY_IP6 : TALLY_NO_IP;
}

static uint64_t small_of(const struct world *w, const struct packet *p, uint32_t fields)
{
	uint64_t s = 0;

	s |= fields & TALLY_F_PROTO ? (uint64_t)p->proto << TALLY_PROTO_SHIFT : 0;
	s |= fields & TALLY_F_VLAN ? (uint64_t)p->vlan << TALLY_VLAN_SHIFT : 0;
	s |= fields & TALLY_F_ETHERTYPE ? (uint64_t)p->ethertype << TALLY_ETHERTYPE_SHIFT : 0;
	s |= fields & TALLY_F_SERVICE ? service_of(w, p) << TALLY_SERVICE_SHIFT : 0;
	s |= fields & TALLY_F_DIRECTION ? (uint64_t)p->direction << TALLY_DIRECTION_SHIFT : 0;
	s |= fields & (TALLY_F_HOST | TALLY_F_SRC_HOST | TALLY_F_DST_HOST) ? family_of(p) << TALLY_FAMILY_SHIFT : 0;
	return s;
}

static void want_words(struct wanted *ret, const struct packet *p, uint32_t fields, bool tx)
{
	uint64_t *k = ret->key;

	if (fields & TALLY_F_HOST)
		memcpy(k + TALLY_HOST, tx ? p->src.bytes : p->dst.bytes, 16);
	if (fields & TALLY_F_MAC)
		k[TALLY_MAC] = tx ? p->src_mac : p->dst_mac;
	if (fields & TALLY_F_PORTS)
		k[TALLY_PORTS] = (uint64_t)p->dst_port << 32 | p->src_port;
	if (fields & TALLY_F_SRC_MAC)
		k[TALLY_SRC_MAC] = p->src_mac;
	if (fields & TALLY_F_DST_MAC)
		k[TALLY_DST_MAC] = p->dst_mac;
	if (fields & TALLY_F_SRC_HOST)
		memcpy(k + TALLY_SRC_HOST, p->src.bytes, 16);
	if (fields & TALLY_F_DST_HOST)
		memcpy(k + TALLY_DST_HOST, p->dst.bytes, 16);
	ret->counters = (struct tally_counters){ p->segments, p->l2_bytes, p->l3_bytes };
}

static unsigned want_party(const struct world *w, const struct packet *p, struct wanted ret[TALLY_SIDES])
{
	const struct tally_config *cf = &w->t.config;
	uint32_t fields = cf->fields[TALLY_PARTY];
	unsigned n = 0;

	for (unsigned side = TALLY_RX; side < TALLY_SIDES; side++) {
		bool is_local = prefix_set_contains(&w->local, side == TALLY_RX ? &p->dst : &p->src);
		uint64_t locality = is_local ? LOCALITY_LOCAL : LOCALITY_REMOTE;

		if (cf->of != OF_BOTH && is_local != (cf->of == OF_LOCAL))
			continue;
		ret[n] = (struct wanted){ 0 };
		want_words(&ret[n], p, fields, side == TALLY_TX);
		ret[n].key[0] = small_of(w, p, fields) | (uint64_t)side << TALLY_SIDE_SHIFT;
		ret[n].key[0] |= fields & TALLY_F_LOCALITY ? locality << TALLY_LOCALITY_SHIFT : 0;
		n++;
	}
	return n;
}

/* ---- comparing ---- */

static const struct frame *failing; /* for the message */
static unsigned failing_program;

static void fail_frame(const char *what)
{
	fprintf(stderr, "%s, program %s, %u bytes, gso_size %u, tag %x %x:\n", what, program_names[failing_program],
		failing->cap_len, failing->gso_size, failing->vlan_tpid, failing->vlan_tci);
	for (uint32_t i = 0; i < failing->cap_len && i < 256; i++)
		fprintf(stderr, "%02x", failing->bytes[i]);
	fprintf(stderr, "\n");
	fail_msg("%s", what);
}

static void compare_slot(const uint64_t *slot, unsigned words, struct wanted *wanted, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (wanted[i].seen || memcmp(slot, wanted[i].key, words * sizeof *slot) != 0)
			continue;
		wanted[i].seen = true;
		if (memcmp(slot + words, &wanted[i].counters, sizeof wanted[i].counters) != 0) {
			fprintf(stderr, "counted %llu %llu %llu, not %llu %llu %llu\n", (unsigned long long)slot[words],
				(unsigned long long)slot[words + 1], (unsigned long long)slot[words + 2],
				wanted[i].counters.packets, wanted[i].counters.l2_bytes, wanted[i].counters.l3_bytes);
			fail_frame("other counters");
		}
		return;
	}
	for (unsigned i = 0; i < words; i++)
		fprintf(stderr, "word %u: %016llx", i, (unsigned long long)slot[i]), wanted && n ?
		fprintf(stderr, " wanted %016llx %016llx\n", (unsigned long long)wanted[0].key[i],
			(unsigned long long)wanted[n - 1].key[i]) : 0;
	fail_frame("another key");
}

/* All slots against what is wanted; and empties them. */
static void compare_table(const struct tables *t, unsigned grain, struct wanted *wanted, unsigned n)
{
	unsigned words = t->config.wide & 1u << grain ? TALLY_WIDE_WORDS : TALLY_NARROW_WORDS;

	for (size_t at = 0; at < t->bytes[grain]; at += slot_bytes(&t->config, grain)) {
		uint64_t *slot = (uint64_t *)(void *)(t->slots[grain][0] + at);

		if (slot[words] == 0)
			continue;
		compare_slot(slot, words, wanted, n);
		memset(slot, 0, slot_bytes(&t->config, grain));
	}
	for (unsigned i = 0; i < n; i++)
		if (!wanted[i].seen)
			fail_frame("not booked");
}

static void compare_sums(struct tally_sums *s, unsigned hook, const struct frame *f, const struct packet *p, unsigned bookings)
{
	const struct tally_hook_sums want = {
		.frames = 1, .l2_bytes = p->l2_bytes, .more_packets = p->segments - 1,
		.more_bytes = p->l2_bytes - f->wire_len, .malformed = p->malformed,
	};

	if (memcmp(&s->hooks[hook], &want, sizeof want) != 0) {
		fprintf(stderr, "sums: frames %llu l2 %llu more %llu %llu malformed %llu\n", s->hooks[hook].frames,
			s->hooks[hook].l2_bytes, s->hooks[hook].more_packets, s->hooks[hook].more_bytes, s->hooks[hook].malformed);
		fail_frame("other sums");
	}
	if (s->used[TALLY_PARTY] + s->used[TALLY_PLAIN] != bookings || s->overflowed)
		fail_frame("other number of slots used");
	memset(s, 0, sizeof *s);
}

/* The kernel refuses to run frames that end in an IP header (net/bpf/test_run.c): they are run longer, and the
 * program cuts them. */
static bool is_refused(const struct frame *f)
{
	unsigned type = (unsigned)(f->bytes[12] << 8 | f->bytes[13]);

	return (type == 0x0800 && f->cap_len < 14 + 20) || (type == 0x86dd && f->cap_len < 14 + 40);
}

static void run_program(const struct world *w, unsigned program, const struct frame *f, const struct packet *p)
{
	struct __sk_buff skb = { .gso_size = f->gso_size, .gso_segs = f->gso_size ? p->segments : 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = f->cap_len, .repeat = 1);
	uint8_t longer[64] = { 0 };
	int r;

	/* what qdisc_pkt_len_init() makes of a super-packet; tags are not in it */
	skb.wire_len = f->gso_size ? (uint32_t)(p->l2_bytes - (f->vlan_tpid ? 4 * p->segments : 0)) : 0;
	skb.mark = f->vlan_tpid ? (uint32_t)f->vlan_tpid << 16 | f->vlan_tci : 0;
	if (program != XDP) {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof skb;
		if (is_refused(f)) {
			memcpy(longer, f->bytes, f->cap_len);
			skb.priority = f->cap_len;
			opts.data_in = longer;
			opts.data_size_in = sizeof longer;
		}
	}
	r = bpf_prog_test_run_opts(w->programs[program], &opts);
	if (r != 0) {
		fprintf(stderr, "test run: %s\n", strerror(-r));
		fail_frame("cannot run");
	}
	if ((int)opts.retval != (program == XDP ? 2 : -1))
		fail_frame("another verdict");
}

static void compare_program(const struct world *w, unsigned program, struct frame *f)
{
	const struct tables *t = program == TC_TAGGED_INGRESS || program == TC_TAGGED_EGRESS ? &w->tagged : &w->t;
	unsigned hook = program == TC_EGRESS || program == TC_TAGGED_EGRESS ? TALLY_EGRESS : TALLY_INGRESS;
	struct wanted party[TALLY_SIDES], plain = { 0 };
	unsigned sides, plains = 0;
	struct packet p;

	failing = f;
	failing_program = program;
	f->linktype = t->config.raw_ip ? LINKTYPE_RAW : LINKTYPE_ETHERNET;
	f->direction = hook == TALLY_EGRESS ? DIRECTION_EGRESS : DIRECTION_INGRESS;
	decode_frame_generally(f, &p);
	run_program(w, program, f, &p);
	sides = t->config.grains & 1 << TALLY_PARTY ? want_party(w, &p, party) : 0;
	if (t->config.grains & 1 << TALLY_PLAIN) {
		want_words(&plain, &p, t->config.fields[TALLY_PLAIN], false);
		plain.key[0] = small_of(w, &p, t->config.fields[TALLY_PLAIN]);
		plains = 1;
	}
	compare_table(t, TALLY_PARTY, party, sides);
	compare_table(t, TALLY_PLAIN, &plain, plains);
	compare_sums(&t->sums[0], hook, f, &p, sides + plains);
}

/* A frame through the programs that can have it. */
static void compare_frame(const struct world *w, struct frame f)
{
	bool dressed = f.vlan_tpid || (f.cap_len >= 14 && is_refused(&f));

	if (f.cap_len < 14)
		return;
	f.wire_len = f.cap_len;
	if (f.cap_len <= SKB_MAX && (!dressed || w->bench)) {
		compare_program(w, dressed ? TC_TAGGED_INGRESS : TC_INGRESS, &f);
		compare_program(w, dressed ? TC_TAGGED_EGRESS : TC_EGRESS, &f);
	}
	if (!f.gso_size && !f.vlan_tpid)
		compare_program(w, XDP, &f);
}

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

static const char *const made[] = {
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
	MACS "8864 11000001 0021 21" UDP_IP4, MACS "8864 11000001 0006 c021 09000004", MACS "8864 11000001 0026 0281 00064140" UDP_IP4,
	MACS "8864 11000001 0026 0283 00064140" UDP_IP4, MACS "8863 11090000 0004 01010000", MACS "8864 1101", MACS "8864 11000001 0002 00",
	MACS "8864 21000001 0022 0021" UDP_IP4, MACS "81000007 8864 11000001 0022 0021" UDP_IP4,
	UDP_IP4, UDP_IP6, IP6("0014", "06") TCP, "7500002000010000c0000201", "4500002000010000c0000201c633", /* raw */
};

struct frames {
	uint8_t (*bytes)[FRAME_MAX];
	uint32_t *len;
	unsigned count, room;
};

static void frames_add(struct frames *fs, const uint8_t *bytes, size_t len)
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

static void add_hex(struct frames *fs, const char *hex)
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

static void make_frames(struct frames *fs)
{
	for (unsigned i = 0; i < COUNT(made); i++)
		add_hex(fs, made[i]);
	add_layers(fs, "81000001", "0800", 390); /* a few more by mutation; the program's end is 400 */
	add_layers(fs, "88a80001", "0800", 40);
	add_layers(fs, "88470006 4140", "", 1);
	add_hex(fs, ETHER4("0020", "11"));
	add_corpus(fs);
}

static void frames_free(struct frames *fs)
{
	free(fs->bytes);
	free(fs->len);
}

static struct frame frame_of(const struct frames *fs, unsigned i)
{
	return (struct frame){ .bytes = fs->bytes[i], .cap_len = fs->len[i] };
}

/* ---- tests ---- */

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

/* One mutation or a few: bytes, bits, cuts, tags put in, pieces doubled. */
static void mutate(uint8_t *b, uint32_t *len, uint64_t *seed)
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
		compare_frame(w, f);
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
		add_hex(&fs, made[i]);
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

	(void)state;
	make_frames(&fs);
	for (unsigned i = 0; i < CONFIGS; i++) {
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
		for (unsigned j = i % 16; j < fs.count && j < COUNT(made); j += 16)
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

		add_hex(&fs, made[i]);
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

	add_hex(&fs, made[0]);
	add_local(&w.local, "192.0.2.0/24");
	world_open(&w, &cf, false);
	for (unsigned i = 0; i < frames; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = fs.bytes[0], .data_size_in = fs.len[0], .repeat = 1);

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
