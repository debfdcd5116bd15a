/* SPDX-License-Identifier: GPL-2.0-or-later */
/* afpacket.c -- the kernel (net/packet/af_packet.c) fills block after block; we walk each and
 * give it back.
 *
 * Layout of a frame in a block, offsets from its struct tpacket3_hdr: the header, a struct
 * sockaddr_ll, and at tp_mac the bytes; the struct virtio_net_hdr stands directly before tp_mac
 * (tpacket_rcv()). */
#include "capture/afpacket.h"

#include "base/clock.h"
#include "model/key.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING_BYTES_DEFAULT (32u << 20)
#define SNAP_LEN_DEFAULT 1024u
/* A block is handed over when it is full, or RETIRE_MS after its first frame. Each wakes the
 * reader, which costs more than some hundred frames: so blocks are large. But a reader that
 * stalls at a low rate has only blocks * RETIRE_MS before the ring is full of nearly empty ones:
 * so there are at least 16 (32 by default: 640 ms). */
#define BLOCK_BYTES_MIN (64u << 10)
#define BLOCK_BYTES_MAX (1u << 20)
#define BLOCKS_MIN 16u
#define BLOCKS_WANTED 32u
#define RETIRE_MS 20u
#define FRAME_BYTES 2048u /* TPACKET_V3 packs frames; this only has to divide the block */
#define LINKTYPE_UNKNOWN 0xffff

struct afpacket {
	int fd;
	uint8_t *map;
	size_t map_bytes;
	uint32_t block_bytes, block_count;
	uint32_t block;                          /* the one that is read, or comes next */
	struct tpacket_block_desc *open;         /* NULL: waiting for it */
	const struct tpacket3_hdr *frame;        /* next frame in it */
	uint32_t frames_left;
	uint32_t interface_id;
	uint16_t linktype;
	char interface[32];
};

static struct tpacket_block_desc *block_at(const struct afpacket *a, uint32_t block)
{
	return (struct tpacket_block_desc *)(void *)(a->map + (size_t)block * a->block_bytes);
}

static int set_option(const struct afpacket *a, int option, int value)
{
	return setsockopt(a->fd, SOL_PACKET, option, &value, sizeof value) < 0 ? -errno : 0;
}

/* A frame has to fit into a block with its headers. */
static uint32_t snap_len_for(const struct afpacket *a, uint32_t wanted)
{
	uint32_t most = a->block_bytes / 2;

	if (wanted == 0)
		return SNAP_LEN_DEFAULT;
	return wanted < most ? wanted : most;
}

