/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_detach.c -- `nettally detach`: ends counting in the kernel, books what is still there, removes what is
 * pinned. */
#include "cli/commands.h"
#include "daemon/detach.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: nettally detach [--ledger FILE] [--pins DIR] [--discard]\n"
	"Ends counting in the kernel that goes on without a daemon, and removes all that nettally left there, also\n"
	"that of a daemon that is not installed any more. What the tables still hold is booked into its ledger first.\n"
	"A running daemon is not disturbed: stop it before. Needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN.\n"
	"\n"
	"      --ledger FILE    only what was counted for this ledger (default: for all below DIR)\n"
	"      --pins DIR       where it is pinned, as the config has it (default: " KERNEL_PINS_DEFAULT ")\n"
	"      --discard        book nothing: what the tables hold is given up\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit status: 0 nothing is attached any more, 1 something still is, 2 the command line is wrong.\n"
	"\n"
	"Examples:\n"
	"  systemctl stop nettally && nettally detach\n"
	"  nettally detach --ledger /var/lib/nettally/eth0.db\n";

/* "1,234,567" */
static const char *grouped(uint64_t n, char buf[static 32])
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n), to = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[to++] = ',';
		buf[to++] = digits[i];
	}
	buf[to] = '\0';
	return buf;
}

static void print_detached(void *arg, const struct detached *d)
{
	uint64_t given_up = d->sum.given_up_packets;
	char number[32];

	(void)arg;
	printf("%s: detached", d->interface);
	if (d->sum.packets || !given_up)
		printf("; %s packet%s booked into %s", grouped(d->sum.packets, number), d->sum.packets == 1 ? "" : "s",
		       d->ledger[0] ? d->ledger : "no ledger");
	if (given_up) /* without the ledger nobody knows what of it was booked already */
		printf("; up to %s packet%s given up", grouped(given_up, number), given_up == 1 ? "" : "s");
	if (d->gone)
		printf(" (there is no %s any more)", d->ledger);
	putchar('\n');
}

static void print_failed(void *arg, const struct err *e)
{
	(void)arg;
	fflush(stdout);
	fail(EXIT_FAILED, "detach", e);
}

static int detach(const struct detach_options *o)
{
	const struct detach_report report = { .detached = print_detached, .failed = print_failed };
	struct err e = { 0 };
	int r = detach_all(o, &report, &e);

	if (r < 0)
		return EXIT_FAILED;
	if (r == 0)
		printf("nothing is attached%s%s\n", o->ledger ? " for " : "", o->ledger ? o->ledger : "");
	if (fflush(stdout) != 0)
		return fail(EXIT_FAILED, "standard output", &(struct err){ .msg = "cannot be written" });
	return EXIT_OK;
}

int cmd_detach(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ledger", required_argument, NULL, 'l' }, { "pins", required_argument, NULL, 'p' },
		{ "discard", no_argument, NULL, 'd' },      { "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct detach_options o = { .pins = KERNEL_PINS_DEFAULT };
	int id;

	opterr = 0;
	while ((id = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (id) {
		case 'l': o.ledger = optarg; break;
		case 'p': o.pins = optarg; break;
		case 'd': o.discard = true; break;
		case 'h': fputs(help, stdout); return EXIT_OK;
		case ':': return usage_error("detach", "%s needs a value", argv[optind - 1]);
		default: return usage_error("detach", "unknown option %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage_error("detach", "unexpected \"%s\"", argv[optind]);
	if (o.pins[0] != '/')
		return usage_error("detach", "--pins %s: write the whole path, such as " KERNEL_PINS_DEFAULT, o.pins);
	if (o.ledger && !o.ledger[0])
		return usage_error("detach", "--ledger is empty");
	return detach(&o);
}
