/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_sinks.c -- `nettally sinks`: the kinds with their options, what the daemon's own are doing, and another try of what a
 * sink refused. */
#include "cli/commands.h"

#include "base/text.h"
#include "cli/control_client.h"
#include "cli/place.h"
#include "output/output.h"
#include "sinks/sink.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: nettally sinks [--kinds] [--format table|tsv|csv|json|ndjson] [--control PATH | --ledger FILE | -c FILE]\n"
	"       nettally sinks retry NAME [--from-start] [--control PATH | --ledger FILE | -c FILE]\n"
	"\n"
	"Sinks copy closed windows from the ledger to other systems. Without a word: the sinks of the running daemon, and where\n"
	"none runs, or with --kinds, the kinds that there are, with the options of their sections.\n"
	"  lag        seconds since the end of the oldest window that the sink has not got\n"
	"  set_aside  windows that the target refused; `retry` sends them again once it is mended\n"
	"  expired    records that went before the sink got them (hold, hold_size)\n"
	"\n"
	"  -k, --kinds           the kinds and their options\n"
	"  -s, --from-start      retry: everything that the ledger still has, not only what was set aside\n"
	"  -f, --format FORMAT   default: table on a terminal, tsv in a pipe\n"
	"      --control PATH    the daemon's control socket (default: " CONTROL_PATH_DEFAULT ")\n"
	"      --ledger FILE     the daemon that writes this ledger (its socket is FILE.sock)\n"
	"  -c FILE               the daemon that runs with this config file\n"
	"\n"
	"Exit status: 0 all well, 1 no daemon answered, or it refused, 2 the command line or config is wrong.\n"
	"\n"
	"Examples:\n"
	"  nettally sinks\n"
	"  nettally sinks retry home\n";

struct options {
	struct place place;
	bool kinds, from_start, has_format;
	enum format format;
};

/* ---- the kinds ---- */

static const struct column kind_columns[] = {
	{ "kind", COLUMN_TEXT }, { "option", COLUMN_TEXT }, { "default", COLUMN_TEXT }, { "meaning", COLUMN_TEXT },
};

static const struct {
	const char *name, *fallback, *help;
} common[] = {
	{ "table NAME { account, columns }", "each account", "a table there: an account's records by these columns" },
	{ "table NAME { devices = yes }", "-", "a table of the devices and their addresses" },
	{ "node", "the host's name", "this machine, where many write into one target" },
	{ "hold", "7d", "the ledger keeps what the sink has not got for so long ..." },
	{ "hold_size", "8GiB", "... and while the ledger is no larger than this" },
	{ "batch", "by kind", "about so many records at once" },
	{ "timeout", "30s", "of one answer" },
};

static int kind_row(struct output *out, const char *kind, const char *option, const char *fallback, const char *text)
{
	struct cell cells[] = { { .text = kind }, { .text = option }, { .text = fallback }, { .text = text } };

	return output_row(out, cells);
}

static void kind_rows(struct output *out, const struct sink_ops *ops)
{
	kind_row(out, ops->name, "-", "-", ops->help);
	for (const struct sink_option *o = ops->options; o->name; o++) {
		char name[64];

		snprintf(name, sizeof name, o->type == SINK_SECRET ? "%s_file, %s_env" : "%s", o->name, o->name);
		kind_row(out, ops->name, name, o->required ? "must be set" : o->fallback ? o->fallback : "-", o->help);
	}
}

static int print_kinds(const struct options *o, struct err *e)
{
	struct output *out;
	int r = output_open(&out, stdout, o->format, e);

	if (r < 0)
		return r;
	output_columns(out, kind_columns, sizeof kind_columns / sizeof *kind_columns);
	for (const struct sink_ops *const *k = sink_kinds; *k; k++)
		kind_rows(out, *k);
	for (size_t i = 0; i < sizeof common / sizeof *common; i++)
		kind_row(out, "all", common[i].name, common[i].fallback, common[i].help);
	return output_close(&out, e);
}

/* ---- those of the daemon ---- */

static const struct column state_columns[] = {
	{ "sink", COLUMN_TEXT },     { "kind", COLUMN_TEXT },     { "state", COLUMN_TEXT },
	{ "lag", COLUMN_NUMBER },    { "records", COLUMN_COUNT }, { "errors", COLUMN_COUNT },
	{ "set_aside", COLUMN_COUNT }, { "expired", COLUMN_COUNT }, { "problem", COLUMN_TEXT },
};
#define STATE_COLUMNS (sizeof state_columns / sizeof *state_columns)

