/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock_diag_fuzz.c -- a datagram as sock_diag might send it; what it has is looked at as connections that live. */
#include "sockets/diag_message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool was_accepted(void *arg, const struct sockets_ends *ends)
{
	(void)arg;
	return ends->remote_port & 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct connections_config cf = { .limit = 16, .was_accepted = was_accepted };
	struct cursor c = cursor_of((struct slice){ data, size });
	struct connections *all;
	struct connection one;
	enum diag_kind kind;

	if (connections_new(&all, &cf, NULL) < 0)
		return 0;
	connections_begin_look(all);
	connections_end_look(all, true, 0);
	connections_begin_look(all);
	while (diag_message_next(&c, &kind, &one) > 0) {
		struct socket_delivery d;

		if (kind == DIAG_CONNECTION && connections_see(all, &one, 1, &d) && !d.packets && !d.requests)
			abort();
	}
	connections_end_look(all, true, 2);
	connections_free(&all);
	return 0;
}
