/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A query is one SELECT: records of every level that start in the range, grouped by window and
 * keys, summed exactly. */
#include "ledger/query.h"

#include "base/prefix.h"
#include "base/text.h"
#include "ledger/account_row.h"
#include "ledger/names.h"
#include "ledger/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What `where` compares with: text, a number, or a prefix. */
struct condition {
	char text[KEY_TEXT_MAX];
	const char *string;  /* of any length, instead of `text`; borrowed from the query */
	int64_t number;
	struct prefix prefix;
	enum { CONDITION_TEXT, CONDITION_NUMBER, CONDITION_PREFIX } kind;
};

struct plan {
	const struct query *q;
	struct account *account;
	char *table;
	enum field by[FIELDS_PER_KEY_MAX];
	size_t by_count;
	struct condition where[QUERY_WHERE_MAX];
	struct column columns[OUTPUT_COLUMNS_MAX];
	unsigned column_count;
};

static int refuse_key(const struct account *a, enum field f, struct err *e)
{
	char keys[ACCOUNT_ROW_TEXT_MAX];

	return err_set(e, -EINVAL, "account %s has no key %s: it is by %s", a->name, field_name(f) ? field_name(f) : "?",
		       account_keys_text(a, keys));
}

static bool has_key(const struct account *a, enum field f)
{
	for (size_t i = 0; i < a->by_count; i++)
		if (a->by[i] == f)
			return true;
	return false;
}

static int plan_keys(struct plan *p, struct err *e)
{
	const struct query *q = p->q;

	for (size_t i = 0; i < q->by_count; i++)
		if (!has_key(p->account, q->by[i]))
			return refuse_key(p->account, q->by[i], e);
	p->by_count = q->by_count ? q->by_count : p->account->by_count;
	memcpy(p->by, q->by_count ? q->by : p->account->by, p->by_count * sizeof *p->by);
	return 0;
}

static int refuse_value(enum field f, const char *value, const char *what, struct err *e)
{
	return err_set(e, -EINVAL, "%s=%s: no %s", field_name(f), value, what);
}

static int host_condition(struct condition *c, enum field f, const char *value, struct err *e)
{
	struct addr a;

	if (addr_parse(&a, value) == 0) {
		addr_format(&a, c->text);
		return 0;
	}
	c->kind = CONDITION_PREFIX;
	return prefix_parse(&c->prefix, value, NULL) < 0 ? refuse_value(f, value, "address or prefix", e) : 0;
}

static int number_condition(struct condition *c, enum field f, const char *value, struct err *e)
{
	const long long most = field_is_as(f) ? UINT32_MAX : UINT16_MAX;
	char *end;

	if (field_is_as(f) && value[0] == '{')
		return 0; /* an AS_SET, as text */
	errno = 0;
	c->kind = CONDITION_NUMBER;
	c->number = strtoll(value, &end, f == FIELD_ETHERTYPE ? 0 : 10);
	if (errno || end == value || *end || c->number < 0 || c->number > most)
		return refuse_value(f, value, most == UINT16_MAX ? "number up to 65535" : "AS number", e);
	if (f == FIELD_ETHERTYPE) { /* text, in one form */
		c->kind = CONDITION_TEXT;
		snprintf(c->text, sizeof c->text, "0x%04x", (unsigned)c->number);
	}
	return 0;
}

/* The value as the ledger's column holds it: addresses and MACs in their one form. */
static int make_condition(struct condition *c, enum field f, const char *value, struct err *e)
{
	uint8_t mac[6];

	c->kind = CONDITION_TEXT;
	snprintf(c->text, sizeof c->text, "%s", value);
	if (f == FIELD_RULE || f == FIELD_AS_PATH || f == FIELD_NAME || f == FIELD_COUNTRY)
		c->string = value;
	if (strcmp(value, "-") == 0 || strcmp(value, "other") == 0)
		return 0;
	switch (f) {
	case FIELD_HOST:
	case FIELD_SRC_HOST:
	case FIELD_DST_HOST:
		return host_condition(c, f, value, e);
	case FIELD_MAC:
	case FIELD_SRC_MAC:
	case FIELD_DST_MAC:
		if (mac_parse(mac, value) < 0)
			return refuse_value(f, value, "MAC address", e);
		mac_format(mac, c->text);
		return 0;
	default:
		return field_is_number(f) || f == FIELD_ETHERTYPE ? number_condition(c, f, value, e) : 0;
	}
}

