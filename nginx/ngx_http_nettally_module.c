/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ngx_http_nettally_module.c -- tells nettally of what nginx delivered, as TCP itself has counted it.
 *
 * The end of a request is noted with what nginx wrote for it. Once a second, and when the connection closes, the connection's
 * totals are read from the kernel (TCP_INFO); what they grew by since the last reading is divided among the requests noted
 * since, by what was written for each: so the reports of a connection sum to its totals. nginx has closed its descriptor when
 * it tells of a connection's end; a duplicate is kept for the last reading.
 *
 * Bytes are payload of TCP that was sent, each once: headers, TLS and HTTP/2 framing included, what was never sent left
 * out. Only at the end of a healthy connection what TCP still holds is counted as well: it will be sent. */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "reports/nettally-report.h"
#include "tcp_totals.h"

#include <fcntl.h>

#define FLUSH_MS 1000
#define FLUSH_ROUNDS 4 /* after the last request, to say how much there was */
#define TYPE_MAX 32
#define NOTES_MAX 4     /* kinds of requests of a connection between two readings; for one more there is one more reading */
#define SECRET_MAX 4096

/* A daemon that reports go to. */
struct destination {
	ngx_str_t to, key_file, sender;   /* with a NUL behind them */
	u_char secret[SECRET_MAX];
	int secret_len;
	struct nettally_report *report;   /* of this worker */
	unsigned failing:1;
};

struct main_conf {
	ngx_array_t destinations;         /* struct destination * */
	ngx_uint_t on;                    /* somewhere */
	ngx_event_t flush;
	ngx_uint_t rounds;                /* of it that are to come, if nothing new is added */
	ngx_queue_t noted;                /* struct account with notes */
	ngx_connection_t flush_data;      /* that nginx wants with an event */
};

struct srv_conf {
	ngx_uint_t on;                    /* in one of its locations */
};

struct loc_conf {
	ngx_flag_t on;
	struct destination *to;
	ngx_http_complex_value_t *type;
};

/* Requests of one kind since the last reading. */
struct note {
	struct destination *to;           /* NULL = not to be told */
	struct sockaddr_storage client;
	char type[TYPE_MAX + 1];
	uint64_t requests, written, duration_us;
};

/* A connection that had a request. */
struct account {
	ngx_queue_t queue;                /* in main_conf.noted while there are notes */
	ngx_connection_t *c;
	struct main_conf *main;
	int fd;                           /* a duplicate, once there is something to tell; -1 = none, or none was to be had */
	struct tcp_totals told;           /* up to the last reading */
	struct sockaddr *proxied;         /* the address of the proxy protocol; NULL = none */
	unsigned asked:1;                 /* whether there is one */
	unsigned count;
	struct note notes[NOTES_MAX];
	struct note last;                 /* of those before, for what comes after it */
};

extern ngx_module_t ngx_http_nettally_module;

static void add(struct main_conf *m, struct destination *to, const struct nettally_delivery *d)
{
	if (nettally_report_add(to->report, d) < 0 && !to->failing) {
		to->failing = 1;
		ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "nettally: reports to %V are lost (this is said once)", &to->to);
	}
	if (!m->flush.timer_set && !ngx_exiting)
		ngx_add_timer(&m->flush, FLUSH_MS);
}

/* What grew since the last reading. */
static void take_difference(struct tcp_totals *told, const struct tcp_totals *now, struct nettally_delivery *d)
{
	d->bytes = now->bytes > told->bytes ? now->bytes - told->bytes : 0;
	d->packets = now->packets - told->packets;
	d->retransmits = now->retransmits - told->retransmits;
	d->rtt_us = now->rtt_us;
	*told = *now;
}

/* `part` of `whole` parts. */
static uint64_t share(uint64_t of, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((double)of * (double)part / (double)whole) : 0;
}

/* A note's share of what is left in *d, which `written` bytes are for. Whole numbers come out whole: where everything that
 * was written was sent, bytes are what was written. */
