/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_program.c -- from a form to the read-only configuration of bpf/tally.bpf.c, and its loading. */
#include "capture/kernel_program.h"

#include "capture/kernel_bpf.h"
#include "model/frame.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* The object is one string, longer than a strict compiler has to take. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include "tally.skel.h"
#pragma GCC diagnostic pop

#define LOG_BYTES (16u << 20) /* touched only where a load fails; one that is too small hides the error */

/* ---- the form ---- */

static const struct {
	uint64_t fields;
	uint32_t flag;
	bool party; /* only in the party grain */
} field_flags[] = {
	{ FIELD_BIT(FIELD_PROTO), TALLY_F_PROTO, false },
	{ FIELD_BIT(FIELD_VLAN), TALLY_F_VLAN, false },
	{ FIELD_BIT(FIELD_ETHERTYPE), TALLY_F_ETHERTYPE, false },
	{ FIELD_BIT(FIELD_SERVICE), TALLY_F_SERVICE, false },
	{ FIELD_BIT(FIELD_DIRECTION), TALLY_F_DIRECTION, false },
	{ FIELD_BIT(FIELD_LOCALITY), TALLY_F_LOCALITY, true },
	{ FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_HOST_FAMILY), TALLY_F_HOST, true },
	{ FIELD_BIT(FIELD_MAC), TALLY_F_MAC, true },
	{ FIELD_BIT(FIELD_SRC_PORT) | FIELD_BIT(FIELD_DST_PORT), TALLY_F_PORTS, false },
	{ FIELD_BIT(FIELD_SRC_MAC), TALLY_F_SRC_MAC, false },
	{ FIELD_BIT(FIELD_DST_MAC), TALLY_F_DST_MAC, false },
	{ FIELD_BIT(FIELD_SRC_HOST) | FIELD_BIT(FIELD_SRC_FAMILY), TALLY_F_SRC_HOST, false },
	{ FIELD_BIT(FIELD_DST_HOST) | FIELD_BIT(FIELD_DST_FAMILY), TALLY_F_DST_HOST, false },
};

#define READERS_FIELDS (FIELD_BIT(FIELD_INTERFACE) | FIELD_BIT(FIELD_WINDOW))

static int flags_of(unsigned grain, uint64_t fields, uint32_t *ret, struct err *e)
{
	uint64_t left = fields & ~READERS_FIELDS;

	*ret = 0;
	for (size_t i = 0; i < sizeof field_flags / sizeof *field_flags; i++) {
		if (!(left & field_flags[i].fields) || (field_flags[i].party && grain != TALLY_PARTY))
			continue;
		*ret |= field_flags[i].flag;
		left &= ~field_flags[i].fields;
	}
	if (left) {
		const char *name = field_name((enum field)__builtin_ctzll(left));

		return err_set(e, -EINVAL, "cannot be counted by %s in the kernel", name ? name : "a hidden field");
	}
	return 0;
}

int kernel_form_check(const struct kernel_form *form, bool ret_wide[static TALLY_GRAINS], struct err *e)
{
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		uint32_t flags;
		int code = flags_of(grain, form->fields[grain], &flags, e);

		if (code < 0)
			return code;
		ret_wide[grain] = flags & TALLY_F_WIDE;
	}
	return 0;
}

/* ---- the configuration ---- */

