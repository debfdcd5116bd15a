/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.h -- deliveries as the kernel's own TCP tells them: for every connection that was accepted here, what its client
 * got and how well it arrived, whatever program serves.
 *
 * A program at the tracepoint inet_sock_set_state tells of each connection as it closes (sockets_read()); those that live
 * are looked at with sock_diag(7) (sockets_look()), and what they moved since the look before is told. All that is told of
 * a connection sums to what TCP_INFO said of it in the end:
 *   bytes        payload that was sent, each byte once (bytes_sent - bytes_retrans): what the client got, and where a
 *                connection was aborted, what was in flight
 *   packets      segments with payload that were sent, those sent again included (data_segs_out)
 *   retransmits  segments sent again (total_retrans)
 *   requests     connections that were closed
 * A connection is a delivery where it was accepted (it went from SYN_RECV to ESTABLISHED) or its port here is a service's.
 * Of one that was there before, the kernel does not say so: its port must be a service's, or be listened on; and what it
 * moved before sockets_open() is not told. So what a restart loses is what connections moved between the last look of the
 * one and the first of the other process, and the connections that began and ended between.
 *
 * One network namespace, the caller's. Needs CAP_BPF and CAP_PERFMON, and a kernel with BTF. Thread: one at a time. Limits:
 * connections_max; beyond them connections are told when they close, and counted here. */
#ifndef NETTALLY_SOCKETS_SOCKETS_H
#define NETTALLY_SOCKETS_SOCKETS_H

#include "base/addr.h"
#include "base/err.h"
#include "model/service.h"

#define SOCKETS_CONNECTIONS_DEFAULT (1u << 17) /* 14 MB in the kernel */
#define SOCKETS_RING_DEFAULT (4u << 20)        /* 40,000 connections that close */

struct sockets;

struct sockets_config {
	uint32_t connections_max;        /* 0 = default */
	uint32_t ring_bytes;             /* a power of two; 0 = default */
	const struct services *services; /* as sockets_set_services() */
};

/* To be added to what was told before. Packets or requests are at least 1. */
struct socket_delivery {
	struct addr client, server;
	uint16_t port;                   /* the server's */
	uint16_t client_port;
	uint64_t requests, packets, bytes, retransmits;
	uint32_t srtt_us;                /* smoothed RTT at the end, or now; 0 = none */
	int64_t monotonic_ns;            /* when it was closed, or looked at */
};

/* All only grow, but `living`. */
struct sockets_stats {
	uint64_t closed;                 /* connections told as closed */
	uint64_t living;                 /* that the last look found, deliveries or not */
	uint64_t lost;                   /* connections, outgoing ones too, that closed without being told: what they moved since
					  * the last look is lost */
	uint64_t unknown;                /* deliveries that closed before the first look, or that we had no room to remember:
					  * not told, because nobody knows what they had moved before we began */
	uint64_t crowded;                /* times that a living connection found no room in our table */
	uint64_t accepted_lost;          /* accepted connections that found no room in the kernel's table */
	uint64_t missed;                 /* changes of state that the program missed (one interrupted another): at most so many
					  * connections are lost besides, or known as accepted by their port alone */
	uint64_t looks, looks_failed;
};

typedef void sockets_tell(void *arg, const struct socket_delivery *d);

/* Connections are followed from now on. */
int sockets_open(struct sockets **ret, const struct sockets_config *cf, struct err *e);
/* Whose ports are deliveries; copied. NULL = none. */
void sockets_set_services(struct sockets *s, const struct services *services);
/* Readable: connections were closed. */
int sockets_fd(const struct sockets *s);
/* Tells of those that closed. 0 or negative errno. */
int sockets_read(struct sockets *s, sockets_tell *tell, void *arg);
/* The same, then of those that live. Where it fails, what could not be told is in the next look. */
int sockets_look(struct sockets *s, sockets_tell *tell, void *arg, struct err *e);
void sockets_stats(const struct sockets *s, struct sockets_stats *ret);
void sockets_close(struct sockets **s);

#endif
