/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status.c -- the daemon's health as JSON: everything the snapshot has but the series. The page
 * is in status_page.c. */
#include "output/status.h"

#include "base/strings.h"
#include "base/text.h"
#include "output/facts.h"
#include "output/json.h"
#include "output/problems.h"

static const char *const ledger_states[] = {
	[LEDGER_NONE] = "none", [LEDGER_OK] = "ok", [LEDGER_BEHIND] = "behind", [LEDGER_FAILING] = "failing",
};

const char *ledger_state_name(enum ledger_state state)
{
	return ledger_states[state];
}

static void put_interface(struct json *j, const struct interface_books *b)
{
	json_begin(j, NULL, '{');
	json_text(j, "interface", b->name);
	json_number(j, "ifindex", b->ifindex);
	json_text(j, "capture", b->capture);
	json_text(j, "capture_why", b->capture_why);
	json_bool(j, "up", b->up);
	json_time(j, "since", b->since_utc_s);
	json_number(j, "packets", b->booked_packets);
	json_number(j, "l2_bytes", b->booked_l2_bytes);
	json_number(j, "ingress_packets", b->ingress_packets);
	json_number(j, "egress_packets", b->egress_packets);
	json_number(j, "overflowed", b->overflowed);
	json_number(j, "lost_packets", b->lost_packets);
	json_number(j, "filtered_packets", b->filtered_packets);
	json_number(j, "malformed_packets", b->malformed_packets);
	json_number(j, "kernel_rx_packets", b->kernel_rx_packets);
	json_number(j, "kernel_tx_packets", b->kernel_tx_packets);
	json_number(j, "kernel_rx_bytes", b->kernel_rx_bytes);
	json_number(j, "kernel_tx_bytes", b->kernel_tx_bytes);
	json_signed(j, "unaccounted_packets", interface_unaccounted(b));
	json_end(j, '}');
}

void interfaces_json(FILE *to, const struct snapshot *s)
{
	struct buffer b;
	struct json j = { .to = &b };

	buffer_start(&b, to);
	json_begin(&j, NULL, '[');
	for (size_t i = 0; i < s->interface_count; i++)
		put_interface(&j, &s->interfaces[i]);
	json_end(&j, ']');
	buffer_flush(&b);
}

void account_definition_json(struct json *j, const struct account *a)
{
	static const char *const from[] = { "packets", "reports", "sockets" }, *const of[] = { "both", "local", "remote" };

	json_text(j, "name", a->name);
	json_text(j, "from", from[a->from]);
	json_begin(j, "by", '[');
	for (size_t i = 0; i < a->by_count; i++)
		json_text(j, NULL, field_name(a->by[i]));
	json_end(j, ']');
	json_text(j, "of", of[a->of]);
	json_number(j, "every", a->every_s);
	json_text(j, "bytes", a->bytes == BYTES_L2 ? "l2" : "l3");
}

static void put_tally(struct json *j, const char *name, const struct tally *t)
{
	json_begin(j, name, '{');
	json_number(j, "packets", t->packets);
	json_number(j, "l2_bytes", t->l2_bytes);
	json_number(j, "l3_bytes", t->l3_bytes);
	json_end(j, '}');
}

static void put_account(struct json *j, const struct snapshot_account *sa)
{
	json_begin(j, NULL, '{');
	account_definition_json(j, sa->account);
	json_number(j, "keys", sa->keys);
	json_number(j, "limit", sa->account->limit);
	json_time(j, "window", sa->window_utc_s);
	json_number(j, "overflowed", sa->overflowed);
	json_number(j, "series", sa->series_count);
	if (sa->account->party) {
		put_tally(j, "rx", &sa->total.rx);
		put_tally(j, "tx", &sa->total.tx);
	} else if (account_has_deliveries(sa->account)) {
		unsigned count;
		const struct account_counter *counters = account_counters(sa->account, &count);

		for (unsigned i = 0; i < count; i++)
			json_number(j, counters[i].name, counters[i].get(&sa->total, BYTES_L2));
	} else {
		put_tally(j, "total", &sa->total.rx);
	}
	json_end(j, '}');
}

