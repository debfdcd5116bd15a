/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/kernel_generation.h"

#include "base/fault.h"
#include "capture/kernel_bpf.h"
#include "capture/kernel_pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DESCRIPTION_BLOCK 4096u /* the text is cut into elements of this size: no element may be large */
#define NAME_MAX_BYTES 40

static const char *const program_pins[KERNEL_PROGRAMS] = {
	[KERNEL_INGRESS] = "program-ingress", [KERNEL_EGRESS] = "program-egress", [KERNEL_XDP] = "program-xdp",
};

static uint32_t table_count(const struct kernel_described *about)
{
	return TALLY_EPOCHS * about->cpus;
}

static uint32_t bucket_bytes(const struct kernel_described *about, unsigned grain)
{
	return TALLY_BUCKET * kernel_slot_bytes(about, grain);
}

static uint32_t bucket_count(const struct kernel_described *about, unsigned grain)
{
	return about->slots[grain] / TALLY_BUCKET;
}

/* Of the counters of all rules, of one CPU and epoch. */
static uint32_t rules_bytes(const struct kernel_described *about)
{
	return about->d.rules * (uint32_t)sizeof(struct rules_counters);
}

static void table_name(char name[static NAME_MAX_BYTES], const struct kernel_described *about, unsigned grain,
		       uint32_t index)
{
	snprintf(name, NAME_MAX_BYTES, "t%u-%u-%u", grain, index / about->cpus, index % about->cpus);
}

static struct kernel_generation *generation_new(struct kernel_described *about)
{
	struct kernel_generation *g = calloc(1, sizeof *g);

	if (!g) {
		kernel_described_free(about);
		return NULL;
	}
	g->about = *about;
	*about = (struct kernel_described){ 0 };
	g->loaded = (struct kernel_rules_loaded){ -1, -1, -1, NULL };
	for (unsigned i = 0; i < KERNEL_PROGRAMS; i++)
		g->programs[i] = -1;
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		if (!g->about.slots[grain])
			continue;
		g->tables[grain] = calloc(table_count(&g->about), sizeof *g->tables[grain]);
		if (!g->tables[grain]) {
			kernel_generation_close(&g);
			return NULL;
		}
	}
	return g;
}

void kernel_generation_close(struct kernel_generation **gp)
{
	struct kernel_generation *g = *gp;

	if (!g)
		return;
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		for (uint32_t i = 0; g->tables[grain] && i < table_count(&g->about); i++)
			kernel_array_unmap(g->tables[grain][i], bucket_bytes(&g->about, grain), bucket_count(&g->about, grain));
		free(g->tables[grain]);
	}
	kernel_array_unmap(g->rules, rules_bytes(&g->about), TALLY_HOOKS * table_count(&g->about));
	kernel_rules_close(&g->loaded);
	kernel_array_unmap(g->sums, sizeof *g->sums, table_count(&g->about));
	kernel_array_unmap(g->control, sizeof *g->control, 1);
	for (unsigned i = 0; i < KERNEL_PROGRAMS; i++)
		if (g->programs[i] >= 0)
			close(g->programs[i]);
	kernel_described_free(&g->about);
	free(g->dir);
	free(g);
	*gp = NULL;
}

/* ---- made ---- */

static int pin(int fd, const char *dir, const char *name, struct err *e)
{
	char *path;
	int code;

	if (!dir)
		return 0;
	path = kernel_path(dir, name);
	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	code = bpf_obj_pin(fd, path) < 0 ? err_errno(e, -errno, "cannot pin %s", path) : 0;
	free(path);
	return code;
}

/* Puts all tables of a grain into the programs' array at once: one by one, each would wait for RCU. */
static int fill_outer(int outer, const int *tables, uint32_t count)
{
	uint32_t *indexes = malloc(count * sizeof *indexes), done = count;
	int code = 0;

	if (!indexes)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		indexes[i] = i;
	if (bpf_map_update_batch(outer, indexes, tables, &done, NULL) < 0)
		for (uint32_t i = 0; code == 0 && i < count; i++) /* before Linux 5.19 */
			code = bpf_map_update_elem(outer, &i, &tables[i], BPF_ANY) < 0 ? -errno : 0;
	free(indexes);
	return code;
}

