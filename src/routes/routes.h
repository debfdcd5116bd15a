/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes.h -- what an address belongs to: the views of routers (MRT files, BMP sessions) and the geo files, answered
 * for the books.
 *
 * Files are read and tables compiled on a thread of their own, BMP sessions on another; whole tables are swapped in
 * routes_tick(). Until a table was loaded, its view knows nothing. A file that is damaged or gone when it is read again leaves
 * what was loaded before in force. All calls belong to the main loop's thread. Foreign bytes: MRT, BMP, MMDB. Never logs:
 * routes_said() gives the lines. */
#ifndef NETTALLY_ROUTES_ROUTES_H
#define NETTALLY_ROUTES_ROUTES_H

#include "base/strings.h"
#include "model/attribution.h"
#include "routes/routes_config.h"
#include "routes/views.h"

struct routes;

/* Opens the BMP station's socket, reads nothing yet. `c` is copied. `state_path` "" or the ledger's path: what routers said
 * is kept beside it. `s` is borrowed. */
int routes_open(struct routes **ret, const struct routes_config *c, struct strings *s, const char *state_path, struct err *e);
int routes_start(struct routes *r, struct err *e); /* the threads; files are read from now on */
/* Another config: views, sessions and files that stay keep what they have. On failure all stays. */
int routes_change(struct routes *r, const struct routes_config *c, struct err *e);
void routes_close(struct routes **r); /* accepts NULL; saves what routers said */

/* For `read`: one table, countries (paths NULL = none), read before it returns; no thread. `warning` gets what was left
 * out, "" = nothing. */
struct routes_files {
	const char *mrt, *country, *as_names;
};
int routes_open_files(struct routes **ret, const struct routes_files *f, struct strings *s, char warning[static 512],
		      struct err *e);

/* Takes over what was loaded and compiled since the last time. Borrowed attributions end here. */
void routes_tick(struct routes *r);
/* Every file was read, or could not be, and every table that was saved is compiled. */
bool routes_is_loaded(struct routes *r);
/* Lines for the log, oldest first; false: nothing more. */
bool routes_said(struct routes *r, char text[static 512], bool *ret_warning);

/* Fills what `wanted` (FIELD_BITs) names and is known of `a`: by the view of `router` (id of the name of a `routes` section,
 * or of an interface that has a view), else by the default view. The rest stays 0. */
void routes_attribute(struct routes *r, uint32_t router, const struct addr *a, uint64_t wanted, struct attribution *ret);
/* The id of the name of the view whose `serves` holds `server`, by the longest of these prefixes; 0: none does. */
uint32_t routes_router_of(const struct routes *r, const struct addr *server);
const char *routes_as_name(const struct routes *r, uint32_t as); /* NULL: not known */
const struct routes_config *routes_config(const struct routes *r);

/* ---- for status, dump and lookup ---- */

struct routes_view_facts {
	const struct routes_view *view;
	bool is_default;
	uint64_t ip4, ip6, paths;
	size_t bytes;             /* of the table in force */
	int64_t loaded_utc_s;     /* in force since; 0 = nothing yet */
	int64_t newest_utc_s;     /* of what the routes themselves say: the file's last record, or the last message */
	int64_t compile_ns;       /* of the last one */
	uint64_t loads, failures;
	const char *problem;      /* "" = all is well */
	bool has_router;          /* then these */
	struct bmp_router_facts router;
	struct bmp_peer_facts *peers; /* the caller's to free(); router.peers */
};
size_t routes_view_count(const struct routes *r);
void routes_view_facts(struct routes *r, size_t view, struct routes_view_facts *ret);

struct routes_facts {
	const char *listen;          /* of the BMP station, "" = off */
	uint64_t strangers, broken;
	size_t geo_bytes, as_names_bytes, as_names;
	uint64_t geo_ip4, geo_ip6;
	int64_t geo_loaded_utc_s, as_names_loaded_utc_s;
	const char *geo_problem, *as_names_problem;
};
void routes_facts(struct routes *r, struct routes_facts *ret);

/* The table in force: a reference for the caller, view_table_unref(). NULL: nothing is loaded, or there is no such view.
 * `view` NULL = the default one. */
struct view_table *routes_table(struct routes *r, const char *view);
const char *routes_country(const struct routes *r, const struct addr *a); /* "-": not known */

#endif
