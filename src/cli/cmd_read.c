/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_read.c -- `nettally read`: accounts capture files, prints, exits. No ledger, no
 * privileges. */
#include "capture/filter.h"
#include "capture/pcapfile.h"
#include "cli/cmd_top.h"
#include "cli/commands.h"
#include "cli/read_derive.h"
#include "cli/read_known.h"
#include "cli/read_report.h"
#include "cli/read_rules.h"
#include "cli/read_stream.h"
#include "base/clock.h"
#include "base/text.h"
#include "count/count.h"
#include "decode/decode.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_KEYS_MAX (1u << 28)   /* beyond it: `other` */
#define PROGRESS_AFTER_NS (2 * NS_PER_S)
#define PROGRESS_EVERY_NS (NS_PER_S / 4)

struct link_filter {
	uint16_t linktype;
	struct filter *filter;
};

struct reader {
	struct account *account;
	struct prefix_set local;
	struct services services;
	struct strings *strings;
	struct count count;
	const char *filter;
	struct link_filter filters[READ_LINKTYPES_MAX];
	unsigned filter_count;
	uint64_t fields;           /* of `by` */
	struct read_known known;   /* for derived keys */
	const char *rules_path;    /* NULL = by keys */
	struct read_rules rules;
	enum format format;
	bool format_given;
	struct read_report report;
	struct read_stream stream;
	struct output *out;        /* open while rows are written */
	uint64_t packets;
	int64_t started_ns, shown_ns;
	bool progress;
	bool top, once;            /* the live view, by the files' own time */
};

static const char read_help[] =
	"Usage: nettally read [OPTIONS] FILE...\n"
	"Accounts capture files (pcap, pcapng; - is standard input) and prints who moved how much.\n"
	"\n"
	"  --by KEY[,KEY]       what to count by (default: host): mac host src_mac dst_mac src_host dst_host\n"
	"                       src_port dst_port interface direction vlan ethertype proto service; what an\n"
	"                       address belongs to: prefix origin_as neighbour_as transit_as as_path country\n"
	"                       (with --routes, --geo), name vendor (hosts file, list of vendors)\n"
	"  --of local|remote|both  which ends of a packet (default: both)\n"
	"  --local CIDR         a local network, may be repeated (default: the private ranges)\n"
	"  --filter EXPR        only packets that match the pcap expression\n"
	"  --rules FILE         count by the rules of a file: lines `identifier;pcap expression`\n"
	"  --routes MRTFILE     a routing table, for prefix, as_path and the AS keys\n"
	"  --geo MMDB           countries\n"
	"  --service NAME=tcp:PORT|udp:PORT  a named service, may be repeated\n"
	"  --every DUR          a record per window: 10s 1min 1h (aligned to UTC, by the packets' clock)\n"
	"  --bytes l2|l3        frames as on the wire (default), or IP datagrams\n"
	"  --sort [-]COLUMN     order of the rows, - for the largest first\n"
	"  --limit N            at most N rows\n"
	"  --format table|tsv|csv|json|ndjson\n"
	"  --top [--once]       the view of `nettally top`, by the packets' clock; --once: a page of its end\n"
	"\n"
	"Examples:\n"
	"  nettally read --by host --sort -rx_bytes --limit 10 traffic.pcap\n"
	"  nettally read --by src_host,dst_port --filter 'tcp[13] & 2 != 0' a.pcapng b.pcap\n"
	"  tcpdump -i eth0 -w - | nettally read --by mac -\n";

static int add_local(struct reader *r, const char *text, struct err *e)
{
	char copy[1024], *save = NULL;

	if (strlen(text) >= sizeof copy)
		return err_set(e, -EINVAL, "--local: too long");
	strcpy(copy, text);
	for (char *one = strtok_r(copy, ", ", &save); one; one = strtok_r(NULL, ", ", &save)) {
		struct prefix p;
		int ret = prefix_parse(&p, one, e);

		if (ret < 0)
			return err_prefix(e, ret, "--local");
		if (prefix_set_add(&r->local, &p) < 0)
			return err_set(e, -ENOMEM, "no memory");
	}
	return 0;
}

/* RFC 1918, 6598, 3927, 4193, 4291: what is local where nobody says. */
static int default_local(struct reader *r, struct err *e)
{
	return add_local(r, "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,fc00::/7,fe80::/10",
			 e);
}

static int parse_of(enum account_of *ret, const char *text, struct err *e)
{
	static const char *const names[] = { [OF_BOTH] = "both", [OF_LOCAL] = "local", [OF_REMOTE] = "remote" };

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum account_of)i;
			return 0;
		}
	}
	return err_set(e, -EINVAL, "--of \"%.60s\": write local, remote or both", text);
}

