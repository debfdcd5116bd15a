/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/point_rules.h"

#include "base/log.h"
#include "daemon/kernel_source.h"
#include "daemon/ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_SLOT 1 /* behind the kernel's */

static const char *const whys[] = {
	[RULE_LOOPS] = "a loop (protochain), which the kernel does not run",
	[RULE_REFUSED] = "the kernel refuses its program",
};

/* ---- compiled for the kernel ---- */

void point_rules_free(struct point_rules **pr)
{
	struct point_rules *r = *pr;

	*pr = NULL;
	if (!r)
		return;
	rules_kernel_free(&r->kernel);
	for (size_t i = 0; r->sets && i < r->count; i++)
		rule_set_close(&r->sets[i]);
	free(r->sets);
	program_free(&r->filter);
	free(r);
}

static void say_never(const struct point *p, const struct rule_file *file, const struct rule_set *s)
{
	for (size_t i = 0; i < file->count; i++) {
		const char *why = rule_set_never(s, i);

		if (why)
			log_warning("%s: %s:%u: %.100s: matches nothing on this interface: %s", p->cf.name, file->path,
				    file->rules[i].line, file->rules[i].identifier, why);
	}
}

static int open_set(struct point *p, struct rule_set **ret, const struct config_rules *of, bool say, struct err *e)
{
	struct rule_file *file = NULL;
	int r = config_rules_for(of, p->info.has_mac ? p->info.mac : NULL, &file, e);

	if (r == 0)
		r = rule_set_open(ret, file, afpacket_linktype_of(p->info.arphrd), NULL, e);
	if (r == 0 && say)
		say_never(p, file, *ret);
	rule_file_free(&file);
	return r;
}

static int compile_filter(struct point *p, struct point_rules *r, struct err *e)
{
	if (!p->cf.filter)
		return 0;
	return program_compile(&r->filter, p->cf.filter, afpacket_linktype_of(p->info.arphrd), e) < 0
		       ? err_prefix(e, -EINVAL, "filter") : 0;
}

static bool kernel_takes(const struct point *p, const char *filter)
{
	struct program made;
	bool takes;

	if (!filter)
		return true;
	if (program_compile(&made, filter, afpacket_linktype_of(p->info.arphrd), NULL) < 0)
		return false;
	takes = made.len && !program_loops(&made);
	program_free(&made);
	return takes;
}

bool point_rules_take_filter(struct point *p, const char *filter)
{
	char *copy = filter ? strdup(filter) : NULL;

	if ((filter && !copy) || p->source_count != 1 || !p->slots[0].kernel || p->leaving || !kernel_takes(p, filter)) {
		free(copy);
		return false;
	}
	free(p->cf.filter);
	p->cf.filter = copy;
	return true;
}

/* Those that have loops. */
static uint8_t *left_of(const struct point_rules *r, size_t *ret_count)
{
	uint8_t *left = calloc(r->kernel.rules.count + 1u, 1);
	size_t at = 0;

	for (size_t i = 0; left && i < r->count; i++)
		for (size_t k = 0; k < rule_set_count_rules(r->sets[i]); k++)
			left[at++] = rules_kernel_needs_socket(&r->kernel, i, r->sets[i], k, NULL) ? RULE_LOOPS : RULE_IN_KERNEL;
	*ret_count = at;
	return left;
}

static int compile(struct point *p, const struct plan *plan, struct point_rules *r, bool say, struct err *e)
{
	int err = compile_filter(p, r, e);

	r->sets = calloc(plan->rules_count + 1, sizeof *r->sets);
	if (!r->sets)
		return err_set(e, -ENOMEM, "no memory for rules");
	for (; err == 0 && r->count < plan->rules_count; r->count++)
		err = open_set(p, &r->sets[r->count], plan->rules[r->count].rules, say, e);
	if (err < 0)
		return err;
	return rules_kernel_make(&r->kernel, (const struct rule_set *const *)r->sets, r->count,
				 p->cf.filter ? &r->filter : NULL, e);
}

int point_rules_compile(struct point *p, struct tables *t, bool say, struct err *e)
{
	struct point_rules *r;
	int err;

	if (t->compiled || (!t->plan->rules_count && !p->cf.filter))
		return 0;
	r = calloc(1, sizeof *r);
	err = r ? compile(p, t->plan, r, say, e) : err_set(e, -ENOMEM, "no memory for rules");
	if (err == 0) {
		free(p->left_next);
		p->left_next = left_of(r, &p->left_next_count);
		if (!p->left_next)
			err = err_set(e, -ENOMEM, "no memory for rules");
	}
	if (err < 0) {
		point_rules_free(&r);
		return err;
	}
	t->compiled = r;
	return 0;
}

void point_rules_change_over(struct point *p)
{
	free(p->left);
	p->left = p->left_next;
	p->left_count = p->left_next_count;
	p->left_next = NULL;
	p->left_next_count = 0;
	p->side_why[0] = '\0';
}

/* ---- the socket beside ---- */

static bool are_left(const uint8_t *left, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (left[i])
			return true;
	return false;
}

