/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/kernel_rules.h"

#include "capture/kernel_bpf.h"

#include <bpf/bpf.h>
#include <bpf/rules_shared.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HAS_FRAGS (1u << 5) /* BPF_F_XDP_HAS_FRAGS: as the programs that call these, or the kernel refuses */
#define PART_INSNS 1000u

/* One chain, being made. */
struct chain {
	const struct kernel_rules *rules;
	const struct kernel_rules_place *place;
	struct kernel_rules_loaded *loaded;
	struct kernel_filter *filters; /* [rules->count]; those that are left out are empty */
	bool xdp, tagged;
	bool again;                    /* a rule was left out that earlier chains have */
};

static int map_of(const struct kernel_rules_place *p, bool xdp)
{
	return xdp ? p->xdp : p->tc;
}

/* ---- one program ---- */

static int load_insns(bool xdp, const struct bpf_insn *insns, uint32_t count)
{
	struct bpf_prog_load_opts opts = { .sz = sizeof opts };
	int fd;

	if (xdp) {
		opts.expected_attach_type = BPF_XDP;
		opts.prog_flags = HAS_FRAGS;
	}
	fd = bpf_prog_load(xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS, "nt_rules", "GPL", insns, count, &opts);
	return fd < 0 ? -errno : fd;
}

/* Loads a part and puts it into its place. */
static int put_part(const struct kernel_rules *rules, const struct kernel_rules_part *part, int map, uint32_t place,
		    struct err *e)
{
	struct bpf_insn *insns = NULL;
	uint32_t count = 0;
	int code = rules->translate(part, &insns, &count, e), fd;

	if (code < 0)
		return code;
	fd = load_insns(part->xdp, insns, count);
	free(insns);
	if (fd < 0)
		return err_errno(e, fd, "the kernel refuses a program of %u rules (%u instructions)", part->count, count);
	code = bpf_map_update_elem(map, &place, &fd, BPF_ANY) < 0 ? err_errno(e, -errno, "cannot place a program") : 0;
	close(fd);
	return code;
}

/* Not because of what is in it: in two parts it would fail as well. */
static bool is_of_this_machine(int code)
{
	return code == -ENOMEM || code == -EPERM || code == -EMFILE || code == -ENFILE;
}

/* ---- chains ---- */

/* What the verifier does grows faster than a program (bpf_update_live_stack(), Linux 6.18), and a program costs a tail
 * call per frame: parts of PART_INSNS classic instructions, or more where these would not fit into a chain. */
static uint32_t part_size(const struct chain *c, uint32_t at)
{
	const uint32_t left = c->rules->count - at;
	uint64_t total = 0, most, sum = 0;
	uint32_t count = 0;

	for (uint32_t i = 0; i < c->rules->count; i++)
		total += c->filters[i].len;
	most = total / (RULES_PROGRAMS - 6);
	if (most < PART_INSNS)
		most = PART_INSNS;
	while (count < left && count < RULES_CHUNK && (count == 0 || sum + c->filters[at + count].len <= most))
		sum += c->filters[at + count++].len;
	return count;
}

/* The part that begins at rule `at`, as large as the kernel takes it. 0 rules: this one rule it does not take at all. */
static int put_some(struct chain *c, uint32_t at, uint32_t place, uint32_t *ret_count, struct err *e)
{
	const uint32_t left = c->rules->count - at;

	for (uint32_t count = part_size(c, at); count; count /= 2) {
		const struct kernel_rules_part part = {
			.filters = c->filters + at, .count = count, .xdp = c->xdp, .tagged = c->tagged,
			.scratch = c->place->scratch, .counters = c->loaded->counters,
			.at = at * (uint32_t)sizeof(struct rules_counters),
			.next_map = count == left ? -1 : map_of(c->place, c->xdp), .next = place + 1,
		};
		int code = put_part(c->rules, &part, map_of(c->place, c->xdp), place, e);

		if (code == 0 || is_of_this_machine(code)) {
			*ret_count = count;
			return code;
		}
	}
	*ret_count = 0;
	return 0;
}

static void leave_out(struct chain *c, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		if (!c->filters[i].len)
			continue;
		c->loaded->left_out[i] = true;
		c->filters[i] = (struct kernel_filter){ 0 };
		c->again = true;
	}
}

static int make_chain(struct chain *c, struct err *e)
{
	const uint32_t first = c->tagged ? RULES_TAGGED : RULES_PLAIN;
	uint32_t at = 0, place = first;

	while (at < c->rules->count && place < first + RULES_PROGRAMS) {
		uint32_t count;
		int code = put_some(c, at, place, &count, e);

		if (code < 0)
			return code;
		if (count == 0)
			leave_out(c, at, at + 1);
		at += count ? count : 1;
		place += count != 0;
	}
	leave_out(c, at, c->rules->count);
	for (; place < first + RULES_PROGRAMS; place++) /* of a chain that was longer */
		(void)bpf_map_delete_elem(map_of(c->place, c->xdp), &place);
	return 0;
}

/* A rule is counted in all chains or in none. */
static int make_chains(struct chain *c, struct err *e)
{
	const bool tc = c->place->at_tc[TALLY_INGRESS] || c->place->at_tc[TALLY_EGRESS];
	int code = 0;

	do {
		c->again = false;
		for (unsigned i = 0; code == 0 && i < 3; i++) {
			c->xdp = i == 2;
			c->tagged = i == 1;
			if (c->xdp ? c->place->at_xdp : tc)
				code = make_chain(c, e);
		}
	} while (code == 0 && c->again);
	return code;
}

