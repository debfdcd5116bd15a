/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/account.h"

#include "model/attribution.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400u

struct account *account_new(void)
{
	struct account *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	atomic_init(&a->refs, 1);
	a->self = a->groups = true;
	a->every_s = ACCOUNT_EVERY_DEFAULT;
	a->limit = ACCOUNT_LIMIT_DEFAULT;
	a->series = ACCOUNT_SERIES_DEFAULT;
	return a;
}

struct account *account_ref(struct account *a)
{
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	return a;
}

static void free_account(struct account *a)
{
	free(a->rules);
	free(a->rule_sums);
	free(a->columns);
	free(a);
}

void account_unref(struct account **pa)
{
	struct account *a = *pa;

	*pa = NULL;
	if (a && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
		free_account(a);
}

int account_name_check(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len >= ACCOUNT_NAME_MAX || name[0] < 'a' || name[0] > 'z' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
		return err_set(e, -EINVAL,
			       "account \"%.60s\": a name is lower-case letters, digits and _, a letter first, "
			       "at most %d characters", name, ACCOUNT_NAME_MAX - 1);
	return 0;
}

static bool divides_a_day(uint32_t s)
{
	return s != 0 && DAY_S % s == 0;
}

static int keep_default(struct account *a)
{
	static const struct keep usual[] = { { 3600, 90 * DAY_S }, { DAY_S, 0 } };

	a->keep[0] = (struct keep){ a->every_s, 7 * DAY_S };
	a->keep_count = 1;
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (usual[i].window_s > a->every_s && usual[i].window_s % a->every_s == 0) /* 45 min make no hour */
			a->keep[a->keep_count++] = usual[i];
	a->keep[a->keep_count - 1].age_s = 0;
	return 0;
}

static int keep_check(const struct account *a, struct err *e)
{
	if (a->keep[0].window_s != a->every_s)
		return err_set(e, -EINVAL, "account %s: keep must begin with the account's own window length (every)",
			       a->name);
	for (size_t i = 1; i < a->keep_count; i++) {
		const struct keep *fine = &a->keep[i - 1], *coarse = &a->keep[i];

		if (coarse->window_s <= fine->window_s || coarse->window_s % fine->window_s ||
		    !divides_a_day(coarse->window_s))
			return err_set(e, -EINVAL, "account %s: each keep must be a multiple of the one before and divide a day",
				       a->name);
		if (fine->age_s == 0 || (coarse->age_s && coarse->age_s < fine->age_s))
			return err_set(e, -EINVAL, "account %s: what is coarser must be kept longer", a->name);
	}
	for (size_t i = 0; i < a->keep_count; i++)
		if (a->keep[i].age_s && a->keep[i].age_s < a->keep[i].window_s)
			return err_set(e, -EINVAL, "account %s: a record is kept at least as long as its window", a->name);
	return 0;
}

static void list_fields(uint64_t fields, char *to, size_t size)
{
	size_t used = 0;

	to[0] = '\0';
	for (enum field f = 0; f < FIELD_COUNT; f++)
		if (fields & FIELD_BIT(f) && field_name(f) && used < size)
			used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "", field_name(f));
}

static int check_fields(const struct account *a, uint64_t fields, struct err *e)
{
	char wrong[64], known[128];

	if (fields & FIELD_BIT(FIELD_RULE) && fields & ~(FIELD_BIT(FIELD_RULE) | FIELDS_BESIDE_RULE))
		return err_set(e, -EINVAL, "account %s: beside rule, only interface and direction can be keys", a->name);
	list_fields(fields & FIELDS_OF_REPORT, wrong, sizeof wrong);
	if (a->from == FROM_PACKETS && fields & FIELDS_OF_REPORT)
		return err_set(e, -EINVAL, "account %s: packets have no %s; write from = reports", a->name, wrong);
	list_fields(fields & ~FIELDS_OF_DELIVERY, wrong, sizeof wrong);
	list_fields(FIELDS_OF_DELIVERY, known, sizeof known);
	if (account_has_deliveries(a) && fields & ~FIELDS_OF_DELIVERY)
		return err_set(e, -EINVAL, "account %s: deliveries have no %s; there are: %s", a->name, wrong, known);
	return 0;
}

