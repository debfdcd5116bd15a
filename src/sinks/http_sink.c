/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTP connection of a sink, by libcurl. */
#include "sinks/http_sink.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CONNECT_TIMEOUT_S 10
#define GZIP_LEVEL 1 /* lines of counters shrink to a tenth already; more costs a core */

struct http_sink {
	CURL *curl;
	const struct sink_config *cf;
	struct sink_context cx;
	char *url;
	struct http_answer answer;
	char why[CURL_ERROR_SIZE];
};

/* ---- the config ---- */

/* The parts of an URL; the same parser that will use it. */
static int check_url(const char *url, struct err *e)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *user = NULL, *query = NULL;
	int r = 0;

	if (!u)
		return err_set(e, -ENOMEM, "out of memory");
	CURLUcode c = curl_url_set(u, CURLUPART_URL, url, 0);
	if (c == CURLUE_OK)
		c = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
	if (c != CURLUE_OK)
		r = err_set(e, -EINVAL, "url = \"%.100s\": %s; write http://HOST:PORT", url, curl_url_strerror(c));
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		r = err_set(e, -EINVAL, "url = \"%.100s\": write http://HOST:PORT or https://HOST:PORT", url);
	else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		r = err_set(e, -EINVAL, "url: no user or password in it, where status and log would show them: write user and "
					"password_file");
	else if (curl_url_get(u, CURLUPART_QUERY, &query, 0) == CURLUE_OK)
		r = err_set(e, -EINVAL, "url = \"%.100s\": nothing with \"?\" in it", url);
	curl_free(scheme);
	curl_free(user);
	curl_free(query);
	curl_url_cleanup(u);
	return r;
}

static unsigned line_of(const struct sink_config *cf, const char *option)
{
	for (size_t i = 0; cf->ops->options[i].name; i++)
		if (strcmp(cf->ops->options[i].name, option) == 0)
			return cf->settings[i].line;
	return 0;
}

int http_sink_check(const struct sink_config *cf, unsigned *ret_line, struct err *e)
{
	int r = check_url(sink_text(cf, "url"), e);

	if (r < 0) {
		*ret_line = line_of(cf, "url");
		return r;
	}
	if (!sink_text(cf, "user") != !sink_text(cf, "password")) {
		*ret_line = line_of(cf, sink_text(cf, "user") ? "user" : "password");
		return err_set(e, -EINVAL, "user and password belong together: write user and password_file (or password_env)");
	}
	return 0;
}

/* ---- the connection ---- */

static size_t take_answer(char *bytes, size_t one, size_t count, void *arg)
{
	struct http_answer *a = arg;
	size_t room = HTTP_ANSWER_MAX - a->bytes, take = one * count < room ? one * count : room;

	memcpy(a->body + a->bytes, bytes, take);
	a->bytes += take;
	a->body[a->bytes] = '\0';
	return one * count; /* the rest is thrown away */
}

/* A transfer under way ends when the daemon does. */
static int look_up(void *arg, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
	const struct http_sink *h = arg;

	(void)dt, (void)dn, (void)ut, (void)un;
	return h->cx.is_stopping && h->cx.is_stopping(h->cx.arg);
}