static int make_table(struct kernel_generation *g, unsigned grain, uint32_t index, const char *dir, int *ret,
		      struct err *e)
{
	const uint32_t bytes = bucket_bytes(&g->about, grain), count = bucket_count(&g->about, grain);
	char name[NAME_MAX_BYTES];
	void *at;
	int code;

	*ret = kernel_array("nt_table", bytes, count);
	if (*ret < 0)
		return err_errno(e, *ret, "cannot make a table of %u slots", g->about.slots[grain]);
	code = kernel_array_map(*ret, bytes, count, true, &at);
	if (code < 0)
		return err_errno(e, code, "cannot map a table of %u slots", g->about.slots[grain]);
	g->tables[grain][index] = at;
	table_name(name, &g->about, grain, index);
	return pin(*ret, dir, name, e);
}

static int make_tables(struct kernel_generation *g, unsigned grain, int outer, const char *dir, struct err *e)
{
	const uint32_t count = table_count(&g->about);
	int *fds = malloc(count * sizeof *fds);
	uint32_t made = 0;
	int code = 0;

	if (!fds)
		return err_set(e, -ENOMEM, "no memory");
	while (code == 0 && made < count) {
		code = make_table(g, grain, made, dir, &fds[made], e);
		made++;
	}
	if (code == 0) {
		code = fill_outer(outer, fds, count);
		if (code < 0)
			err_errno(e, code, "cannot hand the tables to the programs");
	}
	for (uint32_t i = 0; i < made; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
	return code;
}

/* To load programs and make tables takes a moment, in which frames come that the interface counts and we do not. */
static void read_base(struct kernel_generation *g)
{
	struct netlink *n;

	if (!g->about.base_is_now || netlink_open(&n, NULL) < 0)
		return;
	(void)netlink_stats(n, g->about.d.ifindex, &g->about.d.base, NULL);
	netlink_close(&n);
}

static int make_description(struct kernel_generation *g, const char *dir, struct err *e)
{
	char *text;
	size_t len;
	uint32_t blocks;
	void *at;
	int code, fd;

	if (!dir)
		return 0;
	code = kernel_description_format(&g->about, &text, &len, e);
	if (code < 0)
		return code;
	blocks = (uint32_t)(len / DESCRIPTION_BLOCK + 1);
	fd = kernel_array("nt_description", DESCRIPTION_BLOCK, blocks);
	code = fd < 0 ? fd : kernel_array_map(fd, DESCRIPTION_BLOCK, blocks, true, &at);
	if (code < 0) {
		err_errno(e, code, "cannot make a description");
	} else {
		memcpy(at, text, len); /* zeros behind it */
		kernel_array_unmap(at, DESCRIPTION_BLOCK, blocks);
		code = pin(fd, dir, "description", e);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return code;
}

static int map_shared(struct kernel_generation *g, int control, int sums, bool write, struct err *e)
{
	void *at;
	int code = kernel_array_map(control, sizeof *g->control, 1, write, &at);

	if (code == 0)
		g->control = at;
	if (code == 0)
		code = kernel_array_map(sums, sizeof *g->sums, table_count(&g->about), write, &at);
	if (code == 0)
		g->sums = at;
	return code < 0 ? err_errno(e, code, "cannot map the sums") : 0;
}

static int map_rules(struct kernel_generation *g, int fd, bool write, struct err *e)
{
	void *at;
	int code = kernel_array_map(fd, rules_bytes(&g->about), TALLY_HOOKS * table_count(&g->about), write, &at);

	if (code < 0)
		return err_errno(e, code, "cannot map the counters of the rules");
	g->rules = at;
	return 0;
}

static int make_rules(struct kernel_generation *g, const char *dir, struct err *e)
{
	int code = 0;

	if (g->loaded.counters >= 0)
		code = map_rules(g, g->loaded.counters, true, e);
	if (code == 0 && g->loaded.counters >= 0)
		code = pin(g->loaded.counters, dir, "rules", e);
	if (code == 0 && g->loaded.tc >= 0)
		code = pin(g->loaded.tc, dir, "rules-tc", e);
	if (code == 0 && g->loaded.xdp >= 0)
		code = pin(g->loaded.xdp, dir, "rules-xdp", e);
	return code;
}

static int pin_programs(struct kernel_generation *g, const char *dir, struct err *e)
{
	int code = 0;

	for (unsigned i = 0; code == 0 && i < KERNEL_PROGRAMS; i++)
		if (g->programs[i] >= 0)
			code = pin(g->programs[i], dir, program_pins[i], e);
	return code;
}

static int make_all(struct kernel_generation *g, const struct kernel_loaded *loaded, const char *dir, struct err *e)
{
	int code = pin(loaded->control, dir, "control", e);

	if (code == 0)
		code = pin(loaded->sums, dir, "sums", e);
	for (unsigned grain = 0; code == 0 && grain < TALLY_GRAINS; grain++)
		if (g->about.slots[grain])
			code = make_tables(g, grain, loaded->outer[grain], dir, e);
	fault_point("kernel_half_pinned");
	if (code == 0)
		code = make_rules(g, dir, e);
	if (code == 0)
		read_base(g);
	if (code == 0)
		code = make_description(g, dir, e);
	return code == 0 ? pin_programs(g, dir, e) : code;
}

/* A directory of the generation's, under the letter that says how far it is. */
static char *dir_for(const char *parent, char letter, const char *id)
{
	char name[1 + KERNEL_ID_TEXT];

	snprintf(name, sizeof name, "%c%.16s", letter, id);
	return kernel_path(parent, name);
}

static int make_pinned(struct kernel_generation *g, const struct kernel_loaded *loaded, const char *parent, struct err *e)
{
	char *unfinished = dir_for(parent, 'n', g->about.d.id), *finished = dir_for(parent, 'g', g->about.d.id);
	int code = unfinished && finished ? kernel_pins_make(unfinished) : -ENOMEM;

	if (code < 0)
		err_errno(e, code, "cannot make a directory in %s", parent);
	if (code == 0)
		code = make_all(g, loaded, unfinished, e);
	fault_point("kernel_unnamed");
	if (code == 0 && rename(unfinished, finished) < 0)
		code = err_errno(e, -errno, "cannot name %s", finished);
	if (code == 0) {
		g->dir = finished;
		finished = NULL;
	} else if (unfinished) {
		kernel_pins_remove(unfinished);
	}
	free(unfinished);
	free(finished);
	return code;
}

int kernel_generation_make(struct kernel_generation **ret, struct kernel_described *about,
			   struct kernel_loaded *loaded, const char *parent, int64_t now_utc_ns, struct err *e)
{
	struct kernel_generation *g = generation_new(about);
	int code;

	if (!g)
		return err_set(e, -ENOMEM, "no memory");
	for (unsigned i = 0; i < KERNEL_PROGRAMS; i++) {
		g->programs[i] = loaded->programs[i];
		loaded->programs[i] = -1;
	}
	g->loaded = loaded->rules;
	loaded->rules = (struct kernel_rules_loaded){ -1, -1, -1, NULL };
	code = map_shared(g, loaded->control, loaded->sums, true, e);
	if (code == 0) {
		g->control->opened_utc_ns[0] = now_utc_ns;
		g->control->epoch[0] = 1;
		code = parent ? make_pinned(g, loaded, parent, e) : make_all(g, loaded, NULL, e);
	}
	if (code < 0)
		kernel_generation_close(&g);
	else
		*ret = g;
	return code;
}

/* ---- found again ---- */

static int get(const char *dir, const char *name)
{
	char *path = kernel_path(dir, name);
	int fd;

	if (!path)
		return -ENOMEM;
	fd = bpf_obj_get(path);
	if (fd < 0)
		fd = -errno;
	free(path);
	return fd;
}

static int read_description(const char *dir, struct kernel_described *ret, struct err *e)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof info;
	int fd = get(dir, "description"), code;
	size_t len;
	void *at;

	if (fd < 0)
		return err_errno(e, fd, "%s: no description", dir);
	code = bpf_obj_get_info_by_fd(fd, &info, &size) < 0 ? -errno : 0;
	if (code == 0 && info.max_entries > KERNEL_DESCRIPTION_MAX / DESCRIPTION_BLOCK + 1)
		code = -E2BIG;
	if (code == 0)
		code = kernel_array_map(fd, DESCRIPTION_BLOCK, info.max_entries, false, &at);
	close(fd);
	if (code < 0)
		return err_errno(e, code, "%s: cannot read the description", dir);
	len = (size_t)info.max_entries * DESCRIPTION_BLOCK;
	code = kernel_description_parse(ret, (struct slice){ at, strnlen(at, len) }, e);
	kernel_array_unmap(at, DESCRIPTION_BLOCK, info.max_entries);
	return code < 0 ? err_prefix(e, code, "%s", dir) : 0;
}

static int open_table(struct kernel_generation *g, unsigned grain, uint32_t index, const char *dir, struct err *e)
{
	char name[NAME_MAX_BYTES];
	void *at;
	int fd, code;

	table_name(name, &g->about, grain, index);
	fd = get(dir, name);
	code = fd < 0 ? fd : kernel_array_map(fd, bucket_bytes(&g->about, grain), bucket_count(&g->about, grain), false, &at);
	if (code == 0)
		g->tables[grain][index] = at;
	if (fd >= 0)
		close(fd);
	return code < 0 ? err_errno(e, code, "%s: cannot read table %s", dir, name) : 0;
}

static int open_rules(struct kernel_generation *g, const char *dir, struct err *e)
{
	int fd = get(dir, "rules"), code;

	if (fd < 0)
		return err_errno(e, fd, "%s: cannot read the counters of the rules", dir);
	code = map_rules(g, fd, false, e);
	close(fd);
	return code < 0 ? err_prefix(e, code, "%s", dir) : 0;
}

static int open_all(struct kernel_generation *g, const char *dir, struct err *e)
{
	int control = get(dir, "control"), sums = get(dir, "sums"), code;

	if (control < 0 || sums < 0)
		code = err_errno(e, control < 0 ? control : sums, "%s: cannot read the sums", dir);
	else
		code = map_shared(g, control, sums, false, e);
	if (control >= 0)
		close(control);
	if (sums >= 0)
		close(sums);
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		for (uint32_t i = 0; code == 0 && g->tables[grain] && i < table_count(&g->about); i++)
			code = open_table(g, grain, i, dir, e);
	if (code == 0 && g->about.d.rules)
		code = open_rules(g, dir, e);
	for (unsigned i = 0; i < KERNEL_PROGRAMS; i++)
		g->programs[i] = get(dir, program_pins[i]); /* only told by their ids; they may be missing */
	g->dir = strdup(dir);
	return code == 0 && !g->dir ? err_set(e, -ENOMEM, "no memory") : code;
}

int kernel_generation_open(struct kernel_generation **ret, const char *dir, struct err *e)
{
	struct kernel_described about;
	struct kernel_generation *g;
	int code = read_description(dir, &about, e);

	if (code < 0)
		return code;
	g = generation_new(&about);
	if (!g)
		return err_set(e, -ENOMEM, "no memory");
	code = open_all(g, dir, e);
	if (code < 0)
		kernel_generation_close(&g);
	else
		*ret = g;
	return code;
}

/* From gID to rID in one step, then one by one: a crash leaves either all of it or nothing that counts. */
void kernel_generation_remove(struct kernel_generation **gp)
{
	struct kernel_generation *g = *gp;
	char *slash, *removed;

	if (g && g->dir && (slash = strrchr(g->dir, '/'))) {
		*slash = '\0';
		removed = dir_for(g->dir, 'r', g->about.d.id);
		*slash = '/';
		fault_point("remove_begun");
		if (removed && rename(g->dir, removed) == 0) {
			fault_point("remove_half");
			kernel_pins_remove(removed);
		}
		fault_point("remove_done");
		free(removed);
		*slash = '\0';
		rmdir(g->dir); /* the interface's, if this was the last in it */
	}
	kernel_generation_close(gp);
}
