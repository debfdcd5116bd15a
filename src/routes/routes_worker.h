/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_worker.h -- the thread that reads the files of routes and countries, again when they change, and compiles the
 * tables of BMP sessions; so that neither the main loop nor the BMP station ever waits for it.
 *
 * A file is looked at every WORKER_LOOK_S: its inode, size and time of change. It is read again once two looks in a row show
 * the same, and another than was read last; a file that does not come to rest is read all the same after 10 s. What changed
 * while it was read is read again. Calls are for any thread, results for one. */
#ifndef NETTALLY_ROUTES_ROUTES_WORKER_H
#define NETTALLY_ROUTES_ROUTES_WORKER_H

#include "routes/asnames.h"
#include "routes/bmp_snapshot.h"
#include "routes/geo.h"
#include "routes/route_table.h"
#include "routes/routes_config.h"

#define WORKER_LOOK_S 2

enum work { WORK_FILE_TABLE, WORK_BMP_TABLE, WORK_COUNTRY, WORK_AS_NAMES, WORK_SAVE };

struct worker_file {
	enum work work;               /* not WORK_BMP_TABLE, not WORK_SAVE */
	char view[ROUTES_NAME_MAX];   /* of a table */
	char path[ROUTES_PATH_MAX];
};

struct worker_result {
	enum work work;
	char view[ROUTES_NAME_MAX];
	char path[ROUTES_PATH_MAX];
	struct route_table *table;    /* one of the three, and it is the taker's; all NULL: it failed */
	struct geo *geo;
	struct asnames *names;
	char problem[512];            /* why it failed, or what was left out; "" = all is well */
	uint64_t peers;
	int64_t newest_utc_s;         /* of the routes themselves, 0 = not known */
	int64_t file_utc_s;           /* when the file was written */
	int64_t took_ns;
};

struct worker;
int worker_start(struct worker **ret, struct err *e);
/* The files from now on; those that were there before are not read again for it. 0 or -ENOMEM. */
int worker_set_files(struct worker *w, const struct worker_file *files, size_t count);
/* A table to compile; takes the builder. 0 or -ENOMEM. */
int worker_build(struct worker *w, const char *view, struct route_builder **b);
/* Bytes to write whole and then rename; takes them. A result comes only where it failed. 0 or -ENOMEM. */
int worker_save(struct worker *w, const char *view, const char *path, struct bmp_snapshot *s);
/* False: nothing is there. */
bool worker_take(struct worker *w, struct worker_result *ret);
void worker_result_free(struct worker_result *r);
bool worker_has_tried_all(struct worker *w); /* every file was read once, or could not be, and nobody waits for a table */
void worker_stop(struct worker **w);         /* waits for what is being read */

#endif
