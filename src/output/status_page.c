/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status_page.c -- the daemon's health on one page of 80 columns and 24 lines; what has no room
 * is told, and is in the JSON. */
#include "base/strings.h"
#include "base/text.h"
#include "output/facts.h"
#include "output/page.h"
#include "output/problems.h"
#include "output/status.h"

#include <inttypes.h>
#include <string.h>

#define INTERFACES_SHOWN 4
#define REASONS_SHOWN 2 /* with more interfaces than this there is no room to say why of each */
#define ACCOUNTS_SHOWN 6
#define PROBLEMS_SHOWN 3
#define RULES_SHOWN 3

static const char *uptime(int64_t s, char *buf, size_t size)
{
	if (s < 0)
		s = 0;
	if (s >= 86400)
		snprintf(buf, size, "%" PRId64 "d %" PRId64 "h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(buf, size, "%" PRId64 "h %" PRId64 "min", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%" PRId64 "min %" PRId64 "s", s / 60, s % 60);
	return buf;
}

static void put_head(FILE *to, const struct snapshot *s, const struct problems *p, bool colour)
{
	char now[TIME_TEXT_MAX], up[32];

	page_word(to, colour, PAGE_BOLD, "nettally");
	fprintf(to, " %s, ", s->version ? s->version : "");
	page_word(to, colour, p->count ? PAGE_BAD : PAGE_GOOD, p->count ? "degraded" : "ok");
	fprintf(to, ", up %s, %s\n", uptime(s->taken_utc_s - s->started_utc_s, up, sizeof up),
		time_format(s->taken_utc_s, now, sizeof now));
	for (size_t i = 0; i < p->shown && i < PROBLEMS_SHOWN; i++) {
		fputs("! ", to);
		page_text(to, p->text[i], PAGE_COLUMNS - 2);
		fputc('\n', to);
	}
	fputs("config  ", to);
	page_text(to, s->config_path[0] ? s->config_path : "none: the defaults and the command line", 70);
	fputs(s->listen[0] ? "\nweb     http://" : "\nweb     off", to);
	page_text(to, s->listen, 60);
	fputc('\n', to);
}

static void put_ledger(FILE *to, const struct snapshot_ledger *l, bool colour)
{
	char size[32], max[32], records[32];

	fputs("ledger  ", to);
	page_word(to, colour, l->state == LEDGER_OK ? PAGE_GOOD : PAGE_BAD, ledger_state_name(l->state));
	if (l->state == LEDGER_NONE) {
		fputc('\n', to);
		return;
	}
	fputc(' ', to);
	page_text(to, l->path, 62);
	fprintf(to, "\n        %s%s%s, %s records booked, %" PRIu64 " waiting\n", human_bytes(l->size_bytes, size, sizeof size),
		l->max_size_bytes ? " of " : "", l->max_size_bytes ? size_format(l->max_size_bytes, max, sizeof max) : "",
		human_count(l->booked_records, records, sizeof records), l->pending_records);
}

static void put_counted(FILE *to, const struct snapshot *s)
{
	char packets[32], bytes[32], lost[32];

	fprintf(to, "counted %s packets, %s; lost %s; malformed %" PRIu64 "; overflowed %" PRIu64 "\n",
		human_count(s->counters.capture_packets, packets, sizeof packets),
		human_bytes(s->counters.capture_bytes, bytes, sizeof bytes),
		human_count(s->counters.lost_ring, lost, sizeof lost), s->counters.malformed, s->counters.overflowed);
}

static void put_more(FILE *to, size_t all, size_t shown)
{
	if (all > shown)
		fprintf(to, "... and %zu more (--json shows all)\n", all - shown);
}

/* How it is counted, and why so. */
static void put_capture(FILE *to, const struct interface_books *b)
{
	char text[256];

	if (!b->capture_why[0] && !b->overflowed)
		return;
	int len = snprintf(text, sizeof text, "%s", b->capture);
	if (b->overflowed)
		len += snprintf(text + len, sizeof text - (size_t)len, ", %" PRIu64 " under other: table full", b->overflowed);
	if (b->capture_why[0])
		snprintf(text + len, sizeof text - (size_t)len, " (%s)", b->capture_why);
	page_field(to, "", 16);
	page_text(to, text, PAGE_COLUMNS - 16);
	fputc('\n', to);
}

