/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_report.c -- `nettally report send`: deliveries told by a script, through libnettally-report. */
#include "cli/commands.h"

#include "base/addr.h"
#include "reports/nettally-report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 16

static const char help[] =
	"usage: nettally report send --to ADDRESS:PORT --key FILE [--sender NAME] client=ADDRESS WORD=VALUE...\n"
	"       nettally report send --to ADDRESS:PORT --key FILE [--sender NAME] -      a line of such words each\n"
	"\n"
	"Tells a daemon that listens for reports (section `reports`) of deliveries to clients. It never answers: what became of\n"
	"reports is in its `nettally status`. Form of the datagrams: docs/report-protocol.md.\n"
	"  --to ADDRESS:PORT  where it listens; without a port 8789\n"
	"  --key FILE         the secret, as in its section `key`\n"
	"  --sender NAME      who reports; default: the host's name\n"
	"Words:\n"
	"  client=ADDRESS     who received it, IPv4 or IPv6 (always needed)\n"
	"  server=ADDRESS     who served it; [ADDRESS]:PORT or ADDRESS:PORT, too. Default: where the datagram comes from\n"
	"  type=TEXT          at most 32 bytes\n"
	"  bytes=N packets=N retransmits=N requests=N   payload, segments sent (again, too), those sent again; requests is 1\n"
	"  duration=MICROSECONDS rtt=MICROSECONDS       how long it took; the smoothed round-trip time\n"
	"\n"
	"Example: nettally report send --to 192.0.2.9 --key web1.key client=198.51.100.7 type=video bytes=1448000 packets=1000\n";

struct words {
	struct sockaddr_storage client, server;
	bool has_client, has_server;
	struct nettally_delivery d;
	char type[64];
};

static void make_address(struct sockaddr_storage *ret, const struct addr *a, unsigned port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){ 0 };
	if (a->family == ADDR_IP4) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, addr_ip4_bytes(a), 4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		memcpy(&in6->sin6_addr, a->bytes, 16);
	}
}

/* "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]:443". */
static int parse_address(struct sockaddr_storage *ret, const char *text)
{
	char copy[ADDR_TEXT_MAX + 10], *host = copy, *port = NULL, *end;
	unsigned long n = 0;
	struct addr a;

	if (strlen(text) >= sizeof copy)
		return -EINVAL;
	strcpy(copy, text);
	if (copy[0] == '[') {
		host++;
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
	} else if (strchr(copy, ':') && strchr(copy, ':') == strrchr(copy, ':')) {
		port = strchr(copy, ':');
		*port++ = '\0';
	}
	if (port) {
		n = strtoul(port, &end, 10);
		if (*port < '0' || *port > '9' || *end || n > 65535)
			return -EINVAL;
	}
	if (addr_parse(&a, host) < 0)
		return -EINVAL;
	make_address(ret, &a, (unsigned)n);
	return 0;
}

static int parse_number(uint64_t *ret, const char *text)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno || *end || *ret >> 56 ? -EINVAL : 0;
}

static int take_word(struct words *w, char *word, struct err *e)
{
	struct nettally_delivery *d = &w->d;
	const struct { const char *name; uint64_t *to; } numbers[] = {
		{ "bytes", &d->bytes }, { "packets", &d->packets }, { "retransmits", &d->retransmits },
		{ "requests", &d->requests }, { "duration", &d->duration_us }, { "rtt", &d->rtt_us },
	};
	char *value = strchr(word, '=');

	if (!value)
		return err_set(e, -EINVAL, "'%.60s': write WORD=VALUE", word);
	*value++ = '\0';
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(word, numbers[i].name) == 0)
			return parse_number(numbers[i].to, value) < 0 ?
				       err_set(e, -EINVAL, "%s=%.60s: write a number below 2^56", word, value) : 0;
	if (strcmp(word, "type") == 0) {
		if (strlen(value) > 32)
			return err_set(e, -EINVAL, "type=%.60s: a type has at most 32 bytes", value);
		strcpy(w->type, value);
		return 0;
	}
	if (strcmp(word, "client") != 0 && strcmp(word, "server") != 0)
		return err_set(e, -EINVAL, "'%.60s': there are client, server, type, bytes, packets, retransmits, requests, "
			       "duration, rtt", word);
	if (parse_address(word[0] == 'c' ? &w->client : &w->server, value) < 0)
		return err_set(e, -EINVAL, "%s=%.60s: write an IPv4 or IPv6 address", word, value);
	*(word[0] == 'c' ? &w->has_client : &w->has_server) = true;
	return 0;
}

