/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reading.h -- a sink's batches: windows that changed behind its cursor, and their records as cells of its columns.
 *
 * Memory is that of one page of records, however large a window is. Thread: the sink's. */
#ifndef NETTALLY_SINKS_READING_H
#define NETTALLY_SINKS_READING_H

#include "ledger/windows.h"
#include "sinks/sink.h"

struct reading;

int reading_open(struct reading **ret, const struct sink_config *cf, const char *ledger_path, struct err *e);
void reading_close(struct reading **r); /* accepts NULL */
struct windows *reading_windows(struct reading *r);

/* The next batch behind `after`: about batch_records of records, whole windows. 1 = *ret is one, borrowed until the next call;
 * 0 = nothing is new, and *ret is an empty batch whose cursor tells how far that holds. */
int reading_next(struct reading *r, struct sink_cursor after, struct sink_batch **ret, struct err *e);
/* What was set aside and is to be tried again. The same answers. */
int reading_rejected(struct reading *r, struct sink_cursor at, struct sink_batch **ret, struct err *e);
/* The i-th window of the batch alone, as a batch whose cursor is right behind it; the batch itself stays. */
struct sink_batch *reading_one(struct reading *r, size_t i);

/* The window of the ledger behind a window of the last batch; NULL: devices. */
const struct window_change *reading_change(const struct reading *r, const struct sink_window *w);
/* When the oldest window of the last batch was over; INT64_MAX = the batch is empty. */
int64_t reading_oldest_utc_s(const struct reading *r);
/* A window expired while it was read: nothing is wrong with the target. */
bool reading_is_stale(const struct reading *r);

#endif