/* Takes the first snap_len bytes of each frame; 0 takes no frame at all. */
static int attach_snap_len(const struct afpacket *a, uint32_t snap_len)
{
	struct sock_filter take[] = { BPF_STMT(BPF_RET | BPF_K, snap_len) };
	struct sock_fprog program = { .len = 1, .filter = take };

	return setsockopt(a->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

int afpacket_usable(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	close(fd);
	return 0;
}

static int open_socket(struct afpacket *a, const struct afpacket_config *cf, struct err *e)
{
	/* Protocol 0: nothing comes in before bind(). */
	a->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (a->fd >= 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return err_set(e, -EPERM, "%s: needs CAP_NET_RAW to capture: run as root, or give the program that "
			       "capability", cf->interface);
	if (errno == EAFNOSUPPORT)
		return err_set(e, -EAFNOSUPPORT, "%s: this kernel has no packet sockets (CONFIG_PACKET)",
			       cf->interface);
	return err_errno(e, -errno, "%s: cannot open a packet socket", cf->interface);
}

static int set_options(struct afpacket *a, const struct afpacket_config *cf, struct err *e)
{
	int code = set_option(a, PACKET_VERSION, TPACKET_V3);

	if (code == 0)
		code = set_option(a, PACKET_VNET_HDR, 1); /* refused once there is a ring */
	if (code == 0 && cf->loopback)
		code = set_option(a, PACKET_IGNORE_OUTGOING, 1);
	if (code == 0)
		code = attach_snap_len(a, 0); /* nothing, until all is in place */
	return code < 0 ? err_errno(e, code, "%s: cannot set up the packet socket", cf->interface) : 0;
}

/* A power of two, so that the kernel finds whole pages for it. */
static uint32_t block_bytes_for(uint32_t ring_bytes)
{
	uint32_t bytes = BLOCK_BYTES_MIN;

	while (bytes < BLOCK_BYTES_MAX && bytes * 2 <= ring_bytes / BLOCKS_WANTED)
		bytes *= 2;
	return bytes;
}

static int map_ring(struct afpacket *a, const struct afpacket_config *cf, struct err *e)
{
	uint32_t ring_bytes = cf->ring_bytes ? cf->ring_bytes : RING_BYTES_DEFAULT;
	uint32_t bytes = block_bytes_for(ring_bytes);
	uint32_t blocks = ring_bytes / bytes + (ring_bytes % bytes != 0);
	struct tpacket_req3 request = { .tp_block_size = bytes, .tp_frame_size = FRAME_BYTES };
	void *map;

	if (blocks < BLOCKS_MIN)
		blocks = BLOCKS_MIN;
	request.tp_block_nr = blocks;
	request.tp_frame_nr = bytes / FRAME_BYTES * blocks;
	request.tp_retire_blk_tov = RETIRE_MS;
	if (setsockopt(a->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
		return err_errno(e, -errno, "%s: cannot make a ring of %u MiB", cf->interface,
				 (unsigned)((uint64_t)blocks * bytes >> 20));
	a->block_bytes = bytes;
	a->map_bytes = (size_t)blocks * bytes;
	map = mmap(NULL, a->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, a->fd, 0);
	if (map == MAP_FAILED)
		return err_errno(e, -errno, "%s: cannot map the ring", cf->interface);
	a->map = map;
	a->block_count = blocks;
	return 0;
}

/* As libpcap's map_arphrd_to_dlt() (pcap-linux.c), as far as a packet socket shows those devices
 * without a made-up header: what has no link header begins with IP. ppp_generic gives no PPP
 * header either. */
uint16_t afpacket_linktype_of(uint16_t arphrd)
{
	switch (arphrd) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return LINKTYPE_ETHERNET;
	case ARPHRD_NONE:    /* tun, WireGuard */
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:  /* ipip, vti */
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
	case ARPHRD_PPP:
		return LINKTYPE_RAW;
	default:
		return LINKTYPE_UNKNOWN;
	}
}

static int bind_to(struct afpacket *a, const struct afpacket_config *cf, struct err *e)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)cf->ifindex,
	};
	socklen_t len = sizeof address;

	if (bind(a->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    getsockname(a->fd, (struct sockaddr *)&address, &len) < 0)
		return err_errno(e, errno == ENXIO ? -ENODEV : -errno, "%s: cannot capture", cf->interface);
	a->linktype = afpacket_linktype_of(address.sll_hatype);
	return 0;
}

static int join_promiscuous(const struct afpacket *a, const struct afpacket_config *cf, struct err *e)
{
	struct packet_mreq request = { .mr_ifindex = (int)cf->ifindex, .mr_type = PACKET_MR_PROMISC };

	if (!cf->promiscuous)
		return 0;
	if (setsockopt(a->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) < 0)
		return err_errno(e, -errno, "%s: cannot set promiscuous mode", cf->interface);
	return 0;
}

static int join_fanout(const struct afpacket *a, const struct afpacket_config *cf, struct err *e)
{
	int code;

	if (!cf->fanout_group)
		return 0;
	code = set_option(a, PACKET_FANOUT, cf->fanout_group | PACKET_FANOUT_HASH << 16);
	if (code == -EINVAL)
		return err_set(e, -ENETDOWN, "%s: is down, so its rings cannot share the frames: "
			       "`ip link set %s up`, or use one ring", cf->interface, cf->interface);
	return code < 0 ? err_errno(e, code, "%s: cannot join fanout group %u", cf->interface, cf->fanout_group) : 0;
}

int afpacket_open(struct afpacket **ret, const struct afpacket_config *cf, struct err *e)
{
	struct afpacket *a = calloc(1, sizeof *a);
	int code;

	if (!a)
		return err_set(e, -ENOMEM, "no memory for a packet socket");
	a->interface_id = cf->interface_id;
	strncpy(a->interface, cf->interface, sizeof a->interface - 1);
	code = open_socket(a, cf, e);
	if (code == 0)
		code = set_options(a, cf, e);
	if (code == 0)
		code = map_ring(a, cf, e);
	if (code == 0)
		code = bind_to(a, cf, e);
	if (code == 0)
		code = join_promiscuous(a, cf, e);
	if (code == 0)
		code = join_fanout(a, cf, e);
	if (code == 0) {
		/* From here on frames come: not before the fanout, where each ring would get all
		 * of them. */
		code = attach_snap_len(a, snap_len_for(a, cf->snap_len));
		if (code < 0)
			err_errno(e, code, "%s: cannot start to capture", cf->interface);
	}
	if (code < 0)
		afpacket_close(&a);
	else
		*ret = a;
	return code;
}

static void read_frame(const struct afpacket *a, const struct tpacket3_hdr *h, struct frame *f)
{
	const uint8_t *start = (const uint8_t *)h;
	const struct sockaddr_ll *from =
		(const struct sockaddr_ll *)(const void *)(start + TPACKET_ALIGN(sizeof *h));
	struct virtio_net_hdr vnet;

	memcpy(&vnet, start + h->tp_mac - sizeof vnet, sizeof vnet);
	*f = (struct frame){
		.bytes = start + h->tp_mac,
		.cap_len = h->tp_snaplen,
		.wire_len = h->tp_len,
		.seen_utc_ns = (int64_t)h->tp_sec * NS_PER_S + h->tp_nsec,
		.interface = a->interface_id,
		.linktype = a->linktype,
		.gso_size = vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : vnet.gso_size,
		.direction = from->sll_pkttype == PACKET_OUTGOING ? DIRECTION_EGRESS : DIRECTION_INGRESS,
	};
	if (h->tp_status & TP_STATUS_VLAN_VALID) {
		f->vlan_tci = (uint16_t)h->hv1.tp_vlan_tci;
		f->vlan_tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
	}
}

/* Opens the next block if the kernel has handed it over. */
static bool open_block(struct afpacket *a)
{
	struct tpacket_block_desc *b = block_at(a, a->block);

	if (!(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
		return false;
	a->open = b;
	a->frames_left = b->hdr.bh1.num_pkts;
	a->frame = (const struct tpacket3_hdr *)(const void *)((const uint8_t *)b + b->hdr.bh1.offset_to_first_pkt);
	return true;
}

static void release_block(struct afpacket *a)
{
	__atomic_store_n(&a->open->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	a->open = NULL;
	a->block = a->block + 1 == a->block_count ? 0 : a->block + 1;
}

/* Gives back the block that the last batch emptied, and reads on; 0 = nothing there. */
static int read_ring(struct afpacket *a, struct frame *frames)
{
	int n = 0;

	if (a->open && a->frames_left == 0)
		release_block(a);
	if (!a->open && !open_block(a))
		return 0;
	while (n < FRAME_BATCH && a->frames_left > 0) {
		const struct tpacket3_hdr *h = a->frame;
		const uint8_t *next = (const uint8_t *)h + h->tp_next_offset;

		__builtin_prefetch(next);
		__builtin_prefetch(next + 64);
		read_frame(a, h, &frames[n++]);
		a->frame = (const struct tpacket3_hdr *)(const void *)next;
		a->frames_left--;
	}
	return n;
}

/* When its interface is unregistered the kernel unbinds the socket: index -1 from then on
 * (packet_notifier()). That comes a moment after the ENETDOWN of its going down, and without an
 * error of its own. */
static bool is_removed(const struct afpacket *a)
{
	struct sockaddr_ll address = { 0 };
	socklen_t len = sizeof address;

	return getsockname(a->fd, (struct sockaddr *)&address, &len) == 0 && address.sll_ifindex == -1;
}

/* Nothing came: is there a reason? One getsockname() each time is cheap, and needs no state:
 * frames may still come out of the last block after the error was read. */
static int why_nothing(struct afpacket *a, bool error_waits, struct err *e)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (error_waits && getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (is_removed(a))
		return err_set(e, -ENODEV, "%s: the interface is gone", a->interface);
	if (error == ENETDOWN)
		return err_set(e, -ENETDOWN, "%s: the interface is down", a->interface);
	return error ? err_errno(e, -error, "%s: cannot capture", a->interface) : 0;
}

int afpacket_next(struct afpacket *a, struct frame frames[static FRAME_BATCH], int timeout_ms, struct err *e)
{
	struct pollfd p = { .fd = a->fd, .events = POLLIN };
	int n = read_ring(a, frames);

	if (n == 0) {
		if (poll(&p, 1, timeout_ms) < 0)
			return errno == EINTR ? 0 : err_errno(e, -errno, "%s: poll", a->interface);
		n = read_ring(a, frames);
	}
	return n > 0 ? n : why_nothing(a, p.revents & POLLERR, e);
}

int afpacket_stats(struct afpacket *a, struct afpacket_stats *ret, struct err *e)
{
	struct tpacket_stats_v3 s = { 0 };
	socklen_t len = sizeof s;

	if (getsockopt(a->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) < 0)
		return err_errno(e, -errno, "%s: cannot read the ring's statistics", a->interface);
	/* tp_packets has the dropped ones in it (packet_getsockopt()). */
	*ret = (struct afpacket_stats){ .seen = s.tp_packets, .dropped = s.tp_drops };
	return 0;
}

uint16_t afpacket_linktype(const struct afpacket *a)
{
	return a->linktype;
}

void afpacket_close(struct afpacket **a)
{
	if (!*a)
		return;
	if ((*a)->map)
		munmap((*a)->map, (*a)->map_bytes);
	if ((*a)->fd >= 0)
		close((*a)->fd);
	free(*a);
	*a = NULL;
}
