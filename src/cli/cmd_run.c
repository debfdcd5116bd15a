/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_run.c -- `nettally run`: the command line over the config file, then the daemon. */
#include "base/log.h"
#include "capture/netlink.h"
#include "cli/commands.h"
#include "daemon/daemon.h"
#include "ledger/query.h"
#include "output/output.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERFACES_MAX 64
#define SUMMARY_ROWS 10

static const char run_help[] =
	"Usage: nettally run [-c FILE] [-i IFACE]... [--ledger FILE] [--listen ADDR:PORT]\n"
	"Counts live traffic until it is told to end. Without -c, sensible accounts on IFACE; without -i either, on the\n"
	"interface of the default route. Both SIGTERM and Ctrl-C book everything; after SIGTERM what counts in the kernel\n"
	"goes on, and the next start books it (or `nettally detach`); Ctrl-C ends that, too.\n"
	"\n"
	"  -c, --config FILE    configuration, nettally.conf(5); SIGHUP reads it again\n"
	"  -i, --interface IFACE  count this interface, may be repeated (instead of those in the file)\n"
	"      --ledger FILE    where the books are kept (default: /var/lib/nettally/ledger.db)\n"
	"      --listen ADDR:PORT  web server (default: 127.0.0.1:9390); port 0 takes a free one; off = none\n"
	"      --summary        a table of who moved most, when it ends\n"
	"  -q, --quiet          warnings and errors only\n"
	"\n"
	"Examples:\n"
	"  nettally run\n"
	"  nettally run -i eth0 -i eth1 --ledger /tmp/ledger.db --listen 127.0.0.1:0\n"
	"  nettally run -c /etc/nettally/nettally.conf\n";

struct run_words {
	const char *config_path, *ledger, *listen;
	const char *interfaces[INTERFACES_MAX];
	unsigned interface_count;
	bool summary;
};

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },  { "interface", required_argument, NULL, 'i' },
	{ "ledger", required_argument, NULL, 'l' },  { "listen", required_argument, NULL, 'L' },
	{ "summary", no_argument, NULL, 's' },       { "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },          { 0 },
};

/* The default route's interface, where neither the command line nor the file names one. */
static int add_default_interface(struct config *c, struct err *e)
{
	char name[INTERFACE_NAME_MAX];
	struct netlink *n;
	int r = netlink_open(&n, e);

	if (r < 0)
		return r;
	r = netlink_default_interface(n, name, e);
	netlink_close(&n);
	if (r < 0)
		return err_prefix(e, r, "no interface given (-i IFACE)");
	return config_add_interface(c, name, e);
}

/* Reports need no interface: with accounts of deliveries alone, none is counted unless one is named. */
static bool needs_interface(const struct config *c)
{
	for (size_t i = 0; i < c->account_count; i++)
		if (!account_has_deliveries(c->accounts[i]))
			return true;
	return c->account_count == 0;
}

static int override_interfaces(const struct run_words *w, struct config *c, struct err *e)
{
	int r = 0;

	if (w->interface_count)
		config_clear_interfaces(c);
	for (unsigned i = 0; i < w->interface_count && r == 0; i++)
		r = config_add_interface(c, w->interfaces[i], e);
	if (r == 0 && c->interface_count == 0 && needs_interface(c))
		r = add_default_interface(c, e);
	return r;
}

/* The command line's words stand above the file's. */
static void override(void *arg, struct config *c, struct err *e)
{
	const struct run_words *w = arg;

	if (w->ledger) {
		if (strlen(w->ledger) >= sizeof c->ledger_path) {
			err_set(e, -ENAMETOOLONG, "--ledger: the path is longer than %zu bytes", sizeof c->ledger_path);
			return;
		}
		strcpy(c->ledger_path, w->ledger);
	}
	if (w->listen && config_listen_parse(&c->web, w->listen, e) < 0) {
		err_prefix(e, e->code, "--listen");
		return;
	}
	override_interfaces(w, c, e);
}

static void print_summary_of(struct ledger_reader *reader, const char *account, int64_t from)
{
	struct query q = {
		.account = account,
		.from_utc_s = from,
		.to_utc_s = INT64_MAX,
		.basis = -1,
		.sort = "-rx_bytes",
		.limit = SUMMARY_ROWS,
	};
	struct output *out;
	struct err e = { 0 };

	if (output_open(&out, stdout, FORMAT_TABLE, &e) < 0)
		return;
	printf("\n%s\n", account);
	if (query_run(reader, &q, out, &e) < 0)
		fail(EXIT_FAILED, account, &e);
	output_close(&out, NULL);
}

static void print_summary(const struct daemon_ended *ended)
{
	struct ledger_reader *reader;
	struct err e = { 0 };
	int64_t from = ended->started_utc_s - ended->started_utc_s % 60;

	if (ledger_reader_open(&reader, ended->ledger_path, &e) < 0) {
		fail(EXIT_FAILED, "summary", &e);
		return;
	}
	print_summary_of(reader, "hosts", from);
	print_summary_of(reader, "devices", from);
	ledger_reader_close(&reader);
}

static int load(const struct run_words *w, struct config **ret, struct err *e)
{
	return w->config_path ? config_load(ret, w->config_path, stderr, e) : config_default(ret, e);
}

static int run(struct run_words *w)
{
	struct daemon_options o = { .config_path = w->config_path, .override = override, .arg = w };
	struct daemon_ended ended;
	struct err e = { 0 };
	int r = load(w, &o.config, &e);

	if (r < 0) /* config_load() has printed each mistake with its line */
		return r == -EINVAL && w->config_path ? EXIT_USAGE : fail(EXIT_USAGE, "config", &e);
	override(w, o.config, &e);
	if (e.code < 0) {
		config_free(&o.config);
		return e.code == -EINVAL || e.code == -ENAMETOOLONG ? usage_error("run", "%s", e.msg) :
								     fail(EXIT_FAILED, "run", &e);
	}
	r = daemon_run(&o, &ended, &e);
	if (r < 0)
		return fail(EXIT_FAILED, "run", &e);
	if (w->summary)
		print_summary(&ended);
	return EXIT_OK;
}

int cmd_run(int argc, char **argv)
{
	struct run_words w = { 0 };
	int id;

	while ((id = getopt_long(argc, argv, "c:i:qh", options, NULL)) != -1) {
		switch (id) {
		case 'c': w.config_path = optarg; break;
		case 'l': w.ledger = optarg; break;
		case 'L': w.listen = optarg; break;
		case 's': w.summary = true; break;
		case 'q': log_set_level(LOG_LEVEL_WARNING); break;
		case 'h': fputs(run_help, stdout); return EXIT_OK;
		case 'i':
			if (w.interface_count == INTERFACES_MAX)
				return usage_error("run", "more than %d interfaces", INTERFACES_MAX);
			w.interfaces[w.interface_count++] = optarg;
			break;
		default: return usage_error("run", "see the options");
		}
	}
	if (optind < argc)
		return usage_error("run", "\"%s\": interfaces are given with -i", argv[optind]);
	return run(&w);
}