static int parse_bytes(enum bytes_basis *ret, const char *text, struct err *e)
{
	if (strcmp(text, "l2") != 0 && strcmp(text, "l3") != 0)
		return err_set(e, -EINVAL, "--bytes \"%.60s\": write l2 (frames) or l3 (IP datagrams)", text);
	*ret = text[1] == '2' ? BYTES_L2 : BYTES_L3;
	return 0;
}

static int parse_every(uint32_t *ret, const char *text, struct err *e)
{
	int r = duration_parse(ret, text, e);

	if (r < 0)
		return err_prefix(e, r, "--every");
	if (86400 % *ret)
		return err_set(e, -EINVAL, "--every %s: a window divides a day (1s 10s 1min 5min 1h 1d ...)", text);
	return 0;
}

static int parse_limit(int64_t *ret, const char *text, struct err *e)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	if (errno || end == text || *end || *ret < 0)
		return err_set(e, -EINVAL, "--limit \"%.60s\": write a number of rows", text);
	return 0;
}

enum option_id { OPT_BY = 256, OPT_OF, OPT_LOCAL, OPT_FILTER, OPT_SERVICE, OPT_EVERY, OPT_BYTES, OPT_SORT, OPT_LIMIT,
		 OPT_FORMAT, OPT_RULES, OPT_ROUTES, OPT_GEO, OPT_TOP, OPT_ONCE };

static const struct option options[] = {
	{ "by", required_argument, NULL, OPT_BY },         { "of", required_argument, NULL, OPT_OF },
	{ "local", required_argument, NULL, OPT_LOCAL },   { "filter", required_argument, NULL, OPT_FILTER },
	{ "service", required_argument, NULL, OPT_SERVICE }, { "every", required_argument, NULL, OPT_EVERY },
	{ "bytes", required_argument, NULL, OPT_BYTES },   { "sort", required_argument, NULL, OPT_SORT },
	{ "limit", required_argument, NULL, OPT_LIMIT },   { "format", required_argument, NULL, OPT_FORMAT },
	{ "rules", required_argument, NULL, OPT_RULES },   { "routes", required_argument, NULL, OPT_ROUTES },
	{ "top", no_argument, NULL, OPT_TOP },             { "once", no_argument, NULL, OPT_ONCE },
	{ "geo", required_argument, NULL, OPT_GEO },       { "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int take_option(struct reader *r, int id, const char *value, struct err *e)
{
	struct account *a = r->account;

	switch (id) {
	case OPT_BY: return field_list_parse(a->by, &a->by_count, value, e);
	case OPT_OF: return parse_of(&a->of, value, e);
	case OPT_LOCAL: return add_local(r, value, e);
	case OPT_FILTER: r->filter = value; return 0;
	case OPT_SERVICE: return services_parse(&r->services, value, e);
	case OPT_EVERY: return parse_every(&r->count.grain.window_s, value, e);
	case OPT_BYTES: return parse_bytes(&a->bytes, value, e);
	case OPT_SORT: r->report.sort = value; return 0;
	case OPT_LIMIT: return parse_limit(&r->report.limit, value, e);
	case OPT_FORMAT: r->format_given = true; return format_parse(&r->format, value, e);
	case OPT_RULES: r->rules_path = value; return 0;
	case OPT_TOP: r->top = true; return 0;
	case OPT_ONCE: r->once = true; return 0;
	case OPT_ROUTES: r->known.routes_path = value; return 0;
	default: r->known.geo_path = value; return 0;
	}
}

static int check_rules(const struct reader *r, struct err *e)
{
	const struct account *a = r->account;

	if (r->rules_path && (a->by_count != 1 || a->by[0] != FIELD_RULE))
		return err_set(e, -EINVAL, "--rules counts by rule alone: leave --by out");
	if (!r->rules_path && account_has_rules(a))
		return err_set(e, -EINVAL, "--by rule: by which? add --rules FILE");
	return 0;
}

/* Everything that the options leave open, and the grain that follows from them. */
static int prepare(struct reader *r, struct err *e)
{
	struct account *a = r->account;
	struct grain *g = &r->count.grain, grain;
	uint64_t fields;
	int ret;

	strcpy(a->name, "read");
	if (a->by_count == 0) {
		a->by[0] = r->rules_path ? FIELD_RULE : FIELD_HOST;
		a->by_count = 1;
	}
	ret = account_finish(a, e);
	if (ret == 0)
		ret = check_rules(r, e);
	if (ret < 0)
		return ret;
	if (r->local.count == 0 && (ret = default_local(r, e)) < 0)
		return ret;
	if (r->services.count == 0 && (ret = services_add_well_known(&r->services, e)) < 0)
		return ret;
	ret = services_intern(&r->services, r->strings, e);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < a->by_count; i++)
		r->fields |= FIELD_BIT(a->by[i]);
	if (read_is_derived(r->fields) && (ret = read_known_open(&r->known, r->fields, r->strings, e)) < 0)
		return ret;
	fields = (read_is_derived(r->fields) ? read_base_fields(r->fields, a->bases) : a->layout.fields) |
		 (g->window_s ? FIELD_BIT(FIELD_WINDOW) : 0);
	ret = key_layout_make(&g->layout, fields, e);
	if (ret < 0)
		return ret;
	g->party = a->party;
	g->basis = a->bytes;
	g->of = a->of;
	g->limit = READ_KEYS_MAX;
	g->services = &r->services;
	g->local = &r->local;
	r->report.account = a;
	r->report.basis = a->bytes;
	r->report.strings = r->strings;
	ret = read_report_check(&r->report, g->window_s != 0, e);
	if (ret < 0)
		return ret;
	g->narrow = grain_may_be_narrow(g);
	grain = *g;
	if (r->rules_path) {
		ret = read_rules_open(&r->rules, r->rules_path, g->window_s, e);
		if (ret < 0)
			return ret;
	}
	return count_open(&r->count, &grain, e);
}

static int filter_for(struct reader *r, uint16_t linktype, struct filter **ret, struct err *e)
{
	struct link_filter *f = r->filters;
	int err;

	for (; f < r->filters + r->filter_count; f++)
		if (f->linktype == linktype) {
			*ret = f->filter;
			return 0;
		}
	if (r->filter_count == READ_LINKTYPES_MAX)
		return err_set(e, -EINVAL, "--filter: over %d link types in one run", READ_LINKTYPES_MAX);
	err = filter_open(&f->filter, r->filter, linktype, e);
	if (err < 0)
		return err_prefix(e, err, "--filter");
	f->linktype = linktype;
	r->filter_count++;
	*ret = f->filter;
	return 0;
}

/* Keeps the frames that match, in their order. */
static int apply_filter(struct reader *r, struct frame *frames, unsigned *count, struct err *e)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < *count; i++) {
		struct filter *f = NULL;
		int ret = filter_for(r, frames[i].linktype, &f, e);

		if (ret < 0)
			return ret;
		if (filter_match(f, &frames[i]))
			frames[kept++] = frames[i];
	}
	*count = kept;
	return 0;
}

