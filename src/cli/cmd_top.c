/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_top.c -- `nettally top`: who moves how much right now. */
#include "cli/cmd_top.h"

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/place.h"
#include "cli/top_screen.h"

#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define INTERFACES_MAX 16
#define ONCE_SECONDS 3     /* how long --once looks */
#define ONCE_WIDTH 80
#define ONCE_HEIGHT 25 /* a terminal with room for the prompt */

static const char top_help[] =
	"Usage: nettally top [-i IFACE]... [--once] [--control PATH | --ledger FILE | -c FILE]\n"
	"Who moves how much right now: rates of the last 1, 10 and 60 seconds, totals since you began to look, per account of\n"
	"the running daemon. Press ? for the keys, q to quit.\n"
	"\n"
	"  -i, --interface IFACE  without a daemon: counts this interface itself, while you look (needs root)\n"
	"      --account NAME     the account to begin with\n"
	"      --sort COLUMN      key, 1, 10, 60, rx or tx (default: 10)\n"
	"      --filter TEXT      only keys with this in them\n"
	"      --bytes            bytes a second, not bits\n"
	"      --peers            who talks to whom, for the first row\n"
	"      --once             looks for 3 seconds, prints one page as text, exits\n"
	"      --control PATH, --ledger FILE, -c FILE   which daemon, as for `nettally status`\n"
	"\n"
	"Examples:\n"
	"  nettally top\n"
	"  nettally top --once --account hosts\n"
	"  nettally top -i eth0\n"
	"  nettally read --top traffic.pcap\n";

static const struct option options[] = {
	{ "interface", required_argument, NULL, 'i' }, { "account", required_argument, NULL, 'a' },
	{ "sort", required_argument, NULL, 's' },      { "filter", required_argument, NULL, 'f' },
	{ "bytes", no_argument, NULL, 'b' },           { "peers", no_argument, NULL, 'p' },
	{ "once", no_argument, NULL, '1' },            { "control", required_argument, NULL, 'C' },
	{ "ledger", required_argument, NULL, 'l' },    { "config", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },            { 0 },
};

struct words {
	const char *interfaces[INTERFACES_MAX];
	size_t interface_count;
	const char *account, *sort;
	bool once;
	struct place place;
};

static int parse_sort(enum top_order *ret, const char *text)
{
	static const char *const names[TOP_ORDERS] = { "key", "1", "10", "60", "rx", "tx" };

	for (unsigned i = 0; i < TOP_ORDERS; i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum top_order)i;
			return 0;
		}
	return -EINVAL;
}

static int choose(struct top_state *s, const struct words *w, struct err *e)
{
	static const char *const usual[] = { "hosts", "devices", "clients" };

	for (unsigned u = 0; !w->account && u < sizeof usual / sizeof *usual; u++)
		for (size_t i = 0; i < s->view_count; i++)
			if (strcmp(s->views[i].name, usual[u]) == 0) {
				s->view = i;
				return 0;
			}
	for (size_t i = 0; w->account && i < s->view_count; i++)
		if (strcmp(s->views[i].name, w->account) == 0) {
			s->view = i;
			return 0;
		}
	return w->account ? err_set(e, -ENOENT, "there is no account '%.60s'", w->account) : 0;
}

/* All of a file; of a daemon some seconds. */
static int look_a_while(struct top_state *s, struct top_source *source, struct err *e)
{
	int r = top_refresh(s, source, e);

	if (source->ops->advance) {
		while (r == 0 && !s->facts.ended)
			r = top_refresh(s, source, e);
		return r;
	}
	for (int i = 0; i < ONCE_SECONDS && r == 0; i++) {
		nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
		r = top_refresh(s, source, e);
	}
	return r;
}

