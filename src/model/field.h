/* SPDX-License-Identifier: GPL-2.0-or-later */
/* field.h -- the fields that a key can be made of, by the names that users write (DESIGN.md).
 *
 * Hidden fields (name NULL) complete a key inside the program and never show. Thread: any. */
#ifndef NETTALLY_MODEL_FIELD_H
#define NETTALLY_MODEL_FIELD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field {
	/* of a party */
	FIELD_MAC,
	FIELD_HOST,
	FIELD_NAME,
	FIELD_VENDOR,
	FIELD_PREFIX,
	FIELD_ORIGIN_AS,
	FIELD_NEIGHBOUR_AS,
	FIELD_TRANSIT_AS,
	FIELD_AS_PATH,
	FIELD_COUNTRY,
	/* of the packet's ends, directed */
	FIELD_SRC_MAC,
	FIELD_DST_MAC,
	FIELD_SRC_HOST,
	FIELD_DST_HOST,
	FIELD_SRC_PORT,
	FIELD_DST_PORT,
	/* of the packet */
	FIELD_INTERFACE,
	FIELD_DIRECTION,
	FIELD_VLAN,
	FIELD_ETHERTYPE,
	FIELD_PROTO,
	FIELD_SERVICE,
	FIELD_RULE,
	/* of a report */
	FIELD_ROUTER,
	FIELD_TYPE,
	/* hidden: address families of the three hosts, the window's start, a party's side of
	 * `local` */
	FIELD_HOST_FAMILY,
	FIELD_SRC_FAMILY,
	FIELD_DST_FAMILY,
	FIELD_WINDOW,
	FIELD_LOCALITY,
	FIELD_COUNT
};

#define FIELD_BIT(f) (UINT64_C(1) << (f))
#define FIELDS_OF_PARTY                                                                                            \
	(FIELD_BIT(FIELD_MAC) | FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_NAME) | FIELD_BIT(FIELD_VENDOR) |          \
	 FIELD_BIT(FIELD_PREFIX) | FIELD_BIT(FIELD_ORIGIN_AS) | FIELD_BIT(FIELD_NEIGHBOUR_AS) |                    \
	 FIELD_BIT(FIELD_TRANSIT_AS) | FIELD_BIT(FIELD_AS_PATH) | FIELD_BIT(FIELD_COUNTRY))
/* What a key with `rule` may have beside it. */
#define FIELDS_BESIDE_RULE (FIELD_BIT(FIELD_INTERFACE) | FIELD_BIT(FIELD_DIRECTION))
#define FIELDS_OF_REPORT (FIELD_BIT(FIELD_ROUTER) | FIELD_BIT(FIELD_TYPE))
/* What a delivery (from = reports, sockets) can be counted by; its party is the client. */
#define FIELDS_OF_DELIVERY                                                                                         \
	(FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_NAME) | FIELD_BIT(FIELD_PREFIX) | FIELD_BIT(FIELD_ORIGIN_AS) |    \
	 FIELD_BIT(FIELD_NEIGHBOUR_AS) | FIELD_BIT(FIELD_TRANSIT_AS) | FIELD_BIT(FIELD_AS_PATH) |                  \
	 FIELD_BIT(FIELD_COUNTRY) | FIELD_BIT(FIELD_SERVICE) | FIELDS_OF_REPORT)

#define FIELDS_PER_KEY_MAX 16

/* NULL for hidden fields. */
const char *field_name(enum field f);

/* True where the column is a plain number (ports, vlan, proto, AS numbers): it sorts and prints as one. */
bool field_is_number(enum field f);
bool field_is_as(enum field f); /* an AS number, or an AS_SET's text */

/* One name. -EINVAL with a sentence that lists the known ones. */
int field_parse(enum field *ret, const char *name, struct err *e);

/* "host,service": names with commas between, spaces allowed around them; no name twice. */
int field_list_parse(enum field ret[static FIELDS_PER_KEY_MAX], size_t *ret_count, const char *text,
		     struct err *e);

#endif