/* One delivery; what the kernel did not take is no mistake of these words. */
static int add(struct nettally_report *r, char **at, int count, struct err *e)
{
	struct words w = { .d = { .requests = 1 } };
	int err = 0;

	for (int i = 0; i < count && err == 0; i++)
		err = take_word(&w, at[i], e);
	if (err < 0)
		return err;
	if (!w.has_client)
		return err_set(e, -EINVAL, "no client: write client=ADDRESS");
	if (w.d.requests == 0 && w.d.packets == 0)
		return err_set(e, -EINVAL, "neither a request nor a packet: there is nothing to tell");
	w.d.client = (struct sockaddr *)&w.client;
	w.d.server = w.has_server ? (struct sockaddr *)&w.server : NULL;
	w.d.type = w.type;
	(void)nettally_report_add(r, &w.d);
	return 0;
}

static int add_lines(struct nettally_report *r, FILE *from, struct err *e)
{
	size_t size = 0, number = 0;
	char *line = NULL;
	int err = 0;

	while (err == 0 && getline(&line, &size, from) > 0) {
		char *words[WORDS_MAX], *rest = line, *word;
		int count = 0;

		number++;
		while (count < WORDS_MAX && (word = strsep(&rest, " \t\r\n")))
			if (*word)
				words[count++] = word;
		if (count == 0 || words[0][0] == '#')
			continue;
		err = add(r, words, count, e);
		if (err < 0)
			err_prefix(e, err, "line %zu", number);
	}
	free(line);
	return err;
}

static int send_reports(const struct nettally_report_options *o, char **words, int count)
{
	struct nettally_report_stats stats;
	struct nettally_report *r = NULL;
	struct err e = { 0 };
	int err;

	err = nettally_report_open(&r, o, e.msg, sizeof e.msg);
	if (err < 0)
		return fail(EXIT_FAILED, "report", &e);
	err = count == 1 && strcmp(words[0], "-") == 0 ? add_lines(r, stdin, &e) : add(r, words, count, &e);
	if (nettally_report_pending(r) > 0)
		(void)nettally_report_flush(r);
	nettally_report_get_stats(r, &stats);
	nettally_report_close(&r);
	if (err < 0)
		return fail(EXIT_USAGE, "report", &e);
	if (stats.lost_records > 0) {
		err_set(&e, -EIO, "%" PRIu64 " of %" PRIu64 " records could not be sent: does a daemon listen there?",
			stats.lost_records, stats.lost_records + stats.records);
		return fail(EXIT_FAILED, "report", &e);
	}
	return EXIT_OK;
}

int cmd_report(int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", required_argument, NULL, 't' }, { "key", required_argument, NULL, 'k' },
		{ "sender", required_argument, NULL, 's' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	struct nettally_report_options o = { 0 };
	int option;

	if (argc > 1 && strcmp(argv[1], "send") == 0) {
		argc--;
		argv++;
	} else if (argc < 2 || argv[1][0] != '-') {
		return usage_error("report", "write: nettally report send ...");
	}
	while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (option) {
		case 't': o.to = optarg; break;
		case 'k': o.key_file = optarg; break;
		case 's': o.sender = optarg; break;
		case 'h': fputs(help, stdout); return EXIT_OK;
		default: return usage_error("report", "options");
		}
	}
	if (!o.to || !o.key_file)
		return usage_error("report", "%s is needed", o.to ? "--key FILE" : "--to ADDRESS:PORT");
	if (optind == argc)
		return usage_error("report", "nothing to tell: write client=ADDRESS ..., or - to read lines");
	return send_reports(&o, argv + optind, argc - optind);
}
