/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_parse.c -- the table of keys, and libConfuse run until nothing is left that it does not
 * know. */
#include "daemon/config_parse.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static int take_value(cfg_t *section, cfg_opt_t *opt, const char *text, void *ret)
{
	size_t size = strlen(text) + 1;
	struct config_value *v = malloc(sizeof *v + size);

	(void)opt;
	if (!v)
		return -1;
	v->line = (unsigned)section->line;
	memcpy(v->text, text, size);
	*(void **)ret = v;
	return 0;
}

/* Every key is a list here: that it takes only one value is said by config_value(), in our words
 * and with its line. */
#define KEY(name) CFG_PTR_LIST_CB(name, NULL, CFGF_NODEFAULT, take_value, free)

static cfg_t *new_cfg(void)
{
	cfg_opt_t interface_keys[] = {
		KEY("capture"), KEY("mirror"), KEY("promiscuous"), KEY("rings"), KEY("ring_size"), KEY("snap_len"),
		KEY("filter"), KEY("routes"), CFG_END(),
	};
	cfg_opt_t service_keys[] = { KEY("tcp"), KEY("udp"), CFG_END() };
	cfg_opt_t account_keys[] = {
		KEY("from"), KEY("by"), KEY("of"), KEY("self"), KEY("groups"), KEY("every"), KEY("keep"), KEY("bytes"),
		KEY("limit"), KEY("series"), KEY("rules"), KEY("socket"), KEY("socket_group"), KEY("columns"),
		CFG_END(),
	};
	cfg_opt_t kernel_keys[] = { KEY("pins"), KEY("keys"), CFG_END() };
	cfg_opt_t names_keys[] = {
		KEY("dns"), KEY("resolver"), KEY("hosts"), KEY("leases"), KEY("neighbours"), KEY("oui"), KEY("given"),
		KEY("cache"), KEY("rate"), CFG_END(),
	};
	cfg_opt_t report_key_keys[] = { KEY("secret_file"), CFG_END() };
	cfg_opt_t reports_keys[] = {
		KEY("listen"), KEY("trafstat_secret_file"), CFG_SEC("key", report_key_keys, CFGF_MULTI | CFGF_TITLE), CFG_END(),
	};
	cfg_opt_t routes_keys[] = { KEY("mrt"), KEY("bmp"), KEY("table"), KEY("serves"), KEY("default"), CFG_END() };
	cfg_opt_t bmp_keys[] = { KEY("listen"), KEY("memory"), CFG_END() };
	cfg_opt_t group_keys[] = { KEY("countries"), CFG_END() };
	cfg_opt_t geo_keys[] = {
		KEY("country"), KEY("as_names"), CFG_SEC("group", group_keys, CFGF_MULTI | CFGF_TITLE), CFG_END(),
	};
	cfg_opt_t ledger_keys[] = { KEY("path"), KEY("max_size"), CFG_END() };
	cfg_opt_t summary_keys[] = { KEY("every"), KEY("rows"), CFG_END() };
	cfg_opt_t web_keys[] = { KEY("listen"), CFG_END() };
	cfg_opt_t control_keys[] = { KEY("socket"), KEY("group"), CFG_END() };
	cfg_opt_t top_keys[] = {
		KEY("local"),
		CFG_SEC("interface", interface_keys, CFGF_MULTI | CFGF_TITLE),
		CFG_SEC("service", service_keys, CFGF_MULTI | CFGF_TITLE),
		CFG_SEC("account", account_keys, CFGF_MULTI | CFGF_TITLE),
		CFG_SEC("names", names_keys, CFGF_NONE),
		CFG_SEC("reports", reports_keys, CFGF_NONE),
		CFG_SEC("routes", routes_keys, CFGF_MULTI | CFGF_TITLE),
		CFG_SEC("bmp", bmp_keys, CFGF_NONE),
		CFG_SEC("geo", geo_keys, CFGF_NONE),
		CFG_SEC("kernel", kernel_keys, CFGF_NONE),
		CFG_SEC("ledger", ledger_keys, CFGF_NONE),
		CFG_SEC("summary", summary_keys, CFGF_NONE),
		CFG_SEC("web", web_keys, CFGF_NONE),
		CFG_SEC("control", control_keys, CFGF_NONE),
		KEY("user"),
		CFG_END(),
	};

	return config_init_with_sinks(top_keys, (cfg_opt_t)KEY("")); /* copies the tables */
}