static int make_rules(struct kernel_rules_loaded *ret, const struct kernel_rules *rules, const struct kernel_rules_place *p,
		      struct err *e)
{
	struct chain c = { .rules = rules, .place = p, .loaded = ret };
	int code;

	ret->left_out = calloc(rules->count, sizeof *ret->left_out);
	c.filters = calloc(rules->count, sizeof *c.filters);
	if (!ret->left_out || !c.filters) {
		free(c.filters);
		return err_set(e, -ENOMEM, "no memory");
	}
	memcpy(c.filters, rules->rules, rules->count * sizeof *c.filters);
	ret->counters = kernel_array("nt_rules", rules->count * (uint32_t)sizeof(struct rules_counters),
				     TALLY_HOOKS * TALLY_EPOCHS * p->cpus);
	code = ret->counters < 0 ? err_errno(e, ret->counters, "cannot make counters for %u rules", rules->count)
				 : make_chains(&c, e);
	free(c.filters);
	return code;
}

/* ---- the pre-filter ---- */

static int make_gate(const struct kernel_rules *rules, const struct kernel_rules_place *p, unsigned hook, bool xdp,
		     bool tagged, struct err *e)
{
	const uint32_t place = RULES_GATE + 2 * hook + tagged, count_place = RULES_COUNT + hook;
	const struct kernel_rules_part part = {
		.filters = &rules->gate, .count = 1, .xdp = xdp, .tagged = tagged, .gate = true,
		.scratch = p->scratch, .counters = p->sums,
		.at = (uint32_t)(offsetof(struct tally_sums, hooks) + hook * sizeof(struct tally_hook_sums) +
				 offsetof(struct tally_hook_sums, filtered_packets)),
		.next_map = map_of(p, xdp), .next = count_place,
	};
	const int program = xdp ? p->count_xdp : p->count_tc[hook];
	int code = put_part(rules, &part, map_of(p, xdp), place, e);

	if (code < 0)
		return is_of_this_machine(code) ? code : err_prefix(e, -ENOTSUP, "the filter cannot run in the kernel");
	if (bpf_map_update_elem(map_of(p, xdp), &count_place, &program, BPF_ANY) < 0)
		return err_errno(e, -errno, "cannot place a counting program");
	return 0;
}

static int make_gates(const struct kernel_rules *rules, const struct kernel_rules_place *p, struct err *e)
{
	int code = 0;

	for (unsigned hook = 0; code == 0 && hook < TALLY_HOOKS; hook++) {
		if (p->at_tc[hook])
			code = make_gate(rules, p, hook, false, false, e);
		if (code == 0 && p->at_tc[hook])
			code = make_gate(rules, p, hook, false, true, e);
	}
	if (code == 0 && p->at_xdp)
		code = make_gate(rules, p, TALLY_INGRESS, true, false, e);
	return code;
}

int kernel_rules_load(struct kernel_rules_loaded *ret, const struct kernel_rules *rules, const struct kernel_rules_place *p,
		      struct err *e)
{
	int code = 0;

	*ret = (struct kernel_rules_loaded){ -1, -1, -1, NULL };
	if (!rules)
		return 0;
	if (rules->count > KERNEL_RULES_MAX)
		return err_set(e, -E2BIG, "%u rules, at most %u", rules->count, KERNEL_RULES_MAX);
	if (rules->count)
		code = make_rules(ret, rules, p, e);
	if (code == 0 && rules->gate.len)
		code = make_gates(rules, p, e);
	if (code == 0 && (p->at_tc[TALLY_INGRESS] || p->at_tc[TALLY_EGRESS]))
		ret->tc = fcntl(p->tc, F_DUPFD_CLOEXEC, 3);
	if (code == 0 && p->at_xdp)
		ret->xdp = fcntl(p->xdp, F_DUPFD_CLOEXEC, 3);
	return code;
}

void kernel_rules_close(struct kernel_rules_loaded *l)
{
	const int fds[] = { l->counters, l->tc, l->xdp };

	for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(l->left_out);
	*l = (struct kernel_rules_loaded){ -1, -1, -1, NULL };
}

/* ---- copies ---- */

static int copy_filter(struct kernel_filter *to, const struct kernel_filter *from)
{
	struct sock_filter *insns;

	*to = (struct kernel_filter){ 0 };
	if (!from->len)
		return 0;
	insns = malloc(from->len * sizeof *insns);
	if (!insns)
		return -ENOMEM;
	memcpy(insns, from->insns, from->len * sizeof *insns);
	*to = (struct kernel_filter){ insns, from->len };
	return 0;
}

int kernel_rules_copy(const struct kernel_rules **ret, const struct kernel_rules *rules)
{
	struct kernel_filter *filters;
	struct kernel_rules *copy;
	int code;

	*ret = NULL;
	if (!rules || (!rules->count && !rules->gate.len))
		return 0;
	copy = calloc(1, sizeof *copy);
	filters = calloc(rules->count + 1u, sizeof *filters);
	if (!copy || !filters) {
		free(copy);
		free(filters);
		return -ENOMEM;
	}
	copy->translate = rules->translate;
	copy->rules = filters;
	*ret = copy;
	code = copy_filter(&copy->gate, &rules->gate);
	for (; code == 0 && copy->count < rules->count; copy->count++)
		code = copy_filter(&filters[copy->count], &rules->rules[copy->count]);
	return code;
}

void kernel_rules_free(const struct kernel_rules *rules)
{
	if (!rules)
		return;
	for (uint32_t i = 0; i < rules->count; i++)
		free((struct sock_filter *)rules->rules[i].insns);
	free((struct sock_filter *)rules->gate.insns);
	free((struct kernel_filter *)rules->rules);
	free((struct kernel_rules *)rules);
}
