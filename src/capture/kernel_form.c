/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/kernel_form.h"

#include "capture/kernel_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#define SLOTS_FIRST_LEAST (16u << 10)
#define SLOTS_FIRST_MOST (256u << 10)
#define MEMORY_PART 256 /* all tables of a point take this part of memory at first */

static int copy_services(struct services *to, const struct services *from)
{
	to->names = calloc(from->count + 1, sizeof *to->names);
	if (!to->names)
		return -ENOMEM;
	for (; to->count < from->count; to->count++) {
		to->names[to->count] = strdup(from->names[to->count]);
		if (!to->names[to->count])
			return -ENOMEM;
	}
	if (!from->of_port)
		return 0;
	to->of_port = malloc(2 * sizeof *to->of_port);
	if (!to->of_port)
		return -ENOMEM;
	memcpy(to->of_port, from->of_port, 2 * sizeof *to->of_port);
	return 0;
}

static int copy_prefixes(struct prefix_set *to, const struct prefix_set *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (prefix_set_add(to, &from->at[i]) < 0)
			return -ENOMEM;
	return 0;
}

int kernel_form_copy(struct kernel_form *ret, const struct kernel_form *form)
{
	struct services *services = calloc(1, sizeof *services);
	struct prefix_set *local = calloc(1, sizeof *local);
	int code = services && local ? 0 : -ENOMEM;

	*ret = *form;
	ret->services = services;
	ret->local = local;
	if (kernel_rules_copy(&ret->rules, form->rules) < 0)
		code = -ENOMEM;
	ret->note = strdup(form->note ? form->note : "");
	if (!ret->note)
		code = -ENOMEM;
	if (code == 0 && form->services)
		code = copy_services(services, form->services);
	if (code == 0 && form->local)
		code = copy_prefixes(local, form->local);
	return code;
}

void kernel_form_free(struct kernel_form *form)
{
	/* What a copy points to is its own. */
	struct services *services = (struct services *)form->services;
	struct prefix_set *local = (struct prefix_set *)form->local;

	if (services)
		services_free(services);
	free(services);
	if (local)
		prefix_set_free(local);
	free(local);
	kernel_rules_free(form->rules);
	free((char *)form->note);
	*form = (struct kernel_form){ 0 };
}

bool kernel_form_has(const struct kernel_form *form, unsigned grain)
{
	return form->fields[grain] != 0;
}

int kernel_form_describe(struct kernel_described *to, const struct kernel_form *form)
{
	struct services services = { 0 };
	int code = form->services ? copy_services(&services, form->services) : 0;

	to->d.services = services.names;
	to->d.service_count = services.count;
	free(services.of_port);
	if (code == 0 && form->local)
		code = copy_prefixes(&to->d.local, form->local);
	to->d.note = strdup(form->note ? form->note : "");
	memcpy(to->d.fields, form->fields, sizeof to->d.fields);
	to->d.of = form->of;
	to->d.rules = form->rules ? form->rules->count : 0;
	return to->d.note ? code : -ENOMEM;
}

/* The next power of two, at least a bucket. */
static uint32_t slots_for(uint64_t keys)
{
	uint64_t slots = TALLY_BUCKET;

	while (slots < KERNEL_SLOTS_MAX && slots / 2 < keys)
		slots *= 2;
	return (uint32_t)slots;
}

uint32_t kernel_form_slots_most(const struct kernel_form *form)
{
	return slots_for(form->keys_max ? form->keys_max : KERNEL_KEYS_DEFAULT);
}

static uint32_t slots_by_memory(const struct kernel_described *about, const struct kernel_form *form)
{
	uint64_t slot_bytes = 0, budget, slots = SLOTS_FIRST_LEAST;
	struct sysinfo info;

	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		if (kernel_form_has(form, grain))
			slot_bytes += (uint64_t)kernel_slot_bytes(about, grain) * TALLY_EPOCHS * about->cpus;
	if (sysinfo(&info) < 0)
		return SLOTS_FIRST_LEAST;
	budget = (uint64_t)info.totalram * info.mem_unit / MEMORY_PART;
	while (slots < SLOTS_FIRST_MOST && slots * 2 * slot_bytes <= budget)
		slots *= 2;
	return (uint32_t)slots;
}

void kernel_form_slots(const struct kernel_form *form, const struct kernel_described *about,
		       uint32_t ret_slots[static TALLY_GRAINS])
{
	const uint32_t most = kernel_form_slots_most(form);
	uint32_t slots = form->keys_first ? slots_for(form->keys_first) : slots_by_memory(about, form);

	if (slots > most)
		slots = most;
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		ret_slots[grain] = kernel_form_has(form, grain) ? slots : 0;
}
