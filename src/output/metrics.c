/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics.c -- a snapshot in the Prometheus text format 0.0.4: all samples of a family stand
 * together, behind one HELP and one TYPE line. */
#include "base/text.h"
#include "output/buffer.h"
#include "output/facts.h"
#include "output/metrics_columns.h"
#include "output/metrics_rules.h"
#include "output/status.h"

#include <string.h>

static void put_family(struct buffer *b, const char *name, const char *type, const char *help)
{
	buffer_puts(b, "# HELP nettally_");
	buffer_puts(b, name);
	buffer_char(b, ' ');
	buffer_puts(b, help);
	buffer_puts(b, "\n# TYPE nettally_");
	buffer_puts(b, name);
	buffer_char(b, ' ');
	buffer_puts(b, type);
	buffer_char(b, '\n');
}

static void put_value(struct buffer *b, uint64_t value)
{
	buffer_char(b, ' ');
	buffer_number(b, value);
	buffer_char(b, '\n');
}

static void put_single(struct buffer *b, const char *name, const char *type, const char *help, uint64_t value)
{
	put_family(b, name, type, help);
	buffer_puts(b, "nettally_");
	buffer_puts(b, name);
	put_value(b, value);
}

/* The daemon's counters. An entry may have labels in its name: `base{reason="x"}` is family
 * base_total. */

static void put_counter(struct buffer *b, const char *metric, const char *help, const char **last, uint64_t value)
{
	size_t base_len = strcspn(metric, "{");
	char family[128] = "";

	if (base_len > sizeof family - sizeof "_total")
		return; /* our own table: cannot be */
	memcpy(family, metric, base_len);
	strcpy(family + base_len, "_total");
	if (!*last || strncmp(*last, metric, base_len) != 0 || strcspn(*last, "{") != base_len)
		put_family(b, family, "counter", help);
	*last = metric;
	buffer_puts(b, "nettally_");
	buffer_puts(b, family);
	buffer_puts(b, metric + base_len);
	put_value(b, value);
}

static void put_counters(struct buffer *b, const struct snapshot *s)
{
	const char *last = NULL;

#define X(name, metric, help) put_counter(b, metric, help, &last, s->counters.name);
	COUNTERS(X)
#undef X
}

/* Interfaces: one row per sample; rows of one family follow each other. */

static uint64_t unaccounted_or_zero(const struct interface_books *i)
{
	int64_t n = interface_unaccounted(i);

	return n > 0 ? (uint64_t)n : 0;
}

#define PLAIN(member) static uint64_t get_##member(const struct interface_books *i) { return i->member; }
PLAIN(ingress_packets)
PLAIN(egress_packets)
PLAIN(booked_l2_bytes)
PLAIN(lost_packets)
PLAIN(filtered_packets)
PLAIN(malformed_packets)
PLAIN(overflowed)
PLAIN(kernel_rx_packets)
PLAIN(kernel_tx_packets)
PLAIN(kernel_rx_bytes)
PLAIN(kernel_tx_bytes)
#undef PLAIN

static uint64_t get_up(const struct interface_books *i)
{
	return i->up;
}

static const struct {
	const char *family, *type, *help; /* family NULL: the one before goes on */
	const char *direction;            /* NULL: without the label */
	uint64_t (*get)(const struct interface_books *i);
} interface_metrics[] = {
	{ "interface_up", "gauge", "1 where the interface is there and counted", NULL, get_up },
	{ "interface_packets_total", "counter", "wire packets booked on the interface", "receive", get_ingress_packets },
	{ NULL, NULL, NULL, "transmit", get_egress_packets },
	{ "interface_bytes_total", "counter", "l2 bytes booked on the interface, both directions", NULL,
	  get_booked_l2_bytes },
	{ "interface_lost_packets_total", "counter", "packets dropped before they were seen", NULL, get_lost_packets },
	{ "interface_filtered_packets_total", "counter", "packets left out by a filter", NULL, get_filtered_packets },
	{ "interface_malformed_packets_total", "counter", "booked packets with a bad header", NULL, get_malformed_packets },
	{ "interface_overflowed_total", "counter", "bookings under other because the kernel's table was full", NULL,
	  get_overflowed },
	{ "interface_kernel_packets_total", "counter", "packets by the interface's own counters", "receive",
	  get_kernel_rx_packets },
	{ NULL, NULL, NULL, "transmit", get_kernel_tx_packets },
	{ "interface_kernel_bytes_total", "counter", "bytes by the interface's own counters", "receive", get_kernel_rx_bytes },
	{ NULL, NULL, NULL, "transmit", get_kernel_tx_bytes },
	{ "unaccounted_packets_total", "counter",
	  "packets the interface counted that are neither booked nor lost nor filtered: 0 = the books close", NULL,
	  unaccounted_or_zero },
};

