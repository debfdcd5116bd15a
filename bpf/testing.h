/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.h -- for tests and benches alone: tables around the programs of a skeleton, and single runs of them.
 *
 * What src/capture/ does for a point, in its simplest form: one epoch slot, both grains, nothing pinned. */
#ifndef NETTALLY_BPF_TESTING_H
#define NETTALLY_BPF_TESTING_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <bpf/tally_shared.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SKIPPED 77 /* exit status: meson counts it as skipped */

struct tables {
	struct bpf_object *object;   /* borrowed */
	struct tally_config config;
	unsigned cpus;
	unsigned used;               /* CPUs that have tables: the first ones; each costs a wait for RCU */
	uint32_t buckets[TALLY_GRAINS];
	uint8_t **slots[TALLY_GRAINS]; /* [CPU], mapped */
	size_t bytes[TALLY_GRAINS];  /* of one */
	int templates[TALLY_GRAINS]; /* inner maps, until load */
	struct tally_sums *sums;     /* [TALLY_INDEX] */
};

static inline uint32_t slot_bytes(const struct tally_config *cf, unsigned grain)
{
	return cf->wide & 1u << grain ? sizeof(struct tally_wide_slot) : sizeof(struct tally_narrow_slot);
}

/* Is BPF permitted here? Tells why not. */
static inline bool bpf_is_permitted(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nettally_try", 4, 8, 1, NULL);

	if (fd < 0) {
		printf("skipped: BPF is not permitted here: %s\n", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

/* What follows from fields, buckets and the machine. `buckets` is a power of two, at least 2. */
static inline void tables_configure(struct tables *t, const struct tally_config *cf, uint32_t buckets)
{
	t->config = *cf;
	t->cpus = (unsigned)libbpf_num_possible_cpus();
	if (t->used == 0 || t->used > t->cpus)
		t->used = t->cpus;
	t->config.cpus = t->cpus;
	for (unsigned g = 0; g < TALLY_GRAINS; g++) {
		t->buckets[g] = cf->grains & 1u << g ? buckets : 2;
		t->config.bucket_mask[g] = t->buckets[g] - 1;
		t->config.shift[g] = 64u - (unsigned)__builtin_ctz(t->buckets[g]);
		if (cf->fields[g] & TALLY_F_WIDE)
			t->config.wide |= 1u << g;
	}
	if (!t->config.seeds[0])
		for (unsigned i = 0; i < TALLY_WIDE_WORDS; i++) {
			t->config.seeds[i] = (0x9e3779b97f4a7c15u + 2 * i) * (2 * i + 1) | 1;
			t->config.low_seeds[i] = (0xc2b2ae3d27d4eb4fu + 2 * i) * (2 * i + 1) | 1;
		}
}

static inline int table_new(const struct tables *t, unsigned grain)
{
	struct bpf_map_create_opts opts = { .sz = sizeof opts, .map_flags = BPF_F_MMAPABLE };

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "nettally_table", 4, slot_bytes(&t->config, grain) * TALLY_BUCKET,
			      t->buckets[grain], &opts);
}

/* Between open and load. */
static inline int tables_prepare(struct tables *t, struct bpf_object *object)
{
	static const char *const names[TALLY_GRAINS] = { "party", "plain" };
	int r = 0;

	t->object = object;
	for (unsigned g = 0; r == 0 && g < TALLY_GRAINS; g++) {
		struct bpf_map *m = bpf_object__find_map_by_name(object, names[g]);
		int inner = table_new(t, g);

		r = inner < 0 ? inner : bpf_map__set_inner_map_fd(m, inner);
		if (r == 0)
			r = bpf_map__set_max_entries(m, TALLY_EPOCHS * t->cpus);
		t->templates[g] = inner;
	}
	if (r == 0)
		r = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "sums"), TALLY_EPOCHS * t->cpus);
	return r;
}

static inline int grain_fill(struct tables *t, unsigned grain, int outer)
{
	t->bytes[grain] = (size_t)slot_bytes(&t->config, grain) * TALLY_BUCKET * t->buckets[grain];
	t->slots[grain] = calloc(t->used, sizeof *t->slots[grain]);
	for (uint32_t i = 0; t->slots[grain] && i < t->used; i++) {
		int fd = table_new(t, grain), r = fd < 0 ? fd : bpf_map_update_elem(outer, &i, &fd, 0);

		if (r < 0)
			return r;
		t->slots[grain][i] = mmap(NULL, t->bytes[grain], PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
		if (t->slots[grain][i] == MAP_FAILED)
			return -errno;
	}
	return t->slots[grain] ? 0 : -ENOMEM;
}

/* After load. */
static inline int tables_fill(struct tables *t)
{
	static const char *const names[TALLY_GRAINS] = { "party", "plain" };
	struct bpf_map *sums = bpf_object__find_map_by_name(t->object, "sums");
	int r = 0;

	for (unsigned g = 0; g < TALLY_GRAINS; g++)
		close(t->templates[g]);
	for (unsigned g = 0; r == 0 && g < TALLY_GRAINS; g++)
		r = grain_fill(t, g, bpf_map__fd(bpf_object__find_map_by_name(t->object, names[g])));
	t->sums = mmap(NULL, sizeof *t->sums * TALLY_EPOCHS * t->cpus, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(sums), 0);
	return r == 0 && t->sums == MAP_FAILED ? -errno : r;
}

static inline void tables_clear(struct tables *t)
{
	for (unsigned g = 0; g < TALLY_GRAINS; g++)
		for (unsigned i = 0; i < t->used; i++)
			memset(t->slots[g][i], 0, t->bytes[g]);
	memset(t->sums, 0, sizeof *t->sums * TALLY_EPOCHS * t->cpus);
}

static inline void tables_free(struct tables *t)
{
	for (unsigned g = 0; g < TALLY_GRAINS; g++) {
		for (unsigned i = 0; t->slots[g] && i < t->used; i++)
			if (t->slots[g][i] && t->slots[g][i] != MAP_FAILED)
				munmap(t->slots[g][i], t->bytes[g]);
		free(t->slots[g]);
	}
	if (t->sums && t->sums != MAP_FAILED)
		munmap(t->sums, sizeof *t->sums * TALLY_EPOCHS * t->cpus);
}

#endif
