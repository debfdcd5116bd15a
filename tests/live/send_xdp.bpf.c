/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send_xdp.bpf.c -- writes a frame over whatever the kernel hands it and redirects it to an interface.
 *
 * Run by send_xdp with BPF_F_TEST_XDP_LIVE_FRAMES. Frame k of a thread is from host k * step mod hosts, and
 * `size + host % sizes` bytes long: who knows how often this ran knows what every host sent. */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_IP4 0x0800
#define ETH_IP6 0x86dd
#define UDP 17
#define L2_BYTES 14
#define HEADERS_MAX 62 /* Ethernet, IPv6, UDP */

struct udp {
	__be16 source, dest, len, check;
} __attribute__((packed));

struct frame4 {
	__u8 dst[6], src[6];
	__be16 type;
	__u8 version, tos;
	__be16 total, id, offset;
	__u8 ttl, proto;
	__be16 check;
	__u8 saddr[4], daddr[4];
	struct udp udp;
} __attribute__((packed));

struct frame6 {
	__u8 dst[6], src[6];
	__be16 type;
	__be32 version;
	__be16 payload;
	__u8 proto, ttl;
	__be32 saddr[4], daddr[4];
	struct udp udp;
} __attribute__((packed));

/* Set before it is loaded. */
const volatile __u32 ifindex = 1, hosts = 1, step = 1, size = 64, sizes = 1;
const volatile __u32 families = 4; /* 4, 6, or 46: even hosts IPv4, odd ones IPv6 */

/* A program per thread: nobody else writes these. */
__u64 sent;
__u32 next_host;

static void put_macs(__u8 *dst, __u8 *src, __u32 host)
{
	static const __u8 to[6] = { 2, 0, 0, 0, 0, 2 };

	__builtin_memcpy(dst, to, 6);
	src[0] = 2;
	src[1] = 1;
	src[2] = (__u8)(host >> 24);
	src[3] = (__u8)(host >> 16);
	src[4] = (__u8)(host >> 8);
	src[5] = (__u8)host;
}

static void put_udp(struct udp *u, __u32 bytes)
{
	u->source = bpf_htons(1024);
	u->dest = bpf_htons(9);
	u->len = bpf_htons((__u16)bytes);
	u->check = 0;
}

/* 10.x.x.x to 192.0.2.2 */
static void put_frame4(struct frame4 *f, __u32 host, __u32 bytes)
{
	static const __u8 to[4] = { 192, 0, 2, 2 };
	__u32 sum;

	put_macs(f->dst, f->src, host);
	f->type = bpf_htons(ETH_IP4);
	f->version = 0x45;
	f->tos = 0;
	f->total = bpf_htons((__u16)(bytes - L2_BYTES));
	f->id = 0;
	f->offset = bpf_htons(0x4000);
	f->ttl = 64;
	f->proto = UDP;
	f->saddr[0] = 10;
	f->saddr[1] = (__u8)(host >> 16);
	f->saddr[2] = (__u8)(host >> 8);
	f->saddr[3] = (__u8)host;
	__builtin_memcpy(f->daddr, to, 4);
	sum = 0x4500 + (bytes - L2_BYTES) + 0x4000 + (64 << 8 | UDP) + (10 << 8 | (host >> 16 & 0xff)) + (host & 0xffff) +
	      (192 << 8) + (2 << 8 | 2);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	f->check = bpf_htons((__u16)~sum);
	put_udp(&f->udp, bytes - L2_BYTES - 20);
}

/* 2001:db8::x:x to 2001:db8:1::2 */
static void put_frame6(struct frame6 *f, __u32 host, __u32 bytes)
{
	const __be32 network = bpf_htonl(0x20010db8);

	put_macs(f->dst, f->src, host);
	f->type = bpf_htons(ETH_IP6);
	f->version = bpf_htonl(0x60000000);
	f->payload = bpf_htons((__u16)(bytes - L2_BYTES - 40));
	f->proto = UDP;
	f->ttl = 64;
	f->saddr[0] = f->daddr[0] = network;
	f->saddr[1] = f->saddr[2] = f->daddr[2] = 0;
	f->saddr[3] = bpf_htonl(host);
	f->daddr[1] = bpf_htonl(0x10000);
	f->daddr[3] = bpf_htonl(2);
	put_udp(&f->udp, bytes - L2_BYTES - 40);
}

SEC("xdp")
int send_frame(struct xdp_md *ctx)
{
	__u32 host = next_host, bytes = size + host % sizes;
	int less = (int)(bytes - (ctx->data_end - ctx->data));
	void *data, *end;

	if (less && bpf_xdp_adjust_tail(ctx, less))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + HEADERS_MAX > end)
		return XDP_ABORTED;
	if (families == 4 || (families == 46 && host % 2 == 0))
		put_frame4(data, host, bytes);
	else
		put_frame6(data, host, bytes);
	sent++;
	host += step;
	next_host = host >= hosts ? host - hosts : host;
	return (int)bpf_redirect(ifindex, 0);
}

char send_xdp_license[] SEC("license") = "GPL";
