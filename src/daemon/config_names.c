/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_names.c -- the section `names`. */
#include "daemon/config_internal.h"
#include "names/name_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIVEN_MAX 4096
#define CACHE_MAX (1u << 22)
#define RATE_MAX 100000u

/* A file that is to be read now and whenever it changes. */
static void check_readable(struct config_loader *l, const char *key, const struct config_value *v)
{
	if (access(v->text, R_OK) < 0)
		config_problem(&l->p, v->line, "%s = '%.100s': %s", key, v->text, strerror(errno));
}

/* "off" = none. */
static void load_file(struct config_loader *l, cfg_t *s, const char *key, char ret[static 256])
{
	const struct config_value *v = config_value(s, key, &l->p);

	if (!v)
		return;
	config_read_text(l, s, key, ret, 256);
	if (strcmp(ret, "off") == 0)
		ret[0] = '\0';
	else if (v->text[0])
		check_readable(l, key, v);
}

static void load_leases(struct config_loader *l, cfg_t *s, struct names_config *n)
{
	const struct config_value *v;

	for (unsigned i = 0; (v = config_value_at(s, "leases", i)); i++) {
		if (n->lease_count == NAMES_LEASES_MAX) {
			config_problem(&l->p, v->line, "leases: at most %d files", NAMES_LEASES_MAX);
			return;
		}
		if (v->text[0] == '\0' || strlen(v->text) >= sizeof n->leases[0]) {
			config_problem(&l->p, v->line, "leases: a path has 1 to %zu characters", sizeof n->leases[0] - 1);
			continue;
		}
		check_readable(l, "leases", v);
		memcpy(n->leases[n->lease_count++], v->text, strlen(v->text) + 1);
	}
}

/* "NAME=ADDRESS" or "NAME=MAC"; a name may have a '=' in it, an address has none. */
static int parse_given(struct name_given *ret, const char *text, struct err *e)
{
	const char *sign = strrchr(text, '=');
	size_t len = sign ? (size_t)(sign - text) : 0;
	char name[512];
	uint8_t mac[6];

	if (!sign || len >= sizeof name)
		return err_set(e, -EINVAL, "'%.60s': write \"NAME=ADDRESS\", the address being IP or MAC", text);
	memcpy(name, text, len);
	name[len] = '\0';
	if (name_text_check(name, e) < 0)
		return -EINVAL;
	*ret = (struct name_given){ 0 };
	memcpy(ret->name, name, len + 1);
	if (mac_parse(mac, sign + 1) == 0)
		ret->mac = mac_key_of(mac);
	else if (addr_parse(&ret->host, sign + 1) < 0)
		return err_set(e, -EINVAL, "'%.60s': '%.50s' is no IP or MAC address", text, sign + 1);
	return 0;
}

static bool is_same(const struct name_given *a, const struct name_given *b)
{
	return a->mac == b->mac && addr_equal(&a->host, &b->host);
}

static void add_given(struct config_loader *l, struct names_config *n, const struct config_value *v)
{
	struct name_given one, *more;
	struct err e;

	if (parse_given(&one, v->text, &e) < 0) {
		config_problem(&l->p, v->line, "given: %s", e.msg);
		return;
	}
	for (size_t i = 0; i < n->given_count; i++) {
		if (!is_same(&n->given[i], &one))
			continue;
		config_problem(&l->p, v->line, "given: '%.60s': this address is called '%s' already", v->text, n->given[i].name);
		return;
	}
	more = realloc(n->given, (n->given_count + 1) * sizeof *more);
	if (!more) {
		config_problem(&l->p, v->line, "given: out of memory");
		return;
	}
	n->given = more;
	more[n->given_count++] = one;
}

static void load_given(struct config_loader *l, cfg_t *s, struct names_config *n)
{
	const struct config_value *v;

	for (unsigned i = 0; (v = config_value_at(s, "given", i)); i++) {
		if (i == GIVEN_MAX) {
			config_problem(&l->p, v->line, "given: at most %d names; the others into a hosts file", GIVEN_MAX);
			return;
		}
		add_given(l, n, v);
	}
}

void config_load_names(struct config_loader *l, cfg_t *top)
{
	cfg_t *s = cfg_getsec(top, "names");
	struct names_config *n = &l->c->names;
	const struct config_value *v;
	struct err e;

	config_read_bool(l, s, "dns", &n->dns);
	config_read_bool(l, s, "neighbours", &n->neighbours);
	config_read_text(l, s, "resolver", n->resolver, sizeof n->resolver);
	v = config_value_at(s, "resolver", 0);
	if (v && n->resolver[0] && names_resolver_check(n->resolver, &e) < 0)
		config_problem(&l->p, v->line, "resolver: %s", e.msg);
	load_file(l, s, "hosts", n->hosts);
	load_file(l, s, "oui", n->oui);
	load_leases(l, s, n);
	load_given(l, s, n);
	config_read_number(l, s, "cache", CACHE_MAX, &n->cache);
	if (n->cache < 256)
		config_problem(&l->p, config_value_at(s, "cache", 0)->line, "cache = %u: at least 256", n->cache);
	config_read_number(l, s, "rate", RATE_MAX, &n->rate);
}

void config_free_names(struct config *c)
{
	free(c->names.given);
}
