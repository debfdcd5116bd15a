/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.c -- sends the Ethernet frames of capture files, as captured, and writes what it sent to another.
 *
 * A frame is sent with the bytes that were captured; the capture that is written has those bytes and that
 * length, so that whoever counts it counts what went over the wire. Left out, and said how many: what is no
 * Ethernet, what a packet socket cannot send (less than a header, more than the MTU), and frames whose VLAN tag
 * is cut short: the kernel throws those away before anybody but XDP sees them (skb_vlan_untag()). */
#include "capture/netlink.h"
#include "capture/pcapfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES_MAX 100000

struct replay {
	int fd;
	FILE *wrote;
	uint32_t mtu;
	unsigned long long sent, bytes, not_ethernet, too_short, too_long, short_tag;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "replay: %s: %s\n", what, why);
	exit(1);
}

/* draft-ietf-opsawg-pcap: this machine's byte order, microseconds. */
static void write_head(FILE *to)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, sigfigs, snap_len, linktype;
	} head = { 0xa1b2c3d4, 2, 4, 0, 0, PCAPFILE_CAP_LEN_MAX, LINKTYPE_ETHERNET };

	fwrite(&head, sizeof head, 1, to);
}

static void write_frame(FILE *to, const struct frame *f)
{
	const uint32_t head[4] = { (uint32_t)(f->seen_utc_ns / 1000000000), 0, f->cap_len, f->cap_len };

	fwrite(head, sizeof head, 1, to);
	fwrite(f->bytes, 1, f->cap_len, to);
}

static bool is_tag(uint16_t type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

static bool can_be_sent(struct replay *r, const struct frame *f)
{
	unsigned long long *why = NULL;
	uint16_t type = f->cap_len >= ETH_HLEN ? (uint16_t)(f->bytes[12] << 8 | f->bytes[13]) : 0;

	if (f->linktype != LINKTYPE_ETHERNET)
		why = &r->not_ethernet;
	else if (f->cap_len < ETH_HLEN)
		why = &r->too_short;
	else if (f->cap_len > r->mtu + ETH_HLEN)
		why = &r->too_long;
	else if (is_tag(type) && f->cap_len < ETH_HLEN + 6)
		why = &r->short_tag;
	if (why)
		++*why;
	return !why;
}

static void send_frame(struct replay *r, const struct frame *f)
{
	for (int tries = 0; send(r->fd, f->bytes, f->cap_len, 0) < 0; tries++) {
		if ((errno != ENOBUFS && errno != EAGAIN && errno != EINTR) || tries == TRIES_MAX) {
			fprintf(stderr, "replay: a frame of %u bytes: %s\n", f->cap_len, strerror(errno));
			exit(1);
		}
		usleep(50);
	}
	r->sent++;
	r->bytes += f->cap_len;
	write_frame(r->wrote, f);
}

/* What is damaged is sent up to the damage. */
static void replay_file(struct replay *r, const char *path, struct strings *strings)
{
	struct frame frames[FRAME_BATCH];
	struct pcapfile *file;
	struct err e;
	int got;

	if (pcapfile_open(&file, path, strings, &e) < 0)
		return;
	while ((got = pcapfile_next(file, frames, 0, &e)) > 0)
		for (int i = 0; i < got; i++)
			if (can_be_sent(r, &frames[i]))
				send_frame(r, &frames[i]);
	pcapfile_close(&file);
}

static void open_wire(struct replay *r, const char *interface)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	struct interface_info info;
	struct netlink *n;
	struct err e;

	if (netlink_open(&n, &e) < 0 || netlink_interface(n, interface, 0, &info, &e) < 0)
		die(interface, e.msg);
	netlink_close(&n);
	r->mtu = info.mtu;
	to.sll_ifindex = (int)info.ifindex;
	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (r->fd < 0 || bind(r->fd, (struct sockaddr *)&to, sizeof to) < 0)
		die(interface, strerror(errno));
}

int main(int argc, char **argv)
{
	struct replay r = { .fd = -1 };
	struct strings *strings;

	if (argc < 4)
		die("usage", "replay INTERFACE WROTE.pcap FILE...");
	open_wire(&r, argv[1]);
	r.wrote = fopen(argv[2], "wb");
	if (!r.wrote)
		die(argv[2], strerror(errno));
	if (strings_new(&strings) < 0)
		die("names", "no memory");
	write_head(r.wrote);
	for (int i = 3; i < argc; i++)
		replay_file(&r, argv[i], strings);
	if (fclose(r.wrote) != 0)
		die(argv[2], strerror(errno));
	printf("{\"sent\": %llu, \"bytes\": %llu, \"not_ethernet\": %llu, \"too_short\": %llu, \"too_long\": %llu, "
	       "\"short_tag\": %llu}\n", r.sent, r.bytes, r.not_ethernet, r.too_short, r.too_long, r.short_tag);
	strings_free(&strings);
	close(r.fd);
	return 0;
}
