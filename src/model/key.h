/* SPDX-License-Identifier: GPL-2.0-or-later */
/* key.h -- how a key is laid out in bytes, and how its fields read as text.
 *
 * A key is a run of 64-bit words. Its layout follows from its set of fields alone, widest first:
 *   window                      int64   start, seconds UTC
 *   mac src_mac dst_mac         uint64  0 = unknown, else 1 << 48 | the six bytes as a number
 *   host src_host dst_host      16 bytes (struct addr.bytes) + a hidden family byte, 0 = unknown
 *   origin_as neighbour_as      uint64  0 = unknown, else 1 << 32 | AS number, or 2 << 32 | id of an
 *     transit_as                        AS_SET's text in struct strings
 *   src_port dst_port           uint32  0 = unknown, else 1 << 16 | port
 *   ethertype                   uint32  0 = unknown, else 1 << 16 | type
 *   interface prefix country ...uint32  id in struct strings, 0 = unknown
 *   vlan                        uint16  0 = unknown, else 1 << 12 | VLAN ID
 *   proto                       uint16  0 = unknown, else 1 << 8 | protocol
 *   direction locality          uint8   0 = unknown, enum direction, enum locality
 * Numbers are host order; padding is zero, so that keys compare as words. A field whose bytes are
 * all ones is `other`: the key of what found no room. Thread: any. */
#ifndef NETTALLY_MODEL_KEY_H
#define NETTALLY_MODEL_KEY_H

#include "base/addr.h"
#include "base/strings.h"
#include "model/field.h"

#include <string.h>

#define KEY_WORDS_MAX 24
#define KEY_BYTES_MAX (KEY_WORDS_MAX * 8)
#define KEY_TEXT_MAX 256 /* one field as text, unless it is a string */

enum direction { DIRECTION_UNKNOWN = 0, DIRECTION_INGRESS = 1, DIRECTION_EGRESS = 2 };
enum locality { LOCALITY_UNKNOWN = 0, LOCALITY_LOCAL = 1, LOCALITY_REMOTE = 2 };

struct key_layout {
	uint64_t fields;             /* FIELD_BITs, hidden ones included */
	uint8_t size;                /* bytes, a multiple of 8, at least 8 */
	uint8_t at[FIELD_COUNT];     /* byte offset, for the fields it has */
};

/* Adds the hidden family fields that hosts need. -E2BIG when the key would not fit. */
int key_layout_make(struct key_layout *ret, uint64_t fields, struct err *e);

uint8_t field_width(enum field f); /* bytes in a key */

static inline bool key_has(const struct key_layout *l, enum field f)
{
	return (l->fields & FIELD_BIT(f)) != 0;
}

/* Every field but `window` becomes `other`. */
void key_set_other(const struct key_layout *l, uint8_t *key);
bool key_field_is_other(const struct key_layout *l, const uint8_t *key, enum field f);

void key_get_addr(const struct key_layout *l, const uint8_t *key, enum field host, struct addr *ret);
bool key_get_mac(const struct key_layout *l, const uint8_t *key, enum field mac, uint8_t ret[static 6]);
/* The number of a number field, or -1 where unknown or `other`. Also FIELD_ETHERTYPE. */
int64_t key_get_number(const struct key_layout *l, const uint8_t *key, enum field f);

/* One field as users see it: MAC, address, number, 0x0800, ingress, a string; "-" or "other". The text
 * is `scratch`, or the string itself, which may be of any length. *ret_len may be NULL. */
const char *key_text(const struct key_layout *l, const uint8_t *key, enum field f, const struct strings *strings,
		     char scratch[static KEY_TEXT_MAX], size_t *ret_len);
/* The same into `text`, where strings are cut to what it has room for. Returns the length. */
unsigned key_format(const struct key_layout *l, const uint8_t *key, enum field f,
		    const struct strings *strings, char text[static KEY_TEXT_MAX]);

/* Copies the fields that both layouts have; fields only `to` has stay zero (unknown). */
void key_project(const struct key_layout *to, uint8_t *to_key, const struct key_layout *from,
		 const uint8_t *from_key);

/* The order of rows, by definition: numbers by value, the rest by their text, unknown first. What
 * sorts faster (cli/row_sort) is tested against it. `by` gives the order of the fields. */
int key_compare(const struct key_layout *l, const enum field *by, size_t by_count,
		const struct strings *strings, const uint8_t *a, const uint8_t *b);

#endif
