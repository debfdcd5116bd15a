/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter.c -- libpcap compiles and runs; here frames are brought into the form that its programs
 * expect. */
#include "capture/filter.h"

#include "base/slice.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAC_PAIR 12
#define TAG 4
#define REBUILT_BYTES 2048

struct filter {
	struct bpf_program program;
	uint16_t linktype;
	bool rejects_all;
};

/* LINKTYPE_ is what files say, DLT_ what libpcap's functions take: the same number but for these
 * two. */
static int dlt_of(uint16_t linktype)
{
	switch (linktype) {
	case LINKTYPE_RAW:
		return DLT_RAW;
	case LINKTYPE_LOOP:
		return DLT_LOOP;
	default:
		return linktype;
	}
}

/* libpcap (gencode.c) ends with this sentence where its optimizer finds that nothing can match. */
static bool says_rejects_all(pcap_t *p)
{
	return strstr(pcap_geterr(p), "rejects all packets") != NULL;
}

int filter_open(struct filter **ret, const char *expression, uint16_t linktype, struct err *e)
{
	struct filter *f = calloc(1, sizeof *f);
	pcap_t *p = pcap_open_dead(dlt_of(linktype), 262144);
	int code = 0;

	if (!f || !p) {
		code = err_set(e, -ENOMEM, "no memory for a filter");
		goto out;
	}
	f->linktype = linktype;
	if (pcap_compile(p, &f->program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		f->rejects_all = says_rejects_all(p);
		if (!f->rejects_all)
			code = err_set(e, -EINVAL, "filter \"%.200s\": %.200s", expression, pcap_geterr(p));
	}
out:
	if (p)
		pcap_close(p);
	if (code == 0)
		*ret = f;
	else
		filter_close(&f);
	return code;
}

/* Copies the frame with its tag where it was on the wire. */
static void put_tag_back(const struct frame *frame, uint8_t *buffer, struct pcap_pkthdr *h)
{
	uint32_t rest = frame->cap_len - MAC_PAIR;

	if (rest > REBUILT_BYTES - MAC_PAIR - TAG)
		rest = REBUILT_BYTES - MAC_PAIR - TAG;
	memcpy(buffer, frame->bytes, MAC_PAIR);
	buffer[12] = (uint8_t)(frame->vlan_tpid >> 8);
	buffer[13] = (uint8_t)frame->vlan_tpid;
	buffer[14] = (uint8_t)(frame->vlan_tci >> 8);
	buffer[15] = (uint8_t)frame->vlan_tci;
	memcpy(buffer + MAC_PAIR + TAG, frame->bytes + MAC_PAIR, rest);
	h->caplen = MAC_PAIR + TAG + rest;
	h->len += TAG;
}

/* NULL and LOOP frames begin with the address family of the system that captured: in its byte
 * order (NULL), and for IPv6 by its number. The program was compiled for this system. */
static void use_own_family(const struct frame *frame, uint8_t *buffer, struct pcap_pkthdr *h)
{
	uint32_t family = be32(frame->bytes), own;

	h->caplen = frame->cap_len < REBUILT_BYTES ? frame->cap_len : REBUILT_BYTES;
	memcpy(buffer, frame->bytes, h->caplen);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	if (family == 24 || family == 28 || family == 30) /* NetBSD and OpenBSD, FreeBSD, macOS */
		family = AF_INET6;
	own = frame->linktype == LINKTYPE_NULL ? family : __builtin_bswap32(family);
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		own = family;
	memcpy(buffer, &own, sizeof own);
}

bool filter_match(const struct filter *f, const struct frame *frame)
{
	struct pcap_pkthdr h = { .caplen = frame->cap_len, .len = frame->wire_len };
	const uint8_t *bytes = frame->bytes;
	uint8_t buffer[REBUILT_BYTES];

	if (f->rejects_all)
		return false;
	if (frame->vlan_tpid && f->linktype == LINKTYPE_ETHERNET && frame->cap_len >= MAC_PAIR) {
		put_tag_back(frame, buffer, &h);
		bytes = buffer;
	} else if ((f->linktype == LINKTYPE_NULL || f->linktype == LINKTYPE_LOOP) && frame->cap_len >= 4) {
		use_own_family(frame, buffer, &h);
		bytes = buffer;
	}
	return pcap_offline_filter(&f->program, &h, bytes) != 0;
}

void filter_close(struct filter **f)
{
	if (!*f)
		return;
	pcap_freecode(&(*f)->program);
	free(*f);
	*f = NULL;
}
