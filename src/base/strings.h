/* SPDX-License-Identifier: GPL-2.0-or-later */
/* strings.h -- interned strings: interface names, services, rules, names.
 *
 * Keys hold a 32-bit id instead of text. Ids start at 1; 0 stands for "nothing known" and reads
 * as "-". Append-only: a string, once added, stays where it is until strings_free(), so a reader
 * thread that got an id through a hand-over may call strings_at() while others add more.
 * Thread: any (adding takes a lock; reading does not). Limit: STRINGS_MAX; then strings_add()
 * gives 0. */
#ifndef NETTALLY_BASE_STRINGS_H
#define NETTALLY_BASE_STRINGS_H

#include <stdint.h>

#define STRINGS_MAX (1u << 22)

struct strings;

int strings_new(struct strings **ret);              /* 0 or -ENOMEM */
uint32_t strings_add(struct strings *s, const char *text); /* the id, old or new; 0 = no room */
const char *strings_at(const struct strings *s, uint32_t id); /* never NULL */
void strings_free(struct strings **s);

#endif
