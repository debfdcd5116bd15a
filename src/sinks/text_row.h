/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_row.h -- a row as a JSON object, as its key alone, or as a line of CSV. Times are RFC 3339 UTC, an address that is not
 * known is null (in CSV empty). Thread: any. */
#ifndef NETTALLY_SINKS_TEXT_ROW_H
#define NETTALLY_SINKS_TEXT_ROW_H

#include "sinks/bytes.h"
#include "sinks/sink.h"

/* {"table":"hosts","window":"...","host":"192.0.2.1","rx_packets":1}; no line end. `with_table` puts the table first. */
void text_row_json(struct bytes *to, const struct sink_row *row, bool with_table);
/* ["hosts","2026-11-22T00:46:00Z","192.0.2.1"]: what names the row, the same whenever it is sent. */
void text_row_key(struct bytes *to, const struct sink_row *row);
void text_row_csv(struct bytes *to, const struct sink_row *row); /* with the line end */
void text_row_csv_header(struct bytes *to, const struct columns *c);

#endif
