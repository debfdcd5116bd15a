/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/rules_kernel.h"

#include "rules/translate.h"

#include <errno.h>
#include <stdlib.h>

#define RULES_TOGETHER_MAX 65536u /* of all accounts */

int rules_kernel_translate(const struct kernel_rules_part *part, struct bpf_insn **ret, uint32_t *ret_count, struct err *e)
{
	const struct translate t = {
		.hook = part->xdp ? TRANSLATE_XDP : TRANSLATE_TC, .tagged = part->tagged, .gate = part->gate,
		.scratch_fd = part->scratch, .counters_fd = part->counters, .at = part->at,
		.next_fd = part->next_map, .next = part->next,
	};
	struct program *programs = calloc(part->count, sizeof *programs);
	const struct program **pointers = calloc(part->count, sizeof(*pointers));
	struct translated made;
	int r = programs && pointers ? 0 : err_set(e, -ENOMEM, "no memory for a kernel program");

	for (uint32_t i = 0; r == 0 && i < part->count; i++) {
		/* translate() reads only */
		programs[i] = (struct program){ (struct sock_filter *)part->filters[i].insns, part->filters[i].len };
		pointers[i] = &programs[i];
	}
	if (r == 0)
		r = translate(&made, &t, pointers, part->count, e);
	if (r == 0) {
		*ret = made.insns;
		*ret_count = (uint32_t)made.count;
	}
	free(programs);
	free(pointers);
	return r;
}

static struct kernel_filter filter_of(const struct rule_set *s, size_t i)
{
	const struct program *p = rule_set_program(s, i);

	return program_loops(p) ? (struct kernel_filter){ 0 } : (struct kernel_filter){ p->insns, p->len };
}

static int take_gate(struct kernel_rules *to, const struct program *filter, struct err *e)
{
	if (!filter)
		return 0;
	if (filter->len == 0)
		return err_set(e, -ENOTSUP, "the filter matches nothing on this interface");
	if (program_loops(filter))
		return err_set(e, -ENOTSUP, "a filter with a loop (protochain) cannot run in the kernel");
	to->gate = (struct kernel_filter){ filter->insns, filter->len };
	return 0;
}

int rules_kernel_make(struct rules_kernel *ret, const struct rule_set *const *sets, size_t count,
		      const struct program *filter, struct err *e)
{
	struct rules_kernel r = { .rules = { .translate = rules_kernel_translate }, .sets = count };
	size_t rules = 0, at = 0;
	int err = take_gate(&r.rules, filter, e);

	for (size_t i = 0; i < count; i++)
		rules += rule_set_count_rules(sets[i]);
	if (err == 0 && rules > RULES_TOGETHER_MAX)
		err = err_set(e, -E2BIG, "%zu rules, at most %u in the kernel", rules, RULES_TOGETHER_MAX);
	if (err < 0)
		return err;
	r.filters = calloc(rules + 1, sizeof *r.filters);
	r.first = calloc(count + 1, sizeof *r.first);
	if (!r.filters || !r.first) {
		rules_kernel_free(&r);
		return err_set(e, -ENOMEM, "no memory for rules");
	}
	for (size_t i = 0; i < count; i++) {
		r.first[i] = (uint32_t)at;
		for (size_t k = 0; k < rule_set_count_rules(sets[i]); k++)
			r.filters[at++] = filter_of(sets[i], k);
	}
	r.rules.rules = r.filters;
	r.rules.count = (uint32_t)rules;
	*ret = r;
	return 0;
}

void rules_kernel_free(struct rules_kernel *r)
{
	free(r->filters);
	free(r->first);
	*r = (struct rules_kernel){ 0 };
}

bool rules_kernel_needs_socket(const struct rules_kernel *r, size_t set, const struct rule_set *s, size_t i,
			       const struct kernel_generation *g)
{
	if (program_loops(rule_set_program(s, i)))
		return true;
	return g && !kernel_rule_is_counted(g, r->first[set] + (uint32_t)i);
}
