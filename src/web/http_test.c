/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "web/http.h"

#include "base/clock.h"
#include "output/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct strings *strings;
	struct snapshot_box *box;
	struct http *http;
};

static int open_site(struct fixture *f, const char *ledger_path)
{
	struct http_config cf = { .address = "127.0.0.1", .box = f->box, .ledger_path = ledger_path };
	struct err e = { 0 };

	if (http_open(&f->http, &cf, &e) < 0)
		fail_msg("%s", e.msg);
	return 0;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strings_new(&f->strings);
	snapshot_box_new(&f->box);
	*state = f;
	return open_site(f, NULL);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_close(&f->http);
	snapshot_box_free(&f->box);
	strings_free(&f->strings);
	free(f);
	return 0;
}

static struct snapshot *put_snapshot(struct fixture *f, int64_t taken_utc_s, enum ledger_state ledger)
{
	struct snapshot *s = testing_snapshot(f->strings);

	s->taken_utc_s = taken_utc_s;
	s->ledger.state = ledger;
	snapshot_box_put(f->box, s);
	return s;
}

static int64_t now(void)
{
	return ns_to_s(clock_system().utc_ns(NULL));
}

static int connect_to(const struct fixture *f)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval wait = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)atoi(strrchr(http_address(f->http), ':') + 1));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static char answer[1 << 20];

