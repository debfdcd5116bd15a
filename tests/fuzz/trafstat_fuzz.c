/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trafstat_fuzz.c -- any 308 bytes as a datagram of the old protocol, behind its signature. */
#include "reports/trafstat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trafstat *t;
	uint8_t *datagram = calloc(1, TRAFSTAT_LENGTH); /* of its own, so that a byte too far is seen */
	char text[ADDR_TEXT_MAX];
	uint32_t type;
	struct addr again;
	struct report r;

	if (!datagram || (!t && trafstat_open(&t, (struct slice){ (const uint8_t *)"x", 1 }, NULL) < 0))
		abort();
	memcpy(datagram, data, size < TRAFSTAT_LENGTH ? size : TRAFSTAT_LENGTH);
	(void)trafstat_is_signed(t, datagram);
	(void)trafstat_is_fresh(datagram, 1763800000);
	if (trafstat_read(&r, &type, datagram) == 0) {
		addr_format(&r.client, text); /* what is read twice is the same */
		if (addr_parse(&again, text) < 0 || !addr_equal(&again, &r.client) || r.packets > r.bytes || r.requests != 1)
			abort();
	}
	free(datagram);
	return 0;
}
