/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally.bpf.c -- the programs that count: tcx (or clsact) ingress and egress, XDP ingress.
 *
 * Each looks at a frame once and books it once, in the table of its CPU (tally_shared.h). They answer as
 * src/decode/ does for the same frame. The verdict is always "go on", but for a mirror port's. */
#include "general.h"
#include "plain.h"

char LICENSE[] SEC("license") = "GPL"; /* what the kernel knows of GPL-2.0-or-later */

enum { TCX_NEXT = -1 }; /* TC_ACT_UNSPEC: the next filter, or the default */

/* Of a super-packet in the general way: what its segments repeat. `added` = bytes that the kernel says, 0 = unknown. */
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

static __always_inline void add_tag(struct look *l, struct __sk_buff *skb)
{
	if (skb->vlan_present)
		l->l2_bytes += 4ull * l->packets;
}

/* Fills the slow look, and adds it to the sums. */
__noinline int look_at_skb(struct __sk_buff *skb, __u32 hook)
{
	struct walk w = { .ctx = skb, .end = skb->len, .look = slow_look_of_cpu() };
	__u32 index = table_index();
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);

	if (!w.look || !s)
		return 0;
	*w.look = (struct look){ .hook = hook & 1 };
	if (skb->vlan_present)
		w.look->vlan = 0x1000 | (skb->vlan_tci & 0xfff);
	general_look(&w, config.raw_ip, 0);
	add_segments(w.look, &w, skb);
	add_tag(w.look, skb);
	sums_add(s, w.look, w.end);
	return 0;
}

__noinline int look_at_xdp(struct xdp_md *xdp)
{
	struct walk w = { .ctx = xdp, .end = bpf_xdp_get_buff_len(xdp), .look = slow_look_of_cpu() };
	__u32 index = table_index();
	struct tally_sums *s = bpf_map_lookup_elem(&sums, &index);

	if (!w.look || !s)
		return 0;
	*w.look = (struct look){ .hook = TALLY_INGRESS };
	general_look(&w, config.raw_ip, 1);
	sums_add(s, w.look, w.end);
	return 0;
}

static __always_inline void book_plainly(const struct look *l, __u32 frame_bytes)
{
	__u32 left = book(l, frame_bytes);
	struct look *slow;

	if (likely(!left))
		return;
	slow = slow_look_of_cpu();
	if (slow)
		*slow = *l;
	book_slowly(left);
}

/* Plain frames, of which l->vlan and l->l2_bytes are known. 0 = it is none: nothing was booked. */
static __always_inline int count_plain(const __u8 *h, const __u8 *end, struct look *l, __u32 frame_bytes)
{
	__u32 rest = frame_bytes;
	__u16 type;

	if (h + 38 > end)
		return 0;
	if (config.raw_ip) {
		type = h[0] >> 4 == 4 ? bpf_htons(ETHERTYPE_IP4) : bpf_htons(ETHERTYPE_IP6);
	} else {
		l->dst_mac = mac_key(h);
		l->src_mac = mac_key(h + 6);
		type = *(const __u16 *)(h + 12);
		h += 14;
		rest -= 14;
	}
	if (unlikely(is_tag(type))) {
		if (!l->vlan)
			l->vlan = 0x1000 | (bpf_ntohs(*(const __u16 *)h) & 0xfff);
		type = *(const __u16 *)(h + 2);
		h += 4;
		rest -= 4;
		if (is_tag(type)) {
			type = *(const __u16 *)(h + 2);
			h += 4;
			rest -= 4;
		}
		if (h + 24 > end)
			return 0;
	}
	if (likely(type == bpf_htons(ETHERTYPE_IP4))) {
		l->ethertype = 0x10000 | ETHERTYPE_IP4;
		if (!plain_ip4(h, rest, l))
			return 0;
		book_plainly(l, frame_bytes);
		return 1;
	}
	if (type == bpf_htons(ETHERTYPE_IP6) && h + 44 <= end) {
		l->ethertype = 0x10000 | ETHERTYPE_IP6;
		if (!plain_ip6(h, rest, l))
			return 0;
		book_plainly(l, frame_bytes);
		return 1;
	}
	return 0;
}

static __always_inline int count_skb(struct __sk_buff *skb, __u32 hook)
{
	const __u32 frame_bytes = skb->len;
	struct look l = { .hook = hook, .packets = 1, .l2_bytes = frame_bytes };

	if (unlikely(skb->vlan_present)) {
		l.vlan = 0x1000 | (skb->vlan_tci & 0xfff);
		l.l2_bytes += 4;
	}
	if (unlikely(skb->gso_size) ||
	    !count_plain((void *)(long)skb->data, (void *)(long)skb->data_end, &l, frame_bytes)) {
		look_at_skb(skb, hook);
		book_slowly(BOOK_ALL);
	}
	return TCX_NEXT;
}

SEC("tc")
int tally_ingress(struct __sk_buff *skb)
{
	return count_skb(skb, TALLY_INGRESS);
}

SEC("tc")
int tally_egress(struct __sk_buff *skb)
{
	return count_skb(skb, TALLY_EGRESS);
}

static __always_inline int count_xdp(struct xdp_md *xdp)
{
	const __u32 frame_bytes = bpf_xdp_get_buff_len(xdp);
	struct look l = { .hook = TALLY_INGRESS, .packets = 1, .l2_bytes = frame_bytes };

	if (!count_plain((void *)(long)xdp->data, (void *)(long)xdp->data_end, &l, frame_bytes)) {
		look_at_xdp(xdp);
		book_slowly(BOOK_ALL);
	}
	return config.drop ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int tally_xdp(struct xdp_md *xdp)
{
	return count_xdp(xdp);
}