static int open_counters(struct point *p, struct tables *t, const uint8_t *left, struct err *e)
{
	struct tables_rules of = {
		.mac = p->info.has_mac ? p->info.mac : NULL,
		.linktype = afpacket_linktype_of(p->info.arphrd),
		.only = left,
	};

	return tables_open_rules(t, &of, e);
}

static int open_side_ring(struct point *p, const struct point_setting *s, struct tables *first, struct err *e)
{
	const struct ring_config cf = {
		.socket = {
			.interface = p->cf.name, .ifindex = p->info.ifindex, .interface_id = p->interface_id,
			.loopback = p->info.loopback, .ring_bytes = p->cf.ring_bytes, .snap_len = p->cf.snap_len,
		},
		.filter = p->cf.filter,
		.rules_only = true,
		.ready = s->ready,
		.arg = s->arg,
	};
	struct source_slot *slot = &p->slots[SIDE_SLOT];
	int r = open_counters(p, first, p->left, e);

	if (r == 0)
		r = ring_open(&slot->source, &cf, first, e);
	if (r < 0) {
		tables_free(&first);
		return r;
	}
	if (p->started)
		r = source_start(slot->source, e);
	if (r < 0) {
		source_close(&slot->source);
		return r;
	}
	slot->side = true;
	p->source_count = SIDE_SLOT + 1;
	return 0;
}

static int open_side(struct point *p, const struct point_setting *s, struct err *e)
{
	struct tables *first;
	int r;

	if (p->cf.mirror && strcmp(p->books.capture, "xdp") == 0)
		return err_set(e, -ENOTSUP, "XDP drops the frames of a mirror port before a packet socket sees them");
	r = tables_new(&first, s->plan, e);
	return r < 0 ? r : open_side_ring(p, s, first, e);
}

/* Loops stay, what the kernel refuses comes and goes. */
static bool look_at_refused(struct point *p)
{
	uint8_t *now = calloc(p->left_count + 1, 1);
	bool other = false;

	if (!now)
		return false;
	for (size_t i = 0; i < p->left_count; i++)
		now[i] = p->left[i] == RULE_LOOPS ? RULE_LOOPS : RULE_IN_KERNEL;
	if (kernel_source_refused(p->slots[0].source, &p->refusals_seen, now, p->left_count))
		other = p->left_count && memcmp(now, p->left, p->left_count) != 0;
	if (other) {
		free(p->left);
		p->left = now;
	} else {
		free(now);
	}
	return other;
}

void point_rules_look(struct point *p, const struct point_setting *s)
{
	struct err e = { 0 };

	if (!p->source_count || !p->slots[0].kernel || p->leaving)
		return;
	if (look_at_refused(p) && p->source_count > SIDE_SLOT)
		p->side_stale = true;
	if (p->source_count > SIDE_SLOT || !are_left(p->left, p->left_count))
		return;
	if (open_side(p, s, &e) == 0) {
		p->side_why[0] = '\0';
		return;
	}
	if (strncmp(p->side_why, e.msg, sizeof p->side_why - 1) != 0)
		log_warning("%s: rules that the kernel cannot count are not counted: %s", p->cf.name, e.msg);
	snprintf(p->side_why, sizeof p->side_why, "%.95s", e.msg);
}

int point_rules_prepare_side(struct point *p, struct source_slot *slot, bool other_plan, struct err *e)
{
	const uint8_t *left = other_plan ? p->left_next : p->left;
	size_t count = other_plan ? p->left_next_count : p->left_count;

	if (!other_plan && !p->side_stale)
		return 0;
	slot->fresh = true;
	slot->last = !are_left(left, count);
	return slot->last ? 0 : open_counters(p, slot->spare, left, e);
}

/* ---- for people ---- */

static int tell_one(struct snapshot *s, const struct point *p, const struct account *a, size_t rule, uint8_t why)
{
	struct snapshot_rule *grown = realloc(s->rules, (s->rule_count + 1) * sizeof *grown);
	struct snapshot_rule *to;

	if (!grown)
		return -ENOMEM;
	s->rules = grown;
	to = &grown[s->rule_count++];
	*to = (struct snapshot_rule){ .rule = a->rules[rule], .at_socket = p->source_count > SIDE_SLOT };
	memcpy(to->interface, p->cf.name, sizeof to->interface);
	memcpy(to->account, a->name, sizeof to->account);
	snprintf(to->why, sizeof to->why, "%s%s%s", whys[why], to->at_socket ? "" : "; ",
		 to->at_socket ? "" : p->side_why[0] ? p->side_why : "its packet socket is not open yet");
	return 0;
}

int point_rules_tell(const struct point *p, const struct plan *plan, struct snapshot *s)
{
	size_t at = 0;

	if (!p->source_count || !p->slots[0].kernel)
		return 0;
	for (size_t i = 0; i < plan->rules_count; i++) {
		const struct account *a = plan->rules[i].rules->account;

		for (size_t k = 0; k < a->rule_count && at < p->left_count; k++, at++)
			if (p->left[at] && s->rule_count < SNAPSHOT_RULES_MAX && tell_one(s, p, a, k, p->left[at]) < 0)
				return -ENOMEM;
	}
	return 0;
}
