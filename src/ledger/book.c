/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One booking is one transaction: records added, totals with them, devices and hosts seen,
 * series and interfaces replaced, epochs of kernel tables noted. */
#include "base/fault.h"
#include "ledger/account_row.h"
#include "ledger/changes.h"
#include "ledger/internal.h"
#include "ledger/names.h"

#include <errno.h>
#include <stdlib.h>

/* Of a device that is seen again: nothing new, or no address at all. */
#define SAME_ADDRESSES                                                                                               \
	"ifnull(excluded.ipv4 = ipv4, excluded.ipv4 IS NULL) AND ifnull(excluded.ipv6 = ipv6, excluded.ipv6 IS NULL)"

int book_prepare(struct ledger *l, struct err *e)
{
	static const char *const seen =
		"first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)";
	const struct {
		sqlite3_stmt **ret;
		const char *sql;
	} all[] = {
		{ &l->put_device, "INSERT INTO device VALUES(?1, ?2, ?2, ?3, ?4, ?2, ?5) ON CONFLICT DO UPDATE SET %s, "
				  "changed = iif(" SAME_ADDRESSES ", changed, excluded.changed), "
				  "seq = iif(" SAME_ADDRESSES ", seq, excluded.seq), "
				  "ipv4 = coalesce(excluded.ipv4, ipv4), ipv6 = coalesce(excluded.ipv6, ipv6)" },
		{ &l->put_host, "INSERT INTO host VALUES(?1, ?2, ?2) ON CONFLICT DO UPDATE SET %s" },
		{ &l->add_total,
		  "INSERT INTO total VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET "
		  "records = records + excluded.records, "
		  "rx_packets = CAST(rx_packets + excluded.rx_packets AS INTEGER), "
		  "rx_l2_bytes = CAST(rx_l2_bytes + excluded.rx_l2_bytes AS INTEGER), "
		  "rx_l3_bytes = CAST(rx_l3_bytes + excluded.rx_l3_bytes AS INTEGER), "
		  "tx_packets = CAST(tx_packets + excluded.tx_packets AS INTEGER), "
		  "tx_l2_bytes = CAST(tx_l2_bytes + excluded.tx_l2_bytes AS INTEGER), "
		  "tx_l3_bytes = CAST(tx_l3_bytes + excluded.tx_l3_bytes AS INTEGER)" },
		{ &l->note_batch, "UPDATE account SET first_window = min(ifnull(first_window, ?2), ?2), "
				  "last_window = max(ifnull(last_window, ?2), ?2), records = records + ?3, "
				  "overflowed = overflowed + ?4 WHERE id = ?1" },
		{ &l->put_meta, "UPDATE meta SET value = CASE key WHEN 'bookings' THEN value + 1 ELSE ?1 END "
				"WHERE key IN ('bookings', 'last_booked')" },
		{ &l->put_expression, "INSERT INTO expression VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET sum = excluded.sum "
				      "WHERE sum <> excluded.sum" },
		{ &l->get_epoch, "SELECT number FROM epoch WHERE generation = ?1" },
		{ &l->put_epoch, "INSERT INTO epoch VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET "
				 "number = max(number, excluded.number), booked = excluded.booked" },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all && r == 0; i++)
		r = sql_prepare(l->db, all[i].ret, e, all[i].sql, seen);
	return r < 0 ? r : interfaces_prepare(l, e);
}

void book_close(struct ledger *l)
{
	sqlite3_stmt **all[] = { &l->put_device, &l->put_host, &l->add_total, &l->note_batch, &l->put_meta,
				 &l->put_expression, &l->get_interface, &l->put_interface, &l->get_epoch, &l->put_epoch };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		sqlite3_finalize(*all[i]);
		*all[i] = NULL;
	}
}

static void bind_tally(sqlite3_stmt *s, int at, const struct tally *t)
{
	sql_bind_counter(s, at, t->packets);
	sql_bind_counter(s, at + 1, t->l2_bytes);
	sql_bind_counter(s, at + 2, t->l3_bytes);
}

static void bind_party_tally(sqlite3_stmt *s, int at, const struct account *a, const struct party_tally *t)
{
	if (!a) {
		bind_tally(s, at, &t->rx);
		bind_tally(s, at + 3, &t->tx);
		return;
	}
	for (unsigned i = 0; i < counter_count(a); i++)
		sql_bind_counter(s, at + (int)i, counter_get(a, i, t));
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a + b < a || a + b > INT64_MAX ? INT64_MAX : a + b;
}

static void add_tally_capped(struct tally *to, const struct tally *t)
{
	to->packets = add_capped(to->packets, t->packets);
	to->l2_bytes = add_capped(to->l2_bytes, t->l2_bytes);
	to->l3_bytes = add_capped(to->l3_bytes, t->l3_bytes);
}

static int add_rows(struct ledger_table *t, const struct batch *b, const struct book_rows *rows,
		    struct party_tally *total, struct err *e)
{
	int key_at = 3, counters_at = key_at + (int)t->account->stored_count;

