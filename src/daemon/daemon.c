/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/daemon.h"

#include "base/log.h"
#include "daemon/control.h"
#include "daemon/leftovers.h"
#include "daemon/parts.h"
#include "daemon/pipeline.h"
#include "daemon/privileges.h"
#include "daemon/routes_station.h"
#include "daemon/rule_sockets.h"
#include "web/http.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define STOP_TIMEOUT_S 70 /* with the parts' time below systemd's own 90 s */
#define PARTS_STOP_S 10
#define READY_MOST_NS (10 * NS_PER_S)
#define READY_STEP_NS (NS_PER_S / 50)
#define RELOAD_AGAIN_NS (NS_PER_S / 10)
#define NEVER_NS (INT64_C(100) * 365 * 86400 * NS_PER_S)
#define CONTROL_DIR "/run/nettally"
#define CONTROL_DEFAULT CONTROL_DIR "/control.sock"

struct daemon {
	struct daemon_options *options;
	struct loop *loop;
	struct netlink *netlink;
	struct strings *strings;
	struct snapshot_box *box;
	struct ledger *ledger;        /* until the booker has it */
	char pins[LEFTOVERS_PATH_MAX]; /* "" = unpinned */
	char unpinned_why[256];
	struct prefix_set local;      /* the ledger's: whose addresses a device may be known by */
	struct booker *booker;
	struct pipeline *pipeline;
	struct control *controls[2];  /* the common place, and beside the ledger */
	struct rule_sockets *rule_sockets;
	struct parts *parts;
	struct http *http;
	struct loop_io *links_io;
	int links_fd;
	struct loop_timer *watchdog;
	struct loop_timer *ready;     /* until parts are ready, too */
	int64_t ready_by_ns;
	struct loop_timer *again;     /* a reload that waits for the one before */
	bool interrupted, stopping;
};

static struct config *config_of(struct daemon *d)
{
	return d->pipeline ? pipeline_config(d->pipeline) : d->options->config;
}

static void on_stop(void *arg, int signo)
{
	struct daemon *d = arg;

	d->interrupted = d->interrupted || signo == SIGINT;
	if (d->stopping)
		return;
	d->stopping = true;
	sd_notify(0, "STOPPING=1");
	log_notice("%s: booking everything", signo == SIGINT ? "interrupted" : "told to end");
	/* Ctrl-C ends it all; a service manager's TERM may be a restart, and what is pinned goes on counting. */
	pipeline_finish(d->pipeline, signo == SIGINT);
}

/* Reads the file again; what cannot change while it runs is said. */
static int load_again(struct daemon *d, struct config **ret, struct err *e)
{
	int r = config_load(ret, d->options->config_path, stderr, e);

	if (r < 0)
		return r;
	if (d->options->override) {
		struct err o = { 0 };

		d->options->override(d->options->arg, *ret, &o);
		if (o.code < 0) {
			config_free(ret);
			*e = o;
			return o.code;
		}
	}
	return 0;
}

static bool differs(const char *a, const char *b)
{
	return strcmp(a, b) != 0;
}

static void warn_of_fixed(const struct config *old, const struct config *new)
{
	if (differs(old->ledger_path, new->ledger_path) || old->ledger_max_size_bytes != new->ledger_max_size_bytes)
		log_warning("reload: a change of `ledger` takes effect at the next start");
	if (differs(old->kernel_pins, new->kernel_pins))
		log_warning("reload: a change of `pins` takes effect at the next start");
	if (old->web.on != new->web.on || old->web.port != new->web.port ||
	    differs(old->web.address, new->web.address))
		log_warning("reload: a change of `web` takes effect at the next start");
}

static void notify_reloading(void)
{
	struct timespec now;
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	sd_notify(0, text);
}

