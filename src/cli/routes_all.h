/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_all.h -- `nettally routes dump --all`: what an MRT file tells, row by row, without a table. */
#ifndef NETTALLY_CLI_ROUTES_ALL_H
#define NETTALLY_CLI_ROUTES_ALL_H

#include "output/output.h"

/* Warnings go to standard error. 0, or negative with a sentence. */
int routes_all_print(const char *path, struct output *out, struct err *e);

#endif