static void show_progress(struct reader *r)
{
	int64_t now = clock_system().monotonic_ns(NULL);

	if (now - r->started_ns < PROGRESS_AFTER_NS || now - r->shown_ns < PROGRESS_EVERY_NS)
		return;
	r->shown_ns = now;
	fprintf(stderr, "\r%llu packets", (unsigned long long)r->packets);
}

/* Ctrl-C at `tcpdump -w - | nettally read -` reaches both: what was read is to be printed. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

static void catch_interrupts(void)
{
	struct sigaction act = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND }; /* the second one kills */

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

static int open_output(struct reader *r, struct err *e)
{
	int ret;

	if (r->out)
		return 0;
	ret = output_open(&r->out, stdout, r->format_given ? r->format : format_default(stdout), e);
	return ret < 0 ? ret : read_report_columns(&r->report, r->count.grain.window_s != 0, r->out, e);
}

static int write_rows(struct reader *r, struct count *c, struct err *e)
{
	struct count derived = { 0 };
	int ret;

	if (!read_is_derived(r->fields))
		return read_report_rows(&r->report, c, r->out, e);
	ret = read_derive(c, r->fields, r->account->bases, &r->known.attributor, &derived, e);
	if (ret == 0)
		ret = read_report_rows(&r->report, &derived, r->out, e);
	count_close(&derived);
	return ret;
}

/* The last rows, and the end of the output. */
static int print_report(struct reader *r)
{
	struct err e = { 0 };
	int ret = open_output(r, &e);

	if (ret == 0)
		ret = r->rules_path ? read_rules_rows(&r->rules, &r->report, INT64_MAX, r->out, &e) :
				      write_rows(r, &r->count, &e);
	if (ret < 0) {
		output_close(&r->out, NULL);
		return fail(EXIT_FAILED, "read", &e);
	}
	return output_close(&r->out, &e) < 0 ? fail(EXIT_FAILED, "read", &e) : EXIT_OK;
}

static int print_closed_rules(struct reader *r, int64_t boundary, struct err *e)
{
	int ret = open_output(r, e);

	r->stream.printed_before_s = boundary;
	if (ret == 0)
		ret = read_rules_rows(&r->rules, &r->report, boundary, r->out, e);
	return ret < 0 ? ret : output_flush(r->out);
}

