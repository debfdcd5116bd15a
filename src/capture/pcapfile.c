/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapfile.c -- opens a capture of either format, and turns the end of its bytes into the end or
 * into damage. */
#include "capture/pcapfile.h"
#include "capture/pcapfile_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint16_t linktype_of_file(uint32_t word)
{
	uint16_t linktype = (uint16_t)word;

	return linktype == 12 || linktype == 14 ? LINKTYPE_RAW : linktype;
}

/* What people hand in by mistake, and what to do. */
static const struct {
	const char *start;
	size_t len;
	const char *hint;
} not_captures[] = {
	{ "\x1f\x8b", 2, "it is compressed: zcat FILE | nettally read -" },
	{ "\x28\xb5\x2f\xfd", 4, "it is compressed: zstdcat FILE | nettally read -" },
	{ "\xfd\x37zX", 4, "it is compressed: xzcat FILE | nettally read -" },
	{ "BZh", 3, "it is compressed: bzcat FILE | nettally read -" },
};

static int not_a_capture(const struct input *in, struct err *e)
{
	const uint8_t *b = in->at;

	for (size_t i = 0; i < sizeof not_captures / sizeof *not_captures; i++)
		if (memcmp(b, not_captures[i].start, not_captures[i].len) == 0)
			return err_set(e, -EINVAL, "not a capture file; %s", not_captures[i].hint);
	return err_set(e, -EINVAL, "not a capture file (magic 0x%02x%02x%02x%02x)", b[0], b[1], b[2], b[3]);
}

static int fill_at_start(struct pcapfile *f, size_t need, struct err *e)
{
	int r;

	do
		r = input_fill(&f->in, need, 0, e);
	while (r == -EAGAIN);
	return r;
}

static int start(struct pcapfile *f, struct err *e)
{
	uint32_t magic;
	size_t header_len;
	int r = fill_at_start(f, 4, e);

	if (r < 0)
		return r;
	if (f->in.at == f->in.end)
		return err_set(e, -EINVAL, "empty: not even a capture file's header");
	if (r == 0)
		return err_set(e, -EINVAL, "not a capture file (%td bytes in all)", f->in.end - f->in.at);
	magic = load32(f->in.at, false);
	if (magic != PCAPNG_MAGIC && !pcap_is_magic(magic))
		return not_a_capture(&f->in, e);
	header_len = magic == PCAPNG_MAGIC ? PCAPNG_HEADER_LEN : PCAP_HEADER_LEN;
	r = fill_at_start(f, header_len, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, -EINVAL, "cut short: the file ends in the middle of its header");
	return magic == PCAPNG_MAGIC ? pcapng_start(f, e) : pcap_start(f, e);
}

int pcapfile_open(struct pcapfile **ret, const char *path, struct strings *strings, struct err *e)
{
	struct pcapfile *f = calloc(1, sizeof *f);
	int r;

	if (!f)
		return err_set(e, -ENOMEM, "%s: no memory", path);
	snprintf(f->name, sizeof f->name, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
	f->strings = strings;
	r = input_open(&f->in, path, e);
	if (r == 0)
		r = start(f, e);
	if (r < 0) {
		err_prefix(e, r, "%s", f->name);
		pcapfile_close(&f);
		return r;
	}
	*ret = f;
	return 0;
}

static int stop(struct pcapfile *f, int code, struct err *e)
{
	f->done = true;
	err_prefix(e, code, "%s: packet %" PRIu64, f->name, f->packets + 1);
	return code;
}

int pcapfile_next(struct pcapfile *f, struct frame frames[static FRAME_BATCH], int idle_ms, struct err *e)
{
	int r;

	while (!f->done) {
		r = f->walk(f, frames, e);
		if (r > 0) {
			f->packets += (unsigned)r;
			return r;
		}
		if (r < 0)
			return stop(f, r, e);
		r = input_fill(&f->in, f->need, idle_ms, e);
		if (r == -EAGAIN)
			return r;
		if (r < 0)
			return stop(f, r, e);
		if (r == 0 && f->in.at != f->in.end)
			return stop(f, err_set(e, -EBADMSG, "cut short: the file ends in the middle of it"), e);
		if (r == 0)
			f->done = true;
	}
	return 0;
}

uint32_t pcapfile_snap_len(const struct pcapfile *f)
{
	return f->snap_len;
}

uint64_t pcapfile_packets(const struct pcapfile *f)
{
	return f->packets;
}

void pcapfile_close(struct pcapfile **f)
{
	if (!*f)
		return;
	pcapng_stop(*f);
	input_close(&(*f)->in);
	free(*f);
	*f = NULL;
}
