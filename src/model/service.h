/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service.h -- named services: a protocol and a port to an id, one array look-up a packet end.
 *
 * `service` of a packet is the service whose protocol and port one end has; the destination's
 * port is asked first, then the source's. Read-only after it was made. */
#ifndef NETTALLY_MODEL_SERVICE_H
#define NETTALLY_MODEL_SERVICE_H

#include "base/err.h"
#include "base/strings.h"

#include <stdbool.h>
#include <stdint.h>

enum service_proto { SERVICE_TCP, SERVICE_UDP };

struct services {
	char **names;            /* index + 1 = what `of_port` holds */
	uint32_t count;
	uint16_t (*of_port)[65536]; /* [SERVICE_TCP], [SERVICE_UDP]: 0 = none; NULL while there is no service */
	uint32_t *ids;           /* index -> id in struct strings, filled by services_intern() */
};

/* A port of a service; the service is made on first use. -EEXIST: the port is another service's
 * (named in the sentence). */
int services_add(struct services *s, const char *name, enum service_proto proto, uint16_t port, struct err *e);
/* "443" or "8000-8010". */
int service_ports_parse(uint16_t *ret_first, uint16_t *ret_last, const char *text, struct err *e);
/* "NAME=tcp:PORT" or "NAME=udp:PORT", also "tcp:PORT-PORT". */
int services_parse(struct services *s, const char *text, struct err *e);
/* The built-in list of well-known ports: ssh, http, https, dns ... */
int services_add_well_known(struct services *s, struct err *e);
int services_intern(struct services *s, struct strings *strings, struct err *e);
void services_free(struct services *s);

/* The id in strings, 0 = none; ports and proto in key form (model/key.h). */
static inline uint32_t services_find(const struct services *s, uint32_t proto, uint32_t src_port, uint32_t dst_port)
{
	enum service_proto p = proto == (0x100 | 6) ? SERVICE_TCP : SERVICE_UDP;

	if (!s->of_port || (proto != (0x100 | 6) && proto != (0x100 | 17)) || !dst_port)
		return 0;
	uint16_t n = s->of_port[p][dst_port & 0xffff];
	if (!n)
		n = s->of_port[p][src_port & 0xffff];
	return n ? s->ids[n - 1] : 0;
}

#endif
