/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_interfaces.c -- `nettally interfaces`: what there is to count on, in this network
 * namespace. */
#include "cli/commands.h"

#include "capture/afpacket.h"
#include "capture/kernel.h"
#include "capture/netlink.h"
#include "model/frame.h"
#include "output/output.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_TEXT_MAX (INTERFACE_ADDRS_MAX * (ADDR_TEXT_MAX + 5))

static const char help[] =
	"usage: nettally interfaces [--format table|tsv|csv|json|ndjson]\n"
	"\n"
	"Lists the network interfaces with their addresses and the kernel's own counters. Needs no privilege.\n"
	"  state     up, down, or no-carrier (up, but nothing is plugged in)\n"
	"  kind      veth, bridge, vlan ...; of a physical card its driver\n"
	"  capture   whether a packet socket can count its frames; - and what is missing for that\n"
	"  default   yes: the default route leaves through it, `nettally run` without -i counts it\n"
	"  captures  how its frames can be counted here, the best first; xdp is only known when it is tried\n"
	"  -f, --format FORMAT   default: table on a terminal, tsv in a pipe\n"
	"\n"
	"Example: which interface does this machine reach the world by?\n"
	"  nettally interfaces --format tsv | awk -F'\\t' '$13 == \"yes\" { print $1 }'\n";

static const struct column columns[] = {
	{ "interface", COLUMN_TEXT },   { "index", COLUMN_NUMBER },    { "state", COLUMN_TEXT },
	{ "mac", COLUMN_TEXT },         { "kind", COLUMN_TEXT },       { "mtu", COLUMN_NUMBER },
	{ "addresses", COLUMN_TEXT },   { "rx_packets", COLUMN_COUNT }, { "rx_bytes", COLUMN_BYTES },
	{ "tx_packets", COLUMN_COUNT }, { "tx_bytes", COLUMN_BYTES },  { "capture", COLUMN_TEXT },
	{ "default", COLUMN_TEXT },     { "captures", COLUMN_TEXT },
};
#define COLUMN_COUNT_ALL (sizeof columns / sizeof *columns)

static const char *state_text(const struct interface_info *info)
{
	if (!info->up)
		return "down";
	return info->running ? "up" : "no-carrier";
}

static const char *kind_text(const struct interface_info *info)
{
	if (info->kind[0])
		return info->kind;
	if (info->loopback)
		return "loopback";
	return info->driver[0] ? info->driver : "-";
}

static const char *capture_text(void)
{
	switch (afpacket_usable()) {
	case 0:
		return "socket";
	case -EPERM:
		return "- (needs CAP_NET_RAW)";
	default:
		return "- (no packet sockets in this kernel)";
	}
}

/* What can be done here with any interface. */
struct captures {
	const char *socket; /* "socket", or "- (why not)" */
	bool kernel;
	struct err kernel_why;
};

static struct captures find_captures(void)
{
	struct captures c = { .socket = capture_text() };

	c.kernel = kernel_usable(&c.kernel_why) == 0;
	return c;
}

/* The programs in the kernel begin at an Ethernet or an IP header. */
static const char *captures_text(const struct captures *c, const struct interface_info *info)
{
	uint16_t linktype = afpacket_linktype_of(info->arphrd);
	bool socket = c->socket[0] != '-';

	if (c->kernel && (linktype == LINKTYPE_ETHERNET || linktype == LINKTYPE_RAW))
		return socket ? "kernel,socket" : "kernel";
	return socket ? "socket" : "-";
}

/* "192.0.2.1/24,2001:db8::1/64", "-" for none. */
static const char *addresses_text(const struct interface_info *info, char text[static ADDRESSES_TEXT_MAX])
{
	size_t len = 0;

	strcpy(text, "-");
	for (size_t i = 0; i < info->addr_count; i++) {
		char addr[ADDR_TEXT_MAX];

		addr_format(&info->addrs[i].addr, addr);
		len += (size_t)snprintf(text + len, ADDRESSES_TEXT_MAX - len, "%s%s/%u", i ? "," : "", addr,
					info->addrs[i].prefix.bits);
	}
	return text;
}

static int print_interface(struct output *o, const struct interface_info *info, const struct captures *captures)
{
	char addresses[ADDRESSES_TEXT_MAX], mac[MAC_TEXT_MAX] = "-";
	const struct cell cells[COLUMN_COUNT_ALL] = {
		{ .text = info->name },
		{ .number = info->ifindex },
		{ .text = state_text(info) },
		{ .text = mac },
		{ .text = kind_text(info) },
		{ .number = info->mtu },
		{ .text = addresses_text(info, addresses) },
		{ .number = info->stats.rx_packets },
		{ .number = info->stats.rx_bytes },
		{ .number = info->stats.tx_packets },
		{ .number = info->stats.tx_bytes },
		{ .text = captures->socket },
		{ .text = info->default_route ? "yes" : "-" },
		{ .text = captures_text(captures, info) },
	};

	if (info->has_mac)
		mac_format(info->mac, mac);
	return output_row(o, cells);
}

static int print_interfaces(const struct interface_info *infos, size_t count, enum format format, struct err *e)
{
	const struct captures captures = find_captures();
	struct output *o;
	int code = output_open(&o, stdout, format, e);

	if (code < 0)
		return code;
	code = output_columns(o, columns, COLUMN_COUNT_ALL);
	for (size_t i = 0; i < count && code == 0; i++)
		code = print_interface(o, &infos[i], &captures);
	if (code < 0) {
		output_close(&o, NULL);
		return err_errno(e, code, "cannot write");
	}
	code = output_close(&o, e);
	if (code == 0 && format == FORMAT_TABLE && !captures.kernel) /* for people */
		fprintf(stderr, "kernel: %s\n", captures.kernel_why.msg);
	return code;
}

static int list_interfaces(enum format format, struct err *e)
{
	struct interface_info *infos = NULL;
	struct netlink *n = NULL;
	size_t count = 0;
	int code = netlink_open(&n, e);

	if (code < 0)
		return code;
	code = netlink_interfaces(n, &infos, &count, e);
	netlink_close(&n);
	if (code == 0)
		code = print_interfaces(infos, count, format, e);
	free(infos);
	return code;
}

int cmd_interfaces(int argc, char **argv)
{
	static const struct option options[] = {
		{ "format", required_argument, NULL, 'f' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	enum format format = format_default(stdout);
	struct err e;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":f:h", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		case 'f':
			if (format_parse(&format, optarg, &e) < 0)
				return usage_error("interfaces", "%s", e.msg);
			break;
		case ':':
			return usage_error("interfaces", "%s needs a value", argv[optind - 1]);
		default:
			return usage_error("interfaces", "unknown option %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage_error("interfaces", "unexpected \"%s\"", argv[optind]);
	if (list_interfaces(format, &e) < 0)
		return fail(EXIT_FAILED, "interfaces", &e);
	return EXIT_OK;
}
