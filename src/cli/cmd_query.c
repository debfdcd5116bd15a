/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_query.c -- `nettally query`: sums of an account over a range, from the ledger. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/place.h"
#include "cli/query_groups.h"
#include "ledger/query_args.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char query_help[] =
	"Usage: nettally query ACCOUNT [OPTIONS]      sums each key of the account over the range (default: all)\n"
	"       nettally query [--ledger FILE]        lists the accounts in the ledger\n"
	"\n"
	"  --ledger FILE        the ledger (default: /var/lib/nettally/ledger.db)\n"
	"  -c FILE              the ledger of this config file\n"
	"  --from T  --to T     windows that start in [from, to): 2026-11-22T00:46:00Z, 2026-11-22,\n"
	"                       1700000000, now, today, yesterday, -1h (that long ago)\n"
	"  --every DUR          a sum per window of this length: 1min 1h 1d\n"
	"  --where KEY=VALUE    only these, may be repeated; for host also a prefix, for country several (DE,FR) or\n"
	"                       a group (eu)\n"
	"  --by KEY[,KEY]       by a part of the account's keys\n"
	"  --bytes l2|l3        frames as on the wire, or IP datagrams (default: as the account declares)\n"
	"  --sort [-]COLUMN     order of the rows, - for the largest first\n"
	"  --limit N            at most N rows\n"
	"  --format table|tsv|csv|json|ndjson\n"
	"\n"
	"Exit status: 0 well, 1 it failed (no ledger, no such account), 2 the command line or config is wrong.\n"
	"\n"
	"Examples:\n"
	"  nettally query hosts --from -1h --sort -rx_bytes --limit 10\n"
	"  nettally query hosts --where host=192.0.2.0/24 --every 1h --from today --format json\n";

struct query_command {
	struct query query;
	struct place place;
	struct query_groups groups;
	enum format format;
};

/* Long options that are query_arg()'s own have 'q' and go there by name. */
static const struct option query_options[] = {
	{ "from", required_argument, NULL, 'q' },   { "to", required_argument, NULL, 'q' },
	{ "every", required_argument, NULL, 'q' },  { "where", required_argument, NULL, 'q' },
	{ "by", required_argument, NULL, 'q' },     { "bytes", required_argument, NULL, 'q' },
	{ "sort", required_argument, NULL, 'q' },   { "limit", required_argument, NULL, 'q' },
	{ "ledger", required_argument, NULL, 'l' }, { "config", required_argument, NULL, 'c' },
	{ "format", required_argument, NULL, 'f' }, { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* -1 to go on, else the exit status. */
static int parse_option(struct query_command *c, int o, int index, char **argv)
{
	int64_t now_utc_s = ns_to_s(clock_system().utc_ns(NULL));
	struct err e = { 0 };

	switch (o) {
	case 'l': c->place.ledger_option = optarg; return -1;
	case 'c': c->place.config_option = optarg; return -1;
	case 'h': fputs(query_help, stdout); return EXIT_OK;
	case 'f': return format_parse(&c->format, optarg, &e) < 0 ? usage_error("query", "--format: %s", e.msg) : -1;
	case ':': return usage_error("query", "%s needs a value", argv[optind - 1]);
	case 'q': break;
	default: return usage_error("query", "unknown option %s", argv[optind - 1]);
	}
	if (query_arg(&c->query, query_options[index].name, optarg, now_utc_s, &e) < 0)
		return usage_error("query", "--%s", e.msg);
	return -1;
}

static int parse_command(struct query_command *c, int argc, char **argv)
{
	struct err e = { 0 };
	int o, index = 0, status;

	opterr = 0;
	optind = 0;
	while ((o = getopt_long(argc, argv, ":c:h", query_options, &index)) != -1) {
		status = parse_option(c, o, index, argv);
		if (status >= 0)
			return status;
	}
	if (argc - optind > 1)
		return usage_error("query", "one account at a time: what is '%s'?", argv[optind + 1]);
	if (optind < argc)
		c->query.account = argv[optind];
	if (query_check(&c->query, &e) < 0)
		return usage_error("query", "%s", e.msg);
	return place_find(&c->place, &e) < 0 ? fail(EXIT_USAGE, "query", &e) : -1;
}

static int print_query(struct query_command *c, struct ledger_reader *reader, struct err *e)
{
	struct output *out;
	int r = output_open(&out, stdout, c->format, e);

	if (r < 0)
		return r;
	r = c->query.account ? query_run(reader, &c->query, out, e) : query_accounts(reader, out, e);
	if (r < 0) {
		output_abort(&out);
		return r;
	}
	return output_close(&out, e);
}

int cmd_query(int argc, char **argv)
{
	struct query_command c = { .format = format_default(stdout) };
	struct ledger_reader *reader;
	struct err e = { 0 };
	int r, status;

	query_init(&c.query);
	status = parse_command(&c, argc, argv);
	if (status >= 0)
		return status;
	if (ledger_reader_open(&reader, c.place.ledger, &e) < 0)
		return fail(EXIT_FAILED, "query", &e);
	r = query_groups_expand(&c.groups, &c.query, c.place.config_option, &e);
	if (r == 0)
		r = print_query(&c, reader, &e);
	query_groups_free(&c.groups);
	ledger_reader_close(&reader);
	if (r < 0)
		return fail(r == -EINVAL ? EXIT_USAGE : EXIT_FAILED, "query", &e);
	return EXIT_OK;
}