/* Sends it as it is, reads to the end of the stream; returns the status, 0 where nothing came. */
static int exchange(const struct fixture *f, const char *request)
{
	int fd = connect_to(f), status = 0;
	size_t len = 0;
	ssize_t n;

	send(fd, request, strlen(request), MSG_NOSIGNAL);
	while ((n = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0)
		len += (size_t)n;
	answer[len] = '\0';
	close(fd);
	if (len)
		sscanf(answer, "HTTP/1.1 %d", &status);
	return status;
}

static int get(const struct fixture *f, const char *target)
{
	static char request[16384];

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n", target);
	return exchange(f, request);
}

static void assert_answer(const char *part)
{
	if (!strstr(answer, part))
		fail_msg("'%s' is not in:\n%.2000s", part, answer);
}

static void test_before_the_first_snapshot(void **state)
{
	assert_int_equal(get(*state, "/healthz"), 503);
	assert_int_equal(get(*state, "/readyz"), 503);
	assert_int_equal(get(*state, "/metrics"), 503);
	assert_int_equal(get(*state, "/api/v1/status"), 503);
	assert_answer("\"error\": \"the daemon is starting");
	assert_int_equal(get(*state, "/"), 200);
}

static void test_health(void **state)
{
	put_snapshot(*state, now(), LEDGER_OK);
	assert_int_equal(get(*state, "/healthz"), 200);
	assert_answer("\r\n\r\nok\n");
	assert_int_equal(get(*state, "/readyz"), 200);
	put_snapshot(*state, now() - 60, LEDGER_FAILING);
	assert_int_equal(get(*state, "/healthz"), 503);
	assert_answer("stuck: the last tick was ");
	assert_int_equal(get(*state, "/readyz"), 503);
	assert_answer("the ledger cannot be written: disk full");
}

static void test_api_of_the_snapshot(void **state)
{
	put_snapshot(*state, now(), LEDGER_OK);
	assert_int_equal(get(*state, "/api/v1/accounts"), 200);
	assert_answer("\"name\":\"hosts\",\"from\":\"packets\",\"by\":[\"host\",\"direction\"],\"of\":\"both\",\"every\":60,"
		      "\"bytes\":\"l2\","
		      "\"columns\":[\"host\",\"direction\",\"rx_packets\",\"rx_bytes\",\"tx_packets\",\"tx_bytes\"]");
	assert_answer("\"columns\":[\"service\",\"packets\",\"bytes\"]");
	assert_answer("Content-Type: application/json\r\n");
	assert_answer("Cache-Control: no-store\r\n");
	assert_int_equal(get(*state, "/api/v1/interfaces"), 200);
	assert_answer("\"interface\":\"eth0\"");
	assert_int_equal(get(*state, "/api/v1/audit"), 200);
	assert_answer("\"closes\":false");
	assert_int_equal(get(*state, "/api/v1/status"), 200);
	assert_answer("\"state\":\"degraded\"");
	assert_int_equal(get(*state, "/metrics"), 200);
	assert_answer("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	assert_answer("nettally_build_info{version=\"0.1\"} 1\n");
}

static void test_page(void **state)
{
	const char *nonce;
	char script[64];

	assert_int_equal(get(*state, "/"), 200);
	nonce = strstr(answer, "script-src 'nonce-");
	assert_non_null(nonce);
	snprintf(script, sizeof script, "<script nonce=\"%.32s\">", nonce + 18);
	assert_answer(script);
	assert_null(strstr(answer, "@NONCE@"));
	assert_answer("X-Content-Type-Options: nosniff\r\n");
	assert_answer("default-src 'none'");
}

#define CLOSE "\r\nConnection: close\r\n\r\n"
#define LOCAL "Host: localhost\r\nConnection: close\r\n"

static const struct {
	const char *why, *request;
	int want;
	const char *part;
} requests[] = {
	{ "HEAD has no body", "HEAD /healthz HTTP/1.1\r\n" LOCAL "\r\n", 200, "Content-Length: 3\r\n" },
	{ "POST", "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n\r\n", 405, "Allow: GET, HEAD\r\n" },
	{ "POST with a body", "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 3\r\n\r\nabc", 405, "only GET" },
	{ "DELETE", "DELETE / HTTP/1.1\r\n" LOCAL "\r\n", 405, "Allow: GET, HEAD\r\n" },
	{ "no such page", "GET /admin HTTP/1.1\r\n" LOCAL "\r\n", 404, "no such page" },
	{ "by address", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:9390" CLOSE, 200, "ok" },
	{ "by IPv6 address", "GET /healthz HTTP/1.1\r\nHost: [::1]:9390" CLOSE, 200, "ok" },
	{ "a name that points here", "GET /metrics HTTP/1.1\r\nHost: evil.example" CLOSE, 403, "as localhost" },
	{ "one that begins alike", "GET / HTTP/1.1\r\nHost: localhost.evil.example" CLOSE, 403, "as localhost" },
	{ "and no port", "GET / HTTP/1.1\r\nHost: localhost:evil" CLOSE, 403, "as localhost" },
	{ "a bad escape", "GET /?%zz HTTP/1.1\r\n" LOCAL "\r\n", 400, "escape" },
	{ "markup", "GET /%3Cb%3E HTTP/1.1\r\n" LOCAL "\r\n", 404, "nosniff" },
	{ "no ledger", "GET /api/v1/accounts/hosts HTTP/1.1\r\n" LOCAL "\r\n", 503, "there is no ledger" },
};

static void test_requests(void **state)
{
	put_snapshot(*state, now(), LEDGER_OK);
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		int status = exchange(*state, requests[i].request);

		if (status != requests[i].want)
			fail_msg("%s: %d", requests[i].why, status);
		assert_answer(requests[i].part);
	}
}

static const struct {
	const char *target;
	int want;
	const char *part;
} queries[] = {
	{ "/api/v1/accounts/hosts", 503, "\"error\": " }, /* the file is missing: no mistake of the client's */
	{ "/api/v1/accounts/hosts?from=", 503, "\"error\": " },
	{ "/api/v1/accounts/hosts?from=never", 400, "from: 'never' is no time" },
	{ "/api/v1/accounts/hosts?limit=x", 400, "limit: 'x' is no number of rows" },
	{ "/api/v1/accounts/hosts?limit=100001", 400, "limit: at most 100000 rows" },
	{ "/api/v1/accounts/hosts?format=table", 400, "unknown format" },
	{ "/api/v1/accounts/hosts?by=colour", 400, "by: " },
	{ "/api/v1/accounts/hosts?where=host", 400, "where: 'host': write KEY=VALUE" },
	{ "/api/v1/accounts/hosts?bytes=l4", 400, "bytes: 'l4' is no layer" },
	{ "/api/v1/accounts/hosts?from=2026-01-02&to=2026-01-01", 400, "is not before" },
	{ "/api/v1/accounts/hosts?%3Cred%3E=1", 400, "unknown parameter '\\u003cred\\u003e'" },
};

static void test_query_parameters(void **state)
{
	struct fixture *f = *state;

	http_close(&f->http);
	open_site(f, "/nonexistent/ledger.db");
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		int status = get(f, queries[i].target);

		if (status != queries[i].want)
			fail_msg("%s: %d", queries[i].target, status);
		assert_answer(queries[i].part);
	}
}

static void test_too_long(void **state)
{
	static char target[8192];

	memset(target, 'a', 5000);
	target[0] = '/';
	assert_int_equal(get(*state, target), 414);
}

static void test_port_in_use(void **state)
{
	struct fixture *f = *state;
	struct http_config cf = { .address = "127.0.0.1", .box = f->box };
	struct http *second = NULL;
	struct err e = { 0 };

	cf.port = (uint16_t)atoi(strrchr(http_address(f->http), ':') + 1);
	assert_int_equal(http_open(&second, &cf, &e), -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(e.msg, "in use by another program"));
	cf.address = "no address";
	assert_int_equal(http_open(&second, &cf, &e), -EINVAL);
}

/* More than it takes, all silent: they do not keep the server from ending. */
static void test_silent_clients(void **state)
{
	struct fixture *f = *state;
	int64_t before_ns;
	int fds[80];

	for (size_t i = 0; i < 80; i++)
		fds[i] = connect_to(f);
	before_ns = clock_system().monotonic_ns(NULL);
	http_close(&f->http);
	assert_true(clock_system().monotonic_ns(NULL) - before_ns < 3 * NS_PER_S);
	for (size_t i = 0; i < 80; i++)
		close(fds[i]);
	open_site(f, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_before_the_first_snapshot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_health, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_api_of_the_snapshot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_query_parameters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_port_in_use, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silent_clients, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
