/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys.h -- the secrets that senders sign with: several are valid at once, so that they can be exchanged while senders go on.
 *
 * Made from files by the config's loader, then given whole to the listener's thread, which alone calls keys_find() and
 * keys_verify() (they use the contexts in it). A datagram names its secret by an id that is derived from it, so no
 * name has to agree. */
#ifndef NETTALLY_REPORTS_KEYS_H
#define NETTALLY_REPORTS_KEYS_H

#include "base/err.h"
#include "reports/layout.h"
#include "reports/trafstat.h"

#define KEYS_MAX 256
#define KEY_NAME_MAX 48
#define KEY_SECRET_LEAST 16   /* bytes; shorter ones are taken with a word of warning */
#define KEY_SECRET_MAX 4096

struct keys;

struct key_secret {
	size_t len;
	uint8_t bytes[KEY_SECRET_MAX];
};

/* The bytes of the file without blanks and line ends behind them. */
int key_secret_read(struct key_secret *ret, const char *path, struct err *e);
void key_secret_forget(struct key_secret *s);

int keys_new(struct keys **ret, struct err *e);
/* Several secrets may have the same name. The same secret twice is no mistake. */
int keys_add(struct keys *k, const char *name, struct slice secret, struct err *e);
int keys_set_trafstat(struct keys *k, struct slice secret, struct err *e);
void keys_free(struct keys **k);

/* The index of the key with this id, -ENOENT. */
int keys_find(const struct keys *k, const uint8_t id[static LAYOUT_KEY_ID]);
const char *keys_name(const struct keys *k, unsigned index);
bool keys_verify(struct keys *k, unsigned index, struct slice signed_part, const uint8_t signature[static LAYOUT_SIGNATURE]);
/* NULL: the old protocol is not spoken. */
struct trafstat *keys_trafstat(struct keys *k);
unsigned keys_count(const struct keys *k);

#endif
