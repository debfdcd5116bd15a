/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_audit.c -- `nettally audit`: do the books close? From the running daemon; without one,
 * from the ledger as last booked. */
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/place.h"
#include "ledger/query.h"
#include "model/snapshot.h"
#include "output/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char audit_help[] =
	"Usage: nettally audit [--json] [--control PATH | --ledger FILE | -c FILE]\n"
	"Do the books close? Per interface: what its own counters say = booked + lost + filtered + unaccounted.\n"
	"Per account over all parties: received = sent. Without a daemon: from the ledger, as last booked.\n"
	"\n"
	"  --json           as one JSON object\n"
	"  --control PATH   the daemon's control socket (default: " CONTROL_PATH_DEFAULT ")\n"
	"  --ledger FILE    the daemon that writes this ledger (its socket is FILE.sock), or the file itself\n"
	"  -c FILE          the daemon that runs with this config file, or its ledger\n"
	"\n"
	"Exit status: 0 the books close, 1 they do not (or nothing could be read), 2 the command line or config is wrong.\n"
	"\n"
	"Examples:\n"
	"  nettally audit\n"
	"  nettally audit --json | jq '.interfaces[] | select(.closes | not)'\n";

/* The verdict is the last member of the JSON, and the last line of the page. */
static bool answer_closes(const char *answer, size_t len)
{
	const char *last = answer + len;

	while (last > answer && (last[-1] == '\n' || last[-1] == '}'))
		last--;
	while (last > answer && last[-1] != '\n')
		last--;
	return strstr(last, "\"closes\":true") || strstr(last, "the books close");
}

static int print_answer(const char *answer, size_t len)
{
	bool written = fwrite(answer, 1, len, stdout) == len && fflush(stdout) == 0;

	return written && answer_closes(answer, len) ? EXIT_OK : EXIT_FAILED;
}

/* One line of query_balance() as TSV: account, then packets, l2 and l3 bytes, received and sent each. */
static int add_balance(struct snapshot *s, const char *line)
{
	struct snapshot_account *accounts = realloc(s->accounts, (s->account_count + 1) * sizeof *accounts);
	struct snapshot_account *sa;
	struct tally *rx, *tx;
	int fields;

	if (!accounts)
		return -ENOMEM;
	s->accounts = accounts;
	sa = &accounts[s->account_count];
	memset(sa, 0, sizeof *sa);
	sa->account = account_new();
	if (!sa->account)
		return -ENOMEM;
	s->account_count++;
	sa->account->party = true;
	rx = &sa->total.rx;
	tx = &sa->total.tx;
	fields = sscanf(line, "%47[^\t]\t%" SCNu64 "\t%" SCNu64 "\t%" SCNu64 "\t%" SCNu64 "\t%" SCNu64 "\t%" SCNu64,
			sa->account->name, &rx->packets, &tx->packets, &rx->l2_bytes, &tx->l2_bytes, &rx->l3_bytes,
			&tx->l3_bytes);
	return fields == 7 ? 0 : -EPROTO;
}

static int add_balances(struct snapshot *s, struct ledger_reader *reader, struct err *e)
{
	char *text = NULL, *save = NULL;
	struct output *out = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	int r;

	if (!to)
		return err_set(e, -ENOMEM, "no memory");
	r = output_open(&out, to, FORMAT_TSV, e);
	if (r == 0)
		r = query_balance(reader, out, e);
	output_close(&out, NULL);
	fclose(to);
	if (r == 0 && strtok_r(text, "\n", &save)) /* the header */
		for (char *line; r == 0 && (line = strtok_r(NULL, "\n", &save));)
			if ((r = add_balance(s, line)) < 0)
				err_errno(e, r, "the balance of the ledger");
	free(text);
	return r;
}

/* When the ledger was last written to: the file or its write-ahead log. */
static int64_t last_written(const char *ledger)
{
	char wal[300];
	struct stat file, log;

	snprintf(wal, sizeof wal, "%s-wal", ledger);
	if (stat(ledger, &file) < 0)
		return 0;
	return stat(wal, &log) == 0 && log.st_mtime > file.st_mtime ? log.st_mtime : file.st_mtime;
}

static int read_books(struct snapshot *s, const char *ledger, struct err *e)
{
	struct ledger_reader *reader;
	int r = ledger_reader_open(&reader, ledger, e);

	if (r < 0)
		return r;
	r = query_interfaces(reader, &s->interfaces, &s->interface_count, e);
	if (r == 0)
		r = add_balances(s, reader, e);
	ledger_reader_close(&reader);
	s->taken_utc_s = last_written(ledger);
	return r;
}

static int audit_ledger(const struct place *place, const char *style)
{
	struct snapshot *s = snapshot_new();
	struct err e = { .msg = "no memory" };
	int status;

	if (!s || read_books(s, place->ledger, &e) < 0) {
		status = fail(EXIT_FAILED, "audit", &e);
	} else {
		fprintf(stderr, "nettally: audit: no daemon answers at %s: this is from the ledger %s, as last booked\n",
			place->control, place->ledger);
		if (strcmp(style, "json") == 0)
			audit_json(stdout, s);
		else
			audit_page(stdout, s, strcmp(style, "colour") == 0);
		status = audit_closes(s) && fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
	}
	snapshot_unref(&s);
	return status;
}

int cmd_audit(int argc, char **argv)
{
	struct place place = { 0 };
	struct err e = { 0 };
	char request[32], *answer;
	int json = 0, status, r;
	struct stat st;
	size_t len;

	status = place_options(&place, argc, argv, audit_help, &json);
	if (status >= 0)
		return status;
	snprintf(request, sizeof request, "audit %s", place_style(json));
	r = control_ask(place.control, request, &answer, &len, &e);
	if ((r == -ENOENT || r == -ECONNREFUSED) && !place.control_option &&
	    (place.ledger_option || place.config_option || stat(place.ledger, &st) == 0))
		return audit_ledger(&place, place_style(json));
	if (r < 0)
		return fail(EXIT_FAILED, "audit", &e);
	status = print_answer(answer, len);
	free(answer);
	return status;
}
