/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally.bpf.c -- the programs that count: tcx (or clsact) ingress and egress, XDP ingress.
 *
 * Each looks at a frame once and books it once, in the table of its CPU (tally_shared.h). They answer as
 * src/decode/ does for the same frame. The verdict is always "go on", but for a mirror port's. */
#include "general.h"
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

static __always_inline int count_skb(struct __sk_buff *skb, __u32 hook)
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
	return TCX_NEXT;
}

SEC("tc")
int tally_ingress(struct __sk_buff *skb)
{
	/* A copy that the stack hands back to itself: multicast to a group that this host has joined. It was never
	 * on the wire, and packet sockets do not show it either. */
	if (unlikely(skb->pkt_type == PACKET_LOOPBACK))
		return TCX_NEXT;
	return count_skb(skb, TALLY_INGRESS);
}

SEC("tc")
int tally_egress(struct __sk_buff *skb)
{
	return count_skb(skb, TALLY_EGRESS);
}

static __always_inline int count_xdp(struct xdp_md *xdp)
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
	return config.drop ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int tally_xdp(struct xdp_md *xdp)
{
	return count_xdp(xdp);
}