static void put_local(struct tally_config *c, const struct prefix *p)
{
	uint8_t mask[16] = { 0 };
	const unsigned start = p->addr.family == ADDR_IP4 ? 12 : 0;

	for (unsigned bit = 0; bit < p->bits; bit++)
		mask[start + bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	if (p->addr.family == ADDR_IP4) {
		if (c->local4_count < TALLY_LOCAL_INLINE) {
			memcpy(&c->local4[c->local4_count].network, p->addr.bytes + 12, 4);
			memcpy(&c->local4[c->local4_count].mask, mask + 12, 4);
		}
		c->local4_count++;
	} else {
		if (c->local6_count < TALLY_LOCAL_INLINE) {
			memcpy(c->local6[c->local6_count].network, p->addr.bytes, 16);
			memcpy(c->local6[c->local6_count].mask, mask, 16);
		}
		c->local6_count++;
	}
}

static int put_seeds(struct tally_config *c, struct err *e)
{
	if (getrandom(c->seeds, sizeof c->seeds, 0) != (ssize_t)sizeof c->seeds ||
	    getrandom(c->low_seeds, sizeof c->low_seeds, 0) != (ssize_t)sizeof c->low_seeds)
		return err_errno(e, -errno, "no random numbers");
	for (unsigned i = 0; i < TALLY_WIDE_WORDS; i++) {
		c->seeds[i] |= 1;
		c->low_seeds[i] |= 1;
	}
	return 0;
}

static int make_config(struct tally_config *c, const struct kernel_build *b, struct err *e)
{
	const struct kernel_described *about = b->about;

	*c = (struct tally_config){ .of = b->form->of, .cpus = about->cpus, .raw_ip = b->raw_ip, .drop = b->drop };
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		const uint32_t buckets = about->slots[grain] / TALLY_BUCKET;
		int code = flags_of(grain, b->form->fields[grain], &c->fields[grain], e);

		if (code < 0)
			return code;
		c->shift[grain] = 63;
		if (!buckets)
			continue;
		c->grains |= 1u << grain;
		c->wide |= (uint32_t)about->wide[grain] << grain;
		c->shift[grain] = buckets > 1 ? 64 - (uint32_t)__builtin_ctz(buckets) : 63;
		c->bucket_mask[grain] = buckets - 1;
	}
	for (size_t i = 0; b->form->local && i < b->form->local->count; i++)
		put_local(c, &b->form->local->at[i]);
	return put_seeds(c, e);
}

static void put_services(uint16_t *of_port, const struct services *s)
{
	if (!s || !s->of_port)
		return;
	memcpy(of_port + TALLY_SERVICE_TCP, s->of_port[SERVICE_TCP], 65536 * sizeof *of_port);
	memcpy(of_port + TALLY_SERVICE_UDP, s->of_port[SERVICE_UDP], 65536 * sizeof *of_port);
}

/* ---- loading ---- */

static int refuse(int code, const char *what, struct err *e)
{
	return err_errno(e, code, "cannot %s the kernel programs", what);
}

/* The verifier's last line that says something; its own statistics follow it. */
static const char *last_words(char *log)
{
	const char *last = "";

	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		if (*line && strncmp(line, "processed ", 10) != 0 && strncmp(line, "verification time", 17) != 0 &&
		    strncmp(line, "stack depth", 11) != 0)
			last = line;
	return last;
}

