/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h -- what addresses and devices are called, and who made them: configured names, DHCP leases, hosts file, reverse
 * DNS, neighbour table, OUI list (docs/names.md). Never makes a packet wait.
 *
 * Owns a thread: it asks the resolver, hears the neighbour table, reads files again when they change. All functions here
 * are for any thread unless they say otherwise; they take one lock, for as long as a look into a table takes. A name comes
 * from the first of: config, lease, hosts, dns. What is known is bounded by `cache`; who was not wanted for longest goes
 * first, counted. Names are safe for any output (names/name_text.h). Never logs: `say` does. */
#ifndef NETTALLY_NAMES_NAMES_H
#define NETTALLY_NAMES_NAMES_H

#include "base/addr.h"
#include "base/err.h"
#include "model/booking.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_MAX_TEXT 256      /* a name with its 0 */
#define NAMES_LEASES_MAX 8
#define NAMES_OUI_DEFAULT "/usr/share/ieee-data"
#define NAMES_HOSTS_DEFAULT "/etc/hosts"
#define NAMES_CACHE_DEFAULT 65536u
#define NAMES_RATE_DEFAULT 100u

enum name_source { NAME_NONE, NAME_CONFIG, NAME_LEASE, NAME_HOSTS, NAME_DNS };

const char *name_source_text(enum name_source s); /* "-" config lease hosts dns */

/* A name that the config gives. */
struct name_given {
	struct addr host;              /* ADDR_NONE: a device */
	uint64_t mac;                  /* key form (model/key.h) */
	char name[64];
};

struct names_config {
	bool dns, neighbours;
	char resolver[128];            /* "ADDR[:PORT],..."; "" = as resolv.conf(5) says */
	char hosts[256];               /* "" = none */
	char leases[NAMES_LEASES_MAX][256];
	size_t lease_count;
	char oui[256];                 /* a file, or a folder with oui.txt, mam.txt, oui36.txt, iab.txt; "" = none */
	uint32_t cache;                /* hosts and devices that are remembered */
	uint32_t rate;                 /* questions a second at most */
	struct name_given *given;      /* borrowed by names_new() and names_change() for the call */
	size_t given_count;
};

void names_config_default(struct names_config *ret);
/* "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:5353", several with commas; what c-ares takes. */
int names_resolver_check(const char *text, struct err *e);

struct names;

/* Reads the files: what is there and cannot be read is an error. */
int names_new(struct names **ret, const struct names_config *cf, void (*say)(void *arg, const char *text), void *arg,
	      struct err *e);
/* Another configuration; the old one stays where it fails. The OUI list is not read again. */
int names_change(struct names *n, const struct names_config *cf, struct err *e);
/* The thread. After privileges were dropped. */
int names_start(struct names *n, struct err *e);
void names_stop(struct names **n); /* joins the thread, frees all; accepts NULL and what was not started */

/* Before names_start(): what the ledger knows already, so that a restart learns nothing anew. */
void names_recall(struct names *n, const struct learnt *l);

/* Seen on the wire: a name is wanted. `host` may be ADDR_NONE, `mac` 0, else the device that spoke from there. Of a local
 * network it then holds the address; and DNS is asked for those before all others. */
void names_want(struct names *n, const struct addr *host, uint64_t mac, bool is_local);

/* "-" and NAME_NONE where nothing is known. Returns `ret`. */
const char *names_of_host(struct names *n, const struct addr *host, char ret[static NAME_MAX_TEXT], enum name_source *source);
const char *names_of_mac(struct names *n, uint64_t mac, char ret[static NAME_MAX_TEXT], enum name_source *source);

/* The organisation that a MAC address is assigned to; "(random)" for one that is locally administered and in no list; NULL:
 * nothing known. Stays until names_stop(). */
const char *names_vendor(const struct names *n, uint64_t mac);

/* What became known since the last call, in order; the array is the caller's (learnt_free()). */
void names_take(struct names *n, struct learnt **ret, size_t *ret_count);

/* What there is to say of it: sizes of now, counts since the start. */
struct names_state {
	uint64_t remembered, waiting;
	uint64_t asked, found, none, refused, failed, silent, evicted, reread, unreadable;
	bool is_down;           /* the resolver does not answer */
};
void names_state(struct names *n, struct names_state *ret);

#endif
