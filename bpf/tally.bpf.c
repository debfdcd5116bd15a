/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally.bpf.c -- the programs that count: tcx (or clsact) ingress and egress, XDP ingress.
 *
 * Each looks at a frame once and books it once, in the table of its CPU (tally_shared.h). They answer as
 * src/decode/ does for the same frame. The verdict is always "go on", but for a mirror port's.
 *
 * Each is there twice: tally_* only count; rules_* then ask the rules (rules.h). gate_* ask the pre-filter. */
#include "general.h"
#include "rules.h"
#include "shortest.h"

char LICENSE[] SEC("license") = "GPL"; /* what the kernel knows of GPL-2.0-or-later */

#define PACKET_LOOPBACK 5 /* linux/if_packet.h */

enum { TCX_NEXT = -1 }; /* TC_ACT_UNSPEC: the next filter, or the default */

/* ---- the long way ---- */

/* Of a super-packet: what its segments repeat. */
static __always_inline void add_segments(struct look *l, const struct walk *w, struct __sk_buff *skb)
{
	const __u32 headers = w->payload_at + w->header_bytes, gso_size = skb->gso_size;
	__u32 segments = skb->gso_segs, wire_bytes = skb->wire_len;
	__u64 added;

	if (!gso_size)
		return;
	if (segments == 0) /* from a device or socket that did not say; as count_segments() of src/decode/ */
		segments = w->header_bytes && w->end > headers ? (w->end - headers + gso_size - 1) / gso_size : 1;
	added = (segments - 1ull) * headers;
	/* At egress the kernel has counted it, inner headers too (qdisc_pkt_len_init()). */
	if (l->hook == TALLY_EGRESS && skb->gso_segs && wire_bytes >= w->end)
		added = wire_bytes - w->end;
	l->packets = segments;
	l->l2_bytes += added;
	if (added > (segments - 1ull) * w->payload_at)
		l->l3_bytes += added - (segments - 1ull) * w->payload_at;
}

/* What the short way did not know when it added the frame as it came. */
static __always_inline void sums_complete(struct tally_sums *s, const struct look *l, __u32 frame_bytes)
{
	struct tally_hook_sums *h = &s->hooks[l->hook & 1];

	h->l2_bytes += l->l2_bytes - frame_bytes;
	h->more_packets += l->packets - 1;
	h->more_bytes += l->l2_bytes - frame_bytes;
	h->malformed += l->malformed;
}

/* Fills the slow look; completes the sums where the short way left all of the frame. */
__noinline int look_at_skb(struct __sk_buff *skb, __u32 index, __u32 hook, __u32 left)
{
	struct walk w = { .ctx = skb, .end = skb->len, .look = slow_look_of_cpu() };
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);

	if (!w.look || !s)
		return 0;
	*w.look = (struct look){ .hook = hook & 1 };
	if (skb->vlan_present)
		w.look->vlan = 0x1000 | (skb->vlan_tci & 0xfff);
	general_look(&w, config.raw_ip, 0);
	add_segments(w.look, &w, skb);
	if (skb->vlan_present)
		w.look->l2_bytes += 4ull * w.look->packets;
	if (left == BOOK_ALL)
		sums_complete(s, w.look, w.end);
	return 0;
}

__noinline int look_at_xdp(struct xdp_md *xdp, __u32 index, __u32 left)
{
	struct walk w = { .ctx = xdp, .end = bpf_xdp_get_buff_len(xdp), .look = slow_look_of_cpu() };
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);

	if (!w.look || !s)
		return 0;
	*w.look = (struct look){ .hook = TALLY_INGRESS };
	general_look(&w, config.raw_ip, 1);
	if (left == BOOK_ALL)
		sums_complete(s, w.look, w.end);
	return 0;
}

/* ---- the programs ---- */

static __always_inline int sums_begin(__u32 *index, __u32 hook, __u64 frame_bytes)
{
	struct tally_sums *s = bpf_map_lookup_elem(&sums, index);

	if (!s)
		return 0;
	s->hooks[hook].frames++;
	s->hooks[hook].l2_bytes += frame_bytes;
	return 1;
}

/* A tag in metadata, of a frame that was booked the short way. */
static __always_inline void sums_add_tag(__u32 index, __u32 hook)
{
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);

	if (!s)
		return;
	s->hooks[hook].l2_bytes += 4;
	s->hooks[hook].more_bytes += 4;
}

/* The ways in turn. Returns what is left for the long one. */
static __always_inline __u32 book(const __u8 *b, const __u8 *end, __u64 frame_bytes, __u64 l2_bytes, __u32 vlan, __u32 hook,
				  __u32 *index)
{
	__u32 left = 0;

	if (is_shortest()) {
		void *table = bpf_map_lookup_elem(&party, index);

		if (table)
			left = book_shortest(b, end, frame_bytes, l2_bytes, table, index);
	} else {
		CONSTANT(left, BOOK_OTHERWISE);
	}
	if (unlikely(left == BOOK_OTHERWISE)) {
		struct plain p = { .l2_bytes = l2_bytes, .vlan = vlan, .hook = hook };

		left = book_plainly(b, end, frame_bytes, *index, &p);
	}
	return left;
}