static void put_interfaces(FILE *to, const struct snapshot *s, bool colour)
{
	char packets[32], bytes[32], lost[32];

	fputc('\n', to);
	page_word(to, colour, PAGE_BOLD, "INTERFACE       STATE CAPTURE  PACKETS     BYTES      LOST  UNACCOUNTED");
	fputc('\n', to);
	for (size_t i = 0; i < s->interface_count && i < INTERFACES_SHOWN; i++) {
		const struct interface_books *b = &s->interfaces[i];

		page_field(to, b->name, 16);
		page_field(to, b->up ? "up" : "down", 6);
		page_field(to, b->capture, 7);
		fprintf(to, " %8s %9s %9s %12" PRId64 "\n", human_count(b->booked_packets, packets, sizeof packets),
			human_bytes(b->booked_l2_bytes, bytes, sizeof bytes), human_count(b->lost_packets, lost, sizeof lost),
			interface_unaccounted(b));
		if (s->interface_count <= REASONS_SHOWN)
			put_capture(to, b);
	}
	put_more(to, s->interface_count, INTERFACES_SHOWN);
}

static void account_keys(const struct account *a, char *buf, size_t size)
{
	buf[0] = '\0';
	for (size_t i = 0; i < a->by_count; i++) {
		size_t len = strlen(buf);

		snprintf(buf + len, size - len, "%s%s", i ? "," : "", field_name(a->by[i]));
	}
}

static void put_accounts(FILE *to, const struct snapshot *s, bool colour)
{
	char by[256], every[32], keys[32], packets[32], bytes[32];

	fputc('\n', to);
	page_word(to, colour, PAGE_BOLD, "ACCOUNT         BY                    EVERY     KEYS   PACKETS     BYTES");
	fputc('\n', to);
	for (size_t i = 0; i < s->account_count && i < ACCOUNTS_SHOWN; i++) {
		const struct snapshot_account *sa = &s->accounts[i];
		const struct account *a = sa->account;

		account_keys(a, by, sizeof by);
		page_field(to, a->name, 15);
		fputc(' ', to);
		page_field(to, by, 21);
		fprintf(to, " %5s %8s %9s %9s\n", duration_format(a->every_s, every, sizeof every),
			human_count(sa->keys, keys, sizeof keys), human_count(sa->total.rx.packets, packets, sizeof packets),
			human_bytes(tally_bytes(&sa->total.rx, a->bytes), bytes, sizeof bytes));
	}
	put_more(to, s->account_count, ACCOUNTS_SHOWN);
}

/* What the programs in the kernel leave to a packet socket. */
static void put_rules(FILE *to, const struct snapshot *s)
{
	if (s->rule_count)
		fputs("\nRULES that are not counted in the kernel\n", to);
	for (size_t i = 0; i < s->rule_count && i < RULES_SHOWN; i++) {
		const struct snapshot_rule *r = &s->rules[i];
		char text[512];

		page_field(to, r->interface, 16);
		snprintf(text, sizeof text, "%s: %.80s: %s: %s", r->account, s->strings ? strings_at(s->strings, r->rule) : "",
			 r->at_socket ? "at a packet socket" : "not at all", r->why);
		page_text(to, text, PAGE_COLUMNS - 16);
		fputc('\n', to);
	}
	put_more(to, s->rule_count, RULES_SHOWN);
}

void status_page(FILE *to, const struct snapshot *s, bool colour)
{
	struct problems p;

	problems_find(&p, s);
	put_head(to, s, &p, colour);
	put_ledger(to, &s->ledger, colour);
	put_counted(to, s);
	put_interfaces(to, s, colour);
	put_accounts(to, s, colour);
	facts_page(to, &s->facts, colour);
	put_rules(to, s);
}
