/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A BMP stream, as one session of a router; then what was said as a snapshot, and the input itself as one. */
#include "routes/bmp_router.h"
#include "routes/bmp_snapshot.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_stream(struct bmp_router *r, struct slice rest)
{
	while (rest.len) {
		int64_t length = bmp_message_length(rest, NULL);

		if (length <= 0 || (size_t)length > rest.len)
			return;
		bmp_router_read(r, (struct slice){ rest.at, (size_t)length }, 1000, NULL);
		rest.at += length;
		rest.len -= (size_t)length;
	}
}

static void collect(const struct bmp_router *r)
{
	struct route_builder *b = NULL;

	if (route_builder_new(&b) == 0)
		bmp_router_collect(r, b);
	route_builder_free(&b);
}

/* What is written must be read back whole. */
static void through_snapshot(const struct bmp_router *r, const struct bmp_limits *limits)
{
	struct bmp_snapshot s;
	struct bmp_router *back = NULL;
	int64_t utc_s;

	if (bmp_snapshot_make(&s, r, 2000) < 0)
		return;
	if (bmp_router_new(&back, BMP_TABLE_AUTO, limits) == 0 &&
	    bmp_snapshot_restore(back, (struct slice){ s.at, s.len }, &utc_s, NULL) < 0)
		abort();
	bmp_router_free(&back);
	bmp_snapshot_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bmp_limits limits = { .routes = 1000, .peers = 16 };
	struct bmp_router *r = NULL;
	struct err e;
	int64_t utc_s;

	if (bmp_router_new(&r, BMP_TABLE_AUTO, &limits) < 0)
		return 0;
	bmp_router_connected(r, 1000);
	read_stream(r, (struct slice){ data, size });
	collect(r);
	through_snapshot(r, &limits);
	bmp_router_lost(r, 1001);
	bmp_router_connected(r, 1002);
	read_stream(r, (struct slice){ data, size });
	bmp_router_tick(r, 2000);
	collect(r);
	bmp_router_free(&r);
	if (bmp_router_new(&r, BMP_TABLE_AUTO, &limits) == 0)
		bmp_snapshot_restore(r, (struct slice){ data, size }, &utc_s, &e);
	bmp_router_free(&r);
	return 0;
}
