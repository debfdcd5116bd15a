/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h -- the configuration file (libConfuse syntax, nettally.conf(5)) as one checked
 * object.
 *
 * Everything is checked at load: unknown keys, duplicate names, references to nothing,
 * overlapping services, unreadable files. Each mistake is a line "FILE:LINE: message"; all are
 * found in one run, and none of the new configuration is used. Thread: the loader's; read-only
 * afterwards. */
#ifndef NETTALLY_DAEMON_CONFIG_H
#define NETTALLY_DAEMON_CONFIG_H

#include "base/err.h"
#include "base/prefix.h"
#include "model/account.h"
#include "model/interface_books.h"
#include "model/service.h"
#include "names/names.h"
#include "routes/routes_config.h"
#include "rules/rule_file.h"
#include "sinks/engine.h"

#include <stdbool.h>
#include <stdio.h>

enum capture { CAPTURE_AUTO, CAPTURE_KERNEL, CAPTURE_XDP, CAPTURE_SOCKET };

struct config_interface {
	char name[INTERFACE_NAME_MAX];
	enum capture capture;
	bool mirror;            /* a SPAN port: promiscuous, for counting only */
	bool promiscuous;
	uint32_t rings;         /* packet-socket rings and threads, 1..64 */
	uint32_t ring_bytes;    /* of each, 0 = default */
	uint32_t snap_len;      /* 0 = default */
	char *filter;           /* pcap expression, NULL = all */
};

/* What an account by rule counts, and where it tells it. */
struct config_rules {
	struct account *account;  /* borrowed from the config's accounts */
	struct rule_file *file;   /* checked; its expressions are for no interface: config_rules_for() */
	char socket[108];         /* "" = none */
	char socket_group[33];    /* "" = none */
};

struct config_listen {
	bool on;
	char address[ADDR_TEXT_MAX];
	uint16_t port;          /* 0 = a free one */
};

struct config_reports; /* config_reports.h */

struct config {
	char path[256];                     /* "" = made from the command line */
	struct config_interface *interfaces;
	size_t interface_count;
	struct account **accounts;
	size_t account_count;
	struct config_rules *rules;         /* of the accounts that are by rule, in their order */
	size_t rules_count;
	bool accounts_default;              /* none were written: the sensible ones */
	struct prefix_set local;            /* empty = the interfaces' own networks, found at start */
	struct services services;
	struct sink_set *sinks;             /* NULL = made without a file: none */
	struct names_config names;          /* its `given` is the config's */
	struct config_reports *reports;     /* NULL = nobody listens for them */
	struct routes_config routes;        /* sections routes, bmp, geo */
	char kernel_pins[256];              /* directory in a bpffs; "" = unpinned: counting ends with the daemon */
	uint64_t kernel_keys;               /* per CPU, that a kernel table grows to */
	uint32_t summary_every_s;           /* lines in the log, 0 = none */
	uint32_t summary_rows;              /* keys of an account in them */
	char ledger_path[256];
	uint64_t ledger_max_size_bytes;     /* 0 = no limit */
	struct config_listen web;
	char control_path[108];             /* "" = /run/nettally/control.sock and LEDGER.sock */
	char control_group[33];             /* "" = none */
	char user[33];                      /* run as, "" = stay */
};

#define CONFIG_LEDGER_DEFAULT "/var/lib/nettally/ledger.db"
#define CONFIG_KERNEL_KEYS_MIN 1024u
#define CONFIG_KERNEL_KEYS_MAX (64u << 20)
#define CONFIG_LISTEN_DEFAULT "127.0.0.1"
#define CONFIG_PORT_DEFAULT 9390

/* All mistakes go to `problems` as "FILE:LINE: message" lines; returns -EINVAL after any, *e has
 * the first. */
int config_load(struct config **ret, const char *path, FILE *problems, struct err *e);
/* Without a file: default accounts, no interface, default ledger and web server. */
int config_default(struct config **ret, struct err *e);
/* The sensible accounts: devices (mac), hosts (host), services (service), protocols (ethertype,
 * proto). */
int config_add_default_accounts(struct config *c, struct err *e);
int config_add_interface(struct config *c, const char *name, struct err *e);
void config_clear_interfaces(struct config *c); /* the command line names others */
/* "127.0.0.1:9390", "[::1]:9390", ":9390" (loopback), "9390", "off". */
int config_listen_parse(struct config_listen *ret, const char *text, struct err *e);
/* The same rules with this interface's MAC address for $MAC; NULL: it has none (zeros). */
int config_rules_for(const struct config_rules *r, const uint8_t mac[6], struct rule_file **ret, struct err *e);
/* Gives the accounts by rule the ids of their rules, and room for all of them; as often as wanted. */
int config_rules_intern(struct config *c, struct strings *strings, struct err *e);
void config_free(struct config **c);

#endif