static int plan_where(struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->q->where_count; i++) {
		const struct query_where *w = &p->q->where[i];

		if (!has_key(p->account, w->field))
			return refuse_key(p->account, w->field, e);
		int r = make_condition(&p->where[i], w->field, w->value, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void add_column(struct plan *p, const char *name, enum column_kind kind)
{
	p->columns[p->column_count++] = (struct column){ name, kind };
}

static void plan_columns(struct plan *p)
{
	const struct account_counter *counters;
	unsigned count;

	if (p->q->every_s)
		add_column(p, "window", COLUMN_TIME);
	for (size_t i = 0; i < p->by_count; i++)
		add_column(p, field_name(p->by[i]), field_is_number(p->by[i]) ? COLUMN_NUMBER : COLUMN_TEXT);
	counters = account_counters(p->account, &count);
	for (unsigned i = 0; i < count; i++)
		add_column(p, counters[i].name, counters[i].is_bytes ? COLUMN_BYTES : COLUMN_COUNT);
}

static int refuse_sort(const struct plan *p, const char *name, struct err *e)
{
	char names[256] = "";
	size_t used = 0;

	for (unsigned i = 0; i < p->column_count && used < sizeof names; i++)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", p->columns[i].name);
	return err_set(e, -EINVAL, "cannot sort by %s: the columns are %s", name, names);
}

/* "-" stands before the numbers of a number column, "other" behind them, as `nettally read`
 * sorts. */
static void append_order(sqlite3_str *s, const struct plan *p, unsigned column, bool down)
{
	const char *way = down ? " DESC" : "";

	if (p->columns[column].kind == COLUMN_NUMBER)
		sqlite3_str_appendf(s, "(\"%w\" IS NOT '-')%s, ", p->columns[column].name, way);
	sqlite3_str_appendf(s, "%u%s", column + 1, way);
}

static int append_sort(sqlite3_str *s, const struct plan *p, struct err *e)
{
	unsigned keys = (p->q->every_s != 0) + (unsigned)p->by_count;
	const char *sort = p->q->sort;

	sqlite3_str_appendall(s, " ORDER BY ");
	if (sort) {
		bool down = *sort == '-';
		unsigned i = 0;

		while (i < p->column_count && strcmp(p->columns[i].name, sort + down) != 0)
			i++;
		if (i == p->column_count)
			return refuse_sort(p, sort + down, e);
		append_order(s, p, i, down);
		sqlite3_str_appendall(s, ", ");
	}
	for (unsigned i = 0; i < keys; i++) {
		append_order(s, p, i, false);
		if (i + 1 < keys)
			sqlite3_str_appendall(s, ", ");
	}
	return 0;
}

/* What a name is the name of: the host where records have it, else the device. */
static const char *named_by(const struct account *a)
{
	for (size_t i = 0; i < a->stored_count; i++)
		if (a->stored[i] == FIELD_HOST)
			return field_name(FIELD_HOST);
	return field_name(FIELD_MAC);
}

/* Names are joined by the record's time; everything else is a column. */
static void append_key(sqlite3_str *s, const struct plan *p, enum field f)
{
	if (f == FIELD_NAME)
		names_append_expression(s, "", named_by(p->account));
	else
		sqlite3_str_appendf(s, "\"%w\"", field_name(f));
}

static void append_selected(sqlite3_str *s, const struct plan *p)
{
	enum bytes_basis basis = p->q->basis < 0 ? p->account->bytes : (enum bytes_basis)p->q->basis;
	const char *bytes = basis == BYTES_L3 ? "l3_bytes" : "l2_bytes";
	unsigned count;
	const struct account_counter *counters = account_counters(p->account, &count);

	sqlite3_str_appendall(s, "SELECT ");
	if (p->q->every_s)
		sqlite3_str_appendall(s, "window - (window % ?3 + ?3) % ?3, ");
	for (size_t i = 0; i < p->by_count; i++) {
		append_key(s, p, p->by[i]);
		sqlite3_str_appendall(s, ", ");
	}
	for (unsigned i = 0; i < count; i++) {
		const char *name = counters[i].name;
		size_t len = strlen(name);

		/* rx_bytes is a sum of rx_l2_bytes, or of rx_l3_bytes */
		if (counters[i].is_bytes && !account_has_deliveries(p->account))
			sqlite3_str_appendf(s, "%scounter_sum(\"%.*w%s\")", i ? ", " : "", (int)len - 5, name, bytes);
		else
			sqlite3_str_appendf(s, "%scounter_sum(\"%w\")", i ? ", " : "", name);
	}
	sqlite3_str_appendf(s, " FROM \"%w\"", p->table);
}

/* The lengths, so that SQLite goes through the primary key (length, window, ...) and not through
 * the whole table. */
static int append_lengths(sqlite3_str *s, struct ledger_reader *r, const struct plan *p, struct err *e)
{
	int64_t length = 0;
	int x;

	sqlite3_str_appendall(s, " WHERE length IN (0");
	while ((x = sql_number(r->db, &length, 0, e, "SELECT min(length) FROM \"%w\" WHERE length > %lld", p->table,
			       (long long)length)) == 0 && length)
		sqlite3_str_appendf(s, ", %lld", (long long)length);
	sqlite3_str_appendall(s, ") AND window >= ?1 AND window < ?2");
	return x;
}

#define FIRST_WHERE 5

static void append_condition(sqlite3_str *s, const struct plan *p, size_t i)
{
	enum field f = p->q->where[i].field;
	const char *value = p->q->where[i].value;
	int at = FIRST_WHERE + (int)i;

	/* a set of few hosts, before their names are looked for record by record */
	if (f == FIELD_NAME && strcmp(value, "-") != 0 && strcmp(value, "other") != 0)
		sqlite3_str_appendf(s, " AND \"%w\" IN (SELECT key FROM name WHERE name = ?%d)", named_by(p->account), at);
	if (p->where[i].kind == CONDITION_PREFIX) {
		sqlite3_str_appendf(s, " AND in_prefix(\"%w\", ?%d)", field_name(f), at);
		return;
	}
	if (f == FIELD_COUNTRY && strchr(value, ',')) { /* any of a list */
		sqlite3_str_appendf(s, " AND instr(',' || ?%d || ',', ',' || ", at);
		append_key(s, p, f);
		sqlite3_str_appendall(s, " || ',') > 0");
		return;
	}
	sqlite3_str_appendall(s, " AND ");
	append_key(s, p, f);
	sqlite3_str_appendf(s, " = ?%d", at);
}

static int append_query(sqlite3_str *s, struct ledger_reader *r, const struct plan *p, struct err *e)
{
	unsigned keys = (p->q->every_s != 0) + (unsigned)p->by_count;

	append_selected(s, p);
	int x = append_lengths(s, r, p, e);
	if (x < 0)
		return x;
	for (size_t i = 0; i < p->q->where_count; i++)
		append_condition(s, p, i);
	sqlite3_str_appendall(s, " GROUP BY ");
	for (unsigned i = 0; i < keys; i++)
		sqlite3_str_appendf(s, "%s%u", i ? ", " : "", i + 1);
	x = append_sort(s, p, e);
	sqlite3_str_appendall(s, " LIMIT ?4");
	return x;
}

static void bind_query(sqlite3_stmt *s, struct plan *p)
{
	sqlite3_bind_int64(s, 1, p->q->from_utc_s);
	sqlite3_bind_int64(s, 2, p->q->to_utc_s);
	if (p->q->every_s)
		sqlite3_bind_int64(s, 3, p->q->every_s);
	sqlite3_bind_int64(s, 4, p->q->limit);
	for (size_t i = 0; i < p->q->where_count; i++) {
		struct condition *c = &p->where[i];
		int at = FIRST_WHERE + (int)i;

		if (c->kind == CONDITION_TEXT)
			sqlite3_bind_text(s, at, c->string ? c->string : c->text, -1, SQLITE_STATIC);
		else if (c->kind == CONDITION_NUMBER)
			sqlite3_bind_int64(s, at, c->number);
		else
			sqlite3_bind_pointer(s, at, &c->prefix, "prefix", NULL);
	}
}

static struct cell cell_of(sqlite3_stmt *s, int at, enum column_kind kind)
{
	if (sqlite3_column_type(s, at) == SQLITE_TEXT)
		return (struct cell){ .text = (const char *)sqlite3_column_text(s, at) };
	if (kind == COLUMN_TIME)
		return (struct cell){ .time_utc_s = sqlite3_column_int64(s, at) };
	return (struct cell){ .number = (uint64_t)sqlite3_column_int64(s, at) };
}

static int write_rows(sqlite3_stmt *s, const struct column *columns, unsigned count, struct output *out, struct err *e)
{
	struct cell cells[OUTPUT_COLUMNS_MAX];
	int r = output_columns(out, columns, count);

	if (r < 0)
		return err_errno(e, r, "cannot write the answer");
	while ((r = sql_step(s, e)) == 1) {
		for (unsigned i = 0; i < count; i++)
			cells[i] = cell_of(s, (int)i, columns[i].kind);
		r = output_row(out, cells);
		if (r < 0)
			return err_errno(e, r, "cannot write the answer");
	}
	return r;
}

static int run_plan(struct ledger_reader *r, struct plan *p, struct output *out, struct err *e)
{
	sqlite3_str *text = sqlite3_str_new(r->db);
	sqlite3_stmt *s = NULL;
	int x = append_query(text, r, p, e);

	if (x < 0) {
		sqlite3_free(sqlite3_str_finish(text));
		return x;
	}
	x = sql_prepare_str(r->db, &s, text, e);
	if (x == 0) {
		bind_query(s, p);
		x = write_rows(s, p->columns, p->column_count, out, e);
	}
	sqlite3_finalize(s);
	return x;
}

int query_run(struct ledger_reader *r, const struct query *q, struct output *out, struct err *e)
{
	struct plan p = { .q = q };
	int x = reader_find_account(r, q->account, &p.account, &p.table, e);

	if (x < 0)
		return x;
	x = plan_keys(&p, e);
	if (x == 0)
		x = plan_where(&p, e);
	if (x == 0) {
		plan_columns(&p);
		x = run_plan(r, &p, out, e);
	}
	account_unref(&p.account);
	sqlite3_free(p.table);
	return x;
}
