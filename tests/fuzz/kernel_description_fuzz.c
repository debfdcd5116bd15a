/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_description_fuzz.c -- the description of kernel tables, as another build might have left it: what is
 * read is within its limits, and reads the same once written again. */
#include "capture/kernel_description.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct kernel_described *k)
{
	if (k->cpus == 0 || k->cpus > KERNEL_CPUS_MAX || !memchr(k->d.interface, '\0', sizeof k->d.interface))
		abort();
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		if (k->slots[grain] % TALLY_BUCKET || k->slots[grain] > KERNEL_SLOTS_MAX)
			abort();
}

/* What no table has is not written: a second reading shows the same as the first. */
static void check_again(const struct kernel_described *k)
{
	struct kernel_described again;
	char *text, *twice;
	size_t len, twice_len;

	if (kernel_description_format(k, &text, &len, NULL) < 0)
		return;
	if (kernel_description_parse(&again, (struct slice){ (uint8_t *)text, len }, NULL) < 0 ||
	    kernel_description_format(&again, &twice, &twice_len, NULL) < 0)
		abort();
	if (len != twice_len || memcmp(text, twice, len) != 0)
		abort();
	kernel_described_free(&again);
	free(text);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_described k;

	if (kernel_description_parse(&k, (struct slice){ data, size }, NULL) < 0)
		return 0;
	check(&k);
	check_again(&k);
	kernel_described_free(&k);
	return 0;
}