static void complain_unknown(struct config_problems *p, unsigned line, const cfg_t *section, const char *name)
{
	bool top = strcmp(section->name, "root") == 0;
	char known[256] = "";
	size_t used = 0;

	for (const cfg_opt_t *o = section->opts; o->name && used < sizeof known; o++)
		used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", o->name);
	config_problem(p, line, "unknown key '%.60s'%s%s; known here: %s", name, top ? "" : " in ", top ? "" : section->name,
		       known);
}

static struct parse {
	struct config_text *t;
	struct config_problems *p;
	bool blanked; /* a statement, so that another try gets further */
	bool said;
} *running; /* the only way to an argument that libConfuse's error function leaves */

/* The messages of libConfuse 3.3 whose first argument is a key's name. */
static const struct {
	const char *fmt, *sentence;
} messages[] = {
	{ "missing equal sign after option '%s'", "'%.60s' is a key and no section: write %.60s = VALUE" },
	{ "missing opening brace for section '%s'", "'%.60s' is a section: write %.60s { ... }" },
	{ "missing title for section '%s'", "'%.60s' needs a name: write %.60s NAME { ... }" },
};

static void complain(cfg_t *section, const char *fmt, va_list ap)
{
	struct parse *parse = running;
	const char *name = strstr(fmt, "'%s'") ? va_arg(ap, const char *) : "";
	bool top = strcmp(section->name, "root") == 0;
	struct config_statement *st =
		config_text_find(parse->t, top ? NULL : section->name, section->title, name, (unsigned)section->line);
	unsigned line = st ? st->line : (unsigned)section->line;

	if (parse->said)
		return; /* one try, one complaint: what follows from it says nothing */
	parse->said = true;
	if (strcmp(fmt, "no such option '%s'") == 0) {
		complain_unknown(parse->p, line, section, name);
	} else {
		size_t i = 0, count = sizeof messages / sizeof *messages;

		while (i < count && strcmp(fmt, messages[i].fmt) != 0)
			i++;
		if (i < count)
			config_problem(parse->p, line, messages[i].sentence, name, name);
		else
			config_problem(parse->p, line, "%.60s: %.100s", *name ? name : "syntax", fmt);
	}
	if (st) {
		config_text_blank(parse->t, st);
		parse->blanked = true;
	}
}

/* Each try either succeeds or blanks a statement, so there are no more tries than statements. */
cfg_t *config_parse(struct config_text *t, struct config_problems *p)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* the messages are compared, so never translated */
	locale_t before = c ? uselocale(c) : (locale_t)0;
	struct parse parse = { .t = t, .p = p };
	cfg_t *cfg = NULL;
	int r;

	running = &parse;
	do {
		if (cfg)
			cfg_free(cfg);
		parse.blanked = parse.said = false;
		cfg = new_cfg();
		if (!cfg)
			break;
		cfg_set_error_function(cfg, complain);
		r = cfg_parse_buf(cfg, t->text);
	} while (r != CFG_SUCCESS && parse.blanked && !p->more);
	running = NULL;
	if (cfg && r != CFG_SUCCESS && !parse.said)
		config_problem(p, 1, "cannot be parsed: out of memory?");
	if (c) {
		uselocale(before);
		freelocale(c);
	}
	return cfg;
}

const struct config_value *config_value_at(cfg_t *section, const char *key, unsigned i)
{
	cfg_opt_t *opt = cfg_getopt(section, key);

	return opt && i < cfg_opt_size(opt) ? cfg_opt_getnptr(opt, i) : NULL;
}

const struct config_value *config_value(cfg_t *section, const char *key, struct config_problems *p)
{
	const struct config_value *v = config_value_at(section, key, 0), *second = config_value_at(section, key, 1);

	if (!v || !second)
		return v;
	config_problem(p, second->line, "%s takes one value", key);
	return NULL;
}
