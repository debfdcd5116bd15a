/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oui.h -- who a MAC address is assigned to, by the IEEE's lists as Debian's ieee-data has them: blocks of 24, 28 and 36
 * bits, of which the longest that fits counts. Read once, then read-only. Thread: any, once read. */
#ifndef NETTALLY_NAMES_OUI_H
#define NETTALLY_NAMES_OUI_H

#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define OUI_MAX (1u << 20) /* blocks; the IEEE's lists have 40,000 */

struct oui;

/* `path` is a file, or a folder with oui.txt, mam.txt, oui36.txt, iab.txt, as many as there are. */
int oui_read(struct oui **ret, const char *path, struct err *e);
void oui_free(struct oui **o);

/* The organisation, printable UTF-8; NULL: none in the lists. `mac` is the key form. */
const char *oui_find(const struct oui *o, uint64_t mac);
size_t oui_count(const struct oui *o);

/* One file's text; then oui_sort(). For the tests and the fuzzer. */
struct oui *oui_new(void);
int oui_parse(struct oui *o, struct slice text);
void oui_sort(struct oui *o);

#endif
