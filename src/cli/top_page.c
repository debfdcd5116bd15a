/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/top_page.h"

#include "base/text.h"
#include "output/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define CELL 8u             /* a number */
#define SPARK_MOST 60u
#define KEY_LEAST 16u
#define PEERS_HEIGHT_PART 2 /* half of the rows */

struct page {
	struct top_state *s;
	const struct top_lines *lines;
	struct top_view *view;
	unsigned line;
	unsigned key_width, spark_width;
};

/* ---- numbers ---- */

static const char *short_number(double v, char buf[static 16])
{
	static const char units[] = " kMGTPE";
	unsigned u = 0;

	while (v >= 999.5 && u + 2 < sizeof units) {
		v /= 1000;
		u++;
	}
	if (v <= 0)
		snprintf(buf, 16, "-");
	else if (u == 0 || v >= 99.95)
		snprintf(buf, 16, "%.0f%.*s", v < 1 ? 1.0 : v, u != 0, &units[u]);
	else
		snprintf(buf, 16, "%.1f%.*s", v, 1, &units[u]);
	return buf;
}

static double shown_rate(const struct page *p, double bytes)
{
	return p->s->bits ? bytes * 8 : bytes;
}

static void put_number(const struct page *p, double v)
{
	char text[16];

	fprintf(p->lines->to, "%*s", (int)CELL, short_number(v, text));
}

/* ---- lines ---- */

static void end_line(struct page *p, enum top_style style)
{
	fputc('\n', p->lines->to);
	if (p->lines->style)
		p->lines->style[p->line] = style;
	p->line++;
}

static void put_tabs(struct page *p)
{
	const struct top_state *s = p->s;
	char clock[16] = "", text[512];
	time_t now = (time_t)s->facts.now_utc_s;
	size_t used = 0;
	struct tm tm;

	if (now && localtime_r(&now, &tm))
		strftime(clock, sizeof clock, "%H:%M:%S", &tm);
	used += (size_t)snprintf(text, sizeof text, "nettally");
	for (size_t i = 0; i < s->view_count && used < sizeof text - TOP_NAME_MAX - 8; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, i == s->view ? " [%s]" : "  %s ", s->views[i].name);
	page_field(p->lines->to, text, p->lines->width - 10);
	fprintf(p->lines->to, "%10s", clock);
	end_line(p, TOP_TABS);
}

static void put_sums(struct page *p)
{
	double rate[2] = { 0 };
	char a[16], b[16], text[256];
	const char *unit = p->s->bits ? "bit/s" : "B/s";
	int used;

	for (size_t i = 0; i < p->view->shown_count; i++)
		for (int side = 0; side < 2; side++)
			rate[side] += top_row_rate(p->view, p->view->shown[i], side, 10);
	if (p->view->bytes_at[1] >= 0)
		used = snprintf(text, sizeof text, "received %s%s, sent %s%s", short_number(shown_rate(p, rate[0]), a), unit,
				short_number(shown_rate(p, rate[1]), b), unit);
	else
		used = snprintf(text, sizeof text, "%s%s", short_number(shown_rate(p, rate[0]), a), unit);
	used += snprintf(text + used, sizeof text - (size_t)used, " (10 s); %zu rows", p->view->shown_count);
	if (p->s->filter[0] || p->s->editing)
		used += snprintf(text + used, sizeof text - (size_t)used, "; filter: %s%s", p->s->filter, p->s->editing
				? "_" : "");
	if (p->s->paused)
		used += snprintf(text + used, sizeof text - (size_t)used, "; paused");
	if (p->s->facts.title[0])
		snprintf(text + used, sizeof text - (size_t)used, "; %s", p->s->facts.title);
	page_text(p->lines->to, text, p->lines->width);
	end_line(p, TOP_PLAIN);
}

