/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/read_derive.h"

uint64_t read_base_fields(uint64_t fields, uint64_t bases)
{
	return (fields & ~FIELDS_DERIVED) | bases;
}

/* One entry on its way. */
struct entry {
	struct count *to;
	const struct party_tally *tally;
	bool other;
};

static void add(void *arg, uint64_t key[static KEY_WORDS_MAX])
{
	const struct entry *e = arg;

	if (e->tally->rx.packets)
		count_tally_in(e->to, key, false, e->other, &e->tally->rx);
	if (e->tally->tx.packets)
		count_tally_in(e->to, key, true, e->other, &e->tally->tx);
}

static void derive_table(const struct count *c, const struct table *t, const struct derivation *d, struct count *to)
{
	for (uint64_t i = 0; i < table_slots(t); i++) {
		uint8_t *slot = table_slot(t, i);
		uint64_t scratch[KEY_WORDS_MAX], to_key[KEY_WORDS_MAX];
		struct party_tally tally;
		struct entry e = { to, &tally, t == &c->others };
		const uint8_t *key;

		if (!slot_is_taken(t, slot))
			continue;
		key = count_key(c, t, slot, scratch);
		count_tally(c, t, slot, &tally);
		key_project(d->to, (uint8_t *)to_key, d->from, key);
		derive_keys(d, key, to_key, add, &e);
	}
}

int read_derive(const struct count *c, uint64_t fields, uint64_t bases, const struct attributor *attributor, struct count *ret,
		struct err *e)
{
	struct grain g = c->grain;
	int r = key_layout_make(&g.layout, fields | (g.window_s ? FIELD_BIT(FIELD_WINDOW) : 0), e);

	g.narrow = false;
	if (r == 0)
		r = count_open(ret, &g, e);
	if (r < 0)
		return r;
	const struct derivation d = {
		.from = &c->grain.layout, .to = &ret->grain.layout, .bases = bases, .attributor = attributor,
	};
	derive_table(c, &c->table, &d, ret);
	derive_table(c, &c->others, &d, ret);
	return 0;
}
