/* SPDX-License-Identifier: GPL-2.0-or-later */
/* send_frames.c -- sends frames of known number and size, and says as JSON exactly what the
 * kernel took, per pair of ends. SIGTERM ends it early.
 *
 * Frame k goes from source k mod S to destination (k / S) mod D. A frame that the kernel refuses
 * (ENOBUFS) is sent again, so that the counts are of frames that went through the device once. */
#include "base/addr.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ENDS_MAX 65536
#define TAGS_MAX 4
#define BATCH 64
#define FRAME_BYTES_MAX 65549 /* an IP datagram of 65535 behind Ethernet */
#define REFUSED_MAX 1000000

struct end {
	uint8_t mac[6];
	struct addr addr;
};

struct ends {
	struct end *at;
	size_t count;
};

struct tag {
	uint16_t tpid, tci;
};

struct options {
	const char *interface;
	uint64_t count, rate;
	uint32_t size, gso_size, spread;
	bool bypass;
	struct ends src, dst;
	struct tag tags[TAGS_MAX];
	size_t tag_count;
};

struct flow {
	uint8_t *bytes; /* a struct virtio_net_hdr first, where frames are sent with one */
	uint64_t frames;
};

struct sender {
	const struct options *o;
	int fd;
	struct flow *flows;
	size_t flow_count;
	size_t vnet_bytes, send_bytes;
	uint32_t payload;   /* of a super-packet */
	uint64_t sent, refused;
};

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int signo)
{
	(void)signo;
	asked_to_stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "send_frames: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(1);
}

static void put16(uint8_t **at, uint16_t v)
{
	*(*at)++ = (uint8_t)(v >> 8);
	*(*at)++ = (uint8_t)v;
}

static void put(uint8_t **at, const void *from, size_t len)
{
	memcpy(*at, from, len);
	*at += len;
}

/* RFC 1071, not yet complemented. */
static uint32_t sum16(uint32_t sum, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	if (len % 2)
		sum += (uint32_t)b[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static const uint8_t *addr_bytes(const struct addr *a, size_t *ret_len)
{
	*ret_len = a->family == ADDR_IP4 ? 4 : 16;
	return a->family == ADDR_IP4 ? a->bytes + 12 : a->bytes;
}

static uint32_t pseudo_sum(const struct end *src, const struct end *dst, uint8_t proto, size_t l4_bytes)
{
	size_t len;
	const uint8_t *b = addr_bytes(&src->addr, &len);
	uint32_t sum = sum16(proto, b, len);

	b = addr_bytes(&dst->addr, &len);
	sum = sum16(sum, b, len) + (uint32_t)l4_bytes;
	return sum16(sum, NULL, 0);
}

static void put_ip(uint8_t **at, const struct end *src, const struct end *dst, uint8_t proto, size_t l4_bytes)
{
	uint8_t *start = *at;
	size_t len;
	const uint8_t *src_bytes = addr_bytes(&src->addr, &len), *dst_bytes = addr_bytes(&dst->addr, &len);

	if (len == 4) {
		put16(at, 0x4500);
		put16(at, (uint16_t)(20 + l4_bytes));
		put(at, "\0\1\x40\0\x40", 5); /* an id, don't fragment, 64 hops */
		*(*at)++ = proto;
		put16(at, 0);
		put(at, src_bytes, len);
		put(at, dst_bytes, len);
		uint8_t *check = start + 10;
		put16(&check, (uint16_t)~sum16(0, start, 20));
		return;
	}
	put(at, "\x60\0\0", 4);
	put16(at, (uint16_t)l4_bytes);
	*(*at)++ = proto;
	*(*at)++ = 64;
	put(at, src_bytes, len);
	put(at, dst_bytes, len);
}

/* A UDP datagram (TCP segment for GSO) that fills the frame; returns where its header starts. */
static size_t build_frame(const struct options *o, uint8_t *bytes, const struct end *src, const struct end *dst)
{
	bool tcp = o->gso_size != 0, ip4 = src->addr.family == ADDR_IP4;
	uint8_t *at = bytes, *l4;
	size_t l4_bytes;

	put(&at, dst->mac, 6);
	put(&at, src->mac, 6);
	for (size_t i = 0; i < o->tag_count; i++) {
		put16(&at, o->tags[i].tpid);
		put16(&at, o->tags[i].tci);
	}
	put16(&at, ip4 ? ETH_P_IP : ETH_P_IPV6);
	l4_bytes = o->size - (size_t)(at - bytes) - (ip4 ? 20 : 40);
	put_ip(&at, src, dst, tcp ? IPPROTO_TCP : IPPROTO_UDP, l4_bytes);
	l4 = at;
	put16(&at, 1024);
	put16(&at, 9); /* discard */
	if (tcp) {
		put(&at, "\0\0\0\1\0\0\0\1\x50\x10\xff\xff", 12); /* sequence, ACK, header of 20 bytes, window */
		put16(&at, (uint16_t)pseudo_sum(src, dst, IPPROTO_TCP, l4_bytes)); /* the device sums the rest */
		return (size_t)(l4 - bytes);
	}
	put16(&at, (uint16_t)l4_bytes);
	put16(&at, 0);
	uint32_t sum = sum16(pseudo_sum(src, dst, IPPROTO_UDP, l4_bytes), l4, l4_bytes);
	uint8_t *check = l4 + 6;
	put16(&check, sum == 0xffff ? 0xffff : (uint16_t)~sum);
	return (size_t)(l4 - bytes);
}

static void build_flow(struct sender *s, struct flow *f, const struct end *src, const struct end *dst)
{
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_size = (uint16_t)s->o->gso_size, .csum_offset = 16,
		.gso_type = src->addr.family == ADDR_IP4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
	};
	size_t l4_at;

	f->bytes = calloc(1, s->send_bytes);
	if (!f->bytes)
		die("no memory for the frames");
	l4_at = build_frame(s->o, f->bytes + s->vnet_bytes, src, dst);
	if (!s->vnet_bytes)
		return;
	vnet.csum_start = (uint16_t)l4_at;
	vnet.hdr_len = (uint16_t)(l4_at + 20);
	s->payload = (uint32_t)(s->o->size - l4_at - 20);
	memcpy(f->bytes, &vnet, sizeof vnet);
}

static void open_sender(struct sender *s)
{
	const struct options *o = s->o;
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(o->interface) };
	const int one = 1;

	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || to.sll_ifindex == 0 || bind(s->fd, (struct sockaddr *)&to, sizeof to) < 0)
		die(o->interface);
	if (o->bypass && setsockopt(s->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0)
		die("PACKET_QDISC_BYPASS");
	if (o->gso_size && setsockopt(s->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0)
		die("PACKET_VNET_HDR");
	s->vnet_bytes = o->gso_size ? sizeof(struct virtio_net_hdr) : 0;
	s->send_bytes = s->vnet_bytes + o->size;
	s->flow_count = o->src.count * o->dst.count;
	s->flows = calloc(s->flow_count, sizeof *s->flows);
	if (!s->flows)
		die("no memory for the flows");
	for (size_t i = 0; i < s->flow_count; i++)
		build_flow(s, &s->flows[i], &o->src.at[i % o->src.count], &o->dst.at[i / o->src.count]);
}

static void keep_rate(const struct sender *s, int64_t start_ns)
{
	int64_t due_ns;

	if (!s->o->rate)
		return;
	due_ns = start_ns + (int64_t)(s->sent * 1e9 / (double)s->o->rate);
	struct timespec due = { .tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S };
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR && !asked_to_stop)
		;
}