static void reload(void *arg)
{
	struct daemon *d = arg;
	struct config *fresh = NULL;
	struct err e = { 0 };

	if (d->stopping)
		return;
	if (pipeline_is_changing(d->pipeline)) { /* one after the other; many signals become one reload */
		loop_set_timer(d->loop, d->again, RELOAD_AGAIN_NS, 0);
		return;
	}
	notify_reloading();
	if (load_again(d, &fresh, &e) == 0) {
		warn_of_fixed(config_of(d), fresh);
		if (rule_sockets_prepare(d->rule_sockets, fresh, &e) < 0 || pipeline_reload(d->pipeline, fresh, &e) < 0) {
			rule_sockets_give_up(d->rule_sockets);
			config_free(&fresh);
		} else {
			rule_sockets_commit(d->rule_sockets);
		}
	}
	if (e.code < 0) {
		log_error("reload refused, the old configuration stays: %s", e.msg);
		pipeline_refuse_reload(d->pipeline, e.msg);
	}
	sd_notify(0, "READY=1");
}

static void on_reload(void *arg, int signo)
{
	struct daemon *d = arg;

	(void)signo;
	if (d->options->config_path)
		reload(d);
	else
		log_notice("SIGHUP: there is no config file to read again");
}

static void on_links(void *arg, uint32_t events)
{
	struct daemon *d = arg;

	(void)events;
	netlink_events_drain(d->links_fd);
	if (!d->stopping)
		pipeline_links_changed(d->pipeline);
}

static void on_watchdog(void *arg)
{
	struct daemon *d = arg;

	if (pipeline_advances(d->pipeline))
		sd_notify(0, "WATCHDOG=1");
	else
		log_error("the capture does not advance: the watchdog is not told that all is well");
}

/* ---- opening, before privileges go ---- */

static int open_ledger(struct daemon *d, struct err *e)
{
	const struct config *c = config_of(d);
	struct ledger_options o = {
		.max_size_bytes = c->ledger_max_size_bytes,
		.strings = d->strings,
		.local = &d->local,
	};
	int r = pipeline_find_local(d->netlink, c, &d->local, e);

	if (r == 0)
		r = ledger_open(&d->ledger, c->ledger_path, &o, e);
	if (r < 0)
		return r;
	return ledger_define(d->ledger, c->accounts, c->account_count, e);
}

static void add_counters(void *arg, struct counters *c)
{
	const struct daemon *d = arg;

	for (size_t i = 0; i < sizeof d->controls / sizeof *d->controls; i++)
		if (d->controls[i])
			c->control_dropped += control_dropped(d->controls[i]);
	c->control_dropped += rule_sockets_dropped(d->rule_sockets);
}

static bool counts_in_kernel(const struct config *c)
{
	for (size_t i = 0; i < c->interface_count; i++)
		if (c->interfaces[i].capture != CAPTURE_SOCKET)
			return true;
	return false;
}

/* Where kernel tables outlive this process. Without such a place they do not; that is no error. */
static void prepare_pins(struct daemon *d)
{
	const struct config *c = config_of(d);
	struct err e = { 0 };
	int r;

	if (!c->kernel_pins[0])
		return;
	r = leftovers_directory(c->kernel_pins, c->ledger_path, d->pins, &e);
	if (r == 0 && counts_in_kernel(c))
		r = kernel_pins_prepare(d->pins, &e);
	if (r == 0)
		return;
	d->pins[0] = '\0';
	snprintf(d->unpinned_why, sizeof d->unpinned_why, "%.*s", (int)sizeof d->unpinned_why - 1, e.msg);
	if (kernel_usable(NULL) == 0)
		log_warning("%s; what is counted in the kernel ends with the daemon, and a crash loses what was not "
			    "booked yet", e.msg);
}

static int open_pipeline(struct daemon *d, struct err *e)
{
	const struct parts_world w = { .loop = d->loop, .strings = d->strings, .netlink = d->netlink, .box = d->box,
				       .ledger = d->ledger };
	int r = parts_open(&d->parts, &w, config_of(d), e);

	if (r < 0)
		return r;
	prepare_pins(d);

	struct pipeline_config pc = {
		.loop = d->loop,
		.clock = clock_system(),
		.netlink = d->netlink,
		.strings = d->strings,
		.box = d->box,
		.config = d->options->config,
		.pins = d->pins[0] ? d->pins : NULL,
		.unpinned_why = d->unpinned_why,
		.add_counters = add_counters,
		.arg = d,
		.parts = d->parts,
	};
	r = pipeline_open(&d->pipeline, &pc, e);
	if (r < 0)
		return r;
	d->options->config = NULL;
	r = parts_join(d->parts, d->pipeline, e);
	if (r < 0)
		return r;
	return d->ledger ? pipeline_load(d->pipeline, d->ledger, e) : 0;
}

