/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.bpf.c -- the kernel's own account of TCP connections: which were accepted, and the counters of each as it
 * closes. Attached to the raw tracepoint inet_sock_set_state, which tells of the sockets of all network namespaces.
 *
 * The program may be interrupted by itself (a socket is closed in a system call, another one by a packet): sums are
 * added to by atomic operations. Structs have the members that are read; CO-RE finds where this kernel has them. */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "sockets_shared.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6

/* include/net/tcp_states.h */
enum { TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECV, TCP_CLOSE = 7, TCP_LISTEN = 10 };

#define KERNEL __attribute__((preserve_access_index))

struct ns_common {
	unsigned int inum;
} KERNEL;

struct net {
	struct ns_common ns;
} KERNEL;

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
} KERNEL;

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	unsigned short skc_family;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	struct {
		__s64 counter;
	} skc_cookie;
} KERNEL;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
} KERNEL;

struct inet_sock {
	__be16 inet_sport;
} KERNEL;

struct tcp_sock {
	__u64 bytes_acked, bytes_sent, bytes_retrans;
	__u32 data_segs_out, total_retrans, srtt_us;
} KERNEL;

const volatile __u32 netns; /* inode number of the network namespace that is looked at */

struct sockets_sums sums SEC(".data.sums");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1); /* user space says how large */
} closed SEC(".maps");

/* Those that live and were accepted since this program was attached. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sockets_ends);
	__type(value, __u32);
} accepted SEC(".maps");

static __always_inline void ip4_of(__u8 *to, __be32 addr)
{
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &addr, sizeof addr);
}

/* skc_num is 0 once a socket is closed, its own port is still there. */
static __always_inline int ends_of(struct sock *sk, struct sockets_ends *ret)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_INET) {
		ip4_of(ret->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		ip4_of(ret->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&ret->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&ret->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	} else {
		return 0;
	}
	ret->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	ret->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	return 1;
}

static __always_inline void note_accepted(const struct sockets_ends *ends)
{
	const __u32 yes = 1;

	if (bpf_map_update_elem(&accepted, ends, &yes, BPF_ANY) < 0)
		__sync_fetch_and_add(&sums.accepted_lost, 1);
}

/* The cookie comes last: user space may ask for it this moment, and then knows the connection by it. */
static __always_inline void tell_closed(struct sock *sk, const struct sockets_ends *ends, __u32 was_accepted)
{
	struct sockets_closed *c = bpf_ringbuf_reserve(&closed, sizeof *c, 0);
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	if (!c) {
		__sync_fetch_and_add(&sums.closed_lost, 1);
		return;
	}
	c->ends = *ends;
	c->counters.bytes_acked = BPF_CORE_READ(tp, bytes_acked);
	c->counters.bytes_sent = BPF_CORE_READ(tp, bytes_sent);
	c->counters.bytes_retrans = BPF_CORE_READ(tp, bytes_retrans);
	c->counters.data_segments = BPF_CORE_READ(tp, data_segs_out);
	c->counters.retransmits = BPF_CORE_READ(tp, total_retrans);
	c->monotonic_ns = bpf_ktime_get_ns();
	c->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3; /* kept times 8 */
	c->accepted = was_accepted;
	c->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	bpf_ringbuf_submit(c, 0);
}

SEC("raw_tp/inet_sock_set_state")
int sockets_state(struct bpf_raw_tracepoint_args *args)
{
	struct sock *sk = (void *)args->args[0];
	const int from = args->args[1], to = args->args[2];
	struct sockets_ends ends = { 0 };
	int opened = from == TCP_SYN_RECV && to == TCP_ESTABLISHED;

	/* what was never established has nothing to tell; the same ends may be another socket's */
	if (!opened && (to != TCP_CLOSE || from == TCP_CLOSE || from == TCP_LISTEN || from == TCP_SYN_SENT ||
			from == TCP_SYN_RECV))
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) != netns)
		return 0;
	if (!ends_of(sk, &ends))
		return 0;
	if (opened) {
		note_accepted(&ends);
		return 0;
	}
	tell_closed(sk, &ends, bpf_map_delete_elem(&accepted, &ends) == 0);
	return 0;
}

char licence[] SEC("license") = "GPL";
