/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptr_reply.h -- the answer to a reverse look-up, as it came over the wire (RFC 1035 4), and the question for one.
 * Thread: any. */
#ifndef NETTALLY_NAMES_PTR_REPLY_H
#define NETTALLY_NAMES_PTR_REPLY_H

#include "base/addr.h"
#include "base/slice.h"
#include "names/name_text.h"

struct ptr_reply {
	struct name_text name;   /* of several the first by the alphabet, so that their order says nothing; "" = none */
	uint32_t ttl_s;          /* the least on the way to it */
	uint32_t negative_ttl_s; /* of the SOA record, RFC 2308 5; 0 = there was none */
};

/* 0 or -EBADMSG. Records that are no PTR, CNAME or SOA are passed over. */
int ptr_reply_parse(struct ptr_reply *ret, struct slice message);

#define PTR_QUESTION_MAX 80
/* "10.2.0.192.in-addr.arpa", RFC 1035 3.5, RFC 3596 2.5. */
void ptr_question(const struct addr *a, char text[static PTR_QUESTION_MAX]);

#endif
