/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.c -- libpcap, for tests. It and the kernel's headers do not go together: no program.h here. */
#include "model/frame.h"

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct program { /* as in program.h */
	const struct bpf_insn *insns;
	uint32_t len;
};

struct capture {
	pcap_t *p;
};

uint32_t reference_run(const struct program *p, const uint8_t *bytes, uint32_t wire_len, uint32_t cap_len);
struct capture *capture_open(const char *path);
uint16_t capture_linktype(const struct capture *c);
bool capture_next(struct capture *c, struct frame *ret);
void capture_close(struct capture *c);

uint32_t reference_run(const struct program *p, const uint8_t *bytes, uint32_t wire_len, uint32_t cap_len)
{
	return bpf_filter(p->insns, bytes, wire_len, cap_len);
}

struct capture *capture_open(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	struct capture *c = malloc(sizeof *c);

	if (!c)
		return NULL;
	c->p = pcap_open_offline(path, why);
	if (!c->p) {
		fprintf(stderr, "%s\n", why);
		free(c);
		return NULL;
	}
	return c;
}

uint16_t capture_linktype(const struct capture *c)
{
	int dlt = pcap_datalink(c->p);

	return dlt == DLT_RAW ? LINKTYPE_RAW : (uint16_t)dlt;
}

bool capture_next(struct capture *c, struct frame *ret)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;

	if (pcap_next_ex(c->p, &h, &bytes) != 1)
		return false;
	*ret = (struct frame){ .bytes = bytes, .cap_len = h->caplen, .wire_len = h->len, .linktype = capture_linktype(c) };
	return true;
}

void capture_close(struct capture *c)
{
	pcap_close(c->p);
	free(c);
}