static int print_once(struct top_state *s, struct top_source *source, struct err *e)
{
	struct winsize size = { .ws_col = ONCE_WIDTH, .ws_row = ONCE_HEIGHT };
	int r = look_a_while(s, source, e);

	if (r < 0)
		return r;
	if (isatty(STDOUT_FILENO))
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	setlocale(LC_ALL, "");
	s->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	s->cursor = 0;
	top_page(s, &(struct top_lines){ stdout, size.ws_col < TOP_WIDTH_MIN ? ONCE_WIDTH : size.ws_col,
					 size.ws_row < TOP_HEIGHT_MIN ? ONCE_HEIGHT : size.ws_row - 1u, NULL });
	return fflush(stdout) == 0 ? 0 : err_errno(e, -errno, "cannot write");
}

static int show(struct top_state *s, struct top_source *source, const struct words *w)
{
	struct err e = { 0 };
	int r = source->ops->views(source, s->views, &s->view_count, &e);

	if (r == 0)
		r = choose(s, w, &e);
	if (r == 0 && !w->once && !isatty(STDOUT_FILENO))
		r = err_set(&e, -ENOTTY, "standard output is no terminal; --once prints a page as text");
	if (r == 0)
		r = w->once ? print_once(s, source, &e) : top_screen_run(s, source, &e);
	for (size_t i = 0; i < s->view_count; i++)
		top_view_close(&s->views[i]);
	source->ops->close(&source);
	return r < 0 ? fail(EXIT_FAILED, "top", &e) : EXIT_OK;
}

static struct top_state *new_state(void)
{
	struct top_state *s = calloc(1, sizeof *s);

	if (s) {
		s->order = TOP_BY_10;
		s->bits = true;
	}
	return s;
}

int top_files(char *const *files, size_t count, bool once)
{
	struct top_state *s = new_state();
	struct words w = { .once = once };
	struct top_source *source;
	struct err e = { 0 };
	int status;

	if (!s || top_files_open(&source, files, count, &e) < 0) {
		free(s);
		return fail(EXIT_FAILED, "read", &e);
	}
	status = show(s, source, &w);
	free(s);
	return status;
}

static int run(struct top_state *s, struct words *w)
{
	struct top_source *source;
	struct err e = { 0 };
	int r;

	if (w->interface_count) {
		r = top_own_open(&source, w->interfaces, w->interface_count, &e);
	} else {
		r = place_find(&w->place, &e);
		if (r < 0)
			return fail(EXIT_USAGE, "top", &e);
		r = top_daemon_open(&source, w->place.control, &e);
	}
	return r < 0 ? fail(EXIT_FAILED, "top", &e) : show(s, source, w);
}

static int take_option(struct top_state *s, struct words *w, int id, const char *value)
{
	switch (id) {
	case 'i':
		if (w->interface_count == INTERFACES_MAX)
			return usage_error("top", "more than %d interfaces", INTERFACES_MAX);
		w->interfaces[w->interface_count++] = value;
		return -1;
	case 'a': w->account = value; return -1;
	case 's': return parse_sort(&s->order, value) < 0
			? usage_error("top", "--sort %s: write key, 1, 10, 60, rx or tx", value) : -1;
	case 'f': snprintf(s->filter, sizeof s->filter, "%s", value); return -1;
	case 'b': s->bits = false; return -1;
	case 'p': s->peers = true; return -1;
	case '1': w->once = true; return -1;
	case 'C': w->place.control_option = value; return -1;
	case 'l': w->place.ledger_option = value; return -1;
	case 'c': w->place.config_option = value; return -1;
	case 'h': fputs(top_help, stdout); return EXIT_OK;
	default: return usage_error("top", "see the options");
	}
}

int cmd_top(int argc, char **argv)
{
	struct top_state *s = new_state();
	struct words w = { 0 };
	int id, status = s ? -1 : EXIT_FAILED;

	while (status < 0 && (id = getopt_long(argc, argv, "i:c:h", options, NULL)) != -1)
		status = take_option(s, &w, id, optarg);
	if (status < 0 && optind < argc)
		status = usage_error("top",
				"\"%s\": interfaces are given with -i, files are shown by nettally read --top", argv[optind]);
	if (status < 0)
		status = run(s, &w);
	free(s);
	return status;
}
