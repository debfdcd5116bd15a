/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench.bpf.c -- the programs of tally.bpf.c, in settings that tests and benches need; never installed. */
#include "tally.bpf.c"

/* ---- what a test run cannot be given: a tag in metadata, skb->mark = proto << 16 | tci, and a frame that ends in
 * its IP header, skb->priority = its bytes; 0 = neither ---- */

static __always_inline void dress_up(struct __sk_buff *skb)
{
	if (skb->priority)
		bpf_skb_change_tail(skb, skb->priority, 0);
	if (skb->mark)
		bpf_skb_vlan_push(skb, bpf_htons(skb->mark >> 16), skb->mark & 0xffff);
}

SEC("tc")
int tagged_ingress(struct __sk_buff *skb)
{
	dress_up(skb);
	return count_skb(skb, TALLY_INGRESS);
}

SEC("tc")
int tagged_egress(struct __sk_buff *skb)
{
	dress_up(skb);
	return count_skb(skb, TALLY_EGRESS);
}