static bool ask_parts(void *arg, struct slice line, FILE *to)
{
	const struct daemon *d = arg;

	return parts_ask(d->parts, line, to);
}

/* Beside the ledger always, so that `--ledger FILE` finds its daemon; in the common place where
 * no other daemon is. */
static int open_controls(struct daemon *d, struct err *e)
{
	const struct config *c = config_of(d);
	char beside[sizeof c->ledger_path + 8];
	struct err first = { 0 };
	int r;

	mkdir(CONTROL_DIR, 0755);
	r = control_open(&d->controls[0], d->loop, d->box, c->control_path[0] ? c->control_path : CONTROL_DEFAULT,
			 c->control_group, &first);
	if (r < 0 && c->control_path[0]) {
		*e = first;
		return r; /* this very path was asked for */
	}
	snprintf(beside, sizeof beside, "%s.sock", c->ledger_path);
	if (r < 0)
		log_info("%s; `nettally status --ledger %s` asks this one", first.msg, c->ledger_path);
	if (control_open(&d->controls[1], d->loop, d->box, beside, c->control_group, e) < 0) {
		if (r < 0)
			return e->code;
		log_info("%s", e->msg);
	}
	for (size_t i = 0; i < 2; i++)
		if (d->controls[i])
			control_set_asked(d->controls[i], ask_parts, d);
	return 0;
}

static int open_all(struct daemon *d, struct err *e)
{
	int r = loop_open(&d->loop, e);

	if (r == 0)
		r = netlink_open(&d->netlink, e);
	if (r == 0 && (strings_new(&d->strings) < 0 || snapshot_box_new(&d->box) < 0))
		r = err_set(e, -ENOMEM, "no memory");
	if (r == 0)
		r = open_ledger(d, e);
	if (r == 0)
		r = netlink_events_open(&d->links_fd, e);
	if (r == 0)
		r = open_pipeline(d, e);
	if (r == 0)
		r = open_controls(d, e);
	for (size_t i = 0; r == 0 && i < sizeof d->controls / sizeof *d->controls; i++)
		if (d->controls[i])
			r = control_add_words(d->controls[i], &routes_words, parts_find(d->parts, "routes"));
	if (r == 0)
		r = rule_sockets_open(&d->rule_sockets, d->loop, d->box, e);
	if (r == 0)
		r = rule_sockets_prepare(d->rule_sockets, config_of(d), e);
	if (r == 0)
		rule_sockets_commit(d->rule_sockets);
	return r;
}

static int add_handlers(struct daemon *d, struct err *e)
{
	int r = loop_add_signal(d->loop, SIGTERM, on_stop, d, e);

	signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = loop_add_signal(d->loop, SIGINT, on_stop, d, e);
	if (r == 0)
		r = loop_add_signal(d->loop, SIGHUP, on_reload, d, e);
	if (r == 0)
		r = loop_add_timer(d->loop, &d->again, NEVER_NS, 0, reload, d, e);
	if (r == 0)
		r = loop_add_fd(d->loop, &d->links_io, d->links_fd, EPOLLIN, on_links, d, e);
	return r;
}

/* ---- starting threads, after privileges went ---- */

static int start_web(struct daemon *d, struct err *e)
{
	const struct config *c = config_of(d);
	struct http_config hc = {
		.address = c->web.address, .port = c->web.port, .box = d->box, .ledger_path = c->ledger_path,
	};
	int r;

	if (!c->web.on)
		return 0;
	r = http_open(&d->http, &hc, e);
	if (r == 0)
		pipeline_set_listen(d->pipeline, http_address(d->http));
	return r;
}

