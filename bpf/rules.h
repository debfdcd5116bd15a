/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.h -- how a frame gets to the programs that are made of filters (rules_shared.h): the scratch entry is filled,
 * then a tail call. */
#ifndef NETTALLY_BPF_RULES_H
#define NETTALLY_BPF_RULES_H

#include "rules_shared.h"
#include "table.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rules_scratch);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, RULES_PLACES);
	__type(key, __u32);
	__type(value, __u32);
} rules_tc SEC(".maps"), rules_xdp SEC(".maps");

#define MAC_PAIR 12

static __always_inline struct rules_scratch *scratch_of_cpu(void)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* The virtual frame's first bytes, with the tag in its place. What is beyond wire_len is never read. */
static __always_inline void scratch_head(struct rules_scratch *r, struct __sk_buff *skb)
{
	const __u32 tci = skb->vlan_tci;

	bpf_skb_load_bytes(skb, 0, r->head, MAC_PAIR);
	*(__u16 *)(r->head + MAC_PAIR) = skb->vlan_proto; /* as in a frame */
	*(__u16 *)(r->head + MAC_PAIR + 2) = bpf_htons(tci);
	if (bpf_skb_load_bytes(skb, MAC_PAIR, r->head + MAC_PAIR + 4, 4) == 0)
		return;
#pragma unroll
	for (int i = 0; i < 4; i++)
		bpf_skb_load_bytes(skb, MAC_PAIR + i, r->head + MAC_PAIR + 4 + i, 1);
}

static __always_inline void scratch_skb(struct rules_scratch *r, struct __sk_buff *skb)
{
	const __u32 frame_bytes = skb->len, tag = skb->vlan_present;

	r->wire_len = frame_bytes;
	r->beyond = frame_bytes > skb->data_end - skb->data;
	r->verdict = -1; /* TCX_NEXT */
	if (unlikely(tag)) {
		r->wire_len = frame_bytes + 4;
		scratch_head(r, skb);
	}
}

static __always_inline void scratch_xdp(struct rules_scratch *r, struct xdp_md *xdp)
{
	r->wire_len = bpf_xdp_get_buff_len(xdp);
	r->beyond = r->wire_len > xdp->data_end - xdp->data;
	r->verdict = config.drop ? XDP_DROP : XDP_PASS;
}

#define ONE_FRAME 1 /* before the pre-filter: in the place of l3_bytes the sums have frames (filtered_frames) */

/* What the frame counts for; after the above. */
static __always_inline void scratch_plain(struct rules_scratch *r, __u64 l3_bytes)
{
	r->packets = 1;
	r->l2_bytes = r->wire_len;
	r->l3_bytes = l3_bytes;
}

static __always_inline void scratch_slow(struct rules_scratch *r)
{
	const struct look *l = slow_look_of_cpu();

	if (l) {
		r->packets = l->packets;
		r->l2_bytes = l->l2_bytes;
		r->l3_bytes = l->l3_bytes;
	}
}

/* Of a frame that was booked a short way (plain.h, shortest.h): it is as these want it. */
static __noinline __u32 plain_l3_bytes(const __u8 *h, const __u8 *end, __u32 rest)
{
	__u32 type, datagram;

	if (h + 38 > end)
		return 0;
	type = bpf_htons(h[0] >> 4 == 4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6);
	if (!config.raw_ip) {
		type = *(const __u16 *)(h + 12);
		h += 14;
		rest -= 14;
	}
#pragma unroll
	for (int tags = 0; tags < 2; tags++) {
		if (is_tag(type)) {
			type = *(const __u16 *)(h + 2);
			h += 4;
			rest -= 4;
		}
	}
	if (type == bpf_htons(ETHERTYPE_IP4)) {
		datagram = bpf_ntohs(*(const __u16 *)(h + 2));
	} else {
		datagram = bpf_ntohs(*(const __u16 *)(h + 4));
		datagram = datagram ? datagram + 40 : rest;
	}
	return datagram < rest ? datagram : rest;
}

static __always_inline __u32 rules_index(__u32 index, __u32 hook)
{
	if (hook == TALLY_EGRESS)
		index += TALLY_EPOCHS * config.cpus; /* RULES_INDEX */
	return index;
}

/* A tail call has come back, which it does only where there is no such program. */
static __always_inline void rules_missed(__u32 index)
{
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);

	if (s)
		s->rules_missed++;
}

/* On to the rules, of a frame that is booked; `left` as book() said. */
static __always_inline void rules_skb(struct __sk_buff *skb, __u32 index, __u32 hook, __u32 left)
{
	struct rules_scratch *r = scratch_of_cpu();

	if (r) {
		scratch_skb(r, skb);
		if (likely(!left))
			scratch_plain(r, plain_l3_bytes((void *)(long)skb->data, (void *)(long)skb->data_end, skb->len));
		else
			scratch_slow(r);
		r->index = rules_index(index, hook);
		if (unlikely(skb->vlan_present))
			bpf_tail_call_static(skb, &rules_tc, RULES_TAGGED);
		else
			bpf_tail_call_static(skb, &rules_tc, RULES_PLAIN);
	}
	rules_missed(index);
}

static __always_inline void rules_at(struct xdp_md *xdp, __u32 index, __u32 left)
{
	struct rules_scratch *r = scratch_of_cpu();

	if (r) {
		scratch_xdp(r, xdp);
		if (likely(!left))
			scratch_plain(r, plain_l3_bytes((void *)(long)xdp->data, (void *)(long)xdp->data_end, r->wire_len));
		else
			scratch_slow(r);
		r->index = rules_index(index, TALLY_INGRESS);
		bpf_tail_call_static(xdp, &rules_xdp, RULES_PLAIN);
	}
	rules_missed(index);
}

#endif
