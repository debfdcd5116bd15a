/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_fuzz.c -- any bytes as a config file: an answer, with a problem for every refusal. */
#include "daemon/config_internal.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = NULL;
	struct err e = { 0 };
	int r;

	if (size > CONFIG_SIZE_MAX)
		return 0;
	r = config_load_bytes(&c, (const char *)data, size, NULL, &e);
	if ((r < 0) != (c == NULL) || (r < 0) != (e.msg[0] != '\0'))
		abort();
	config_free(&c);
	return 0;
}
