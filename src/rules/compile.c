/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile.c -- libpcap's compiler. Apart from program.c: libpcap and the kernel name the same things. */
#include "rules/compile.h"

#include "model/frame.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SNAP_LEN 262144 /* what a matching program returns; only that it is not 0 matters */

struct insn_layout { /* of struct sock_filter, asserted against struct bpf_insn below */
	uint16_t code;
	uint8_t yes, no;
	uint32_t k;
};

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct insn_layout), "libpcap's and the kernel's instructions differ");
_Static_assert(offsetof(struct bpf_insn, k) == offsetof(struct insn_layout, k), "libpcap's instruction has moved");

/* LINKTYPE_ is what files say, DLT_ what libpcap's functions take: the same number but for these two. */
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

static int keep(struct compiled *ret, const struct bpf_program *made, struct err *e)
{
	size_t bytes = made->bf_len * sizeof *made->bf_insns;
	void *insns = malloc(bytes);

	if (!insns)
		return err_set(e, -ENOMEM, "no memory for a filter");
	memcpy(insns, made->bf_insns, bytes);
	*ret = (struct compiled){ .insns = insns, .len = made->bf_len };
	return 0;
}

int compile_expression(struct compiled *ret, const char *expression, uint16_t linktype, struct err *e)
{
	pcap_t *p = pcap_open_dead(dlt_of(linktype), SNAP_LEN);
	struct bpf_program made = { 0 };
	int code;

	if (!p)
		return err_set(e, -ENOMEM, "no memory for a filter");
	if (pcap_compile(p, &made, expression, 1, PCAP_NETMASK_UNKNOWN) == 0)
		code = keep(ret, &made, e);
	else if (says_rejects_all(p))
		code = err_set(e, -ENOMSG, "%s", pcap_geterr(p));
	else
		code = err_set(e, -EINVAL, "%s", pcap_geterr(p));
	pcap_freecode(&made);
	pcap_close(p);
	return code;
}
