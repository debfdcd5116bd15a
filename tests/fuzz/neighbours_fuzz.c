/* SPDX-License-Identifier: GPL-2.0-or-later */
/* neighbours_fuzz.c -- datagrams of the kernel's neighbour table. */
#include "names/neighbours.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(void *arg, const struct neighbour *n)
{
	(void)arg;
	if ((n->host.family != ADDR_IP4 && n->host.family != ADDR_IP6) || n->mac >> 48 != 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	neighbours_parse((struct slice){ data, size }, hear, NULL);
	return 0;
}
