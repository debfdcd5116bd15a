/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_load.c -- a config file into a struct config: read, make safe, parse, check, all
 * mistakes in one run. */
#include "daemon/config_internal.h"

#include "base/text.h"
#include "capture/filter.h"
#include "capture/kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400u
#define LINKTYPE_ETHERNET 1 /* a filter is compiled for this one to see whether it is an expression at all */

void config_read_word(struct config_loader *l, cfg_t *s, const char *key, const struct config_word *words, int *ret)
{
	const struct config_value *v = config_value(s, key, &l->p);
	char known[128] = "";
	size_t used = 0;

	if (!v)
		return;
	for (const struct config_word *w = words; w->word; w++) {
		if (strcmp(v->text, w->word) == 0) {
			*ret = w->value;
			return;
		}
		used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", w->word);
	}
	config_problem(&l->p, v->line, "%s = '%.40s': write one of %s", key, v->text, known);
}

void config_read_bool(struct config_loader *l, cfg_t *s, const char *key, bool *ret)
{
	const struct config_value *v = config_value(s, key, &l->p);
	int b;

	if (!v)
		return;
	b = cfg_parse_boolean(v->text);
	if (b < 0)
		config_problem(&l->p, v->line, "%s = '%.40s': write yes or no", key, v->text);
	else
		*ret = b != 0;
}

void config_read_number(struct config_loader *l, cfg_t *s, const char *key, uint32_t most, uint32_t *ret)
{
	const struct config_value *v = config_value(s, key, &l->p);
	size_t digits = v ? strspn(v->text, "0123456789") : 0;
	unsigned long n;

	if (!v)
		return;
	n = strtoul(v->text, NULL, 10);
	if (digits == 0 || digits > 10 || v->text[digits] || n < 1 || n > most)
		config_problem(&l->p, v->line, "%s = '%.40s': write a number from 1 to %" PRIu32, key, v->text, most);
	else
		*ret = (uint32_t)n;
}

void config_read_text(struct config_loader *l, cfg_t *s, const char *key, char *ret, size_t size)
{
	const struct config_value *v = config_value(s, key, &l->p);

	if (!v)
		return;
	if (v->text[0] == '\0')
		config_problem(&l->p, v->line, "%s is empty", key);
	else if (strlen(v->text) >= size)
		config_problem(&l->p, v->line, "%s has %zu characters; at most %zu are possible", key, strlen(v->text), size - 1);
	else
		memcpy(ret, v->text, strlen(v->text) + 1);
}

void config_read_size(struct config_loader *l, cfg_t *s, const char *key, uint64_t least, uint64_t most, uint64_t *ret)
{
	const struct config_value *v = config_value(s, key, &l->p);
	char from[32], to[32];
	uint64_t bytes;
	struct err e;

	if (!v)
		return;
	if (size_parse(&bytes, v->text, &e) < 0)
		config_problem(&l->p, v->line, "%s: %s", key, e.msg);
	else if (bytes < least || bytes > most)
		config_problem(&l->p, v->line, "%s = %.40s: between %s and %s", key, v->text,
			       size_format(least, from, sizeof from), size_format(most, to, sizeof to));
	else
		*ret = bytes;
}

/* A user's or group's name; whether it exists is the daemon's to see, on the machine where it
 * runs. */