static void set_up(struct http_sink *h)
{
	const struct sink_config *cf = h->cf;

	curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->why);
	curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT, (long)(cf->timeout_s < CONNECT_TIMEOUT_S ? cf->timeout_s
			: CONNECT_TIMEOUT_S));
	curl_easy_setopt(h->curl, CURLOPT_TIMEOUT, (long)cf->timeout_s);
	curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, &h->answer);
	curl_easy_setopt(h->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION, look_up);
	curl_easy_setopt(h->curl, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "nettally/" NETTALLY_VERSION);
	curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h->curl, CURLOPT_TCP_KEEPALIVE, 1L);
	if (sink_text(cf, "user")) {
		curl_easy_setopt(h->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(h->curl, CURLOPT_USERNAME, sink_text(cf, "user"));
		curl_easy_setopt(h->curl, CURLOPT_PASSWORD, sink_text(cf, "password"));
	}
	if (sink_text(cf, "ca_file"))
		curl_easy_setopt(h->curl, CURLOPT_CAINFO, sink_text(cf, "ca_file"));
	if (sink_number(cf, "insecure")) {
		curl_easy_setopt(h->curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

int http_sink_open(struct http_sink **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e)
{
	struct http_sink *h = calloc(1, sizeof *h);
	size_t len = strlen(sink_text(cf, "url"));

	if (!h)
		return err_set(e, -ENOMEM, "out of memory");
	h->cf = cf;
	h->cx = *cx;
	h->curl = curl_easy_init();
	h->answer.body = malloc(HTTP_ANSWER_MAX + 1);
	while (len && sink_text(cf, "url")[len - 1] == '/')
		len--;
	h->url = strndup(sink_text(cf, "url"), len);
	if (!h->curl || !h->url || !h->answer.body) {
		http_sink_close(&h);
		return err_set(e, -ENOMEM, "out of memory");
	}
	set_up(h);
	*ret = h;
	return 0;
}

void http_sink_close(struct http_sink **ph)
{
	struct http_sink *h = *ph;

	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h->url);
	free(h->answer.body);
	free(h);
	*ph = NULL;
}

/* ---- a request ---- */

static bool append(struct curl_slist **list, const char *text)
{
	struct curl_slist *more = curl_slist_append(*list, text);

	if (more)
		*list = more;
	return more != NULL;
}

static struct curl_slist *headers_of(const struct http_sink *h, const struct http_request *rq)
{
	struct curl_slist *list = NULL;
	char type[160];
	bool good = append(&list, "Expect:"); /* no second trip before each body */

	for (const char *const *at = rq->headers; at && *at && good; at++)
		good = append(&list, *at);
	snprintf(type, sizeof type, "Content-Type: %s", rq->content_type ? rq->content_type : "application/octet-stream");
	good = good && append(&list, type);
	if (rq->body_bytes && (rq->is_gzip || sink_number(h->cf, "gzip")))
		good = good && append(&list, "Content-Encoding: gzip");
	if (good)
		return list;
	curl_slist_free_all(list);
	return NULL;
}

static int fail(const struct http_sink *h, CURLcode c, struct err *e)
{
	const char *why = h->why[0] ? h->why : curl_easy_strerror(c);

	if (c == CURLE_ABORTED_BY_CALLBACK)
		return err_set(e, -EAGAIN, "%s: given up, the daemon ends", h->url);
	if (c == CURLE_PEER_FAILED_VERIFICATION || c == CURLE_SSL_CACERT_BADFILE)
		return err_set(e, -EACCES, "%s: its certificate is not trusted: %s (ca_file names others to trust)", h->url, why);
	return err_set(e, -EAGAIN, "%s: %s", h->url, why);
}

static int perform(struct http_sink *h, const struct http_request *rq, struct err *e)
{
	struct curl_slist *headers = headers_of(h, rq);
	char *url = NULL;

	if (!headers || asprintf(&url, "%s%s", h->url, rq->path) < 0) {
		curl_slist_free_all(headers);
		return err_set(e, -ENOMEM, "out of memory");
	}
	h->answer.bytes = 0;
	h->answer.body[0] = '\0';
	h->why[0] = '\0';
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, rq->body_bytes ? rq->body : "");
	curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_bytes);
	curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, rq->method);
	CURLcode c = curl_easy_perform(h->curl);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	free(url);
	if (c != CURLE_OK)
		return fail(h, c, e);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &h->answer.status);
	return 0;
}

int http_sink_send(struct http_sink *h, const struct http_request *rq, struct http_answer *ret, struct err *e)
{
	struct http_request packed = *rq;
	void *gzip = NULL;
	int r = 0;

	if (rq->body_bytes && !rq->is_gzip && sink_number(h->cf, "gzip")) {
		r = http_sink_gzip(rq->body, rq->body_bytes, &gzip, &packed.body_bytes, e);
		packed.body = gzip;
		packed.is_gzip = true;
	}
	if (r == 0)
		r = perform(h, &packed, e);
	free(gzip);
	if (r == 0)
		*ret = h->answer;
	return r;
}

/* ---- what it means ---- */

int http_sink_status(const struct http_sink *h, const struct http_answer *a, struct err *e)
{
	static const struct {
		long status;
		int code;
	} meanings[] = {
		{ 400, -EINVAL }, { 401, -EACCES }, { 403, -EACCES }, { 404, -EINVAL }, { 409, -EINVAL },
		{ 411, -EINVAL }, { 413, -EINVAL }, { 415, -EINVAL }, { 422, -EINVAL }, { 507, -ENOSPC },
	};
	int code = -EAGAIN;
	int len = (int)strcspn(a->body, "\r\n");

	if (a->status >= 200 && a->status < 300)
		return 0;
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].status == a->status)
			code = meanings[i].code;
	if (strstr(a->body, "no space left"))
		code = -ENOSPC;
	return err_set(e, code, "%s: status %ld%s%.*s", h->url, a->status, len ? ": " : "", len < 250 ? len : 250, a->body);
}

bool http_sink_escape(const char *text, char *buf, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	size_t used = 0;

	for (; *text; text++) {
		if (used + 4 > size)
			return false;
		if (strchr(plain, *text))
			buf[used++] = *text;
		else
			used += (size_t)snprintf(buf + used, 4, "%%%02X", (unsigned char)*text);
	}
	buf[used] = '\0';
	return true;
}

int http_sink_gzip(const void *bytes, size_t len, void **ret, size_t *ret_len, struct err *e)
{
	z_stream z = { 0 };
	void *out;

	if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16 /* a gzip header */, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(e, -ENOMEM, "out of memory");
	size_t room = deflateBound(&z, len);
	out = malloc(room);
	if (out) {
		z.next_in = (Bytef *)(uintptr_t)bytes;
		z.avail_in = (uInt)len;
		z.next_out = out;
		z.avail_out = (uInt)room;
		deflate(&z, Z_FINISH); /* it fits: deflateBound() */
		*ret = out;
		*ret_len = z.total_out;
	}
	deflateEnd(&z);
	return out ? 0 : err_set(e, -ENOMEM, "out of memory");
}
