/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An account's definition to and from its row in table account. */
#include "ledger/account_row.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const sources[] = { "packets", "reports", "sockets" };
static const char *const parties[] = { "both", "local", "remote" };

/* The columns of a record; a plain record has the first three, without "rx_". */
static const char *const columns[] = { "rx_packets", "rx_l2_bytes", "rx_l3_bytes",
				       "tx_packets", "tx_l2_bytes", "tx_l3_bytes" };
/* A delivery's columns, and which of the above hold them in a struct party_tally. */
static const struct {
	const char *name;
	unsigned of;
} delivery_columns[] = { { "requests", 0 }, { "packets", 3 }, { "bytes", 1 }, { "retransmits", 4 } };

const char *account_source_text(enum account_from from)
{
	return sources[from];
}

const char *account_parties_text(enum account_of of)
{
	return parties[of];
}

const char *counter_column(const struct account *a, unsigned i)
{
	if (account_has_deliveries(a))
		return delivery_columns[i].name;
	return a->party ? columns[i] : columns[i] + 3;
}

unsigned counter_count(const struct account *a)
{
	if (account_has_deliveries(a))
		return sizeof delivery_columns / sizeof *delivery_columns;
	return a->party ? 6 : 3;
}

static uint64_t *counter_at(struct party_tally *t, unsigned i)
{
	uint64_t *const all[] = { &t->rx.packets, &t->rx.l2_bytes, &t->rx.l3_bytes,
				  &t->tx.packets, &t->tx.l2_bytes, &t->tx.l3_bytes };

	return all[i];
}

uint64_t counter_get(const struct account *a, unsigned i, const struct party_tally *t)
{
	struct party_tally copy = *t;

	return *counter_at(&copy, account_has_deliveries(a) ? delivery_columns[i].of : i);
}

void counter_set(const struct account *a, unsigned i, struct party_tally *t, uint64_t value)
{
	*counter_at(t, account_has_deliveries(a) ? delivery_columns[i].of : i) = value;
	if (account_has_deliveries(a))
		t->rx.l3_bytes = t->rx.l2_bytes; /* payload, whatever the layer */
}

const char *account_keys_text(const struct account *a, char buf[static ACCOUNT_ROW_TEXT_MAX])
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < a->by_count; i++)
		used += (size_t)snprintf(buf + used, ACCOUNT_ROW_TEXT_MAX - used, "%s%s", i ? "," : "",
					 field_name(a->by[i]));
	return buf;
}

const char *account_keep_text(const struct account *a, char buf[static ACCOUNT_ROW_TEXT_MAX])
{
	char window[32], age[32];
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < a->keep_count; i++)
		used += (size_t)snprintf(buf + used, ACCOUNT_ROW_TEXT_MAX - used, "%s%s:%s", i ? " " : "",
					 duration_format(a->keep[i].window_s, window, sizeof window),
					 a->keep[i].age_s ? duration_format(a->keep[i].age_s, age, sizeof age)
							  : "forever");
	return buf;
}

enum field field_of_name(const char *name, size_t len)
{
	for (enum field f = 0; f < FIELD_COUNT; f++) {
		const char *known = field_name(f);

		if (known && strlen(known) == len && memcmp(known, name, len) == 0)
			return f;
	}
	return FIELD_COUNT;
}

static int read_keys(struct account *a, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, ",");
		enum field f = field_of_name(text, len);

		if (f == FIELD_COUNT || a->by_count == FIELDS_PER_KEY_MAX)
			return -EUCLEAN;
		a->by[a->by_count++] = f;
		text += len;
		text += *text == ',';
	}
	return 0;
}

static int read_keep(struct account *a, const char *text)
{
	char word[64];

	for (size_t len; *text; text += len, text += *text == ' ') {
		len = strcspn(text, " ");
		if (len >= sizeof word || a->keep_count == ACCOUNT_KEEP_MAX)
			return -EUCLEAN;
		memcpy(word, text, len);
		word[len] = '\0';
		char *age = strchr(word, ':');
		struct keep *k = &a->keep[a->keep_count];
		if (!age)
			return -EUCLEAN;
		*age++ = '\0';
		k->age_s = 0;
		if (duration_parse(&k->window_s, word, NULL) < 0 ||
		    (strcmp(age, "forever") != 0 && duration_parse(&k->age_s, age, NULL) < 0))
			return -EUCLEAN;
		a->keep_count++;
	}
	return 0;
}

static int index_of(const char *const *words, int count, const char *text)
{
	for (int i = 0; i < count; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

static const char *text_of(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text ? text : "";
}

static int fill(struct account *a, sqlite3_stmt *s, int first)
{
	int from = index_of(sources, 3, text_of(s, first + 1)), of = index_of(parties, 3, text_of(s, first + 3));

	if (snprintf(a->name, sizeof a->name, "%s", text_of(s, first)) >= (int)sizeof a->name || from < 0 || of < 0)
		return -EUCLEAN;
	a->from = (enum account_from)from;
	a->of = (enum account_of)of;
	a->self = sqlite3_column_int(s, first + 4) != 0;
	a->groups = sqlite3_column_int(s, first + 5) != 0;
	a->every_s = (uint32_t)sqlite3_column_int64(s, first + 6);
	a->bytes = strcmp(text_of(s, first + 7), "l3") == 0 ? BYTES_L3 : BYTES_L2;
	if (read_keys(a, text_of(s, first + 2)) < 0 || read_keep(a, text_of(s, first + 8)) < 0)
		return -EUCLEAN;
	return account_finish(a, NULL) < 0 ? -EUCLEAN : 0;
}

int account_row_read(struct account **ret, sqlite3_stmt *s, int first, struct err *e)
{
	struct account *a = account_new();

	if (!a)
		return err_set(e, -ENOMEM, "the ledger: out of memory");
	if (fill(a, s, first) < 0) {
		account_unref(&a);
		return err_set(e, -EUCLEAN, "%s: table account: the row of '%s' makes no account",
			       sqlite3_db_filename(sqlite3_db_handle(s), "main"), text_of(s, first));
	}
	*ret = a;
	return 0;
}

void account_row_bind_form(sqlite3_stmt *s, const struct account *a)
{
	char keys[ACCOUNT_ROW_TEXT_MAX];

	sqlite3_bind_text(s, 1, a->name, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 2, sources[a->from], -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, account_keys_text(a, keys), -1, SQLITE_TRANSIENT);
}
