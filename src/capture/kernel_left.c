/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/kernel_left.h"

#include "base/fault.h"
#include "capture/kernel_bpf.h"
#include "capture/kernel_hook.h"
#include "capture/kernel_pins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

uint64_t kernel_netns(void)
{
	struct stat s;

	return stat("/proc/thread-self/ns/net", &s) < 0 ? 0 : s.st_ino;
}

void kernel_promiscuous_off(const struct kernel_generation *g)
{
	const struct kernel_description *d = kernel_describe(g);
	struct netlink *n;

	if (!d->promiscuous || d->netns != kernel_netns() || netlink_open(&n, NULL) < 0)
		return;
	(void)netlink_set_promiscuous(n, d->ifindex, false, NULL);
	netlink_close(&n);
}

static int64_t opened_utc_ns(const struct kernel_generation *g)
{
	struct kernel_epoch epochs[TALLY_EPOCHS];

	kernel_epochs(g, epochs);
	return epochs[0].number ? epochs[0].opened_utc_ns : epochs[1].opened_utc_ns;
}

static int by_age(const void *a, const void *b)
{
	const int64_t x = opened_utc_ns(*(struct kernel_generation *const *)a);
	const int64_t y = opened_utc_ns(*(struct kernel_generation *const *)b);

	return (x > y) - (x < y);
}

int kernel_left_add(struct kernel_left *left, struct kernel_generation *g)
{
	struct kernel_generation **grown = realloc(left->at, (left->count + 1) * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	left->at = grown;
	left->at[left->count++] = g;
	return 0;
}

void kernel_left_close(struct kernel_left *left)
{
	for (size_t i = 0; i < left->count; i++)
		kernel_generation_close(&left->at[i]);
	free(left->at);
	*left = (struct kernel_left){ 0 };
}

/* nID was never counted into, rID is booked. */
static void remove_garbage(const char *dir)
{
	char **names;
	size_t count;

	if (kernel_pins_names(dir, "nr", &names, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		char *path = kernel_path(dir, names[i]);

		if (path)
			kernel_pins_remove(path);
		free(path);
	}
	kernel_pins_names_free(names, count);
}

static int open_one(struct kernel_left *left, const char *dir, const char *name, struct err *e)
{
	char *path = kernel_path(dir, name);
	struct kernel_generation *g = NULL;
	struct err why = { 0 };
	int code;

	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	code = kernel_generation_open(&g, path, &why);
	free(path);
	if (code == -ENOMEM || code == -EMFILE || code == -ENFILE || code == -EPERM)
		return err_set(e, code, "%s", why.msg); /* not for good: nothing may be passed over */
	if (code < 0) {
		snprintf(left->warning, sizeof left->warning, "left in place, not booked: %.200s", why.msg);
		return 0;
	}
	if (kernel_left_add(left, g) < 0) {
		kernel_generation_close(&g);
		return err_set(e, -ENOMEM, "no memory");
	}
	return 0;
}

int kernel_left_open(struct kernel_left *ret, const char *dir, struct err *e)
{
	struct kernel_left left = { 0 };
	char **names;
	size_t count;
	int code;

	remove_garbage(dir);
	code = kernel_pins_names(dir, "g", &names, &count);
	if (code < 0)
		return err_errno(e, code, "cannot read %s", dir);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = open_one(&left, dir, names[i], e);
	kernel_pins_names_free(names, count);
	if (code < 0) {
		kernel_left_close(&left);
		return code;
	}
	if (left.count)
		qsort(left.at, left.count, sizeof *left.at, by_age);
	*ret = left;
	return 0;
}

/* ---- reaping ---- */

static bool is_program_of(const struct kernel_generation *g, uint32_t id)
{
	for (unsigned i = 0; i < KERNEL_PROGRAMS; i++)
		if (g->programs[i] >= 0 && kernel_program_id(g->programs[i]) == id)
			return true;
	return false;
}

static void drop_filters(const struct kernel_generation *g, const char *dir)
{
	if (!strstr(g->about.hooks, "clsact") || g->about.d.netns != kernel_netns())
		return;
	for (unsigned side = 0; side < TALLY_HOOKS; side++) {
		struct kernel_hook h = {
			.kind = KERNEL_HOOK_CLSACT, .side = side, .ifindex = g->about.d.ifindex, .link = -1,
			.handle = kernel_clsact_handle(dir),
		};
		const uint32_t program = kernel_clsact_program(&h);

		if (program && is_program_of(g, program))
			kernel_hook_drop(&h);
	}
}

static void drop_all(const struct kernel_left *left, const char *dir)
{
	struct kernel_quiet quiet;

	/* While it can still be known whose interface it is. */
	for (size_t i = 0; i < left->count; i++) {
		drop_filters(left->at[i], dir);
		kernel_promiscuous_off(left->at[i]);
	}
	kernel_hook_drop_pinned(dir, KERNEL_HOOK_XDP, TALLY_INGRESS);
	fault_point("reap_half");
	kernel_hook_drop_pinned(dir, KERNEL_HOOK_TCX, TALLY_INGRESS);
	kernel_hook_drop_pinned(dir, KERNEL_HOOK_TCX, TALLY_EGRESS);
	fault_point("reap_detached");
	if (kernel_quiet_open(&quiet) == 0) {
		(void)kernel_quiet_wait(&quiet);
		kernel_quiet_close(&quiet);
	}
	fault_point("reap_quiet");
}

int kernel_reap(const char *dir, const char *interface, struct kernel_generation ***ret, size_t *ret_count, struct err *e)
{
	char *path = kernel_path_of_interface(dir, interface);
	struct kernel_left left = { 0 };
	int code;

	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	code = kernel_left_open(&left, path, e);
	if (code == 0) {
		drop_all(&left, path);
		*ret = left.at;
		*ret_count = left.count;
	}
	free(path);
	return code;
}