static void put_captures(struct buffer *b, const struct snapshot *s)
{
	if (s->interface_count)
		put_family(b, "interface_capture_info", "gauge", "how the interface is counted, and why, as labels");
	for (size_t i = 0; i < s->interface_count; i++) {
		buffer_puts(b, "nettally_interface_capture_info{interface=");
		buffer_label(b, s->interfaces[i].name);
		buffer_puts(b, ",capture=");
		buffer_label(b, s->interfaces[i].capture);
		buffer_puts(b, ",why=");
		buffer_label(b, s->interfaces[i].capture_why);
		buffer_puts(b, "} 1\n");
	}
}

static void put_interfaces(struct buffer *b, const struct snapshot *s)
{
	const char *family = "";

	for (size_t m = 0; s->interface_count && m < sizeof interface_metrics / sizeof *interface_metrics; m++) {
		if (interface_metrics[m].family) {
			family = interface_metrics[m].family;
			put_family(b, family, interface_metrics[m].type, interface_metrics[m].help);
		}
		for (size_t i = 0; i < s->interface_count; i++) {
			buffer_puts(b, "nettally_");
			buffer_puts(b, family);
			buffer_puts(b, "{interface=");
			buffer_label(b, s->interfaces[i].name);
			if (interface_metrics[m].direction) {
				buffer_puts(b, ",direction=");
				buffer_label(b, interface_metrics[m].direction);
			}
			buffer_char(b, '}');
			put_value(b, interface_metrics[m].get(&s->interfaces[i]));
		}
	}
}

/* Accounts */

/* An account may be called as one of our own families is; then it is nettally_account_NAME_... */
static void account_family(const struct account *a, const char *unit, char *buf, size_t size)
{
	static const char *const taken[] = {
		"capture",          "capture_lost",   "capture_filtered",   "capture_malformed",   "interface",
		"interface_kernel", "interface_lost", "interface_filtered", "interface_malformed", "unaccounted",
	};
	bool clash = strncmp(a->name, "account_", 8) == 0;

	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		clash |= strcmp(a->name, taken[i]) == 0;
	snprintf(buf, size, "%s%s_%s_total", clash ? "account_" : "", a->name, unit);
}

struct sample {
	const struct snapshot *snapshot;
	const struct account *account;
	const char *family;
};

/* `direction` is taken by receive and transmit where the record has both. */
static const char *label_name(const struct account *a, enum field f)
{
	return a->party && f == FIELD_DIRECTION ? "packet_direction" : field_name(f);
}

static void put_sample(struct buffer *b, const struct sample *x, const struct snapshot_series *r, const char *direction,
		       uint64_t value)
{
	const struct account *a = x->account;
	char text[KEY_TEXT_MAX];

	buffer_puts(b, "nettally_");
	buffer_puts(b, x->family);
	buffer_char(b, '{');
	for (size_t i = 0; i < a->by_count; i++) {
		if (i)
			buffer_char(b, ',');
		buffer_puts(b, label_name(a, a->by[i]));
		buffer_char(b, '=');
		buffer_label(b, snapshot_key_text(x->snapshot, a, r->key, a->by[i], text));
	}
	if (direction) {
		buffer_puts(b, ",direction=");
		buffer_label(b, direction);
	}
	buffer_char(b, '}');
	put_value(b, value);
}

/* What rx_ and tx_ counters are in one family: "receive" and "transmit". */
static const char *direction_of(const struct account *a, const char *counter)
{
	return !a->party ? NULL : counter[0] == 'r' ? "receive" : "transmit";
}

static void put_help(struct buffer *b, const struct account *a, const char *family, const char *unit, bool is_bytes)
{
	char help[160];

	snprintf(help, sizeof help, "%s of account %s%s",
		 !is_bytes ? unit : account_has_deliveries(a) ? "payload bytes" : a->bytes == BYTES_L2 ? "l2 bytes" : "l3 bytes",
		 a->name, a->party ? ", received and transmitted by the party" : "");
	put_family(b, family, "counter", help);
}

/* rx_bytes and tx_bytes are one family, bytes; so are the packets. */
static void put_account_family(struct buffer *b, const struct snapshot *s, const struct snapshot_account *sa, unsigned which)
{
	const struct account *a = sa->account;
	char family[ACCOUNT_NAME_MAX + 32];
	struct sample x = { s, a, family };
	unsigned count, step = a->party ? 2 : 1;
	const struct account_counter *counters = account_counters(a, &count);
	const struct account_counter *first = &counters[which];
	const char *unit = first->name + (a->party ? 3 : 0);

	account_family(a, unit, family, sizeof family);
	put_help(b, a, family, unit, first->is_bytes);
	if (account_has_rules(a)) {
		metrics_rules(b, s, sa, &(struct metrics_family){ family, first->is_bytes });
		return;
	}
	for (size_t i = 0; i < sa->series_count; i++)
		for (unsigned k = which; k < count; k += step * (a->party ? 1 : count))
			put_sample(b, &x, &sa->series[i], direction_of(a, counters[k].name),
				   counters[k].get(&sa->series[i].total, a->bytes));
}

