/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bgp_internal.h -- inside bgp*.c: the parser's memory. */
#ifndef NETTALLY_ROUTES_BGP_INTERNAL_H
#define NETTALLY_ROUTES_BGP_INTERNAL_H

#include "routes/bgp.h"

struct path_words {
	uint32_t count, last_head;
	uint32_t words[AS_PATH_WORDS_MAX];
};

struct bgp_parser {
	struct bgp_counters counters;
	struct path_words path, as4_path, merged;
};

#endif
