/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/booking.h"

#include <stdlib.h>

struct booking *booking_new(void)
{
	return calloc(1, sizeof(struct booking));
}

void learnt_free(struct learnt *l, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(l[i].text);
	free(l);
}

void booking_free(struct booking **pb)
{
	struct booking *b = *pb;

	if (!b)
		return;
	for (size_t i = 0; i < b->batch_count; i++) {
		account_unref(&b->batches[i].account);
		free(b->batches[i].records);
	}
	for (size_t i = 0; i < b->series_count; i++)
		account_unref(&b->series[i].account);
	learnt_free(b->learnt, b->learnt_count);
	free(b->batches);
	free(b->sightings);
	free(b->series);
	free(b->interfaces);
	free(b->epochs);
	free(b);
	*pb = NULL;
}
