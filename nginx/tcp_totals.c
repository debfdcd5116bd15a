/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcp_totals.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

enum { STATE_CLOSE = 7 }; /* include/net/tcp_states.h: TCP_CLOSE, also after a reset */

int tcp_totals_read(int fd, struct tcp_totals *ret)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	memset(&info, 0, sizeof info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -1;
	ret->alive = info.tcpi_state != STATE_CLOSE;
	/* bytes_sent came with Linux 4.19; before, what is acknowledged is known exactly, and what is on its way in segments */
	if (len > offsetof(struct tcp_info, tcpi_bytes_retrans))
		ret->bytes = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
	else
		ret->bytes = info.tcpi_bytes_acked + (uint64_t)info.tcpi_unacked * info.tcpi_snd_mss;
	ret->unsent = info.tcpi_notsent_bytes;
	ret->packets = info.tcpi_data_segs_out;
	ret->retransmits = info.tcpi_total_retrans;
	ret->rtt_us = info.tcpi_rtt;
	ret->mss = info.tcpi_snd_mss;
	return 0;
}