/* Sends up to BATCH frames; 0, or an errno that does not pass. */
static int send_batch(struct sender *s)
{
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec parts[BATCH];
	unsigned n = 0;
	int taken;

	for (; n < BATCH && s->sent + n < s->o->count; n++) {
		parts[n] = (struct iovec){ s->flows[(s->sent + n) % s->flow_count].bytes, s->send_bytes };
		messages[n].msg_hdr.msg_iov = &parts[n];
		messages[n].msg_hdr.msg_iovlen = 1;
	}
	taken = sendmmsg(s->fd, messages, n, 0);
	if (taken < 0) {
		if ((errno != ENOBUFS && errno != EAGAIN && errno != EINTR) || ++s->refused > REFUSED_MAX)
			return errno;
		usleep(50);
		return 0;
	}
	for (int i = 0; i < taken; i++)
		s->flows[s->sent++ % s->flow_count].frames++;
	return 0;
}

static void print_end(const char *name, const struct end *end)
{
	char mac[MAC_TEXT_MAX], addr[ADDR_TEXT_MAX];

	mac_format(end->mac, mac);
	addr_format(&end->addr, addr);
	printf("\"%s_mac\": \"%s\", \"%s\": \"%s\", ", name, mac, name, addr);
}

static void print_result(const struct sender *s, int64_t took_ns, int error)
{
	const struct options *o = s->o;
	/* Each segment of a super-packet has all the headers of its own. */
	uint64_t segments = o->gso_size ? (s->payload + o->gso_size - 1) / o->gso_size : 1;
	uint64_t wire_bytes = o->size + (segments - 1) * (o->size - s->payload);

	printf("{\"frames\": %llu, \"frame_bytes\": %u, \"packets\": %llu, \"wire_bytes\": %llu, \"refused\": %llu, "
	       "\"seconds\": %.6f, \"error\": \"%s\",\n \"flows\": [",
	       (unsigned long long)s->sent, o->size, (unsigned long long)(s->sent * segments),
	       (unsigned long long)(s->sent * wire_bytes), (unsigned long long)s->refused, (double)took_ns / 1e9,
	       error ? strerror(error) : "");
	for (size_t i = 0; i < s->flow_count; i++) {
		uint64_t frames = s->flows[i].frames;

		printf("%s\n  {", i ? "," : "");
		print_end("src", &o->src.at[i % o->src.count]);
		print_end("dst", &o->dst.at[i / o->src.count]);
		printf("\"frames\": %llu, \"packets\": %llu, \"wire_bytes\": %llu}", (unsigned long long)frames,
		       (unsigned long long)(frames * segments), (unsigned long long)(frames * wire_bytes));
	}
	printf("]}\n");
}