/* Windows of a live stream that are over; in the order of time, so not where another is asked for. */
static int print_closed(struct reader *r, struct err *e)
{
	int64_t boundary;
	struct count closed;
	int ret;

	if (!r->count.grain.window_s || r->report.sort || r->report.limit >= 0)
		return 0;
	boundary = read_stream_boundary(&r->stream, r->count.grain.window_s, clock_system().utc_ns(NULL));
	if (boundary == INT64_MIN)
		return 0;
	if (r->rules_path)
		return print_closed_rules(r, boundary, e);
	ret = read_stream_take(&r->count, boundary, &closed, e);
	if (ret < 0)
		return ret;
	r->stream.printed_before_s = boundary;
	ret = open_output(r, e);
	if (ret == 0)
		ret = write_rows(r, &closed, e);
	count_close(&closed);
	return ret < 0 ? ret : output_flush(r->out);
}

static int count_batch(struct reader *r, const struct frame *frames, const struct packet *packets, unsigned n, struct err *e)
{
	if (r->rules_path)
		return read_rules_add(&r->rules, frames, packets, n, e);
	count_packets(&r->count, packets, n);
	return 0;
}

/* 0, or EXIT_FAILED after a damaged file, or EXIT_USAGE for a filter that does not compile. */
static int read_file(struct reader *r, const char *path)
{
	struct frame frames[FRAME_BATCH];
	struct packet packets[FRAME_BATCH];
	struct pcapfile *f;
	struct err e = { 0 };
	unsigned batches = 0;
	bool stream = strcmp(path, "-") == 0;
	int n = pcapfile_open(&f, path, r->strings, &e);

	if (n < 0)
		return fail(EXIT_FAILED, "read", &e);
	while (!interrupted && (n = pcapfile_next(f, frames, stream ? STREAM_IDLE_MS : 0, &e)) != 0) {
		unsigned count = (unsigned)n;

		if (stream && (n == -EAGAIN || (batches & 63) == 0) && print_closed(r, &e) < 0)
			break;
		if (n == -EAGAIN)
			continue; /* nothing came, or a signal did */
		if (n < 0)
			break;

		r->packets += count;
		if (r->filter && apply_filter(r, frames, &count, &e) < 0) {
			pcapfile_close(&f);
			return fail(EXIT_USAGE, "read", &e);
		}
		decode_batch(frames, count, packets);
		if (count_batch(r, frames, packets, count, &e) < 0)
			break;
		if (stream)
			read_stream_see(&r->stream, packets, count);
		if ((++batches & 1023) == 0 && r->progress)
			show_progress(r);
	}
	pcapfile_close(&f);
	if (r->shown_ns)
		fprintf(stderr, "\r\033[K");
	return e.code < 0 && e.code != -EAGAIN ? fail(EXIT_FAILED, "read", &e) : EXIT_OK;
}

static void reader_free(struct reader *r)
{
	output_close(&r->out, NULL);
	for (unsigned i = 0; i < r->filter_count; i++)
		filter_close(&r->filters[i].filter);
	count_close(&r->count);
	read_known_close(&r->known);
	read_rules_close(&r->rules);
	account_unref(&r->account);
	services_free(&r->services);
	prefix_set_free(&r->local);
	strings_free(&r->strings);
}

static int read_all(struct reader *r, int argc, char **argv)
{
	struct err e = { 0 };
	int status = EXIT_OK;

	if (prepare(r, &e) < 0)
		return usage_error("read", "%s", e.msg);
	r->started_ns = clock_system().monotonic_ns(NULL);
	r->progress = isatty(STDERR_FILENO);
	catch_interrupts();
	for (int i = 0; i < argc && !interrupted; i++) {
		int one = read_file(r, argv[i]);

		if (one == EXIT_USAGE)
			return one;
		status = one ? one : status;
	}
	if (r->filter && r->filter_count == 0) { /* no frame asked for it: is it one at all? */
		struct filter *f;

		if (filter_for(r, LINKTYPE_ETHERNET, &f, &e) < 0)
			return fail(EXIT_USAGE, "read", &e);
	}
	return print_report(r) ? EXIT_FAILED : status;
}

int cmd_read(int argc, char **argv)
{
	struct reader r = { .report.limit = -1 };
	struct err e = { 0 };
	int id, status;

	r.account = account_new();
	if (!r.account || strings_new(&r.strings) < 0)
		return EXIT_FAILED;
	while ((id = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (id == 'h') {
			fputs(read_help, stdout);
			reader_free(&r);
			return EXIT_OK;
		}
		if (id == '?' || take_option(&r, id, optarg, &e) < 0) {
			status = id == '?' ? usage_error("read", "see the options") : usage_error("read", "%s", e.msg);
			reader_free(&r);
			return status;
		}
	}
	if (optind == argc)
		status = usage_error("read", "which file? (- is standard input)");
	else if (r.top || r.once)
		status = top_files(argv + optind, (size_t)(argc - optind), r.once);
	else
		status = read_all(&r, argc - optind, argv + optind);
	reader_free(&r);
	return status;
}
