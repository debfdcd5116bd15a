/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netlink_fuzz.c -- a datagram as rtnetlink might send it, through every parser. */
#include "capture/netlink_message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
	if (!memchr(text, '\0', size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of((struct slice){ data, size });
	struct netlink_message m;

	while (netlink_message_next(&c, &m) > 0) {
		struct interface_info info;
		struct interface_stats stats;
		struct netlink_addr addr;
		struct netlink_route route;

		if (netlink_parse_link(m.payload, &info) == 0) {
			check_text(info.name, sizeof info.name);
			check_text(info.kind, sizeof info.kind);
		}
		if (netlink_parse_addr(m.payload, &addr) == 0 && addr.addr.family != ADDR_NONE &&
		    !prefix_contains(&addr.prefix, &addr.prefix.addr))
			abort();
		netlink_parse_route(m.payload, &route);
		netlink_parse_stats(m.payload, &stats);
		if (netlink_parse_error(m.payload) > 0)
			abort();
	}
	return 0;
}