/* "02:00:00:00:00:01/192.0.2.1" */
static void parse_end(struct ends *ends, const char *text)
{
	char mac[MAC_TEXT_MAX] = "";
	struct end end = { 0 };
	const char *slash = strchr(text, '/');

	if (!slash || slash - text != MAC_TEXT_MAX - 1)
		die("an end is MAC/IP");
	memcpy(mac, text, MAC_TEXT_MAX - 1);
	if (mac_parse(end.mac, mac) < 0 || addr_parse(&end.addr, slash + 1) < 0)
		die("an end is MAC/IP");
	if (!ends->at)
		ends->at = calloc(ENDS_MAX, sizeof *ends->at);
	if (!ends->at || ends->count == ENDS_MAX)
		die("too many ends");
	ends->at[ends->count++] = end;
}

/* Makes `spread` sources of the first: its MAC and IP counted up in their last two bytes. */
static void spread_source(struct options *o)
{
	struct end first;

	if (o->spread > ENDS_MAX)
		die("too many sources");
	first = o->src.at[0];
	o->src.count = o->spread;
	for (uint32_t i = 0; i < o->spread; i++) {
		struct end *end = &o->src.at[i];
		uint16_t addr = (uint16_t)((first.addr.bytes[14] << 8 | first.addr.bytes[15]) + i);

		*end = first;
		end->addr.bytes[14] = (uint8_t)(addr >> 8);
		end->addr.bytes[15] = (uint8_t)addr;
		end->mac[4] = (uint8_t)(i >> 8);
		end->mac[5] = (uint8_t)i;
	}
}

static void parse_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "interface", required_argument, NULL, 'i' }, { "count", required_argument, NULL, 'c' },
		{ "size", required_argument, NULL, 's' },      { "rate", required_argument, NULL, 'r' },
		{ "src", required_argument, NULL, 'S' },       { "dst", required_argument, NULL, 'D' },
		{ "spread", required_argument, NULL, 'n' },    { "vlan", required_argument, NULL, 'v' },
		{ "gso", required_argument, NULL, 'g' },       { "bypass", no_argument, NULL, 'b' },
		{ 0 },
	};
	unsigned tpid, tci;
	int c;

	while ((c = getopt_long(argc, argv, "i:c:s:r:S:D:n:v:g:b", names, NULL)) != -1) {
		switch (c) {
		case 'i': o->interface = optarg; break;
		case 'c': o->count = strtoull(optarg, NULL, 10); break;
		case 's': o->size = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'r': o->rate = strtoull(optarg, NULL, 10); break;
		case 'S': parse_end(&o->src, optarg); break;
		case 'D': parse_end(&o->dst, optarg); break;
		case 'n': o->spread = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'g': o->gso_size = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'b': o->bypass = true; break;
		case 'v':
			if (sscanf(optarg, "%x:%u", &tpid, &tci) != 2 || o->tag_count == TAGS_MAX)
				die("--vlan takes TPID:TCI, e.g. 8100:42");
			o->tags[o->tag_count++] = (struct tag){ (uint16_t)tpid, (uint16_t)tci };
			break;
		default:
			die("unknown option");
		}
	}
}

static void check_options(struct options *o)
{
	if (!o->interface || !o->src.count || !o->dst.count)
		die("needs --interface, --src MAC/IP and --dst MAC/IP (any number of each), --count, --size; takes --rate "
		    "FRAMES_PER_S, --spread SOURCES, --vlan TPID:TCI, --gso SEGMENT_BYTES, --bypass");
	if (o->size < 14 + 4 * o->tag_count + 40 + 20 || o->size > FRAME_BYTES_MAX)
		die("--size is too small for the headers (74, and 4 per tag) or too large");
	for (size_t i = 0; i < o->dst.count; i++)
		for (size_t j = 0; j < o->src.count; j++)
			if (o->src.at[j].addr.family != o->dst.at[i].addr.family)
				die("all ends have addresses of one family");
	if (o->spread)
		spread_source(o);
}

int main(int argc, char **argv)
{
	struct options o = { .count = 1, .size = 100 };
	struct clock clock = clock_system();
	struct sender s = { .o = &o };
	int64_t start_ns;
	int error = 0;

	parse_options(&o, argc, argv);
	check_options(&o);
	open_sender(&s);
	signal(SIGTERM, on_signal);
	start_ns = clock.monotonic_ns(NULL);
	while (s.sent < o.count && !error && !asked_to_stop) {
		error = send_batch(&s);
		keep_rate(&s, start_ns);
	}
	print_result(&s, clock.monotonic_ns(NULL) - start_ns, error);
	for (size_t i = 0; i < s.flow_count; i++)
		free(s.flows[i].bytes);
	free(s.flows);
	free(o.src.at);
	free(o.dst.at);
	close(s.fd);
	return error != 0;
}
