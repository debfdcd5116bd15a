/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oui_fuzz.c -- lists of MAC addresses' assignments: what is found is printable. */
#include "names/oui.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oui *o = oui_new();
	uint64_t mac = 0;

	if (!o || oui_parse(o, (struct slice){ data, size }) < 0)
		abort();
	oui_sort(o);
	for (size_t i = 0; i + 6 <= size && i < 64; i++) {
		const char *found;

		memcpy(&mac, data + i, 6);
		found = oui_find(o, mac | UINT64_C(1) << 48);
		for (; found && *found; found++)
			if ((unsigned char)*found < ' ' || *found == 127)
				abort();
	}
	oui_free(&o);
	return 0;
}
