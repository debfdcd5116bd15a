/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_devices.c -- `nettally devices`: who was seen, as the ledger knows them. */
#include "cli/commands.h"
#include "cli/place.h"
#include "ledger/query.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

static const char devices_help[] =
	"Usage: nettally devices [OPTIONS]            every device that was seen, by its MAC address\n"
	"       nettally devices ADDRESS [OPTIONS]    what an IP or MAC address was called, and who held it, over time\n"
	"\n"
	"  name      as of now; source says where from: config, lease, hosts, dns\n"
	"  vendor    who the MAC address is assigned to; random is yes where it is locally administered\n"
	"  ipv4 ipv6 the last address that the device itself spoke from, of the local networks\n"
	"\n"
	"  --ledger FILE        the ledger (default: /var/lib/nettally/ledger.db)\n"
	"  -c FILE              the ledger of this config file\n"
	"  --format table|tsv|csv|json|ndjson\n"
	"\n"
	"Exit status: 0 well, 1 it failed (no ledger), 2 the command line or config is wrong.\n"
	"\n"
	"Examples:\n"
	"  nettally devices\n"
	"  nettally devices 192.168.1.23\n"
	"  nettally devices --format json | jq -r '.[] | select(.random == \"yes\") | .mac'\n";

struct devices_command {
	const char *address;
	struct place place;
	enum format format;
};

/* -1 to go on, else the exit status. */
static int parse_command(struct devices_command *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "ledger", required_argument, NULL, 'l' }, { "config", required_argument, NULL, 'c' },
		{ "format", required_argument, NULL, 'f' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	struct err e = { 0 };
	int o;

	opterr = 0;
	optind = 0;
	while ((o = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		switch (o) {
		case 'l': c->place.ledger_option = optarg; break;
		case 'c': c->place.config_option = optarg; break;
		case 'h': fputs(devices_help, stdout); return EXIT_OK;
		case 'f':
			if (format_parse(&c->format, optarg, &e) < 0)
				return usage_error("devices", "--format: %s", e.msg);
			break;
		case ':': return usage_error("devices", "%s needs a value", argv[optind - 1]);
		default: return usage_error("devices", "unknown option %s", argv[optind - 1]);
		}
	}
	if (argc - optind > 1)
		return usage_error("devices", "one address at a time: what is '%s'?", argv[optind + 1]);
	c->address = optind < argc ? argv[optind] : NULL;
	return place_find(&c->place, &e) < 0 ? fail(EXIT_USAGE, "devices", &e) : -1;
}

static int print_devices(const struct devices_command *c, struct ledger_reader *reader, struct err *e)
{
	struct output *out;
	int r = output_open(&out, stdout, c->format, e);

	if (r < 0)
		return r;
	r = c->address ? query_history(reader, c->address, out, e) : query_devices(reader, out, e);
	if (r < 0) {
		output_abort(&out);
		return r;
	}
	return output_close(&out, e);
}

int cmd_devices(int argc, char **argv)
{
	struct devices_command c = { .format = format_default(stdout) };
	struct ledger_reader *reader;
	struct err e = { 0 };
	int status = parse_command(&c, argc, argv), r;

	if (status >= 0)
		return status;
	if (ledger_reader_open(&reader, c.place.ledger, &e) < 0)
		return fail(EXIT_FAILED, "devices", &e);
	r = print_devices(&c, reader, &e);
	ledger_reader_close(&reader);
	if (r < 0)
		return fail(r == -EINVAL ? EXIT_USAGE : EXIT_FAILED, "devices", &e);
	return EXIT_OK;
}
