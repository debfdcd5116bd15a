/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_rules.c -- `nettally rules check FILE`: all mistakes of a rule file, or the size of each rule, and which of them
 * are equal or can never match. */
#include "base/addr.h"
#include "capture/afpacket.h"
#include "capture/netlink.h"
#include "cli/commands.h"
#include "output/output.h"
#include "rules/rule_set.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_TEXT_MAX 18

struct check {
	const char *path;
	char mac[MAC_TEXT_MAX];
	uint16_t linktype;
	enum format format;
	struct rule_file *file;
	struct rule_set *set;
};

static const char help[] =
	"Usage: nettally rules check FILE [-i IFACE | --mac MAC]\n"
	"Checks a file of rules, lines `identifier;pcap expression`: all mistakes with file and line and exit status 2, or\n"
	"the size of each rule in instructions, and which rules are equal or can never match.\n"
	"\n"
	"  -i IFACE             for the frames of this interface, and with its MAC address for $MAC\n"
	"  --mac MAC            the address for $MAC (default: 02:00:00:00:00:00)\n"
	"  --format table|tsv|csv|json|ndjson\n"
	"\n"
	"Example:\n"
	"  nettally rules check -i eth0 /etc/nettally/eth0.filters\n";

static int set_mac(struct check *c, const char *text, struct err *e)
{
	uint8_t mac[6];

	if (mac_parse(mac, text) < 0)
		return err_set(e, -EINVAL, "--mac \"%.60s\": write such as 02:00:00:00:00:01", text);
	mac_format(mac, c->mac);
	return 0;
}

static int set_interface(struct check *c, const char *name, struct err *e)
{
	struct interface_info *info = malloc(sizeof *info);
	struct netlink *n = NULL;
	int r = info ? netlink_open(&n, e) : err_set(e, -ENOMEM, "no memory");

	if (r == 0)
		r = netlink_interface(n, name, 0, info, e);
	if (r == 0) {
		c->linktype = afpacket_linktype_of(info->arphrd);
		if (info->has_mac)
			mac_format(info->mac, c->mac);
	}
	netlink_close(&n);
	free(info);
	return r;
}

static int load(struct check *c, struct err *e)
{
	struct rule_source from = { .path = c->path, .mac = c->mac, .check = rule_set_check };
	struct rule_mistakes mistakes = { 0 };
	int r = rule_file_read(&c->file, &from, &mistakes, e);

	if (r == 0)
		r = rule_set_open(&c->set, c->file, c->linktype, &mistakes, e);
	if (mistakes.text)
		fputs(mistakes.text, stderr);
	rule_mistakes_free(&mistakes);
	return r;
}

/* "" = nothing is to be said of it. */
static int note_of(const struct check *c, size_t i, char **ret)
{
	const char *never = rule_set_never(c->set, i);
	size_t same = rule_set_same(c->set, i);

	if (never)
		return asprintf(ret, "never matches: %s", never);
	if (same != i)
		return asprintf(ret, "the same as line %u: %s", c->file->rules[same].line, c->file->rules[same].identifier);
	return asprintf(ret, "%s", "");
}

static int write_rules(const struct check *c, struct output *out, unsigned *ret_never, unsigned *ret_same)
{
	static const struct column columns[] = {
		{ "line", COLUMN_NUMBER }, { "rule", COLUMN_TEXT }, { "instructions", COLUMN_NUMBER }, { "note", COLUMN_TEXT },
	};
	int r = output_columns(out, columns, 4);

	for (size_t i = 0; i < c->file->count && r == 0; i++) {
		struct cell cells[4] = { { .number = c->file->rules[i].line }, { .text = c->file->rules[i].identifier },
					 { .number = rule_set_program(c->set, i)->len } };
		char *note = NULL;

		if (note_of(c, i, &note) < 0)
			return -ENOMEM;
		cells[3].text = *note ? note : "-";
		*ret_never += rule_set_never(c->set, i) != NULL;
		*ret_same += rule_set_same(c->set, i) != i && !rule_set_never(c->set, i);
		r = output_row(out, cells);
		free(note);
	}
	return r;
}

static int print(const struct check *c, struct err *e)
{
	struct output *out = NULL;
	unsigned never = 0, same = 0;
	int r = output_open(&out, stdout, c->format, e);

	if (r < 0)
		return r;
	r = write_rules(c, out, &never, &same);
	if (r < 0) {
		output_abort(&out);
		return err_errno(e, r, "cannot write");
	}
	r = output_close(&out, e);
	if (r == 0 && c->format == FORMAT_TABLE)
		printf("%zu rules; %u can never match, %u are the same as another\n", c->file->count, never, same);
	return r;
}

static int take_options(struct check *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "mac", required_argument, NULL, 'm' }, { "format", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' }, { 0 },
	};
	bool interface = false, mac = false;
	struct err e;
	int id;

	opterr = 0;
	while ((id = getopt_long(argc, argv, ":i:h", options, NULL)) != -1) {
		int r = 0;

		switch (id) {
		case 'h': fputs(help, stdout); return EXIT_OK;
		case 'i': interface = true; r = set_interface(c, optarg, &e); break;
		case 'm': mac = true; r = set_mac(c, optarg, &e); break;
		case 'f': r = format_parse(&c->format, optarg, &e); break;
		case ':': return usage_error("rules", "%s needs a value", argv[optind - 1]);
		default: return usage_error("rules", "unknown option %s", argv[optind - 1]);
		}
		if (r < 0)
			return usage_error("rules", "%s", e.msg);
	}
	if (interface && mac)
		return usage_error("rules", "-i and --mac: one of them");
	if (argc - optind < 1 || strcmp(argv[optind], "check") != 0)
		return usage_error("rules", "write: nettally rules check FILE");
	if (argc - optind != 2)
		return usage_error("rules", "which file? one at a time");
	c->path = argv[optind + 1];
	return -1;
}

int cmd_rules(int argc, char **argv)
{
	struct check c = { .mac = "02:00:00:00:00:00", .linktype = LINKTYPE_ETHERNET, .format = format_default(stdout) };
	struct err e = { 0 };
	int status = take_options(&c, argc, argv);

	if (status >= 0)
		return status;
	if (load(&c, &e) < 0)
		status = fail(EXIT_USAGE, "rules", &e);
	else
		status = print(&c, &e) < 0 ? fail(EXIT_FAILED, "rules", &e) : EXIT_OK;
	rule_set_close(&c.set);
	rule_file_free(&c.file);
	return status;
}