static int start_watchdog(struct daemon *d, struct err *e)
{
	uint64_t usec;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return loop_add_timer(d->loop, &d->watchdog, (int64_t)usec * 1000 / 3, (int64_t)usec * 1000 / 3, on_watchdog, d,
			      e);
}

static int start_all(struct daemon *d, struct err *e)
{
	const struct config *c = config_of(d);
	int r = d->pins[0] ? privileges_give_pins(c->user, d->pins, e) : 0;

	if (r == 0)
		r = privileges_drop(c->user, e);

#ifndef __SANITIZE_ADDRESS__ /* the sanitizers' own run-time calls more */
	if (r == 0)
		r = privileges_filter_calls(e);
#endif
	if (r == 0)
		r = booker_start(&d->booker, &d->ledger, c->ledger_path, c->ledger_max_size_bytes, e);
	if (r == 0)
		r = parts_start(d->parts, d->booker, e);
	if (r == 0)
		r = start_web(d, e);
	if (r == 0)
		r = pipeline_start(d->pipeline, d->booker, e);
	if (r == 0)
		r = start_watchdog(d, e);
	return r;
}

static void say_ready(struct daemon *d)
{
	const struct config *c = config_of(d);

	pipeline_say_points(d->pipeline);
	if (d->http)
		log_notice("look at http://%s/ or run: nettally status", http_address(d->http));
	log_notice("ledger: %s", c->ledger_path);
	sd_notify(0, "READY=1");
}

static void on_ready(void *arg)
{
	struct daemon *d = arg;
	struct clock clock = clock_system();

	if (!d->stopping && parts_wait(d->parts) && clock.monotonic_ns(clock.arg) < d->ready_by_ns) {
		loop_set_timer(d->loop, d->ready, READY_STEP_NS, 0);
		return;
	}
	loop_remove_timer(d->loop, &d->ready);
	say_ready(d);
}

/* It counts and serves from now on; that it is ready is said when tables are there that it started to read. */
static int wait_ready(struct daemon *d, struct err *e)
{
	struct clock clock = clock_system();

	d->ready_by_ns = clock.monotonic_ns(clock.arg) + READY_MOST_NS;
	if (parts_wait(d->parts))
		return loop_add_timer(d->loop, &d->ready, READY_STEP_NS, 0, on_ready, d, e);
	say_ready(d);
	return 0;
}

static int close_all(struct daemon *d, struct err *e)
{
	int r = 0;

	http_close(&d->http);
	for (size_t i = 0; i < 2; i++)
		control_close(&d->controls[i]);
	rule_sockets_close(&d->rule_sockets);
	parts_stop(d->parts, PARTS_STOP_S);
	if (d->booker) {
		r = booker_join(d->booker, STOP_TIMEOUT_S, e);
		pipeline_settle(d->pipeline);
		booker_stop(&d->booker, 0, NULL);
	}
	pipeline_close(&d->pipeline);
	parts_close(&d->parts);
	ledger_close(&d->ledger);
	if (d->links_io)
		loop_remove_fd(d->loop, &d->links_io);
	if (d->links_fd >= 0)
		close(d->links_fd);
	netlink_close(&d->netlink);
	loop_close(&d->loop);
	snapshot_box_free(&d->box);
	strings_free(&d->strings);
	prefix_set_free(&d->local);
	config_free(&d->options->config);
	return r;
}

int daemon_run(struct daemon_options *o, struct daemon_ended *ret, struct err *e)
{
	struct daemon d = { .options = o, .links_fd = -1 };
	struct err closing = { 0 };
	int r;

	*ret = (struct daemon_ended){ .started_utc_s = ns_to_s(clock_system().utc_ns(NULL)) };
	memcpy(ret->ledger_path, o->config->ledger_path, sizeof ret->ledger_path);
	r = open_all(&d, e);
	if (r == 0)
		r = add_handlers(&d, e);
	if (r == 0)
		r = start_all(&d, e);
	if (r == 0)
		r = wait_ready(&d, e);
	if (r == 0)
		r = loop_run(d.loop, e);
	ret->interrupted = d.interrupted;
	if (close_all(&d, &closing) < 0 && r == 0) {
		*e = closing;
		r = closing.code;
	}
	return r;
}