	sqlite3_bind_int64(t->add, 1, b->account->every_s);
	sqlite3_bind_int64(t->add, 2, b->window_utc_s);
	for (size_t i = 0; i < rows->count; i++) {
		struct party_tally tally;

		memcpy(&tally, rows->rows[i].record + b->account->layout.size, sizeof tally);
		rows_bind_key(t->add, key_at, t->account, rows->keys + rows->rows[i].at);
		bind_party_tally(t->add, counters_at, t->account, &tally);
		int r = sql_run(t->add, e);
		if (r < 0)
			return r;
		add_tally_capped(&total->rx, &tally.rx);
		if (t->account->party || account_has_deliveries(t->account))
			add_tally_capped(&total->tx, &tally.tx);
	}
	return 0;
}

static int add_total(struct ledger *l, int64_t account, uint64_t records, const struct party_tally *total,
		     struct err *e)
{
	sqlite3_bind_int64(l->add_total, 1, account);
	sqlite3_bind_int64(l->add_total, 2, (int64_t)records);
	bind_party_tally(l->add_total, 3, NULL, total);
	return sql_run(l->add_total, e);
}

static int book_batch(struct ledger *l, const struct batch *b, struct err *e)
{
	struct party_tally total = { 0 };
	struct ledger_table *t;
	struct book_rows rows;
	int r = ledger_table_of(l, b->account, &t, e);

	if (r == 0)
		r = table_prepare(l, t, e);
	if (r < 0)
		return r;
	if (rows_make(&rows, b, l->options.strings) < 0)
		return err_set(e, -ENOMEM, "the ledger: no memory to sort %zu records", b->count);
	l->updates = 0;
	r = add_rows(t, b, &rows, &total, e);
	rows_free(&rows);
	sqlite3_clear_bindings(t->add);
	if (r < 0)
		return r;
	uint64_t fresh = b->count - l->updates; /* the others met a record of the same window */
	r = add_total(l, t->id, fresh, &total, e);
	if (r == 0)
		r = changes_note(l, t, b, e);
	if (r < 0)
		return r;
	sqlite3_bind_int64(l->note_batch, 1, t->id);
	sqlite3_bind_int64(l->note_batch, 2, b->window_utc_s);
	sqlite3_bind_int64(l->note_batch, 3, (int64_t)fresh);
	sql_bind_counter(l->note_batch, 4, b->overflowed);
	return sql_run(l->note_batch, e);
}

/* A device's address is one of its own network: behind a gateway's MAC stands the whole
 * Internet. */
static bool may_name_a_device(const struct ledger *l, const struct addr *a)
{
	static const uint8_t unspecified[4];
	const struct prefix_set *local = l->options.local;

	if (addr_is_group(a) || (a->family == ADDR_IP4 && memcmp(addr_ip4_bytes(a), unspecified, 4) == 0))
		return false;
	return !local || local->count == 0 || prefix_set_contains(local, a);
}

