/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_fuzz.c -- the request line of the control socket. */
#include "daemon/control_answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = NULL;
	size_t len;

	if (control_answer(&text, &len, (struct slice){ data, size }, NULL) == 0 && len == 0)
		abort(); /* there is always an answer */
	free(text);
	return 0;
}
