/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status.h -- a snapshot of the daemon as JSON, as a page of text, and as Prometheus metrics.
 * Thread: any. */
#ifndef NETTALLY_OUTPUT_STATUS_H
#define NETTALLY_OUTPUT_STATUS_H

#include "model/snapshot.h"
#include "output/json.h"

#include <stdbool.h>
#include <stdio.h>

void status_json(FILE *to, const struct snapshot *s);
/* The array of `interfaces` alone. */
void interfaces_json(FILE *to, const struct snapshot *s);
/* One page for people (human units); colour where `colour`. */
void status_page(FILE *to, const struct snapshot *s, bool colour);

/* {"interfaces":[{... "explained":[{"direction":"rx","what":..,"bytes":-14}],"unexplained_rx_bytes":0,
 *                 ... "unaccounted_packets":0,"closes":true}],
 *  "accounts":[{"account":..,"rx_packets":..,"tx_packets":.. "closes":true}],"closes":true} */
void audit_json(FILE *to, const struct snapshot *s);
void audit_page(FILE *to, const struct snapshot *s, bool colour);
bool audit_closes(const struct snapshot *s);

/* Members name, from, by, of, every (seconds), bytes of an object that is open. */
void account_definition_json(struct json *j, const struct account *a);

/* The Prometheus text format 0.0.4; `promtool check metrics` finds nothing. */
void metrics_text(FILE *to, const struct snapshot *s);

#endif