static int book_device(struct ledger *l, const struct sighting *s, uint64_t seq, int64_t now_utc_s, struct err *e)
{
	char mac[MAC_TEXT_MAX], addr[ADDR_TEXT_MAX];
	uint8_t bytes[6];

	for (unsigned i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(s->mac >> (40 - 8 * i));
	mac_format(bytes, mac);
	sqlite3_bind_text(l->put_device, 1, mac, -1, SQLITE_STATIC);
	sqlite3_bind_int64(l->put_device, 2, now_utc_s);
	sqlite3_bind_null(l->put_device, 3);
	sqlite3_bind_null(l->put_device, 4);
	sqlite3_bind_int64(l->put_device, 5, (int64_t)seq);
	if (s->addr.family != ADDR_NONE && may_name_a_device(l, &s->addr)) {
		addr_format(&s->addr, addr);
		sqlite3_bind_text(l->put_device, s->addr.family == ADDR_IP4 ? 3 : 4, addr, -1, SQLITE_STATIC);
	}
	int r = sql_run(l->put_device, e);
	sqlite3_clear_bindings(l->put_device);
	return r;
}

static int book_host(struct ledger *l, const struct sighting *s, int64_t now_utc_s, struct err *e)
{
	char addr[ADDR_TEXT_MAX];

	sqlite3_bind_text(l->put_host, 1, addr, (int)addr_format(&s->addr, addr), SQLITE_STATIC);
	sqlite3_bind_int64(l->put_host, 2, now_utc_s);
	int r = sql_run(l->put_host, e);
	sqlite3_clear_bindings(l->put_host);
	return r;
}

static int book_sightings(struct ledger *l, const struct booking *b, struct err *e)
{
	uint64_t seq = changes_next(l); /* of all devices that change in this booking */
	int r = 0;

	for (size_t i = 0; i < b->sighting_count && r == 0; i++) {
		const struct sighting *s = &b->sightings[i];

		if (s->mac)
			r = book_device(l, s, seq, b->taken_utc_s, e);
		if (r == 0 && s->addr.family != ADDR_NONE)
			r = book_host(l, s, b->taken_utc_s, e);
	}
	return r;
}

/* A series that was given up has gone into `other`, and comes with nothing. */
static bool is_given_up(const struct party_tally *t)
{
	static const struct party_tally nothing;

	return memcmp(t, &nothing, sizeof nothing) == 0;
}

/* Of which expression the series of a rule are: in the same transaction, so that they are never told apart wrongly. */
static int book_expression(struct ledger *l, const struct ledger_table *t, const struct series_state *s, struct err *e)
{
	sqlite3_stmt *st = l->put_expression;
	uint32_t rule;

	memcpy(&rule, s->key + s->account->layout.at[FIELD_RULE], sizeof rule);
	sqlite3_bind_int64(st, 1, t->id);
	sqlite3_bind_text(st, 2, strings_at(l->options.strings, rule), -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, (int64_t)s->expression);
	int r = sql_run(st, e);
	sqlite3_clear_bindings(st);
	return r;
}

static int book_one_series(struct ledger *l, const struct series_state *s, struct err *e)
{
	struct book_rows key = { 0 };
	struct ledger_table *t;
	int r = ledger_table_of(l, s->account, &t, e);

	if (r == 0)
		r = table_prepare(l, t, e);
	if (r < 0)
		return r;
	if (rows_add_key(&key, t->account, s->key, l->options.strings) < 0) {
		rows_free(&key);
		return err_set(e, -ENOMEM, "the ledger: out of memory");
	}
	sqlite3_stmt *st = is_given_up(&s->total) ? t->drop_series : t->put_series;
	rows_bind_key(st, 1, t->account, key.keys);
	if (st == t->put_series)
		bind_party_tally(st, 1 + (int)t->account->stored_count, t->account, &s->total);
	r = sql_run(st, e);
	sqlite3_clear_bindings(st);
	rows_free(&key);
	return r == 0 && s->expression ? book_expression(l, t, s, e) : r;
}

static int book_all(struct ledger *l, const struct booking *b, struct err *e)
{
	int r = epochs_book(l, b, e);

	if (r == 0)
		r = changes_begin(l, e);
	for (size_t i = 0; i < b->batch_count && r == 0; i++)
		r = book_batch(l, &b->batches[i], e);
	if (r == 0)
		r = book_sightings(l, b, e);
	if (r == 0)
		r = names_book(l, b, e);
	for (size_t i = 0; i < b->series_count && r == 0; i++)
		r = book_one_series(l, &b->series[i], e);
	for (size_t i = 0; i < b->interface_count && r == 0; i++)
		r = interface_book(l, &b->interfaces[i], e);
	if (r == 0)
		r = changes_end(l, b->taken_utc_s, e);
	if (r < 0)
		return r;
	sqlite3_bind_int64(l->put_meta, 1, b->taken_utc_s);
	return sql_run(l->put_meta, e);
}

/* Tables of accounts that nobody defined, before the transaction: they stay where it fails. */
static int make_tables(struct ledger *l, const struct booking *b, struct err *e)
{
	struct ledger_table *t;
	int r = 0;

	for (size_t i = 0; i < b->batch_count && r == 0; i++)
		r = ledger_table_of(l, b->batches[i].account, &t, e);
	for (size_t i = 0; i < b->series_count && r == 0; i++)
		r = ledger_table_of(l, b->series[i].account, &t, e);
	return r;
}

static int book_in_transaction(struct ledger *l, const struct booking *b, struct err *e)
{
	int r = ledger_begin(l, e);

	if (r < 0)
		return r;
	fault_point("book_begun");
	r = book_all(l, b, e);
	fault_point("book_before_commit");
	r = ledger_end(l, r, e);
	fault_point("book_committed");
	return r;
}

int ledger_book(struct ledger *l, const struct booking *b, struct err *e)
{
	int r = ledger_ready(l, e);

	if (r == 0)
		r = make_tables(l, b, e);
	if (r == 0)
		r = book_in_transaction(l, b, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < b->batch_count; i++)
		l->facts.booked_records += b->batches[i].count;
	l->facts.booked_transactions++;
	ledger_measure(l);
	return 0;
}

int expired_add(struct ledger *l, int64_t account, uint64_t records, const struct party_tally *t, struct err *e)
{
	sqlite3_stmt *s;
	int r = sql_prepare(l->db, &s, e,
			    "INSERT INTO expired VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET "
			    "records = records + excluded.records, "
			    "rx_packets = CAST(rx_packets + excluded.rx_packets AS INTEGER), "
			    "rx_l2_bytes = CAST(rx_l2_bytes + excluded.rx_l2_bytes AS INTEGER), "
			    "rx_l3_bytes = CAST(rx_l3_bytes + excluded.rx_l3_bytes AS INTEGER), "
			    "tx_packets = CAST(tx_packets + excluded.tx_packets AS INTEGER), "
			    "tx_l2_bytes = CAST(tx_l2_bytes + excluded.tx_l2_bytes AS INTEGER), "
			    "tx_l3_bytes = CAST(tx_l3_bytes + excluded.tx_l3_bytes AS INTEGER)");

	if (r < 0)
		return r;
	sqlite3_bind_int64(s, 1, account);
	sqlite3_bind_int64(s, 2, (int64_t)records);
	bind_party_tally(s, 3, NULL, t);
	r = sql_run(s, e);
	sqlite3_finalize(s);
	return r;
}