static void tell(struct account *a, const struct note *n, uint64_t written, struct nettally_delivery *d)
{
	struct nettally_delivery own = {
		.client = (const struct sockaddr *)&n->client, .server = a->c->local_sockaddr, .type = n->type,
		.bytes = d->bytes == written ? n->written : share(d->bytes, n->written, written),
		.packets = share(d->packets, n->written, written), .retransmits = share(d->retransmits, n->written, written),
		.requests = n->requests, .duration_us = n->duration_us, .rtt_us = d->rtt_us,
	};

	if (written <= n->written) { /* the last one: all the rest */
		own.bytes = d->bytes;
		own.packets = d->packets;
		own.retransmits = d->retransmits;
	}
	d->bytes -= own.bytes;
	d->packets -= own.packets;
	d->retransmits -= own.retransmits;
	if (own.packets < own.retransmits)
		own.packets = own.retransmits; /* a SYN or FIN, that has no payload */
	if (n->to && n->to->report && (own.requests || own.packets))
		add(a->main, n->to, &own);
}

static void settle(struct account *a, const struct tcp_totals *now, uint64_t more)
{
	struct nettally_delivery d = { 0 };
	uint64_t written = 0;

	take_difference(&a->told, now, &d);
	d.bytes += more;
	d.packets += now->mss ? (more + now->mss - 1) / now->mss : more > 0;
	if (a->count == 0) {
		a->last.requests = a->last.written = a->last.duration_us = 0;
		tell(a, &a->last, 0, &d);
		return;
	}
	for (unsigned i = 0; i < a->count; i++)
		written += a->notes[i].written;
	for (unsigned i = 0; i < a->count; i++) {
		uint64_t own = a->notes[i].written;

		tell(a, &a->notes[i], i + 1 < a->count ? written : own, &d);
		written -= own;
	}
	a->last = a->notes[a->count - 1];
	a->count = 0;
	ngx_queue_remove(&a->queue);
}

static void read_and_settle(struct account *a)
{
	struct tcp_totals now;

	if (tcp_totals_read(a->c->fd, &now) == 0)
		settle(a, &now, 0);
}

static void on_flush(ngx_event_t *ev)
{
	struct main_conf *m = ((ngx_connection_t *)ev->data)->data;
	struct destination **to = m->destinations.elts;

	while (!ngx_queue_empty(&m->noted)) {
		struct account *a = ngx_queue_data(ngx_queue_head(&m->noted), struct account, queue);
		struct tcp_totals now = a->told;

		(void)tcp_totals_read(a->c->fd, &now);
		settle(a, &now, 0);
	}
	m->rounds = m->rounds > 0 ? m->rounds - 1 : 0;
	for (ngx_uint_t i = 0; i < m->destinations.nelts; i++) {
		if (!to[i]->report)
			continue;
		if (nettally_report_pending(to[i]->report) > 0)
			m->rounds = FLUSH_ROUNDS;
		(void)nettally_report_flush(to[i]->report);
	}
	if (m->rounds > 0 && !ev->timer_set)
		ngx_add_timer(ev, FLUSH_MS);
}

/* The connection ends: nginx's own descriptor is closed, TCP goes on with what it has when ours is, too. */
static void on_close(void *data)
{
	struct account *a = data;
	struct tcp_totals now = a->told;
	int fd = a->fd;

	if (fd < 0 && a->count == 0)
		return;
	a->fd = -1;
	if (fd < 0 || tcp_totals_read(fd, &now) < 0)
		settle(a, &now, 0); /* no descriptor was left for this: requests at least are told */
	else
		settle(a, &now, now.alive && !a->c->error ? now.unsent : 0);
	if (fd >= 0)
		close(fd);
}

static ngx_connection_t *connection_of(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)
	if (r->stream)
		return r->stream->connection->connection; /* r->connection is the stream's own */
#endif
	return r->connection;
}

static struct account *find_account(ngx_connection_t *c)
{
	for (ngx_pool_cleanup_t *cl = c->pool->cleanup; cl; cl = cl->next)
		if (cl->handler == on_close)
			return cl->data;
	return NULL;
}

/* With the proxy protocol the client's address is in its header, unless the realip module has told another. */
static struct sockaddr *proxied_address(ngx_connection_t *c)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	ngx_addr_t addr;

	if (!c->proxy_protocol || c->proxy_protocol->src_addr.len == 0)
		return NULL;
	if (getpeername(c->fd, (struct sockaddr *)&peer, &len) < 0 ||
	    ngx_cmp_sockaddr((struct sockaddr *)&peer, len, c->sockaddr, c->socklen, 0) != NGX_OK)
		return NULL;
	if (ngx_parse_addr(c->pool, &addr, c->proxy_protocol->src_addr.data, c->proxy_protocol->src_addr.len) != NGX_OK)
		return NULL;
	return addr.sockaddr;
}

