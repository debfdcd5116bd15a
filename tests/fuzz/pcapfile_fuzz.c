/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapfile_fuzz.c -- any bytes as a capture file, pcap or pcapng: every byte of every frame is
 * read. */
#include "capture/pcapfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum_frames(struct pcapfile *f)
{
	struct frame frames[FRAME_BATCH];
	uint64_t sum = 0;
	struct err e;
	int n;

	while ((n = pcapfile_next(f, frames, 0, &e)) > 0)
		for (int i = 0; i < n; i++)
			for (uint32_t b = 0; b < frames[i].cap_len; b++)
				sum += frames[i].bytes[b];
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strings *strings;
	struct pcapfile *f;
	struct err e;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0 || strings_new(&strings) < 0)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (pcapfile_open(&f, path, strings, &e) == 0) {
		if (sum_frames(f) == UINT64_MAX) /* never; so that the reads stay */
			abort();
		pcapfile_close(&f);
	}
	strings_free(&strings);
	close(fd);
	return 0;
}
