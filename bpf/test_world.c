/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_world.c -- what must be in the tables after a frame, and what is. */
#include "test_world.h"

#include "bench.skel.h"
#include "tally.skel.h"

#include "decode/decode.h"
#include "model/account.h"
#include "model/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SKB_MAX 3400 /* a test run's, a page less what surrounds the frame */

static const char *const program_names[PROGRAMS] = {
	"tally_ingress", "tally_egress", "tagged_ingress", "tagged_egress", "tally_xdp",
};

struct wanted {
	uint64_t key[TALLY_WIDE_WORDS];
	struct tally_counters counters;
	bool seen;
};

/* ---- worlds ---- */

void add_local(struct prefix_set *s, const char *text)
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
	struct bpf_program *p;

	bpf_object__for_each_program(p, object) /* those of rules_test.c take time to be verified */
		if (strncmp(bpf_program__name(p), "rules_", 6) == 0 || strncmp(bpf_program__name(p), "gate_", 5) == 0)
			bpf_program__set_autoload(p, false);
	memcpy(config, &t->config, sizeof t->config);
	memcpy(services, w->services, sizeof w->services);
	assert_int_equal(tables_prepare(t, object), 0);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "local"), (uint32_t)w->local.count + 1);
	return bpf_object__load(object);
}

void world_open(struct world *w, const struct tally_config *given, bool tagged)
{
	struct tally_config cf = *given;

	configure_local(&cf, &w->local);
	w->t.used = 1; /* CPU 0, where this test stays */
	tables_configure(&w->t, &cf, w->buckets ? w->buckets : 2);
	w->tagged = w->t;
	w->tally = tally_bpf__open();
	assert_non_null(w->tally);
	assert_int_equal(load_object(w, &w->t, w->tally->obj, (void *)(uintptr_t)&w->tally->rodata->config,
				     (void *)(uintptr_t)w->tally->rodata_services->service_of_port), 0);
	assert_int_equal(tables_fill(&w->t), 0);
	fill_local(w->tally->maps.local, &w->local);
	if (tagged) {
		struct bpf_program *p;

		w->bench = bench_bpf__open();
		assert_non_null(w->bench);
		bpf_object__for_each_program(p, w->bench->obj)
			bpf_program__set_autoload(p, strncmp(bpf_program__name(p), "tagged_", 7) == 0);
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

void world_close(struct world *w)
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
			s->hooks[hook].l2_bytes, s->hooks[hook].more_packets, s->hooks[hook].more_bytes,
			s->hooks[hook].malformed);
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
	struct bpf_test_run_opts opts = { .sz = sizeof opts, .data_in = f->bytes, .data_size_in = f->cap_len, .repeat = 1 };
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

void compare_frame_at(const struct world *w, struct frame f, unsigned hooks)
{
	bool dressed = f.vlan_tpid || (f.cap_len >= 14 && is_refused(&f));
	bool tc = f.cap_len <= SKB_MAX && (!dressed || w->bench);

	if (f.cap_len < 14)
		return;
	f.wire_len = f.cap_len;
	if (tc && hooks & COMPARE_INGRESS)
		compare_program(w, dressed ? TC_TAGGED_INGRESS : TC_INGRESS, &f);
	if (tc && hooks & COMPARE_EGRESS)
		compare_program(w, dressed ? TC_TAGGED_EGRESS : TC_EGRESS, &f);
	if (!f.gso_size && !f.vlan_tpid && hooks & COMPARE_XDP)
		compare_program(w, XDP, &f);
}

void compare_frame(const struct world *w, struct frame f)
{
	compare_frame_at(w, f, COMPARE_INGRESS | COMPARE_EGRESS | COMPARE_XDP);
}