/* Lines of words with tabs between, in the order of the columns. */
static int print_states(const struct options *o, char *answer, struct err *e)
{
	struct output *out;
	int r = output_open(&out, stdout, o->format, e);

	if (r < 0)
		return r;
	output_columns(out, state_columns, STATE_COLUMNS);
	for (char *line; (line = strsep(&answer, "\n")) && *line;) {
		struct cell cells[STATE_COLUMNS] = { 0 };

		for (size_t i = 0; i < STATE_COLUMNS; i++) {
			const char *word = strsep(&line, "\t");

			if (state_columns[i].kind == COLUMN_TEXT)
				cells[i].text = word ? word : "-";
			else
				cells[i].number = word ? strtoull(word, NULL, 10) : 0;
		}
		output_row(out, cells);
	}
	return output_close(&out, e);
}

static bool is_placed(const struct options *o)
{
	return o->place.control_option || o->place.ledger_option || o->place.config_option;
}

static int list(const struct options *o, struct err *e)
{
	char *answer;
	size_t len;
	int r = o->kinds ? -ENOENT : control_ask(o->place.control, "sinks list", &answer, &len, e);

	if (r == -EPROTO) { /* none is configured */
		fprintf(stderr, "nettally: sinks: %s; these kinds there are:\n", e->msg);
		return print_kinds(o, e);
	}
	if (r < 0 && (o->kinds || !is_placed(o)))
		return print_kinds(o, e);
	if (r < 0)
		return r;
	r = print_states(o, answer, e);
	free(answer);
	return r;
}

static int retry(const struct options *o, const char *name, struct err *e)
{
	char request[128], *answer;
	size_t len;
	int r;

	if (strlen(name) >= SINK_NAME_MAX || strpbrk(name, " \t\n"))
		return err_set(e, -EINVAL, "'%.60s' is no name of a sink", name);
	snprintf(request, sizeof request, "sinks retry %s%s", name, o->from_start ? " from-start" : "");
	r = control_ask(o->place.control, request, &answer, &len, e);
	if (r < 0)
		return r;
	fputs(answer, stdout);
	free(answer);
	return 0;
}

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },          { "kinds", no_argument, NULL, 'k' },
	{ "from-start", no_argument, NULL, 's' },    { "format", required_argument, NULL, 'f' },
	{ "control", required_argument, NULL, 'C' }, { "ledger", required_argument, NULL, 'l' },
	{ "config", required_argument, NULL, 'c' },  { 0 },
};

/* -1 to go on, else the exit status. */
static int read_options(struct options *o, int argc, char **argv)
{
	struct err e;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "hksf:c:", long_options, NULL)) != -1) {
		switch (c) {
		case 'h': fputs(help, stdout); return EXIT_OK;
		case 'k': o->kinds = true; break;
		case 's': o->from_start = true; break;
		case 'C': o->place.control_option = optarg; break;
		case 'l': o->place.ledger_option = optarg; break;
		case 'c': o->place.config_option = optarg; break;
		case 'f':
			if (format_parse(&o->format, optarg, &e) < 0)
				return fail(EXIT_USAGE, "sinks", &e);
			o->has_format = true;
			break;
		default: return usage_error("sinks", "unknown option, or one without its value: %s", argv[optind - 1]);
		}
	}
	return -1;
}

int cmd_sinks(int argc, char **argv)
{
	struct options o = { .format = format_default(stdout) };
	int status = read_options(&o, argc, argv), words = argc - optind;
	bool is_retry = status < 0 && words > 0 && strcmp(argv[optind], "retry") == 0;
	struct err e = { 0 };

	if (status >= 0)
		return status;
	if (words && (!is_retry || words != 2))
		return usage_error("sinks", is_retry ? "retry what? write its name" : "unknown word '%s'", argv[optind]);
	if (o.from_start && !is_retry)
		return usage_error("sinks", "--from-start belongs to retry");
	if (place_find(&o.place, &e) < 0)
		return fail(EXIT_USAGE, "sinks", &e);
	int r = is_retry ? retry(&o, argv[optind + 1], &e) : list(&o, &e);
	return r < 0 ? fail(EXIT_FAILED, "sinks", &e) : EXIT_OK;
}