static struct account *open_account(ngx_connection_t *c, struct main_conf *m)
{
	ngx_pool_cleanup_t *cl;
	struct account *a;

	if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK)
		return NULL;
	if (c->local_sockaddr->sa_family != AF_INET && c->local_sockaddr->sa_family != AF_INET6)
		return NULL; /* a Unix socket has no segments */
	cl = ngx_pool_cleanup_add(c->pool, sizeof *a);
	if (!cl)
		return NULL;
	a = cl->data;
	ngx_memzero(a, sizeof *a);
	a->c = c;
	a->main = m;
	a->fd = -1;
	cl->handler = on_close;
	return a;
}

/* Whom and what this request is for. */
static void describe(struct note *n, struct account *a, ngx_http_request_t *r, struct loc_conf *conf)
{
	ngx_connection_t *seen = r->connection; /* of a stream: its own, and realip's */
	struct sockaddr *client = seen->sockaddr;
	socklen_t len = seen->socklen;
	ngx_str_t type = ngx_null_string;

	if (!a->asked)
		a->proxied = proxied_address(a->c);
	a->asked = 1;
	if (a->fd < 0)
		a->fd = fcntl(a->c->fd, F_DUPFD_CLOEXEC, 0);
	if (a->proxied) {
		client = a->proxied;
		len = client->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	}
	ngx_memcpy(&n->client, client, ngx_min((size_t)len, sizeof n->client));
	if (conf->type && ngx_http_complex_value(r, conf->type, &type) != NGX_OK)
		type.len = 0;
	type.len = ngx_min(type.len, TYPE_MAX);
	ngx_memcpy(n->type, type.data, type.len);
	n->to = conf->to;
}

/* One of the same kind; NULL = there is none, and no room. */
static struct note *find_note(struct account *a, const struct note *wanted)
{
	for (unsigned i = 0; i < a->count; i++)
		if (ngx_memcmp(&a->notes[i], wanted, offsetof(struct note, requests)) == 0)
			return &a->notes[i];
	if (a->count == NOTES_MAX)
		return NULL;
	if (a->count == 0) {
		ngx_queue_insert_tail(&a->main->noted, &a->queue);
	}
	a->notes[a->count] = *wanted;
	return &a->notes[a->count++];
}

static uint64_t duration_us(const ngx_http_request_t *r)
{
	ngx_time_t *now = ngx_timeofday();
	ngx_msec_int_t ms = (ngx_msec_int_t)((now->sec - r->start_sec) * 1000 + (now->msec - r->start_msec));

	return ms > 0 ? (uint64_t)ms * 1000 : 0;
}

static ngx_int_t on_log(ngx_http_request_t *r)
{
	struct main_conf *m = ngx_http_get_module_main_conf(r, ngx_http_nettally_module);
	struct srv_conf *srv = ngx_http_get_module_srv_conf(r, ngx_http_nettally_module);
	struct loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_nettally_module);
	ngx_connection_t *c = connection_of(r);
	struct note wanted, *n;
	struct account *a;

	if (r != r->main)
		return NGX_OK;
	a = find_account(c);
	if (!a && srv->on)
		a = open_account(c, m);
	if (!a)
		return NGX_OK;
	ngx_memzero(&wanted, sizeof wanted);
	if (conf->on && conf->to->report)
		describe(&wanted, a, r, conf); /* else it takes its share of the connection's, which is not told */
	n = find_note(a, &wanted);
	if (!n) {
		read_and_settle(a);
		n = find_note(a, &wanted);
	}
	if (!n)
		return NGX_OK;
	n->requests++;
	n->written += (uint64_t)(r->connection->sent > 0 ? r->connection->sent : 0);
	n->duration_us += duration_us(r);
	if (!m->flush.timer_set && !ngx_exiting)
		ngx_add_timer(&m->flush, FLUSH_MS);
	return NGX_OK;
}

