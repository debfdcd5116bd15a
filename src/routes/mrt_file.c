/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mrt_file.c -- bytes from the disk, unpacked by the library that knows them, cut into records. */
#include "routes/mrt_file.h"

#include "routes/mrt.h"

#include <bzlib.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define INPUT_BYTES (256u << 10)
#define OUTPUT_BYTES (512u << 10) /* at first; grows to the longest record */

struct mrt_file;

/* How packed bytes become plain ones. `fill` puts at most `room` bytes to `to`: how many, 0 at the end, negative with a
 * sentence. What it finds damaged or missing it writes into the file's warning, and gives 0. */
struct packing {
	int (*begin)(struct mrt_file *f, struct err *e);
	ssize_t (*fill)(struct mrt_file *f, uint8_t *to, size_t room, struct err *e);
	void (*end)(struct mrt_file *f);
};

struct mrt_file {
	int fd;
	const struct packing *packing;
	bool begun, at_end;
	uint8_t *input; /* as it lies on the disk */
	size_t input_at, input_len;
	bool input_end;
	uint8_t *output;
	size_t output_at, output_len, output_room;
	bool ended;     /* no more output */
	uint64_t skip;  /* bytes of a record that is too long */
	uint64_t records, too_long;
	char warning[200];
	z_stream gz;
	bz_stream bz;
};

static int read_disk(struct mrt_file *f, struct err *e)
{
	ssize_t n;

	if (f->input_at < f->input_len || f->input_end)
		return 0;
	do
		n = read(f->fd, f->input, INPUT_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, -errno, "cannot read");
	f->input_at = 0;
	f->input_len = (size_t)n;
	f->input_end = n == 0;
	return 0;
}

static void warn(struct mrt_file *f, const char *what)
{
	snprintf(f->warning, sizeof f->warning, "%s behind record %" PRIu64 "; what stood before it counts", what, f->records);
}

static ssize_t plain_fill(struct mrt_file *f, uint8_t *to, size_t room, struct err *e)
{
	int r = read_disk(f, e);
	size_t n = f->input_len - f->input_at;

	if (r < 0)
		return r;
	n = n < room ? n : room;
	memcpy(to, f->input + f->input_at, n);
	f->input_at += n;
	return (ssize_t)n;
}

static int gz_begin(struct mrt_file *f, struct err *e)
{
	return inflateInit2(&f->gz, 15 + 16) == Z_OK ? 0 : err_set(e, -ENOMEM, "no memory to unpack gz");
}

/* One step: false where the stream is over or damaged. A member may follow the last one (RFC 1952 2.2). */
static bool gz_step(struct mrt_file *f)
{
	int z = inflate(&f->gz, Z_NO_FLUSH);

	if (z == Z_STREAM_END) {
		f->at_end = true;
		return true;
	}
	if (z != Z_OK && z != Z_BUF_ERROR)
		warn(f, "the gz stream is damaged");
	return z == Z_OK || z == Z_BUF_ERROR;
}

static ssize_t gz_fill(struct mrt_file *f, uint8_t *to, size_t room, struct err *e)
{
	f->gz.next_out = to;
	f->gz.avail_out = (uInt)room;
	while (f->gz.avail_out == room) {
		int r = read_disk(f, e);

		if (r < 0)
			return r;
		if (f->input_at == f->input_len) {
			if (!f->at_end)
				warn(f, "the gz stream ends early");
			break;
		}
		if (f->at_end && inflateReset(&f->gz) != Z_OK)
			break;
		f->at_end = false;
		f->gz.next_in = f->input + f->input_at;
		f->gz.avail_in = (uInt)(f->input_len - f->input_at);
		if (!gz_step(f))
			break;
		f->input_at = f->input_len - f->gz.avail_in;
	}
	return (ssize_t)(room - f->gz.avail_out);
}

static void gz_end(struct mrt_file *f)
{
	inflateEnd(&f->gz);
}

static int bz_begin(struct mrt_file *f, struct err *e)
{
	return BZ2_bzDecompressInit(&f->bz, 0, 0) == BZ_OK ? 0 : err_set(e, -ENOMEM, "no memory to unpack bz2");
}

/* Behind the end of a stream another may stand (as pbzip2 writes them). */
static bool bz_again(struct mrt_file *f)
{
	char *to = f->bz.next_out;
	unsigned room = f->bz.avail_out;

	BZ2_bzDecompressEnd(&f->bz);
	memset(&f->bz, 0, sizeof f->bz);
	f->begun = BZ2_bzDecompressInit(&f->bz, 0, 0) == BZ_OK;
	f->bz.next_out = to;
	f->bz.avail_out = room;
	return f->begun;
}

static ssize_t bz_fill(struct mrt_file *f, uint8_t *to, size_t room, struct err *e)
{
	f->bz.next_out = (char *)to;
	f->bz.avail_out = (unsigned)room;
	while (f->bz.avail_out == room) {
		int r = read_disk(f, e), z;

		if (r < 0)
			return r;
		if (f->input_at == f->input_len) {
			if (!f->at_end)
				warn(f, "the bz2 stream ends early");
			break;
		}
		if (f->at_end && !bz_again(f))
			break;
		f->at_end = false;
		f->bz.next_in = (char *)f->input + f->input_at;
		f->bz.avail_in = (unsigned)(f->input_len - f->input_at);
		z = BZ2_bzDecompress(&f->bz);
		f->input_at = f->input_len - f->bz.avail_in;
		f->at_end = z == BZ_STREAM_END;
		if (z != BZ_OK && z != BZ_STREAM_END) {
			warn(f, "the bz2 stream is damaged");
			break;
		}
	}
	return (ssize_t)(room - f->bz.avail_out);
}