/* ---- tc ---- */

static __always_inline int count_skb(struct __sk_buff *skb, __u32 hook, int with_rules)
{
	const __u64 frame_bytes = skb->len;
	__u32 left = BOOK_ALL, index = table_index(), vlan = 0;
	__u64 l2_bytes = frame_bytes;

	if (!sums_begin(&index, hook, frame_bytes))
		return TCX_NEXT;
	if (likely(!skb->gso_size)) {
		if (unlikely(skb->vlan_present)) {
			vlan = 0x1000 | (skb->vlan_tci & 0xfff);
			l2_bytes += 4;
		}
		left = book((void *)(long)skb->data, (void *)(long)skb->data_end, frame_bytes, l2_bytes, vlan, hook, &index);
		if (unlikely(vlan) && left != BOOK_ALL)
			sums_add_tag(index, hook);
	}
	if (unlikely(left)) {
		look_at_skb(skb, index, hook, left);
		book_slowly(left, index);
	}
	if (with_rules)
		rules_skb(skb, index, hook, left);
	return TCX_NEXT;
}

/* A copy that the stack hands back to itself: multicast to a group that this host has joined. It was never on the
 * wire, and packet sockets do not show it either. */
static __always_inline int is_looped_back(const struct __sk_buff *skb)
{
	return unlikely(skb->pkt_type == PACKET_LOOPBACK);
}

SEC("tc")
int tally_ingress(struct __sk_buff *skb)
{
	return is_looped_back(skb) ? TCX_NEXT : count_skb(skb, TALLY_INGRESS, 0);
}

SEC("tc")
int tally_egress(struct __sk_buff *skb)
{
	return count_skb(skb, TALLY_EGRESS, 0);
}

SEC("tc")
int rules_ingress(struct __sk_buff *skb)
{
	return is_looped_back(skb) ? TCX_NEXT : count_skb(skb, TALLY_INGRESS, 1);
}

SEC("tc")
int rules_egress(struct __sk_buff *skb)
{
	return count_skb(skb, TALLY_EGRESS, 1);
}

static __always_inline int gate_skb(struct __sk_buff *skb, __u32 hook)
{
	const __u32 index = table_index();
	struct rules_scratch *r = scratch_of_cpu();

	if (r) {
		scratch_skb(r, skb);
		if (unlikely(skb->gso_size)) { /* what is left out must be known by its size on the wire, too */
			look_at_skb(skb, index, hook, 0);
			scratch_slow(r);
			r->l3_bytes = ONE_FRAME;
		} else {
			scratch_plain(r, ONE_FRAME);
		}
		r->index = index;
		if (unlikely(skb->vlan_present))
			bpf_tail_call_static(skb, &rules_tc, RULES_GATE + 2 * hook + 1);
		else
			bpf_tail_call_static(skb, &rules_tc, RULES_GATE + 2 * hook);
	}
	rules_missed(index);
	return TCX_NEXT;
}

SEC("tc")
int gate_ingress(struct __sk_buff *skb)
{
	return is_looped_back(skb) ? TCX_NEXT : gate_skb(skb, TALLY_INGRESS);
}

SEC("tc")
int gate_egress(struct __sk_buff *skb)
{
	return gate_skb(skb, TALLY_EGRESS);
}

/* ---- XDP ---- */

static __always_inline int verdict_xdp(void)
{
	return config.drop ? XDP_DROP : XDP_PASS;
}

static __always_inline int count_xdp(struct xdp_md *xdp, int with_rules)
{
	const __u64 frame_bytes = bpf_xdp_get_buff_len(xdp);
	__u32 left, index = table_index();

	if (!sums_begin(&index, TALLY_INGRESS, frame_bytes))
		return XDP_PASS;
	left = book((void *)(long)xdp->data, (void *)(long)xdp->data_end, frame_bytes, frame_bytes, 0, TALLY_INGRESS, &index);
	if (unlikely(left)) {
		look_at_xdp(xdp, index, left);
		book_slowly(left, index);
	}
	if (with_rules)
		rules_at(xdp, index, left);
	return verdict_xdp();
}

SEC("xdp.frags")
int tally_xdp(struct xdp_md *xdp)
{
	return count_xdp(xdp, 0);
}

SEC("xdp.frags")
int rules_at_xdp(struct xdp_md *xdp)
{
	return count_xdp(xdp, 1);
}

SEC("xdp.frags")
int gate_xdp(struct xdp_md *xdp)
{
	const __u32 index = table_index();
	struct rules_scratch *r = scratch_of_cpu();

	if (r) {
		scratch_xdp(r, xdp);
		scratch_plain(r, ONE_FRAME);
		r->index = index;
		bpf_tail_call_static(xdp, &rules_xdp, RULES_GATE + 2 * TALLY_INGRESS);
	}
	rules_missed(index);
	return verdict_xdp();
}