static ngx_int_t open_reports(ngx_cycle_t *cycle)
{
	struct main_conf *m = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_nettally_module);
	struct destination **to;
	char why[256];

	if (!m || !m->on || (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE))
		return NGX_OK;
	m->flush_data.fd = (ngx_socket_t)-1;
	m->flush_data.data = m;
	m->flush.handler = on_flush;
	m->flush.data = &m->flush_data;
	m->flush.log = cycle->log;
	m->flush.cancelable = 1; /* a worker that ends does not wait for it */
	ngx_queue_init(&m->noted);
	to = m->destinations.elts;
	for (ngx_uint_t i = 0; i < m->destinations.nelts; i++) {
		struct nettally_report_options o = {
			.to = (char *)to[i]->to.data, .secret = to[i]->secret, .secret_len = (size_t)to[i]->secret_len,
			.sender = to[i]->sender.len ? (char *)to[i]->sender.data : NULL,
		};

		if (nettally_report_open(&to[i]->report, &o, why, sizeof why) < 0)
			ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "nettally: nothing is reported: %s", why);
	}
	return NGX_OK;
}

/* Connections that are still open count up to now. */
static void close_reports(ngx_cycle_t *cycle)
{
	struct main_conf *m = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_nettally_module);
	struct destination **to;

	if (!m || !m->on)
		return;
	for (ngx_uint_t i = 0; i < cycle->connection_n; i++) {
		ngx_connection_t *c = &cycle->connections[i];
		struct account *a;

		if (c->fd == (ngx_socket_t)-1 || !c->read || c->read->accept || c->read->channel || !c->pool)
			continue;
		a = find_account(c);
		if (a)
			on_close(a);
	}
	to = m->destinations.elts;
	for (ngx_uint_t i = 0; i < m->destinations.nelts; i++)
		nettally_report_close(&to[i]->report);
}

static ngx_int_t add_log_handler(ngx_conf_t *cf)
{
	struct main_conf *m = ngx_http_conf_get_module_main_conf(cf, ngx_http_nettally_module);
	ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
	ngx_http_handler_pt *handler;

	if (!m->on)
		return NGX_OK; /* no directive, no cost */
	handler = ngx_array_push(&core->phases[NGX_HTTP_LOG_PHASE].handlers);
	if (!handler)
		return NGX_ERROR;
	*handler = on_log;
	return NGX_OK;
}

static void *create_main_conf(ngx_conf_t *cf)
{
	struct main_conf *m = ngx_pcalloc(cf->pool, sizeof *m);

	if (!m || ngx_array_init(&m->destinations, cf->pool, 2, sizeof(struct destination *)) != NGX_OK)
		return NULL;
	return m;
}

static void *create_srv_conf(ngx_conf_t *cf)
{
	return ngx_pcalloc(cf->pool, sizeof(struct srv_conf));
}

static void *create_loc_conf(ngx_conf_t *cf)
{
	struct loc_conf *conf = ngx_pcalloc(cf->pool, sizeof *conf);

	if (!conf)
		return NULL;
	conf->on = NGX_CONF_UNSET;
	conf->to = NGX_CONF_UNSET_PTR;
	conf->type = NGX_CONF_UNSET_PTR;
	return conf;
}

static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
	struct main_conf *m = ngx_http_conf_get_module_main_conf(cf, ngx_http_nettally_module);
	struct loc_conf *prev = parent, *conf = child;

	ngx_conf_merge_value(conf->on, prev->on, 0);
	ngx_conf_merge_ptr_value(conf->to, prev->to, NULL);
	ngx_conf_merge_ptr_value(conf->type, prev->type, NULL);
	if (!conf->on)
		return NGX_CONF_OK;
	if (!conf->to) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
				   "\"nettally on\" needs to know where to: nettally_server ADDRESS:PORT key=FILE;");
		return NGX_CONF_ERROR;
	}
	m->on = 1;
	((struct srv_conf *)ngx_http_conf_get_module_srv_conf(cf, ngx_http_nettally_module))->on = 1;
	return NGX_CONF_OK;
}

/* The same server with the same key and sender is one. */
static struct destination *find_destination(struct main_conf *m, const struct destination *wanted)
{
	struct destination **to = m->destinations.elts;