static struct column_map *add_map(struct columns *c, enum column_of of, const char *alias)
{
	struct column_map *m = &c->at[c->count++];

	*m = (struct column_map){ .of = of };
	snprintf(m->alias, sizeof m->alias, "%s", alias);
	return m;
}

static void put_merged_side(struct buffer *b, const struct snapshot *s, const struct snapshot_account *sa, const char *family,
			    const struct account_counter *counter)
{
	const struct account *a = sa->account;
	char name[COLUMN_ALIAS_MAX];
	struct columns c = { 0 };
	struct column_map *m;

	for (size_t i = 0; i < a->by_count; i++)
		add_map(&c, COLUMN_OF_KEY, label_name(a, a->by[i]))->field = a->by[i];
	if (a->party) {
		m = add_map(&c, COLUMN_OF_CONSTANT, "direction");
		snprintf(m->constant, sizeof m->constant, "%s", direction_of(a, counter->name));
	}
	snprintf(name, sizeof name, "nettally_%.*s", COLUMN_ALIAS_MAX - 10, family);
	m = add_map(&c, COLUMN_OF_COUNTER, name);
	m->counters = counter_of_name(a, counter->name, strlen(counter->name));
	metrics_columns(b, s, sa, &c, true);
}

/* Two hosts may have one name: the usual families, but equal labels are one sample. */
static void put_merged(struct buffer *b, const struct snapshot *s, const struct snapshot_account *sa, unsigned which)
{
	const struct account *a = sa->account;
	unsigned count;
	const struct account_counter *counters = account_counters(a, &count);
	const char *unit = counters[which].name + (a->party ? 3 : 0);
	char family[ACCOUNT_NAME_MAX + 32];

	account_family(a, unit, family, sizeof family);
	put_help(b, a, family, unit, counters[which].is_bytes);
	put_merged_side(b, s, sa, family, &counters[which]);
	if (a->party)
		put_merged_side(b, s, sa, family, &counters[which + 2]);
}

static void put_account(struct buffer *b, const struct snapshot *s, const struct snapshot_account *sa)
{
	const struct account *a = sa->account;
	unsigned count;

	account_counters(a, &count);
	if (a->columns) {
		metrics_columns(b, s, sa, a->columns, false);
		return;
	}
	for (unsigned k = a->party ? count / 2 : count; k-- > 0;) {
		if (metrics_may_merge(a))
			put_merged(b, s, sa, k);
		else
			put_account_family(b, s, sa, k);
	}
}

static void put_ledger(struct buffer *b, const struct snapshot_ledger *l)
{
	put_single(b, "ledger_records_total", "counter", "records booked by this process", l->booked_records);
	put_single(b, "ledger_transactions_total", "counter", "transactions of this process", l->booked_transactions);
	put_single(b, "ledger_expired_records_total", "counter", "records gone by retention or the size limit",
		   l->expired_records);
	put_single(b, "ledger_pending_records", "gauge", "records that wait for the ledger", l->pending_records);
	put_single(b, "ledger_size_bytes", "gauge", "size of the ledger", l->size_bytes);
	put_single(b, "ledger_max_size_bytes", "gauge", "its limit, 0 = none", l->max_size_bytes);
	put_single(b, "ledger_failing", "gauge", "1 while the ledger cannot be written", l->state == LEDGER_FAILING);
}

void metrics_text(FILE *to, const struct snapshot *s)
{
	struct buffer b;

	buffer_start(&b, to);
	put_family(&b, "build_info", "gauge", "the version, as a label");
	buffer_puts(&b, "nettally_build_info{version=");
	buffer_label(&b, s->version ? s->version : "");
	buffer_puts(&b, "} 1\n");
	put_single(&b, "start_time_seconds", "gauge", "when the daemon started, seconds since 1970",
		   s->started_utc_s > 0 ? (uint64_t)s->started_utc_s : 0);
	put_single(&b, "ticks_total", "counter", "ticks of the counting loop", s->ticks);
	put_counters(&b, s);
	put_single(&b, "table_entries", "gauge", "keys in the grain table at the last tick", s->table_entries);
	put_single(&b, "table_limit", "gauge", "most keys that the grain table takes", s->table_limit);
	put_captures(&b, s);
	put_interfaces(&b, s);
	if (s->ledger.state != LEDGER_NONE)
		put_ledger(&b, &s->ledger);
	facts_metrics(&b, &s->facts);
	for (size_t i = 0; i < s->account_count; i++)
		put_account(&b, s, &s->accounts[i]);
	buffer_flush(&b);
}
