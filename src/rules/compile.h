/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile.h -- libpcap's compiler, with nothing of libpcap's headers. Private to program.c. */
#ifndef NETTALLY_RULES_COMPILE_H
#define NETTALLY_RULES_COMPILE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct compiled {
	void *insns; /* of 8 bytes; malloc()ed, the caller's */
	uint32_t len;
};

/* -EINVAL with libpcap's message; -ENOMSG: the expression rejects all packets. */
int compile_expression(struct compiled *ret, const char *expression, uint16_t linktype, struct err *e);

#endif
