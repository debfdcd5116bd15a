/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.c -- runs a fuzz target over every file of a corpus folder: crashes that were fixed
 * stay fixed. Prints how many inputs it ran; an empty or missing corpus is a failure. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	long size;
	uint8_t *data;

	if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) {
		perror(path);
		return -1;
	}
	data = malloc(size ? (size_t)size : 1); /* exact size: the sanitizer sees a read one past the end */
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) {
		perror(path);
		return -1;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned ran = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *entry;
		char path[4096];

		if (!d) {
			perror(argv[i]);
			return 1;
		}
		while ((entry = readdir(d))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
			if (replay_file(path) < 0)
				return 1;
			ran++;
		}
		closedir(d);
	}
	printf("%u inputs replayed\n", ran);
	return ran == 0;
}
