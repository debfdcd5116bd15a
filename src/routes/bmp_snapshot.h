/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_snapshot.h -- what a router told, as bytes for a file, so that it survives a restart.
 *
 * The bytes are read as foreign ones: a file that is damaged is refused as a whole, or ends where the damage is, and no
 * harm is done. All numbers big endian; the form:
 *   "NTBMP1\n" '\0', time u64, then records: 'P' a peer (numbers from 0, in order), 'R' a route, 'E' the end with the
 *   number of routes. Thread: the router's owner; the bytes are anyone's. */
#ifndef NETTALLY_ROUTES_BMP_SNAPSHOT_H
#define NETTALLY_ROUTES_BMP_SNAPSHOT_H

#include "routes/bmp_router.h"

struct bmp_snapshot {
	uint8_t *at;
	size_t len;
};

int bmp_snapshot_make(struct bmp_snapshot *ret, const struct bmp_router *r, int64_t now_utc_s); /* 0 or -ENOMEM */
void bmp_snapshot_free(struct bmp_snapshot *s);
/* Into a router that has nothing yet. -EBADMSG: damaged; what stood before the damage is in it. */
int bmp_snapshot_restore(struct bmp_router *r, struct slice bytes, int64_t *ret_utc_s, struct err *e);

/* Written whole under another name, then renamed, so that there is always a whole one. */
int bmp_snapshot_write(const struct bmp_snapshot *s, const char *path, struct err *e);
/* 0 also where there is no file: *ret is empty. At most 4 GiB. */
int bmp_snapshot_read(struct bmp_snapshot *ret, const char *path, struct err *e);

#endif
