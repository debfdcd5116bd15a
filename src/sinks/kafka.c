/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kafka by librdkafka: a message for each record, JSON, its key what names the record. The producer is idempotent, so that its
 * own repeats are recognised by the brokers; a window that is sent again later has the same keys. */
#include "sinks/sink.h"
#include "sinks/text_row.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 100
#define METADATA_MS 5000

struct kafka {
	rd_kafka_t *rk;
	const struct sink_config *cf;
	struct sink_context cx;
	struct bytes key, value;
	rd_kafka_resp_err_t failed; /* of the first message that was not delivered, in this write */
	char why[256];              /* what librdkafka said last */
};

static const struct sink_option options[] = {
	{ "brokers", SINK_TEXT, NULL, "HOST:PORT, several with commas between", true },
	{ "topic", SINK_TEXT, NULL, "one topic for all tables (default: each table is one)", false },
	{ "tls", SINK_BOOL, "no", "yes: TLS, verified", false },
	{ "ca_file", SINK_FILE, NULL, "certificates to trust instead of the system's", false },
	{ "insecure", SINK_BOOL, "no", "yes: any certificate will do", false },
	{ "user", SINK_TEXT, NULL, "user of SASL authentication", false },
	{ "password", SINK_SECRET, NULL, "its password, from a file or the environment", false },
	{ "mechanism", SINK_TEXT, "SCRAM-SHA-512", "of SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", false },
	{ "compression", SINK_TEXT, "lz4", "none, gzip, snappy, lz4 or zstd", false },
	{ 0 },
};

/* ---- the config ---- */

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* Letters, digits, '.', '_' and '-': what the brokers allow. */
static bool is_topic(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name) &&
			strlen(name) < 250;
}

static int kafka_check(const struct sink_config *cf, unsigned *ret_line, struct err *e)
{
	static const char *const mechanisms[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL };
	static const char *const codecs[] = { "none", "gzip", "snappy", "lz4", "zstd", NULL };

	if (!is_one_of(sink_text(cf, "mechanism"), mechanisms))
		return err_set(e, -EINVAL, "mechanism = %.40s: write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", sink_text(cf,
				"mechanism"));
	if (!is_one_of(sink_text(cf, "compression"), codecs))
		return err_set(e, -EINVAL, "compression = %.40s: write none, gzip, snappy, lz4 or zstd", sink_text(cf,
				"compression"));
	if (!sink_text(cf, "user") != !sink_text(cf, "password"))
		return err_set(e, -EINVAL, "user and password belong together: write user and password_file (or password_env)");
	if (sink_text(cf, "topic") && !is_topic(sink_text(cf, "topic")))
		return err_set(e, -EINVAL, "topic = %.60s: letters, digits, '.', '_' and '-' make a topic", sink_text(cf,
				"topic"));
	for (size_t i = 0; i < cf->table_count && !sink_text(cf, "topic"); i++)
		if (!is_topic(cf->tables[i].name)) {
			*ret_line = cf->tables[i].line;
			return err_set(e, -EINVAL, "table %s: letters, digits, '.', '_' and '-' make a topic",
					cf->tables[i].name);
		}
	return 0;
}

/* ---- the producer ---- */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
	struct kafka *s = arg;

	(void)rk;
	if (m->err && !s->failed)
		s->failed = m->err;
}

static void on_error(rd_kafka_t *rk, int code, const char *why, void *arg)
{
	struct kafka *s = arg;

	(void)rk;
	(void)code;
	snprintf(s->why, sizeof s->why, "%s", why);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk; /* what matters comes as an error; a sink never logs */
	(void)level;
	(void)facility;
	(void)text;
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *e)
{
	char why[200];

	if (!value || rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
		return 0;
	return err_set(e, -EINVAL, "librdkafka refuses %s", strstr(name, "password") ? name : why);
}

static int configure(struct kafka *s, rd_kafka_conf_t *conf, struct err *e)
{
	const struct sink_config *cf = s->cf;
	bool tls = sink_number(cf, "tls"), sasl = sink_text(cf, "user");
	char timeout_ms[24];
	const char *const all[][2] = {
		{ "bootstrap.servers", sink_text(cf, "brokers") },
		{ "client.id", "nettally" },
		{ "enable.idempotence", "true" },
		{ "linger.ms", "5" },
		{ "compression.codec", sink_text(cf, "compression") },
		{ "message.timeout.ms", timeout_ms },
		{ "queue.buffering.max.messages", "100000" },
		{ "security.protocol", tls ? sasl ? "SASL_SSL" : "SSL" : sasl ? "SASL_PLAINTEXT" : "PLAINTEXT" },
		{ "ssl.ca.location", tls ? sink_text(cf, "ca_file") : NULL },
		{ "enable.ssl.certificate.verification", tls && sink_number(cf, "insecure") ? "false" : NULL },
		{ "sasl.mechanisms", sasl ? sink_text(cf, "mechanism") : NULL },
		{ "sasl.username", sink_text(cf, "user") },
		{ "sasl.password", sink_text(cf, "password") },
	};
	int r = 0;

	snprintf(timeout_ms, sizeof timeout_ms, "%u", cf->timeout_s * 1000);
	for (size_t i = 0; i < sizeof all / sizeof *all && r == 0; i++)
		r = set(conf, all[i][0], all[i][1], e);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_opaque(conf, s);
	return r;
}

static void kafka_close(void *sink)
{
	struct kafka *s = sink;

	if (!s)
		return;
	if (s->rk) {
		rd_kafka_purge(s->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		rd_kafka_poll(s->rk, 0);
		rd_kafka_destroy(s->rk);
	}
	bytes_free(&s->key);
	bytes_free(&s->value);
	free(s);
}

static int make_producer(struct kafka *s, struct err *e)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[200];
	int r = configure(s, conf, e);

	if (r == 0) {
		s->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
		if (s->rk)
			return 0; /* it has the conf */
		r = err_set(e, -EAGAIN, "librdkafka: %s", why);
	}
	rd_kafka_conf_destroy(conf);
	return r;
}

/* Whether the brokers are there is known before the first message waits for its time-out. */
static int look_for_brokers(struct kafka *s, struct err *e)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t r = rd_kafka_metadata(s->rk, 0, NULL, &md, METADATA_MS);

	rd_kafka_poll(s->rk, 0);
	if (r == RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_metadata_destroy(md);
		return 0;
	}
	return err_set(e, r == RD_KAFKA_RESP_ERR__AUTHENTICATION ? -EACCES : -EAGAIN, "brokers %.150s: %s",
		       sink_text(s->cf, "brokers"), s->why[0] ? s->why : rd_kafka_err2str(r));
}