	for (ngx_uint_t i = 0; i < m->destinations.nelts; i++)
		if (ngx_strcmp(to[i]->to.data, wanted->to.data) == 0 &&
		    ngx_strcmp(to[i]->key_file.data, wanted->key_file.data) == 0 &&
		    ngx_strcmp(to[i]->sender.data, wanted->sender.data) == 0)
			return to[i];
	return NULL;
}

/* The key is read here, where nginx may still be root, and everything is tried out, so that a mistake is one of the
 * configuration. */
static char *read_and_try(ngx_conf_t *cf, struct destination *d)
{
	struct nettally_report_options o = {
		.to = (char *)d->to.data, .secret = d->secret, .sender = d->sender.len ? (char *)d->sender.data : NULL,
	};
	struct nettally_report *report = NULL;
	char why[256];

	d->secret_len = nettally_report_read_key((char *)d->key_file.data, d->secret, sizeof d->secret);
	if (d->secret_len < 0) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, -d->secret_len, "nettally_server: key %V", &d->key_file);
		return NGX_CONF_ERROR;
	}
	o.secret_len = (size_t)d->secret_len;
	if (nettally_report_open(&report, &o, why, sizeof why) < 0) {
		ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "nettally_server: %s", why);
		return NGX_CONF_ERROR;
	}
	nettally_report_close(&report);
	return NGX_CONF_OK;
}

static char *set_server(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
	struct main_conf *m = ngx_http_conf_get_module_main_conf(cf, ngx_http_nettally_module);
	struct destination *d = ngx_pcalloc(cf->pool, sizeof *d), **to;
	struct loc_conf *conf = data;
	ngx_str_t *value = cf->args->elts;

	(void)cmd;
	if (conf->to != NGX_CONF_UNSET_PTR)
		return "is duplicate";
	if (!d)
		return NGX_CONF_ERROR;
	d->to = value[1];
	d->sender.data = (u_char *)"";
	for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
		ngx_str_t *into = ngx_strncmp(value[i].data, "key=", 4) == 0    ? &d->key_file :
				  ngx_strncmp(value[i].data, "sender=", 7) == 0 ? &d->sender : NULL;

		if (!into) {
			ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "nettally_server: \"%V\": write key=FILE or sender=NAME",
					   &value[i]);
			return NGX_CONF_ERROR;
		}
		into->data = (u_char *)ngx_strchr(value[i].data, '=') + 1;
		into->len = ngx_strlen(into->data);
	}
	if (d->key_file.len == 0)
		return "needs key=FILE, with the secret that the daemon has";
	if (ngx_conf_full_name(cf->cycle, &d->key_file, 1) != NGX_OK)
		return NGX_CONF_ERROR;
	conf->to = find_destination(m, d);
	if (conf->to)
		return NGX_CONF_OK;
	to = ngx_array_push(&m->destinations);
	if (!to)
		return NGX_CONF_ERROR;
	*to = conf->to = d;
	return read_and_try(cf, d);
}

#define ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)

static ngx_command_t commands[] = {
	{ ngx_string("nettally"), ANYWHERE | NGX_HTTP_LIF_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET,
	  offsetof(struct loc_conf, on), NULL },
	{ ngx_string("nettally_server"), ANYWHERE | NGX_CONF_TAKE23, set_server, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },
	{ ngx_string("nettally_type"), ANYWHERE | NGX_HTTP_LIF_CONF | NGX_CONF_TAKE1, ngx_http_set_complex_value_slot,
	  NGX_HTTP_LOC_CONF_OFFSET, offsetof(struct loc_conf, type), NULL },
	ngx_null_command,
};

static ngx_http_module_t module_context = {
	.postconfiguration = add_log_handler,
	.create_main_conf = create_main_conf,
	.create_srv_conf = create_srv_conf,
	.create_loc_conf = create_loc_conf,
	.merge_loc_conf = merge_loc_conf,
};

ngx_module_t ngx_http_nettally_module = {
	NGX_MODULE_V1,
	&module_context,
	commands,
	NGX_HTTP_MODULE,
	NULL,          /* master */
	NULL,          /* module */
	open_reports,  /* process */
	NULL,          /* thread */
	NULL,
	close_reports, /* process */
	NULL,          /* master */
	NGX_MODULE_V1_PADDING,
};
