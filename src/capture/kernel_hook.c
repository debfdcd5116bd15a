/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_hook.c -- links for tcx and XDP, a filter for clsact. */
#include "capture/kernel_hook.h"

#include "capture/kernel_bpf.h"
#include "capture/kernel_pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <unistd.h>

/* Before tc's own choice (49152 and down) and other usual ones: a filter that ends with TC_ACT_OK hides the
 * frame from all behind it. */
#define CLSACT_PRIORITY 7

static const char *pin_name(enum kernel_hook_kind kind, enum tally_hook side)
{
	if (kind == KERNEL_HOOK_XDP)
		return "link-xdp";
	return side == TALLY_INGRESS ? "link-ingress" : "link-egress";
}

/* ---- clsact ---- */

uint32_t kernel_clsact_handle(const char *dir)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; dir && *dir; dir++)
		hash = (hash ^ (uint8_t)*dir) * 16777619u;
	return hash % 0xfffffff + 1;
}

static void clsact_place(const struct kernel_hook *h, struct bpf_tc_hook *hook, struct bpf_tc_opts *filter)
{
	hook->ifindex = (int)h->ifindex;
	hook->attach_point = h->side == TALLY_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS;
	filter->handle = h->handle;
	filter->priority = CLSACT_PRIORITY;
}

uint32_t kernel_clsact_program(const struct kernel_hook *h)
{
	KERNEL_OPTS(bpf_tc_hook, hook);
	KERNEL_OPTS(bpf_tc_opts, filter);

	clsact_place(h, &hook, &filter);
	return bpf_tc_query(&hook, &filter) < 0 ? 0 : filter.prog_id;
}

static int clsact_set(const struct kernel_hook *h, int program)
{
	KERNEL_OPTS(bpf_tc_hook, hook);
	KERNEL_OPTS(bpf_tc_opts, filter);

	clsact_place(h, &hook, &filter);
	filter.prog_fd = program;
	filter.flags = BPF_TC_F_REPLACE;
	return bpf_tc_attach(&hook, &filter);
}

static void clsact_drop(const struct kernel_hook *h)
{
	KERNEL_OPTS(bpf_tc_hook, hook);
	KERNEL_OPTS(bpf_tc_opts, filter);

	clsact_place(h, &hook, &filter);
	(void)bpf_tc_detach(&hook, &filter); /* the qdisc stays: others may use it */
}

static int clsact_add_qdisc(const struct kernel_hook *h)
{
	int code;
	KERNEL_OPTS(bpf_tc_hook, hook);

	hook.ifindex = (int)h->ifindex;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	code = bpf_tc_hook_create(&hook);
	return code == -EEXIST ? 0 : code;
}

static int clsact_take(struct kernel_hook *h, const char *interface, struct err *e)
{
	int idle, code;

	h->kind = KERNEL_HOOK_CLSACT;
	h->program_id = kernel_clsact_program(h);
	h->fresh = h->program_id == 0;
	if (!h->fresh)
		return 0;
	code = clsact_add_qdisc(h);
	if (code < 0)
		return err_errno(e, code, "%s: cannot add a clsact qdisc", interface);
	idle = kernel_program_idle(false);
	code = idle < 0 ? idle : clsact_set(h, idle);
	if (idle >= 0)
		close(idle);
	return code < 0 ? err_errno(e, code, "%s: cannot add a filter", interface) : 0;
}

/* ---- links ---- */

static int pinned_link(const char *dir, enum kernel_hook_kind kind, enum tally_hook side, char **ret_path)
{
	char *path = kernel_path(dir, pin_name(kind, side));
	int link;

	if (!path)
		return -ENOMEM;
	link = bpf_obj_get(path);
	if (link < 0) {
		link = -errno;
		free(path);
	} else {
		*ret_path = path;
	}
	return link;
}

/* Its interface may be gone, or be in another namespace while one here has its index. */
static bool is_here(const struct kernel_hook *h, const struct kernel_link_facts *facts)
{
	uint32_t xdp = 0;

	if (facts->ifindex != h->ifindex)
		return false;
	if (h->kind == KERNEL_HOOK_TCX)
		return kernel_tcx_is_at(h->ifindex, h->side, facts->id);
	return bpf_xdp_query_id((int)h->ifindex, XDP_FLAGS_DRV_MODE, &xdp) == 0 && xdp == facts->program_id;
}

static void drop_link(int link, char *path)
{
	(void)bpf_link_detach(link); /* also where some other process holds it open */
	unlink(path);
	close(link);
	free(path);
}

