/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets_shared.h -- what sockets.bpf.c and src/sockets/ agree on. Ports are in host byte order, addresses as in a packet,
 * IPv4 v4-mapped. */
#ifndef NETTALLY_SOCKETS_SHARED_H
#define NETTALLY_SOCKETS_SHARED_H

#include <linux/types.h>

/* A connection, while it lives: one at a time in a network namespace. */
struct sockets_ends {
	__u8 local[16], remote[16];
	__u16 local_port, remote_port;
	__u32 zero;
};

/* Counters of struct tcp_sock, as TCP_INFO has them. */
struct sockets_counters {
	__u64 bytes_acked;    /* the FIN among them */
	__u64 bytes_sent;     /* payload, each time it was sent */
	__u64 bytes_retrans;  /* payload that was sent again */
	__u32 data_segments;  /* that carried payload, each time */
	__u32 retransmits;    /* segments */
};

/* A connection was closed; an entry of the ring buffer. */
struct sockets_closed {
	struct sockets_ends ends;
	struct sockets_counters counters;
	__u64 cookie;         /* 0: nobody ever asked for it */
	__u64 monotonic_ns;
	__u32 srtt_us;        /* 0 = none */
	__u32 accepted;       /* it was seen to be accepted here */
};

struct sockets_sums {
	__u64 closed_lost;    /* connections whose end found no room in the ring buffer */
	__u64 accepted_lost;  /* that found no room in the table of accepted ones */
};

_Static_assert(sizeof(struct sockets_ends) == 40, "a key without holes");
_Static_assert(sizeof(struct sockets_closed) == 96, "an entry without holes");

#endif