static uint64_t bases_of(uint64_t fields)
{
	const uint64_t mac = FIELD_BIT(FIELD_MAC), host = FIELD_BIT(FIELD_HOST);
	uint64_t bases = fields & (mac | host);

	if (fields & FIELDS_OF_ROUTES)
		bases |= host;
	if (fields & FIELD_BIT(FIELD_VENDOR))
		bases |= mac;
	if (fields & FIELD_BIT(FIELD_NAME) && (fields & host || !(fields & mac)))
		bases |= host;
	return bases;
}

/* `name` is kept by what it is the name of: names are learned late, and change. */
static uint64_t store(struct account *a, uint64_t fields)
{
	enum field named = a->bases & FIELD_BIT(FIELD_HOST) &&
			(fields & FIELD_BIT(FIELD_HOST) || !(fields & FIELD_BIT(FIELD_MAC)))
				   ? FIELD_HOST : FIELD_MAC;
	uint64_t stored = 0;

	a->stored_count = 0;
	for (size_t i = 0; i < a->by_count; i++) {
		enum field f = a->by[i];

		if (f == FIELD_NAME && fields & FIELD_BIT(named))
			continue; /* it is a key itself */
		if (f == FIELD_NAME)
			f = named;
		a->stored[a->stored_count++] = f;
		stored |= FIELD_BIT(f);
	}
	return stored;
}

int account_finish(struct account *a, struct err *e)
{
	uint64_t fields = 0;
	int r = account_name_check(a->name, e);

	if (r < 0)
		return r;
	if (!divides_a_day(a->every_s))
		return err_set(e, -EINVAL, "account %s: every = %us does not divide a day", a->name, a->every_s);
	if (a->keep_count == 0)
		keep_default(a);
	r = keep_check(a, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->by_count; i++)
		fields |= FIELD_BIT(a->by[i]);
	if (a->by_count == 0)
		return err_set(e, -EINVAL, "account %s: by what? write e.g. by = { host }", a->name);
	r = check_fields(a, fields, e);
	if (r < 0)
		return r;
	a->party = (fields & FIELDS_OF_PARTY) != 0 && !account_has_deliveries(a);
	if (!a->party && (a->of != OF_BOTH || !a->self || !a->groups))
		return err_set(e, -EINVAL, "account %s: of, self and groups need a key of a party (mac, host)", a->name);
	a->bases = bases_of(fields);
	return key_layout_make(&a->layout, store(a, fields), e);
}

bool account_same_form(const struct account *a, const struct account *b)
{
	return a->from == b->from && a->by_count == b->by_count &&
	       memcmp(a->by, b->by, a->by_count * sizeof *a->by) == 0;
}

static uint64_t get_rx_packets(const struct party_tally *t, enum bytes_basis basis)
{
	(void)basis;
	return t->rx.packets;
}

static uint64_t get_rx_bytes(const struct party_tally *t, enum bytes_basis basis)
{
	return tally_bytes(&t->rx, basis);
}

static uint64_t get_tx_packets(const struct party_tally *t, enum bytes_basis basis)
{
	(void)basis;
	return t->tx.packets;
}

static uint64_t get_tx_bytes(const struct party_tally *t, enum bytes_basis basis)
{
	return tally_bytes(&t->tx, basis);
}

static uint64_t get_retransmits(const struct party_tally *t, enum bytes_basis basis) /* delivery_tally() */
{
	(void)basis;
	return t->tx.l2_bytes;
}

const struct account_counter *account_counters(const struct account *a, unsigned *ret_count)
{
	static const struct account_counter party[] = {
		{ "rx_packets", false, get_rx_packets }, { "rx_bytes", true, get_rx_bytes },
		{ "tx_packets", false, get_tx_packets }, { "tx_bytes", true, get_tx_bytes },
	};
	static const struct account_counter plain[] = {
		{ "packets", false, get_rx_packets }, { "bytes", true, get_rx_bytes },
	};
	static const struct account_counter delivery[] = {
		{ "requests", false, get_rx_packets }, { "packets", false, get_tx_packets },
		{ "bytes", true, get_rx_bytes }, { "retransmits", false, get_retransmits },
	};

	*ret_count = a->party ? 4 : account_has_deliveries(a) ? 4 : 2;
	return a->party ? party : account_has_deliveries(a) ? delivery : plain;
}