void kernel_hook_drop_pinned(const char *dir, enum kernel_hook_kind kind, enum tally_hook side)
{
	char *path = NULL;
	int link = pinned_link(dir, kind, side, &path);

	if (link >= 0)
		drop_link(link, path);
}

/* Takes up the link of an earlier run; one that is of no use any more is taken away. */
static bool find_pinned(struct kernel_hook *h, const char *dir)
{
	struct kernel_link_facts facts;
	char *path = NULL;
	int link = pinned_link(dir, h->kind, h->side, &path);

	if (link < 0)
		return false;
	if (kernel_link_facts(link, &facts) < 0 || !is_here(h, &facts)) {
		drop_link(link, path);
		return false;
	}
	h->link = link;
	h->pin = path;
	h->program_id = facts.program_id;
	return true;
}

static int refused_xdp(int code, const char *interface, struct err *e)
{
	switch (code) {
	case -EBUSY:
	case -EEXIST:
		return err_set(e, -EBUSY, "%s: another program is in the XDP slot, and is left there; take it off "
			       "(`ip link set %s xdp off`) or use capture = kernel", interface, interface);
	case -EPERM:
	case -ENODEV:
	case -ENOMEM:
		return err_errno(e, code, "%s: cannot use XDP", interface);
	default:
		return err_errno(e, -EOPNOTSUPP, "%s: its driver has no native XDP, or not with the present MTU and "
				 "offloads (error %d); use capture = kernel", interface, -code);
	}
}

static int make_link(struct kernel_hook *h, const char *interface, struct err *e)
{
	const bool xdp = h->kind == KERNEL_HOOK_XDP;
	int idle = kernel_program_idle(xdp), link;
	KERNEL_OPTS(bpf_link_create_opts, opts);

	opts.flags = XDP_FLAGS_DRV_MODE;
	if (idle < 0)
		return err_errno(e, idle, "%s: cannot load a program", interface);
	if (xdp) {
		link = bpf_link_create(idle, (int)h->ifindex, BPF_XDP, &opts);
		link = link < 0 ? -errno : link;
	} else {
		link = kernel_tcx_link(idle, h->ifindex, h->side);
	}
	close(idle);
	if (link >= 0)
		h->link = link;
	else if (xdp)
		return refused_xdp(link, interface, e);
	return link < 0 ? err_errno(e, link, "%s: cannot use tcx", interface) : 0;
}

static int pin_link(struct kernel_hook *h, const char *dir, struct err *e)
{
	char *path = kernel_path(dir, pin_name(h->kind, h->side));

	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	if (bpf_obj_pin(h->link, path) < 0) {
		int code = err_errno(e, -errno, "cannot pin %s", path);

		free(path);
		return code;
	}
	h->pin = path;
	return 0;
}

int kernel_hook_take(struct kernel_hook *h, const char *dir, const char *interface, struct err *e)
{
	int code;

	h->link = -1;
	h->handle = kernel_clsact_handle(dir);
	if (h->kind == KERNEL_HOOK_CLSACT)
		return clsact_take(h, interface, e);
	if (dir && find_pinned(h, dir))
		return 0;
	h->fresh = true;
	code = make_link(h, interface, e);
	if (code == -EINVAL && h->kind == KERNEL_HOOK_TCX) /* before Linux 6.6 */
		return clsact_take(h, interface, e);
	if (code == 0 && dir)
		code = pin_link(h, dir, e);
	if (code < 0)
		kernel_hook_close(h);
	return code;
}

int kernel_hook_set(struct kernel_hook *h, int program, struct err *e)
{
	int code;

	if (h->kind == KERNEL_HOOK_CLSACT)
		code = clsact_set(h, program);
	else
		code = bpf_link_update(h->link, program, NULL) < 0 ? -errno : 0;
	if (code == -ENOLINK || code == -ENODEV)
		return err_set(e, -ENODEV, "the interface is gone");
	return code < 0 ? err_errno(e, code, "cannot replace the program at a hook") : 0;
}

void kernel_hook_drop(struct kernel_hook *h)
{
	if (h->kind == KERNEL_HOOK_CLSACT)
		clsact_drop(h);
	if (h->link >= 0)
		(void)bpf_link_detach(h->link);
	if (h->pin)
		unlink(h->pin);
	kernel_hook_close(h);
}

void kernel_hook_close(struct kernel_hook *h)
{
	if (h->link >= 0)
		close(h->link);
	h->link = -1;
	free(h->pin);
	h->pin = NULL;
}
