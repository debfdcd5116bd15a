/* SPDX-License-Identifier: GPL-2.0-or-later */
/* health.c -- /healthz: does the counting loop advance? /readyz: is there something to read, and
 * is it being booked? /metrics for Prometheus. */
#include "base/clock.h"
#include "output/status.h"
#include "web/routes.h"

#include <inttypes.h>

#define LATE_TICKS 3
#define LATE_S 5

int health_healthz(struct reply *ret, const struct request *r)
{
	struct snapshot *s = snapshot_box_get(r->site->box);
	int64_t age_s = s ? ns_to_s(clock_system().utc_ns(NULL)) - s->taken_utc_s : 0;
	bool late = s && age_s > LATE_TICKS * (int64_t)s->tick_s + LATE_S;
	char text[128];

	if (!s)
		return reply_text(ret, 503, "starting: nothing was counted yet\n");
	snapshot_unref(&s);
	if (!late)
		return reply_text(ret, 200, "ok\n");
	snprintf(text, sizeof text, "stuck: the last tick was %" PRId64 " s ago\n", age_s);
	return reply_text(ret, 503, text);
}

int health_readyz(struct reply *ret, const struct request *r)
{
	struct snapshot *s = snapshot_box_get(r->site->box);
	char text[512];
	int status = 200;

	if (!s)
		return reply_text(ret, 503, "starting: nothing was counted yet\n");
	snprintf(text, sizeof text, "ok\n");
	if (s->ledger.state == LEDGER_FAILING) {
		status = 503;
		snprintf(text, sizeof text, "the ledger cannot be written: %s\n", s->ledger.problem);
	}
	snapshot_unref(&s);
	return reply_text(ret, (unsigned)status, text);
}

int health_metrics(struct reply *ret, const struct request *r)
{
	struct snapshot *s = snapshot_box_get(r->site->box);
	int rc;

	if (!s)
		return reply_text(ret, 503, "starting: nothing was counted yet\n");
	rc = reply_written(ret, "text/plain; version=0.0.4; charset=utf-8", metrics_text, s);
	snapshot_unref(&s);
	return rc;
}