static int load_failed(int code, char *log, struct err *e)
{
	const char *words = last_words(log);

	if (code == -EPERM)
		return err_set(e, code, "may not load the kernel programs: that needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
	if (*words)
		return err_errno(e, code, "the kernel refuses the programs (%.160s)", words);
	return refuse(code, "load", e);
}

/* All tables of a grain have to be like this one (kernel/bpf/map_in_map.c). */
static int set_template(struct bpf_map *outer, const struct kernel_described *about, unsigned grain, int *ret)
{
	const uint32_t slots = about->slots[grain] ? about->slots[grain] : TALLY_BUCKET;
	const uint32_t bytes = about->slots[grain] ? kernel_slot_bytes(about, grain) : sizeof(struct tally_narrow_slot);
	const uint32_t count = about->slots[grain] ? TALLY_EPOCHS * about->cpus : 1;
	int code;

	*ret = kernel_array("nt_template", TALLY_BUCKET * bytes, slots / TALLY_BUCKET);
	if (*ret < 0)
		return *ret;
	code = bpf_map__set_max_entries(outer, count);
	return code < 0 ? code : bpf_map__set_inner_map_fd(outer, *ret);
}

/* What there is for each hook: to count alone, to count and then ask the rules, to ask the pre-filter first. */
struct kinds {
	struct bpf_program *tally, *rules, *gate;
};

static void kinds_of(struct tally_bpf *skel, struct kinds ret[static KERNEL_PROGRAMS])
{
	ret[KERNEL_INGRESS] = (struct kinds){ skel->progs.tally_ingress, skel->progs.rules_ingress, skel->progs.gate_ingress };
	ret[KERNEL_EGRESS] = (struct kinds){ skel->progs.tally_egress, skel->progs.rules_egress, skel->progs.gate_egress };
	ret[KERNEL_XDP] = (struct kinds){ skel->progs.tally_xdp, skel->progs.rules_at_xdp, skel->progs.gate_xdp };
}

static bool has_rules(const struct kernel_build *b)
{
	return b->form->rules && b->form->rules->count;
}

static bool has_gate(const struct kernel_build *b)
{
	return b->form->rules && b->form->rules->gate.len;
}

static void set_wanted(struct tally_bpf *skel, const struct kernel_build *b)
{
	struct kinds kinds[KERNEL_PROGRAMS];

	kinds_of(skel, kinds);
	for (unsigned i = 0; i < KERNEL_PROGRAMS; i++) {
		bpf_program__set_autoload(kinds[i].tally, b->programs[i] && !has_rules(b));
		bpf_program__set_autoload(kinds[i].rules, b->programs[i] && has_rules(b));
		bpf_program__set_autoload(kinds[i].gate, b->programs[i] && has_gate(b));
	}
}

static int put_local_map(int map, const struct prefix_set *local, struct err *e)
{
	const uint32_t yes = 1;

	for (size_t i = 0; local && i < local->count; i++) {
		const struct prefix *p = &local->at[i];
		const bool ip4 = p->addr.family == ADDR_IP4;
		struct tally_local_key key = { .bits = 32u + p->bits + (ip4 ? 96u : 0u), .family = ip4 ? TALLY_IP4 : TALLY_IP6 };

		memcpy(key.address, p->addr.bytes, sizeof key.address);
		if (bpf_map_update_elem(map, &key, &yes, BPF_ANY) < 0)
			return err_errno(e, -errno, "cannot hand over the local prefixes");
	}
	return 0;
}

static int take_fd(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static struct bpf_program *counting(const struct kinds *k, const struct kernel_build *b)
{
	return has_rules(b) ? k->rules : k->tally;
}

static int load_rules(struct kernel_loaded *ret, struct tally_bpf *skel, const struct kernel_build *b, struct err *e)
{
	struct kinds kinds[KERNEL_PROGRAMS];

	kinds_of(skel, kinds);
	const struct kernel_rules_place place = {
		.scratch = bpf_map__fd(skel->maps.scratch), .sums = bpf_map__fd(skel->maps.sums),
		.tc = bpf_map__fd(skel->maps.rules_tc), .xdp = bpf_map__fd(skel->maps.rules_xdp),
		.at_tc = { [TALLY_INGRESS] = b->programs[KERNEL_INGRESS], [TALLY_EGRESS] = b->programs[KERNEL_EGRESS] },
		.at_xdp = b->programs[KERNEL_XDP],
		.count_tc = {
			[TALLY_INGRESS] = bpf_program__fd(counting(&kinds[KERNEL_INGRESS], b)),
			[TALLY_EGRESS] = bpf_program__fd(counting(&kinds[KERNEL_EGRESS], b)),
		},
		.count_xdp = bpf_program__fd(counting(&kinds[KERNEL_XDP], b)),
		.cpus = b->about->cpus,
	};

	return kernel_rules_load(&ret->rules, b->form->rules, &place, e);
}

static int take_loaded(struct kernel_loaded *ret, struct tally_bpf *skel, const struct kernel_build *b, struct err *e)
{
	struct kinds kinds[KERNEL_PROGRAMS];

	*ret = (struct kernel_loaded){
		.programs = { -1, -1, -1 },
		.rules = ret->rules,
		.outer = {
			[TALLY_PARTY] = take_fd(bpf_map__fd(skel->maps.party)),
			[TALLY_PLAIN] = take_fd(bpf_map__fd(skel->maps.plain)),
		},
		.sums = take_fd(bpf_map__fd(skel->maps.sums)),
		.control = take_fd(bpf_map__fd(skel->maps.data_control)),
	};
	kinds_of(skel, kinds);
	for (unsigned i = 0; i < KERNEL_PROGRAMS; i++)
		ret->programs[i] = take_fd(bpf_program__fd(has_gate(b) ? kinds[i].gate : counting(&kinds[i], b)));
	if (ret->sums < 0 || ret->control < 0 || ret->outer[TALLY_PARTY] < 0 || ret->outer[TALLY_PLAIN] < 0)
		return err_errno(e, -EMFILE, "cannot keep the kernel programs");
	return 0;
}

void kernel_loaded_close(struct kernel_loaded *l)
{
	for (unsigned i = 0; i < KERNEL_PROGRAMS; i++)
		if (l->programs[i] >= 0)
			close(l->programs[i]);
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		if (l->outer[grain] >= 0)
			close(l->outer[grain]);
	if (l->sums >= 0)
		close(l->sums);
	if (l->control >= 0)
		close(l->control);
	kernel_rules_close(&l->rules);
}

static int load(struct tally_bpf *skel, const struct kernel_build *b, char *log, struct err *e)
{
	int templates[TALLY_GRAINS] = { -1, -1 }, code;

	code = make_config((struct tally_config *)&skel->rodata->config, b, e);
	if (code < 0)
		return code;
	put_services((uint16_t *)skel->rodata_services->service_of_port, b->form->services);
	set_wanted(skel, b);
	code = bpf_map__set_max_entries(skel->maps.sums, TALLY_EPOCHS * b->about->cpus);
	if (code == 0)
		code = set_template(skel->maps.party, b->about, TALLY_PARTY, &templates[TALLY_PARTY]);
	if (code == 0)
		code = set_template(skel->maps.plain, b->about, TALLY_PLAIN, &templates[TALLY_PLAIN]);
	if (code == 0 && b->form->local && b->form->local->count)
		code = bpf_map__set_max_entries(skel->maps.local, (uint32_t)b->form->local->count);
	if (code < 0)
		refuse(code, "make maps for", e);
	else if ((code = tally_bpf__load(skel)) < 0)
		load_failed(code, log, e);
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		if (templates[grain] >= 0)
			close(templates[grain]);
	return code < 0 ? code : put_local_map(bpf_map__fd(skel->maps.local), b->form->local, e);
}

/* What libbpf has to say goes into `log`, or nowhere. */
static struct tally_bpf *open_skeleton(char *log)
{
	KERNEL_OPTS(bpf_object_open_opts, opts);

	opts.kernel_log_buf = log;
	opts.kernel_log_size = LOG_BYTES;
	libbpf_set_print(NULL);
	return tally_bpf__open_opts(&opts);
}

int kernel_program_load(struct kernel_loaded *ret, const struct kernel_build *b, struct err *e)
{
	struct kernel_loaded loaded = { .programs = { -1, -1, -1 }, .outer = { -1, -1 }, .sums = -1, .control = -1,
					.rules = { -1, -1, -1, NULL } };
	char *log = calloc(1, LOG_BYTES);
	struct tally_bpf *skel = log ? open_skeleton(log) : NULL;
	int code;

	if (!skel) {
		code = log ? -errno : -ENOMEM;
		free(log);
		return refuse(code, "open", e);
	}
	code = load(skel, b, log, e);
	if (code == 0)
		code = load_rules(&loaded, skel, b, e);
	if (code == 0)
		code = take_loaded(&loaded, skel, b, e);
	tally_bpf__destroy(skel);
	free(log);
	if (code < 0)
		kernel_loaded_close(&loaded);
	else
		*ret = loaded;
	return code;
}
