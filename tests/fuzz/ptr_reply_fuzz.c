/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptr_reply_fuzz.c -- answers of DNS: a name is printable, whatever its bytes. */
#include "names/ptr_reply.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ptr_reply r;

	if (ptr_reply_parse(&r, (struct slice){ data, size }) < 0)
		return 0;
	if (strlen(r.name.at) != r.name.used || r.ttl_s > INT32_MAX || r.negative_ttl_s > INT32_MAX)
		abort();
	for (const char *c = r.name.at; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"'<>&;,", *c))
			abort();
	return 0;
}
