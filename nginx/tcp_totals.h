/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_totals.h -- what the kernel says of a TCP connection: totals since it began. Apart, because <linux/tcp.h> has all
 * fields but cannot stand beside <netinet/tcp.h>, which nginx includes. */
#ifndef NETTALLY_NGINX_TCP_TOTALS_H
#define NETTALLY_NGINX_TCP_TOTALS_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_totals {
	uint64_t bytes;        /* payload that was sent, each once */
	uint64_t unsent;       /* payload that TCP has, and did not send yet */
	uint64_t packets;      /* segments with payload, those sent again included */
	uint64_t retransmits;
	uint64_t rtt_us;       /* smoothed */
	uint32_t mss;
	bool alive;            /* what is unsent will be sent */
};

/* 0, or -1: no TCP socket. */
int tcp_totals_read(int fd, struct tcp_totals *ret);

#endif
