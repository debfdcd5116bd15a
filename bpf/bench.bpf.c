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
	return count_skb(skb, TALLY_INGRESS, 0);
}

SEC("tc")
int tagged_egress(struct __sk_buff *skb)
{
	dress_up(skb);
	return count_skb(skb, TALLY_EGRESS, 0);
}

/* ---- bench/kernel_bench.c: frames of many sources out of one, and what others do with them ---- */

const volatile __u32 bench_keys = 1;   /* sources */
const volatile __u32 bench_targets;    /* destinations vary too */
__u64 bench_weyl, bench_seen;

/* A Weyl sequence: every key equally often, and no cache knows the next. The frame is IPv4. */
static __always_inline int perturb(struct xdp_md *xdp)
{
	__u8 *b = (void *)(long)xdp->data;
	__u64 x;

	if (b + 34 > (__u8 *)(long)xdp->data_end)
		return 0;
	x = bench_weyl += 0x9e3779b97f4a7c15ull;
	*(__u32 *)(b + 26) = bpf_htonl(0x0b000000 + (__u32)((x >> 32) * bench_keys >> 32));
	if (bench_targets)
		*(__u32 *)(b + 30) = bpf_htonl(0x0c000000 + (__u32)((x & 0xffffffff) * bench_keys >> 32));
	return 1;
}

SEC("xdp.frags")
int bench_pass(struct xdp_md *xdp)
{
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_perturb(struct xdp_md *xdp)
{
	perturb(xdp);
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_tally(struct xdp_md *xdp)
{
	perturb(xdp);
	return count_xdp(xdp, 0);
}

SEC("tc")
int bench_tc_pass(struct __sk_buff *skb)
{
	return TCX_NEXT;
}

/* The parser that every baseline has: tags, addresses, ports. */
struct bench_packet {
	__u64 src[2];
	__u16 src_port, dst_port;
	__u32 proto;
};

static __always_inline int bench_look(struct xdp_md *xdp, struct bench_packet *p)
{
	const __u8 *h = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	__u16 type;

	if (h + 14 > end)
		return 0;
	type = *(const __u16 *)(h + 12);
	h += 14;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		if (!is_tag(type))
			break;
		if (h + 4 > end)
			return 0;
		type = *(const __u16 *)(h + 2);
		h += 4;
	}
	if (type == bpf_htons(ETHERTYPE_IP4)) {
		if (h + 20 > end || (h[0] & 0xf) < 5)
			return 0;
		p->src[0] = 0;
		p->src[1] = mapped_ip4(*(const __u32 *)(h + 12));
		p->proto = h[9];
		h += (h[0] & 0xf) * 4;
	} else if (type == bpf_htons(ETHERTYPE_IP6)) {
		if (h + 40 > end)
			return 0;
		p->src[0] = *(const __u64 *)(h + 8);
		p->src[1] = *(const __u64 *)(h + 16);
		p->proto = h[6];
		h += 40;
	} else {
		return 0;
	}
	p->src_port = p->dst_port = 0;
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP)
		return 1;
	if (h + 4 > end)
		return 0;
	p->src_port = *(const __u16 *)h;
	p->dst_port = *(const __u16 *)(h + 2);
	return 1;
}

SEC("xdp.frags")
int bench_parse(struct xdp_md *xdp)
{
	struct bench_packet p;

	if (perturb(xdp) && bench_look(xdp, &p))
		bench_seen += p.src[0] + p.src[1] + p.proto + p.src_port + p.dst_port;
	return XDP_PASS;
}

struct bench_key {
	__u64 src[2], rest;
};

struct bench_value {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, struct bench_key);
	__type(value, struct bench_value);
} bench_percpu SEC(".maps");

SEC("xdp.frags")
int bench_percpu_hash(struct xdp_md *xdp)
{
	struct bench_value first = { 1, xdp->data_end - xdp->data }, *v;
	struct bench_packet p;
	struct bench_key key;

	if (!perturb(xdp) || !bench_look(xdp, &p))
		return XDP_PASS;
	key = (struct bench_key){ { p.src[0], p.src[1] }, p.proto };
	v = bpf_map_lookup_elem(&bench_percpu, &key);
	if (v) {
		v->packets++;
		v->bytes += first.bytes;
	} else {
		bpf_map_update_elem(&bench_percpu, &key, &first, BPF_NOEXIST);
	}
	return XDP_PASS;
}

/* A collector as many are: one hash for all CPUs, its classes' ports in an array, sums in another. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65535);
	__type(key, struct bench_key);
	__type(value, struct bench_value[4]);
} bench_shared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} bench_classes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct bench_value);
} bench_sums SEC(".maps");

SEC("xdp.frags")
int bench_collector(struct xdp_md *xdp)
{
	struct bench_value *v, empty[4] = { 0 };
	__u64 bytes = xdp->data_end - xdp->data;
	__u32 port, class = 0, *found;
	struct bench_packet p;
	struct bench_key key;

	if (!perturb(xdp) || !bench_look(xdp, &p))
		return XDP_PASS;
	port = p.proto << 16 | p.dst_port;
	found = bpf_map_lookup_elem(&bench_classes, &port);
	if (!found) {
		port = p.proto << 16 | p.src_port;
		found = bpf_map_lookup_elem(&bench_classes, &port);
	}
	if (found)
		class = *found & 3;
	key = (struct bench_key){ { p.src[0], p.src[1] }, 0 };
	v = bpf_map_lookup_elem(&bench_shared, &key);
	if (!v) {
		bpf_map_update_elem(&bench_shared, &key, &empty, BPF_ANY);
		v = bpf_map_lookup_elem(&bench_shared, &key);
	}
	if (v) {
		v[class].packets++;
		v[class].bytes += bytes;
	}
	v = bpf_map_lookup_elem(&bench_sums, &class);
	if (v) {
		v->packets++;
		v->bytes += bytes;
	}
	return XDP_PASS;
}