static void bz_end(struct mrt_file *f)
{
	BZ2_bzDecompressEnd(&f->bz);
}

static const struct packing plain = { NULL, plain_fill, NULL };
static const struct packing gz = { gz_begin, gz_fill, gz_end };
static const struct packing bz = { bz_begin, bz_fill, bz_end };

static const struct packing *packing_of(const uint8_t *at, size_t len)
{
	if (len >= 2 && at[0] == 0x1f && at[1] == 0x8b)
		return &gz;
	if (len >= 4 && memcmp(at, "BZh", 3) == 0 && at[3] >= '1' && at[3] <= '9')
		return &bz;
	return &plain;
}

static int begin(struct mrt_file *f, struct err *e)
{
	int r;

	f->input = malloc(INPUT_BYTES);
	f->output = malloc(OUTPUT_BYTES);
	f->output_room = OUTPUT_BYTES;
	if (!f->input || !f->output)
		return err_set(e, -ENOMEM, "no memory");
	r = read_disk(f, e);
	if (r < 0)
		return r;
	f->packing = packing_of(f->input, f->input_len);
	r = f->packing->begin ? f->packing->begin(f, e) : 0;
	f->begun = r == 0;
	return r;
}

int mrt_file_open(struct mrt_file **ret, const char *path, struct err *e)
{
	struct mrt_file *f = calloc(1, sizeof *f);
	int r;

	if (!f)
		return err_set(e, -ENOMEM, "no memory");
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	r = f->fd < 0 ? err_errno(e, -errno, "cannot open") : begin(f, e);
	if (r < 0) {
		mrt_file_close(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void mrt_file_close(struct mrt_file **pf)
{
	struct mrt_file *f = *pf;

	if (!f)
		return;
	if (f->begun && f->packing->end)
		f->packing->end(f);
	if (f->fd >= 0)
		close(f->fd);
	free(f->input);
	free(f->output);
	free(f);
	*pf = NULL;
}

static int make_room(struct mrt_file *f, size_t want, struct err *e)
{
	size_t left = f->output_len - f->output_at;
	uint8_t *grown;

	memmove(f->output, f->output + f->output_at, left);
	f->output_at = 0;
	f->output_len = left;
	if (want <= f->output_room)
		return 0;
	grown = realloc(f->output, want);
	if (!grown)
		return err_set(e, -ENOMEM, "no memory for a record of %zu bytes", want);
	f->output = grown;
	f->output_room = want;
	return 0;
}

/* 1: so many bytes lie at output_at; 0: the stream ended before. */
static int want_bytes(struct mrt_file *f, size_t want, struct err *e)
{
	while (f->output_len - f->output_at < want) {
		ssize_t n;
		int r;

		if (f->ended)
			return 0;
		r = f->output_room - f->output_at < want || f->output_len == f->output_room ? make_room(f, want, e) : 0;
		if (r < 0)
			return r;
		n = f->packing->fill(f, f->output + f->output_len, f->output_room - f->output_len, e);
		if (n < 0)
			return (int)n;
		f->ended = n == 0;
		f->output_len += (size_t)n;
	}
	return 1;
}

/* Reads past a record that is too long, as far as there is one. */
static int pass_over(struct mrt_file *f, struct err *e)
{
	while (f->skip) {
		uint64_t here = f->output_len - f->output_at;
		int r;

		here = here < f->skip ? here : f->skip;
		f->output_at += here;
		f->skip -= here;
		r = f->skip ? want_bytes(f, 1, e) : 1;
		if (r <= 0)
			return r;
	}
	return 1;
}

static int end_of(struct mrt_file *f)
{
	if (!*f->warning && (f->output_at < f->output_len || f->skip))
		warn(f, "the file ends within the record");
	return 0;
}

int mrt_file_next(struct mrt_file *f, struct slice *ret, struct err *e)
{
	for (;;) {
		uint32_t length;
		int r = want_bytes(f, MRT_HEADER_BYTES, e);

		if (r <= 0)
			return r < 0 ? r : end_of(f);
		length = be32(f->output + f->output_at + 8);
		if (length <= MRT_RECORD_MAX) {
			r = want_bytes(f, MRT_HEADER_BYTES + (size_t)length, e);
			if (r <= 0)
				return r < 0 ? r : end_of(f);
			*ret = (struct slice){ f->output + f->output_at, MRT_HEADER_BYTES + (size_t)length };
			f->output_at += ret->len;
			f->records++;
			return 1;
		}
		f->too_long++;
		f->skip = MRT_HEADER_BYTES + (uint64_t)length;
		r = pass_over(f, e);
		if (r <= 0)
			return r < 0 ? r : end_of(f);
	}
}

const char *mrt_file_warning(const struct mrt_file *f)
{
	return f->warning;
}

uint64_t mrt_file_too_long(const struct mrt_file *f)
{
	return f->too_long;
}
