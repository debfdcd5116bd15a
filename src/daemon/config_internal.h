/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_internal.h -- what the files of the config share: the loader's state, and the readers
 * of single values. */
#ifndef NETTALLY_DAEMON_CONFIG_INTERNAL_H
#define NETTALLY_DAEMON_CONFIG_INTERNAL_H

#include "daemon/config.h"
#include "daemon/config_parse.h"

#define CONFIG_INTERFACES_MAX 64
#define CONFIG_ACCOUNTS_MAX 256

struct config_loader {
	const char *path;
	struct config *c;
	const struct config_text *text;
	struct config_problems p;
	struct rule_mistakes mistakes; /* of all rule files, as FILE:LINE: lines */
};

struct config_word {
	const char *word;
	int value;
};

/* Each leaves *ret alone where the key is missing or wrong; wrong is a problem. */
void config_read_word(struct config_loader *l, cfg_t *s, const char *key, const struct config_word *words, int *ret);
void config_read_bool(struct config_loader *l, cfg_t *s, const char *key, bool *ret);
void config_read_number(struct config_loader *l, cfg_t *s, const char *key, uint32_t most, uint32_t *ret); /* 1..most */
void config_read_text(struct config_loader *l, cfg_t *s, const char *key, char *ret, size_t size);
void config_read_size(struct config_loader *l, cfg_t *s, const char *key, uint64_t least, uint64_t most, uint64_t *ret);

/* config_account.c; `st` is where the section stands. */
void config_load_account(struct config_loader *l, cfg_t *s, const struct config_statement *st);

/* A user's or group's name. */
void config_read_owner(struct config_loader *l, cfg_t *s, const char *key, char ret[static 33]);

/* config_rules.c: `rules`, `socket` and `socket_group` of an account. */
bool config_load_rules(struct config_loader *l, cfg_t *s, const struct account *a, unsigned line, struct config_rules *ret);
/* Takes what `r` has; `a` is in the config already. */
int config_add_rules(struct config *c, struct account *a, struct config_rules *r, struct err *e);
void config_rules_free(struct config *c);

/* The sections of other rooms, one file each: names; routes, bmp, geo; reports; sinks. After the accounts. */
void config_load_names(struct config_loader *l, cfg_t *top);
void config_free_names(struct config *c);
void config_load_routes(struct config_loader *l, cfg_t *top);
void config_free_routes(struct config *c);
void config_load_reports(struct config_loader *l, cfg_t *top);
void config_free_reports(struct config *c);
void config_load_sinks(struct config_loader *l, cfg_t *top);
void config_finish_sinks(struct config_loader *l); /* once the default accounts are there */
void config_free_sinks(struct config *c);

/* config.c: what holds where nothing is written. */
void config_set_defaults(struct config *c);
/* An interface with its defaults, or NULL and the reason. */
struct config_interface *config_new_interface(struct config *c, const char *name, struct err *e);
int config_add_account(struct config *c, struct account *a, struct err *e); /* takes the reference on success */

/* As config_load(), from memory; the path is "-". For the tests and the fuzzer. */
int config_load_bytes(struct config **ret, const char *bytes, size_t len, FILE *problems, struct err *e);

#endif