static void put_ledger(struct json *j, const struct snapshot_ledger *l)
{
	json_begin(j, "ledger", '{');
	json_text(j, "state", ledger_state_name(l->state));
	json_text(j, "path", l->path);
	json_text(j, "problem", l->problem);
	if (l->state == LEDGER_FAILING)
		json_time(j, "failing_since", l->failing_since_utc_s);
	json_number(j, "pending_bookings", l->pending_bookings);
	json_number(j, "pending_records", l->pending_records);
	json_number(j, "booked_records", l->booked_records);
	json_number(j, "booked_transactions", l->booked_transactions);
	json_number(j, "expired_records", l->expired_records);
	json_number(j, "size_bytes", l->size_bytes);
	json_number(j, "max_size_bytes", l->max_size_bytes);
	if (l->last_booked_utc_s)
		json_time(j, "last_booked", l->last_booked_utc_s);
	json_end(j, '}');
}

static void put_daemon(struct json *j, const struct snapshot *s)
{
	json_text(j, "version", s->version ? s->version : "");
	json_time(j, "taken", s->taken_utc_s);
	json_time(j, "started", s->started_utc_s);
	json_signed(j, "uptime_seconds", s->taken_utc_s - s->started_utc_s);
	json_text(j, "config", s->config_path);
	json_text(j, "listen", s->listen);
	json_number(j, "tick_seconds", s->tick_s);
	json_number(j, "ticks", s->ticks);
	json_begin(j, "reload", '{');
	json_number(j, "done", s->reloads);
	json_number(j, "refused", s->reloads_refused);
	json_text(j, "problem", s->reload_problem);
	json_end(j, '}');
	json_begin(j, "table", '{');
	json_number(j, "entries", s->table_entries);
	json_number(j, "limit", s->table_limit);
	json_end(j, '}');
	json_begin(j, "counters", '{');
#define X(name, metric, help) json_number(j, #name, s->counters.name);
	COUNTERS(X)
#undef X
	json_end(j, '}');
}

/* Rules that the kernel does not count where it counts the interface. */
static void put_rules(struct json *j, const struct snapshot *s)
{
	json_begin(j, "rules_not_in_kernel", '[');
	for (size_t i = 0; i < s->rule_count; i++) {
		const struct snapshot_rule *r = &s->rules[i];

		json_begin(j, NULL, '{');
		json_text(j, "interface", r->interface);
		json_text(j, "account", r->account);
		json_text(j, "rule", s->strings ? strings_at(s->strings, r->rule) : "");
		json_text(j, "counted_by", r->at_socket ? "socket" : "nobody");
		json_text(j, "why", r->why);
		json_end(j, '}');
	}
	json_end(j, ']');
}

void status_json(FILE *to, const struct snapshot *s)
{
	struct problems p;
	struct buffer b;
	struct json j = { .to = &b };

	problems_find(&p, s);
	buffer_start(&b, to);
	json_begin(&j, NULL, '{');
	json_text(&j, "state", p.count ? "degraded" : "ok");
	json_begin(&j, "problems", '[');
	for (size_t i = 0; i < p.shown; i++)
		json_text(&j, NULL, p.text[i]);
	json_end(&j, ']');
	put_daemon(&j, s);
	json_begin(&j, "interfaces", '[');
	for (size_t i = 0; i < s->interface_count; i++)
		put_interface(&j, &s->interfaces[i]);
	json_end(&j, ']');
	json_begin(&j, "accounts", '[');
	for (size_t i = 0; i < s->account_count; i++)
		put_account(&j, &s->accounts[i]);
	json_end(&j, ']');
	facts_json(&j, &s->facts);
	put_rules(&j, s);
	put_ledger(&j, &s->ledger);
	json_end(&j, '}');
	buffer_flush(&b);
}