void config_read_owner(struct config_loader *l, cfg_t *s, const char *key, char ret[static 33])
{
	const struct config_value *v = config_value_at(s, key, 0);
	size_t len = v ? strlen(v->text) : 0;

	config_read_text(l, s, key, ret, 33);
	if (!v || len == 0 || len > 32)
		return;
	if (strspn(v->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != len ||
	    strchr("0123456789.-", v->text[0]))
		config_problem(&l->p, v->line,
			       "%s = '%s': a name is letters, digits, '_', '.' and '-', a letter or '_' first", key, v->text);
}

static void load_local(struct config_loader *l, cfg_t *top)
{
	const struct config_value *v;

	for (unsigned i = 0; (v = config_value_at(top, "local", i)); i++) {
		struct prefix prefix;
		struct err e;

		if (prefix_parse(&prefix, v->text, &e) < 0)
			config_problem(&l->p, v->line, "local: %s", e.msg);
		else if (prefix_set_add(&l->c->local, &prefix) < 0)
			config_problem(&l->p, v->line, "local: out of memory");
	}
}

static void load_filter(struct config_loader *l, cfg_t *s, char **ret)
{
	const struct config_value *v = config_value(s, "filter", &l->p);
	struct filter *filter = NULL;
	struct err e;

	if (!v)
		return;
	if (v->text[strspn(v->text, " \t")] == '\0') {
		config_problem(&l->p, v->line, "filter is empty; leave it out to count everything");
		return;
	}
	if (filter_open(&filter, v->text, LINKTYPE_ETHERNET, &e) < 0) {
		config_problem(&l->p, v->line, "filter: %s", e.msg);
		return;
	}
	filter_close(&filter);
	*ret = strdup(v->text);
	if (!*ret)
		config_problem(&l->p, v->line, "filter: out of memory");
}

static void load_interface(struct config_loader *l, cfg_t *s, const struct config_statement *st)
{
	static const struct config_word captures[] = {
		{ "auto", CAPTURE_AUTO }, { "kernel", CAPTURE_KERNEL },
		{ "xdp", CAPTURE_XDP }, { "socket", CAPTURE_SOCKET }, { 0 },
	};
	struct config_interface scratch = { .rings = 1 }, *i;
	uint64_t ring_bytes = 0;
	int capture = CAPTURE_AUTO;
	struct err e = { 0 };

	i = config_new_interface(l->c, cfg_title(s), &e);
	if (!i) {
		config_problem(&l->p, st->line, "%s", e.msg);
		i = &scratch; /* its keys are looked at all the same */
	}
	config_read_word(l, s, "capture", captures, &capture);
	i->capture = (enum capture)capture;
	config_read_bool(l, s, "mirror", &i->mirror);
	i->promiscuous = i->mirror;
	config_read_bool(l, s, "promiscuous", &i->promiscuous);
	config_read_number(l, s, "rings", 64, &i->rings);
	config_read_size(l, s, "ring_size", 256 << 10, 1 << 30, &ring_bytes);
	i->ring_bytes = (uint32_t)ring_bytes;
	config_read_number(l, s, "snap_len", 65535, &i->snap_len);
	if (i->snap_len && i->snap_len < 64)
		config_problem(&l->p, config_text_line(l->text, st, "snap_len"),
			       "snap_len = %" PRIu32 ": headers need at least 64 bytes", i->snap_len);
	load_filter(l, s, &i->filter);
	free(scratch.filter);
}

static void load_ports(struct config_loader *l, cfg_t *s, const char *key, enum service_proto proto)
{
	const struct config_value *v;

	for (unsigned i = 0; (v = config_value_at(s, key, i)); i++) {
		uint16_t first, last;
		struct err e;
		int r = service_ports_parse(&first, &last, v->text, &e);

		for (uint32_t port = first; r == 0 && port <= last; port++)
			r = services_add(&l->c->services, cfg_title(s), proto, (uint16_t)port, &e);
		if (r < 0)
			config_problem(&l->p, v->line, "%s", e.msg);
	}
}

static void load_service(struct config_loader *l, cfg_t *s, const struct config_statement *st)
{
	if (!config_value_at(s, "tcp", 0) && !config_value_at(s, "udp", 0))
		config_problem(&l->p, st->line, "service %.60s has no port: write tcp = { 443 } or udp = { 443 }", cfg_title(s));
	load_ports(l, s, "tcp", SERVICE_TCP);
	load_ports(l, s, "udp", SERVICE_UDP);
}

static void load_kernel(struct config_loader *l, cfg_t *s)
{
	const struct config_value *v = config_value_at(s, "pins", 0);
	uint32_t keys = KERNEL_KEYS_DEFAULT;

	config_read_text(l, s, "pins", l->c->kernel_pins, sizeof l->c->kernel_pins);
	if (strcmp(l->c->kernel_pins, "off") == 0)
		l->c->kernel_pins[0] = '\0';
	else if (v && l->c->kernel_pins[0] != '/')
		config_problem(&l->p, v->line, "pins = '%.60s': write a directory in a bpffs, such as " KERNEL_PINS_DEFAULT
			       ", or off", l->c->kernel_pins);
	config_read_number(l, s, "keys", CONFIG_KERNEL_KEYS_MAX, &keys);
	if (keys < CONFIG_KERNEL_KEYS_MIN)
		config_problem(&l->p, config_value_at(s, "keys", 0)->line, "keys = %" PRIu32 ": at least %u are needed", keys,
			       CONFIG_KERNEL_KEYS_MIN);
	l->c->kernel_keys = keys;
}

static void load_places(struct config_loader *l, cfg_t *top)
{
	cfg_t *ledger = cfg_getsec(top, "ledger"), *web = cfg_getsec(top, "web"), *control = cfg_getsec(top, "control");
	const struct config_value *v = config_value(web, "listen", &l->p);
	struct config *c = l->c;
	struct err e;

	config_read_text(l, ledger, "path", c->ledger_path, sizeof c->ledger_path);
	config_read_size(l, ledger, "max_size", 1 << 20, UINT64_C(1) << 50, &c->ledger_max_size_bytes);
	if (v && config_listen_parse(&c->web, v->text, &e) < 0)
		config_problem(&l->p, v->line, "listen = %s", e.msg);
	config_read_text(l, control, "socket", c->control_path, sizeof c->control_path);
	config_read_owner(l, control, "group", c->control_group);
	config_read_owner(l, top, "user", c->user);
}

static void load_summary(struct config_loader *l, cfg_t *s)
{
	const struct config_value *v = s ? config_value(s, "every", &l->p) : NULL;
	struct err e;

	if (!s)
		return;
	if (v && duration_parse(&l->c->summary_every_s, v->text, &e) < 0)
		config_problem(&l->p, v->line, "every: %s", e.msg);
	else if (v && (l->c->summary_every_s == 0 || DAY_S % l->c->summary_every_s != 0))
		config_problem(&l->p, v->line, "every = %s does not divide a day; write such as 1min, 1h", v->text);
	config_read_number(l, s, "rows", 10000, &l->c->summary_rows);
}

static void load_sections(struct config_loader *l, cfg_t *top, const char *name,
			  void (*load)(struct config_loader *, cfg_t *, const struct config_statement *))
{
	unsigned count = cfg_size(top, name);

	for (unsigned i = 0; i < count && !l->p.more; i++) {
		const struct config_statement *st = config_text_section(l->text, name, i);

		if (st) /* always: both count the same sections */
			load(l, cfg_getnsec(top, name, i), st);
	}
}

static void load_all(struct config_loader *l, cfg_t *top)
{
	struct err e;

	load_local(l, top);
	load_sections(l, top, "interface", load_interface);
	load_sections(l, top, "service", load_service);
	load_sections(l, top, "account", config_load_account);
	config_load_names(l, top);
	config_load_routes(l, top);
	config_load_reports(l, top);
	config_load_sinks(l, top);
	load_kernel(l, cfg_getsec(top, "kernel"));
	load_summary(l, cfg_getsec(top, "summary"));
	load_places(l, top);
	if (l->p.count || l->p.more)
		return;
	if (l->c->account_count == 0) {
		l->c->accounts_default = true;
		if (config_add_default_accounts(l->c, &e) < 0)
			config_problem(&l->p, 1, "%s", e.msg);
	}
	config_finish_sinks(l);
	if (l->c->services.count == 0 && services_add_well_known(&l->c->services, &e) < 0)
		config_problem(&l->p, 1, "%s", e.msg);
}

static int new_config(struct config **ret, const char *path, struct config_problems *p)
{
	struct config *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	*ret = c;
	config_set_defaults(c);
	if (strlen(path) >= sizeof c->path)
		config_problem(p, 1, "this path is over %zu characters", sizeof c->path - 1);
	else
		memcpy(c->path, path, strlen(path) + 1);
	return 0;
}

/* Takes the text, says the problems, and gives the config where there are none. */
static int load_text(struct config **ret, struct config_text *t, struct config_loader *l)
{
	cfg_t *top = NULL;
	int r = config_text_prepare(t, &l->p);

	if (r == 0)
		r = new_config(&l->c, l->path, &l->p);
	if (r == 0)
		top = config_parse(t, &l->p);
	if (!top)
		return -ENOMEM;
	l->text = t;
	load_all(l, top);
	cfg_free(top);
	if (l->p.count || l->p.more)
		return -EINVAL;
	*ret = l->c;
	l->c = NULL;
	return 0;
}

/* The end of both: problems are printed, the first of them is the error, all is freed. */
static int finish(struct config_text *t, struct config_loader *l, int r, FILE *problems, struct err *e)
{
	const char *path = l->path;

	config_problems_sort(&l->p);
	if (problems)
		config_problems_print(&l->p, path, problems);
	if (problems && l->mistakes.text)
		fputs(l->mistakes.text, problems);
	rule_mistakes_free(&l->mistakes);
	if (r == -EINVAL && l->p.count)
		err_set(e, r, "%s:%u: %s", path, l->p.at[0].line, l->p.at[0].text);
	else if (r < 0)
		err_errno(e, r, "%s", path);
	config_problems_free(&l->p);
	config_text_free(t);
	config_free(&l->c);
	return r;
}

int config_load(struct config **ret, const char *path, FILE *problems, struct err *e)
{
	struct config_loader l = { .path = path };
	struct config_text t = { 0 };
	int r = config_text_read(&t, path, &l.p);

	if (r == 0)
		r = load_text(ret, &t, &l);
	return finish(&t, &l, r, problems, e);
}

int config_load_bytes(struct config **ret, const char *bytes, size_t len, FILE *problems, struct err *e)
{
	struct config_loader l = { .path = "-" };
	struct config_text t = { 0 };
	int r = config_text_set(&t, bytes, len);

	if (r == 0)
		r = load_text(ret, &t, &l);
	return finish(&t, &l, r, problems, e);
}
