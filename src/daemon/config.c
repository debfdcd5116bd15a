/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.c -- what a configuration is without a file: defaults, additions from the command line,
 * its end. */
#include "daemon/config.h"

#include "capture/kernel.h"
#include "daemon/config_internal.h"
#include "daemon/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's own rule (dev_valid_name): no '/', ':' or white space, and neither "." nor "..". */
static int interface_name_check(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len >= INTERFACE_NAME_MAX)
		return err_set(e, -EINVAL, "interface \"%.60s\": a name has 1 to %d characters", name, INTERFACE_NAME_MAX - 1);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(e, -EINVAL, "interface \"%s\": that is no name", name);
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '/' || *c == ':')
			return err_set(e, -EINVAL, "interface \"%.60s\": a name has no '/', no ':' and no blanks", name);
	return 0;
}

struct config_interface *config_new_interface(struct config *c, const char *name, struct err *e)
{
	struct config_interface *grown, *i;

	if (interface_name_check(name, e) < 0)
		return NULL;
	for (size_t k = 0; k < c->interface_count; k++)
		if (strcmp(c->interfaces[k].name, name) == 0) {
			err_set(e, -EEXIST, "interface \"%s\" is given twice", name);
			return NULL;
		}
	if (c->interface_count == CONFIG_INTERFACES_MAX) {
		err_set(e, -ENOSPC, "interface \"%s\": more than %d interfaces", name, CONFIG_INTERFACES_MAX);
		return NULL;
	}
	grown = realloc(c->interfaces, (c->interface_count + 1) * sizeof *grown);
	if (!grown) {
		err_errno(e, -ENOMEM, "interface \"%s\"", name);
		return NULL;
	}
	c->interfaces = grown;
	i = &grown[c->interface_count++];
	*i = (struct config_interface){ .capture = CAPTURE_AUTO, .rings = 1 };
	memcpy(i->name, name, strlen(name) + 1);
	return i;
}

int config_add_interface(struct config *c, const char *name, struct err *e)
{
	struct err reason = { .code = -EINVAL };

	if (config_new_interface(c, name, &reason))
		return 0;
	return err_set(e, reason.code, "%s", reason.msg);
}

int config_add_account(struct config *c, struct account *a, struct err *e)
{
	struct account **grown;

	if (c->account_count == CONFIG_ACCOUNTS_MAX)
		return err_set(e, -ENOSPC, "account %s: more than %d accounts", a->name, CONFIG_ACCOUNTS_MAX);
	grown = realloc(c->accounts, (c->account_count + 1) * sizeof(*grown));
	if (!grown)
		return err_errno(e, -ENOMEM, "account %s", a->name);
	c->accounts = grown;
	grown[c->account_count++] = a;
	return 0;
}

int config_add_default_accounts(struct config *c, struct err *e)
{
	static const struct {
		const char *name;
		enum field by[2];
		size_t by_count;
	} sensible[] = {
		{ "devices", { FIELD_MAC }, 1 },
		{ "hosts", { FIELD_HOST }, 1 },
		{ "services", { FIELD_SERVICE }, 1 },
		{ "protocols", { FIELD_ETHERTYPE, FIELD_PROTO }, 2 },
	};

	for (size_t i = 0; i < sizeof sensible / sizeof *sensible; i++) {
		struct account *a = account_new();
		int r;

		if (!a)
			return err_errno(e, -ENOMEM, "account %s", sensible[i].name);
		memcpy(a->name, sensible[i].name, strlen(sensible[i].name) + 1);
		memcpy(a->by, sensible[i].by, sensible[i].by_count * sizeof *a->by);
		a->by_count = sensible[i].by_count;
		r = account_finish(a, e);
		if (r == 0)
			r = config_add_account(c, a, e);
		if (r < 0) {
			account_unref(&a);
			return r;
		}
	}
	return 0;
}

/* "192.0.2.1", "[2001:db8::1]", "" (loopback); the brackets tell an IPv6 address from its port. */
static bool parse_listen_address(char to[static ADDR_TEXT_MAX], const char *text, size_t len)
{
	bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	char copy[ADDR_TEXT_MAX];
	struct addr a;

	if (len == 0) {
		memcpy(to, CONFIG_LISTEN_DEFAULT, sizeof CONFIG_LISTEN_DEFAULT);
		return true;
	}
	if (brackets) {
		text++;
		len -= 2;
	}
	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (addr_parse(&a, copy) < 0 || brackets != (a.family == ADDR_IP6))
		return false;
	addr_format(&a, to);
	return true;
}

int config_listen_parse(struct config_listen *ret, const char *text, struct err *e)
{
	struct config_listen listen = { .on = true };
	const char *colon = strrchr(text, ':'), *digits = colon ? colon + 1 : text;
	size_t count = strspn(digits, "0123456789");
	unsigned long port;

	if (strcmp(text, "off") == 0) {
		*ret = (struct config_listen){ 0 };
		return 0;
	}
	if (count == 0 || digits[count] || count > 9 ||
	    !parse_listen_address(listen.address, text, colon ? (size_t)(colon - text) : 0))
		return err_set(e, -EINVAL, "'%.60s': write ADDRESS:PORT such as 127.0.0.1:9390 or [::1]:9390, or off", text);
	port = strtoul(digits, NULL, 10);
	if (port > 65535)
		return err_set(e, -EINVAL, "'%.60s': a port is 0 (a free one) to 65535", text);
	listen.port = (uint16_t)port;
	*ret = listen;
	return 0;
}

void config_set_defaults(struct config *c)
{
	c->summary_rows = SUMMARY_ROWS_DEFAULT;
	memcpy(c->kernel_pins, KERNEL_PINS_DEFAULT, sizeof KERNEL_PINS_DEFAULT);
	c->kernel_keys = KERNEL_KEYS_DEFAULT;
	names_config_default(&c->names);
	memcpy(c->ledger_path, CONFIG_LEDGER_DEFAULT, sizeof CONFIG_LEDGER_DEFAULT);
	c->web = (struct config_listen){ .on = true, .address = CONFIG_LISTEN_DEFAULT, .port = CONFIG_PORT_DEFAULT };
}

int config_default(struct config **ret, struct err *e)
{
	struct config *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return err_errno(e, -ENOMEM, "configuration");
	config_set_defaults(c);
	c->accounts_default = true;
	r = config_add_default_accounts(c, e);
	if (r == 0)
		r = services_add_well_known(&c->services, e);
	if (r < 0) {
		config_free(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void config_clear_interfaces(struct config *c)
{
	for (size_t i = 0; i < c->interface_count; i++)
		free(c->interfaces[i].filter);
	free(c->interfaces);
	c->interfaces = NULL;
	c->interface_count = 0;
}

void config_free(struct config **pc)
{
	struct config *c = *pc;

	*pc = NULL;
	if (!c)
		return;
	config_clear_interfaces(c);
	for (size_t i = 0; i < c->account_count; i++)
		account_unref(&c->accounts[i]);
	free(c->accounts);
	config_rules_free(c);
	config_free_names(c);
	config_free_routes(c);
	config_free_reports(c);
	config_free_sinks(c);
	prefix_set_free(&c->local);
	services_free(&c->services);
	free(c);
}
