/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/snapshot.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct snapshot_box {
	pthread_mutex_t lock; /* held for a pointer's swap, never longer */
	struct snapshot *newest;
};

struct snapshot *snapshot_new(void)
{
	struct snapshot *s = calloc(1, sizeof *s);

	if (s)
		atomic_init(&s->refs, 1);
	return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void snapshot_unref(struct snapshot **ps)
{
	struct snapshot *s = *ps;

	*ps = NULL;
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->account_count; i++) {
		account_unref(&s->accounts[i].account);
		free(s->accounts[i].series);
	}
	free(s->accounts);
	free(s->interfaces);
	facts_free(&s->facts);
	free(s->rules);
	free(s);
}

int snapshot_box_new(struct snapshot_box **ret)
{
	struct snapshot_box *b = calloc(1, sizeof *b);

	if (!b)
		return -ENOMEM;
	pthread_mutex_init(&b->lock, NULL);
	*ret = b;
	return 0;
}

void snapshot_box_put(struct snapshot_box *b, struct snapshot *s)
{
	struct snapshot *old;

	pthread_mutex_lock(&b->lock);
	old = b->newest;
	b->newest = s;
	pthread_mutex_unlock(&b->lock);
	snapshot_unref(&old);
}

struct snapshot *snapshot_box_get(struct snapshot_box *b)
{
	struct snapshot *s;

	pthread_mutex_lock(&b->lock);
	s = b->newest ? snapshot_ref(b->newest) : NULL;
	pthread_mutex_unlock(&b->lock);
	return s;
}

void snapshot_box_free(struct snapshot_box **pb)
{
	if (!*pb)
		return;
	snapshot_unref(&(*pb)->newest);
	pthread_mutex_destroy(&(*pb)->lock);
	free(*pb);
	*pb = NULL;
}

const char *snapshot_key_text(const struct snapshot *s, const struct account *a, const uint8_t *key, enum field f,
			      char scratch[static KEY_TEXT_MAX])
{
	const struct key_layout *l = &a->layout;
	struct addr host = { 0 };
	uint64_t mac = 0;
	const char *name;

	if (f != FIELD_NAME)
		return key_text(l, key, f, s->strings, scratch, NULL);
	if (key_field_is_other(l, key, key_has(l, FIELD_HOST) ? FIELD_HOST : FIELD_MAC))
		return "other";
	if (key_has(l, FIELD_HOST))
		key_get_addr(l, key, FIELD_HOST, &host);
	else
		memcpy(&mac, key + l->at[FIELD_MAC], sizeof mac);
	name = s->name_of ? s->name_of(s->name_arg, &host, mac, scratch) : NULL;
	return name ? name : "-";
}