static int kafka_open(void **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e)
{
	struct kafka *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->cf = cf;
	s->cx = *cx;
	r = make_producer(s, e);
	if (r == 0)
		r = look_for_brokers(s, e);
	if (r < 0) {
		kafka_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* ---- writing ---- */

static int explain(struct kafka *s, rd_kafka_resp_err_t why, struct err *e)
{
	static const rd_kafka_resp_err_t refused[] = {
		RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_INVALID_RECORD,
		RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
	};
	int code = -EAGAIN;

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (refused[i] == why)
			code = -EINVAL;
	if (why == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || why == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
	    why == RD_KAFKA_RESP_ERR__AUTHENTICATION)
		code = -EACCES;
	return err_set(e, code, "brokers %.100s: %s%s%s", sink_text(s->cf, "brokers"), rd_kafka_err2str(why),
		       s->why[0] ? "; " : "", s->why);
}

/* RD_KAFKA_V_... are statement expressions, which clang takes for no ISO C. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
static int produce(struct kafka *s, const struct sink_row *row, struct err *e)
{
	const char *topic = sink_text(s->cf, "topic");
	rd_kafka_resp_err_t r;

	bytes_clear(&s->key);
	bytes_clear(&s->value);
	text_row_key(&s->key, row);
	text_row_json(&s->value, row, topic != NULL);
	if (s->key.failed || s->value.failed)
		return err_set(e, -ENOMEM, "out of memory");
	do {
		r = rd_kafka_producev(s->rk, RD_KAFKA_V_TOPIC(topic ? topic : row->window->table->name),
				      RD_KAFKA_V_KEY(s->key.at, s->key.len), RD_KAFKA_V_VALUE(s->value.at, s->value.len),
				      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(row->time_utc_s * 1000),
				      RD_KAFKA_V_END);
		rd_kafka_poll(s->rk, r == RD_KAFKA_RESP_ERR__QUEUE_FULL ? POLL_MS : 0);
		if (s->cx.is_stopping && s->cx.is_stopping(s->cx.arg))
			return err_set(e, -EAGAIN, "given up, the daemon ends");
	} while (r == RD_KAFKA_RESP_ERR__QUEUE_FULL && !s->failed);
	return r ? explain(s, r, e) : 0;
}
#pragma GCC diagnostic pop

/* Each message has its answer: delivered, refused, or over message.timeout.ms. */
static int wait_for_answers(struct kafka *s, struct err *e)
{
	while (rd_kafka_outq_len(s->rk) > 0) {
		if (s->cx.is_stopping && s->cx.is_stopping(s->cx.arg))
			return err_set(e, -EAGAIN, "given up, the daemon ends");
		rd_kafka_flush(s->rk, POLL_MS);
	}
	return s->failed ? explain(s, s->failed, e) : 0;
}

static int kafka_write(void *sink, struct sink_batch *b, struct err *e)
{
	struct kafka *s = sink;
	struct sink_row row;
	int r;

	s->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
	s->why[0] = '\0';
	while ((r = b->next(b, &row, e)) == 1) {
		r = produce(s, &row, e);
		if (r < 0 || s->failed)
			break;
	}
	if (r < 0 && r != -EINVAL)
		return r;
	if (r == 0 || s->failed)
		return wait_for_answers(s, e);
	wait_for_answers(s, NULL); /* of the messages before the refused one */
	return r;
}

const struct sink_ops sink_kafka = {
	.name = "kafka",
	.help = "Kafka: a JSON message for each record, idempotent producer",
	.options = options,
	.batch_records = 20000,
	.check = kafka_check,
	.open = kafka_open,
	.write = kafka_write,
	.close = kafka_close,
};
