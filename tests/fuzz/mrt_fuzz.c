/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mrt_fuzz.c -- any bytes as an MRT file, plain, gz or bz2: its records; and for one of 16 inputs (it takes most of the time)
 * its table, every route of it found again. */
#include "routes/mrt_file.h"
#include "routes/routes_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct route_table *t, enum addr_family family)
{
	for (size_t i = 0; i < route_table_count(t, family); i++) {
		struct route told = route_table_at(t, family, i), found;
		struct as_path path = route_table_path(t, told.path);
		char text[64];

		as_path_format(&path, text, sizeof text);
		if (!route_table_find(t, &told.prefix.addr, &found) || found.prefix.bits < told.prefix.bits)
			abort();
	}
}

static void on_route(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n, const struct bgp_attributes *a)
{
	uint64_t *sum = arg;
	char text[64];

	*sum += peer->as + n->prefix.bits + as_path_format(&a->path, text, sizeof text) + as_path_length(&a->path);
}

static void on_withdraw(void *arg, const struct mrt_peer *peer, const struct bgp_nlri *n)
{
	uint64_t *sum = arg;

	*sum += peer->as + n->prefix.bits;
}

static void read_records(const char *path)
{
	uint64_t sum = 0;
	const struct mrt_handler h = { .row = on_route, .announce = on_route, .withdraw = on_withdraw, .arg = &sum };
	struct mrt_reader *reader;
	struct mrt_file *f;
	struct slice record;
	struct err e;

	if (mrt_file_open(&f, path, &e) < 0)
		return;
	if (mrt_reader_new(&reader, &h) < 0)
		abort();
	while (mrt_file_next(f, &record, &e) > 0)
		(void)mrt_record_read(reader, record, &e);
	mrt_reader_free(&reader);
	mrt_file_close(&f);
}

static void make_table(const char *path)
{
	struct routes_file_result result;
	struct err e;

	if (routes_file_load(&result, path, &e) < 0)
		return;
	check(result.table, ADDR_IP4);
	check(result.table, ADDR_IP6);
	route_table_free(&result.table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	read_records(path);
	if (size % 16 == 0)
		make_table(path);
	close(fd);
	return 0;
}