static void put_head(struct page *p)
{
	static const char *const names[TOP_ORDERS] = { NULL, "1 s", "10 s", "60 s", "RECEIVED", "SENT" };
	const bool sides = p->view->bytes_at[1] >= 0;
	char key[256];

	snprintf(key, sizeof key, "%.240s%s", p->view->keys, p->s->order == TOP_BY_KEY ? (p->s->turned ? " ^" : " v") : "");
	page_field(p->lines->to, key, p->key_width);
	for (enum top_order o = TOP_BY_1; o < TOP_ORDERS; o++) {
		char text[16];
		const char *name = o == TOP_BY_RX && !sides ? "TOTAL" : names[o];

		if (o == TOP_BY_TX && !sides)
			name = "";
		snprintf(text, sizeof text, "%s%s", p->s->order == o ? (p->s->turned ? "^" : "v") : "", name);
		fprintf(p->lines->to, " %*s", (int)CELL - 1, text);
	}
	if (p->spark_width)
		fprintf(p->lines->to, "  %.*s", (int)p->spark_width, p->spark_width < 11 ? "last min" : "last minute");
	end_line(p, TOP_HEAD);
}

/* ---- rows ---- */

static void put_spark(const struct page *p, const struct top_row *r)
{
	static const char *const blocks[] = { " ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587",
			"\u2588" };
	static const char *const ascii[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
	unsigned width = p->spark_width, per = (SPARK_MOST + width - 1) / width;
	double at[SPARK_MOST] = { 0 }, most = 0;

	for (unsigned i = 0; i < width; i++) {
		unsigned to = (width - 1 - i) * per; /* seconds ago */
		double newer = to ? top_row_rate(p->view, r, -1, to) * to : 0;

		at[i] = top_row_rate(p->view, r, -1, to + per) * (to + per) - newer;
		most = at[i] > most ? at[i] : most;
	}
	fputs("  ", p->lines->to);
	for (unsigned i = 0; i < width; i++) {
		unsigned level = most > 0 && at[i] > 0 ? 1 + (unsigned)(at[i] / most * 7.99) : 0;

		fputs((p->s->ascii ? ascii : blocks)[level > 8 ? 8 : level], p->lines->to);
	}
}

static void put_row(struct page *p, const struct top_row *r, enum top_style style)
{
	char key[512];

	snprintf(key, sizeof key, "%s", r->key);
	for (char *c = key; *c; c++)
		if (*c == '\t')
			*c = ' ';
	page_field(p->lines->to, key, p->key_width - 1);
	fputc(' ', p->lines->to);
	put_number(p, shown_rate(p, top_row_rate(p->view, r, -1, 1)));
	put_number(p, shown_rate(p, top_row_rate(p->view, r, -1, 10)));
	put_number(p, shown_rate(p, top_row_rate(p->view, r, -1, 60)));
	put_number(p, (double)top_row_bytes(p->view, r, 0));
	if (p->view->bytes_at[1] >= 0)
		put_number(p, (double)top_row_bytes(p->view, r, 1));
	else
		fprintf(p->lines->to, "%*s", (int)CELL, "");
	if (p->spark_width)
		put_spark(p, r);
	end_line(p, style);
}

static void put_empty(struct page *p, const char *text)
{
	page_text(p->lines->to, text, p->lines->width);
	end_line(p, TOP_PLAIN);
}

static void put_rows(struct page *p, unsigned height)
{
	struct top_state *s = p->s;
	size_t count = p->view->shown_count;

	if (s->cursor >= count)
		s->cursor = count ? count - 1 : 0;
	if (s->first > s->cursor)
		s->first = s->cursor;
	if (height && s->cursor >= s->first + height)
		s->first = s->cursor - height + 1;
	for (unsigned i = 0; i < height; i++) {
		size_t at = s->first + i;

		if (at < count)
			put_row(p, p->view->shown[at], at == s->cursor ? TOP_CHOSEN : TOP_PLAIN);
		else
			put_empty(p, i == 0 ? (s->filter[0] ? "nothing has the filter's text" : "nothing has moved yet") : "");
	}
}

/* ---- who talks to whom ---- */

struct top_view *top_pairs(struct top_state *s)
{
	const struct top_view *v = &s->views[s->view];
	bool mac = top_view_has_key(v, "mac") && !top_view_has_key(v, "host");

	for (size_t i = 0; i < s->view_count; i++)
		if (top_view_has_key(&s->views[i], mac ? "src_mac" : "src_host") &&
		    top_view_has_key(&s->views[i], mac ? "dst_mac" : "dst_host"))
			return &s->views[i];
	return NULL;
}

static int key_index(const struct top_view *v, const char *field)
{
	const char *at = v->keys;

	for (int i = 0;; i++) {
		size_t n = strcspn(at, ",");

		if (strlen(field) == n && memcmp(at, field, n) == 0)
			return i;
		if (!at[n])
			return -1;
		at += n + 1;
	}
}

struct peer {
	const struct top_row *row;
	bool sent;              /* by the chosen one */
	double rate;
};

static int compare_peers(const void *pa, const void *pb)
{
	const struct peer *a = pa, *b = pb;

	return a->rate > b->rate ? -1 : a->rate < b->rate;
}

/* The pairs that one address is an end of; *ret is the caller's to free(). */
static size_t find_peers(const struct top_view *pairs, const char *who, struct peer **ret)
{
	bool mac = top_view_has_key(pairs, "src_mac") && !top_view_has_key(pairs, "src_host");
	int src = key_index(pairs, mac ? "src_mac" : "src_host"), dst = key_index(pairs, mac ? "dst_mac" : "dst_host");
	struct peer *peers = calloc(pairs->row_count + 1, sizeof *peers);
	size_t count = 0;

	for (size_t i = 0; peers && i < pairs->bucket_count; i++)
		for (struct top_row *r = pairs->buckets[i]; r; r = r->next) {
			char end[300];
			bool sent = strcmp(top_key_field(r->key, (unsigned)src, end, sizeof end), who) == 0;

			if (sent || strcmp(top_key_field(r->key, (unsigned)dst, end, sizeof end), who) == 0)
				peers[count++] = (struct peer){ r, sent, top_row_rate(pairs, r, -1, 10) +
									  (double)top_row_bytes(pairs, r, -1) * 1e-12 };
		}
	if (peers)
		qsort(peers, count, sizeof *peers, compare_peers);
	*ret = peers;
	return count;
}

static void put_peer(struct page *p, const struct top_view *pairs, const struct peer *peer)
{
	bool mac = top_view_has_key(pairs, "src_mac") && !top_view_has_key(pairs, "src_host");
	const char *field = peer->sent ? (mac ? "dst_mac" : "dst_host") : (mac ? "src_mac" : "src_host");
	struct page of_pairs = *p;
	char end[300], text[320];

	of_pairs.view = (struct top_view *)pairs;
	snprintf(text, sizeof text, "%s %s", peer->sent ? "to  " : "from",
		 top_key_field(peer->row->key, (unsigned)key_index(pairs, field), end, sizeof end));
	page_field(p->lines->to, text, p->key_width - 1);
	fputc(' ', p->lines->to);
	put_number(p, shown_rate(p, top_row_rate(pairs, peer->row, -1, 1)));
	put_number(p, shown_rate(p, top_row_rate(pairs, peer->row, -1, 10)));
	put_number(p, shown_rate(p, top_row_rate(pairs, peer->row, -1, 60)));
	put_number(p, (double)top_row_bytes(pairs, peer->row, -1));
	fprintf(p->lines->to, "%*s", (int)CELL, "");
	if (p->spark_width)
		put_spark(&of_pairs, peer->row);
	end_line(p, TOP_PLAIN);
}

static void put_peers(struct page *p, unsigned height)
{
	const struct top_view *pairs = top_pairs(p->s), *v = p->view;
	const char *field = top_view_has_key(v, "host") ? "host" : "mac";
	struct peer *peers = NULL;
	char who[300] = "-", text[400];
	size_t count = 0;
	unsigned left = height;

	if (v->shown_count && key_index(v, field) >= 0)
		top_key_field(v->shown[p->s->cursor]->key, (unsigned)key_index(v, field), who, sizeof who);
	if (pairs)
		count = find_peers(pairs, who, &peers);
	snprintf(text, sizeof text, "%s talks to %zu%s", who, count,
		 pairs ? "" : ": no account is by both ends; add account pairs { by = { src_host, dst_host } }");
	page_text(p->lines->to, text, p->lines->width);
	end_line(p, TOP_TITLE);
	for (left--; left; left--) {
		size_t i = height - 1 - left;

		if (i < count)
			put_peer(p, pairs, &peers[i]);
		else
			put_empty(p, "");
	}
	free(peers);
}

/* ---- the rest ---- */

static const char *const help[] = {
	"Tab, left, right, 1-9   another account",
	"up, down, PgUp, PgDn    another row;  Home, End: the first, the last",
	"s, S, <, >              sort by the next or the previous column;  r: the other way round",
	"/                       filter as you type;  Enter keeps it, Esc drops it",
	"Enter, p                who talks to whom, for the chosen row",
	"b                       bits or bytes a second",
	"space                   pause;  the numbers go on behind it",
	"?, h                    this help;  q: quit",
	"",
	"1 s, 10 s, 60 s are rates, received and sent together; totals are since you began to look.",
	"Bytes are as the account has them: frames on the wire, unless it says l3.",
};

static void put_help(struct page *p, unsigned height)
{
	for (unsigned i = 0; i < height; i++)
		put_empty(p, i < sizeof help / sizeof *help ? help[i] : "");
}

static void put_foot(struct page *p)
{
	const struct top_facts *f = &p->s->facts;
	char text[512], lost[32], other[32];
	int used;

	if (p->s->message[0]) {
		page_text(p->lines->to, p->s->message, p->lines->width);
	} else {
		used = snprintf(text, sizeof text, "lost %s", human_count(f->lost + f->unaccounted, lost, sizeof lost));
		if (f->limit)
			used += snprintf(text + used, sizeof text - (size_t)used, "  table %.0f %%",
					 100.0 * (double)f->entries / (double)f->limit);
		if (f->overflowed)
			used += snprintf(text + used, sizeof text - (size_t)used, "  under other %s",
					 human_count(f->overflowed, other, sizeof other));
		if (p->view->left_out)
			used += snprintf(text + used, sizeof text - (size_t)used, "  not shown %" PRIu64 " keys",
					p->view->left_out);
		snprintf(text + used, sizeof text - (size_t)used, "   ? help  / filter  s sort  Enter peers  b %s  q quit",
			 p->s->bits ? "bytes" : "bits");
		page_text(p->lines->to, text, p->lines->width);
	}
	end_line(p, TOP_FOOT);
}

static void measure(struct page *p)
{
	unsigned numbers = CELL * (TOP_ORDERS - 1), left = p->lines->width > numbers ? p->lines->width - numbers : 0;

	p->key_width = left < KEY_LEAST ? KEY_LEAST : left;
	p->spark_width = 0;
	if (left > 28) { /* what keys do not need, most of it */
		p->spark_width = left - 28 > SPARK_MOST + 2 ? SPARK_MOST : left - 28 - 2;
		if (left - 28 < 6)
			p->spark_width = 0;
		p->key_width = left - (p->spark_width ? p->spark_width + 2 : 0);
	}
}

void top_page(struct top_state *s, const struct top_lines *lines)
{
	struct page p = { .s = s, .lines = lines, .view = &s->views[s->view] };
	unsigned height = lines->height - 4, below = 0; /* tabs, sums, head, foot */

	measure(&p);
	if (top_view_sort(p.view, s->order, s->turned, s->filter) < 0)
		snprintf(s->message, sizeof s->message, "no memory");
	put_tabs(&p);
	put_sums(&p);
	if (s->peers)
		below = height / PEERS_HEIGHT_PART;
	put_head(&p);
	if (s->help)
		put_help(&p, height);
	else
		put_rows(&p, height - below);
	if (below && !s->help)
		put_peers(&p, below);
	put_foot(&p);
}
