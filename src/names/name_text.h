/* SPDX-License-Identifier: GPL-2.0-or-later */
/* name_text.h -- foreign bytes as a name that is safe in any output.
 *
 * The rule, for DNS, leases and hosts files: letters (as lower case, RFC 4343), digits and -_.:/+*~ stay; every other byte
 * becomes \DDD, the escape of RFC 1035 5.1. So a name is printable ASCII without blanks, quotes and markup, of at most 255
 * characters; longer ones are cut between escapes. Names of the config are for people: any printable UTF-8. Thread: any. */
#ifndef NETTALLY_NAMES_NAME_TEXT_H
#define NETTALLY_NAMES_NAME_TEXT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

#define NAME_TEXT_MAX 256

struct name_text {
	char at[NAME_TEXT_MAX];
	unsigned used;
	bool cut;              /* what did not fit is left out, from there to the end */
};

void name_text_start(struct name_text *t);
void name_text_byte(struct name_text *t, uint8_t byte); /* of a label: a dot in it is escaped */
void name_text_dot(struct name_text *t);                /* between labels */
void name_text_end(struct name_text *t);                /* "-" and "other", which say something else, are escaped */

/* A host name as a file has it, dots between labels; one at the end goes. False: there is none. */
bool name_text_of(struct name_text *t, struct slice s);

/* A name that the config gives: 1 to 63 bytes of UTF-8 without control characters. */
int name_text_check(const char *name, struct err *e);

/* Helpers of the readers of files. */
struct slice slice_line(struct slice *rest);       /* takes one line, without its end; an empty slice at the end, too */
struct slice slice_word(struct slice *rest);       /* takes blanks and a word; empty: there is none */
bool slice_is(struct slice s, const char *text);
bool slice_text(struct slice s, char *ret, size_t size); /* with a 0; false where it does not fit or holds one */
bool slice_number(struct slice s, int64_t *ret);   /* decimal, whole, up to 2^53 */
uint64_t mac_key_of(const uint8_t mac[static 6]);  /* key form (model/key.h) */

#endif
