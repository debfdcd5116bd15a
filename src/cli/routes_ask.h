/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_ask.h -- `nettally routes` without files: the running daemon is asked, its answer is printed. */
#ifndef NETTALLY_CLI_ROUTES_ASK_H
#define NETTALLY_CLI_ROUTES_ASK_H

#include "cli/place.h"
#include "output/output.h"

struct routes_question {
	struct place place;      /* found already */
	const char *view;        /* NULL = the default one */
	char **addresses;        /* of a lookup; they are sound */
	int address_count;
	bool names;              /* a last column as_name */
};

int routes_ask_dump(const struct routes_question *q, struct output *out, struct err *e);
/* Without addresses: a line of standard input each; 1 where some lines had none. */
int routes_ask_lookup(const struct routes_question *q, struct output *out, struct err *e);

#endif
