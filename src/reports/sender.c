/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sender.c -- libnettally-report. Needs libcrypto and layout.h, nothing else of nettally: the module for nginx compiles it
 * too. */
#include "reports/nettally-report.h"

#include "reports/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECRET_MAX 4096
#define DATAGRAM_DEFAULT 1400
#define DATAGRAM_LEAST 256
#define TELL_AGAIN 3
#define SEND_BUFFER_BYTES (4 << 20)
#define ENTRIES_MAX 255 /* types, servers */
#define ENTRY_MAX (1 + LAYOUT_NAME_MAX)
#define RECORD_MAX (3 + 16 + LAYOUT_VARINTS * LAYOUT_VARINT_MAX)
#define NUMBER_MAX (((uint64_t)1 << (7 * LAYOUT_VARINT_MAX)) - 1)

/* Types, or servers, of the datagram that gathers: each once, found by its bytes. */
struct entries {
	unsigned count, used;                /* entries; bytes */
	unsigned latest;                     /* most records have the one before */
	uint16_t at[ENTRIES_MAX + 1];
	uint8_t bytes[ENTRIES_MAX * ENTRY_MAX];
};

struct nettally_report {
	int fd;
	size_t most;
	EVP_MAC *hmac;
	EVP_MAC_CTX *mac;
	uint8_t key_id[LAYOUT_KEY_ID];
	uint64_t began_us, sequence, before;
	uint32_t nonce;
	unsigned tell;                       /* how many times more to say how much there was */
	uint8_t sender_length;
	char sender[LAYOUT_NAME_MAX];
	struct nettally_report_stats stats;
	struct entries types, servers;
	unsigned records, used;              /* bytes of records */
	uint8_t bytes[LAYOUT_DATAGRAM_MAX];  /* records */
};

static int complain(char *why, size_t why_size, int err, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int complain(char *why, size_t why_size, int err, const char *fmt, ...)
{
	va_list ap;

	if (why && why_size) {
		va_start(ap, fmt);
		vsnprintf(why, why_size, fmt, ap);
		va_end(ap);
	}
	return err;
}

static uint8_t *put16(uint8_t *to, unsigned value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	return to + 2;
}

static uint8_t *put32(uint8_t *to, uint32_t value)
{
	return put16(put16(to, value >> 16), value & 0xffff);
}

static uint8_t *put64(uint8_t *to, uint64_t value)
{
	return put32(put32(to, (uint32_t)(value >> 32)), (uint32_t)value);
}

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

static uint64_t utc_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int nettally_report_read_key(const char *path, void *secret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *bytes = secret;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, secret, size);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n == (ssize_t)size)
		return -EFBIG;
	while (n > 0 && strchr("\n\r \t", bytes[n - 1]) && bytes[n - 1])
		n--;
	return n == 0 ? -EINVAL : (int)n;
}

static bool sign(EVP_MAC_CTX *mac, const void *bytes, size_t len, uint8_t ret[static LAYOUT_SIGNATURE])
{
	size_t got;

	return EVP_MAC_init(mac, NULL, 0, NULL) == 1 && EVP_MAC_update(mac, bytes, len) == 1 &&
	       EVP_MAC_final(mac, ret, &got, LAYOUT_SIGNATURE) == 1;
}

static int take_secret(struct nettally_report *r, const void *secret, size_t len)
{
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end() };
	uint8_t id[LAYOUT_SIGNATURE];

	r->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	r->mac = r->hmac ? EVP_MAC_CTX_new(r->hmac) : NULL;
	if (!r->mac || EVP_MAC_init(r->mac, secret, len, params) != 1 ||
	    !sign(r->mac, LAYOUT_KEY_LABEL, sizeof LAYOUT_KEY_LABEL - 1, id))
		return -ENOMEM;
	memcpy(r->key_id, id, sizeof r->key_id);
	return 0;
}

static int find_secret(struct nettally_report *r, const struct nettally_report_options *o, char *why, size_t why_size)
{
	uint8_t secret[SECRET_MAX];
	int len, err;

	if (!o->key_file && o->secret_len == 0)
		return complain(why, why_size, -EINVAL, "no key: name the file that holds the secret");
	if (o->key_file) {
		len = nettally_report_read_key(o->key_file, secret, sizeof secret);
		if (len == -EINVAL)
			return complain(why, why_size, len, "%s: it is empty; a secret is made by: openssl rand -hex 32",
					o->key_file);
		if (len < 0)
			return complain(why, why_size, len, "%s: %s", o->key_file, strerror(-len));
		err = take_secret(r, secret, (size_t)len);
		OPENSSL_cleanse(secret, sizeof secret);
	} else {
		err = take_secret(r, o->secret, o->secret_len);
	}
	return err ? complain(why, why_size, err, "libcrypto takes no key for HMAC-SHA-256") : 0;
}

/* "[::1]:8789", "192.0.2.1:8789", "name:8789", each also without the port; an IPv6 address alone. */
static int split(const char *to, char host[static 256], char port[static 8])
{
	const char *end = strrchr(to, ':'), *from = to;
	size_t len;

	snprintf(port, 8, "%d", LAYOUT_PORT);
	if (*to == '[') {
		end = strchr(to, ']');
		from = to + 1;
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		len = (size_t)(end - from);
		end = end[1] ? end + 1 : NULL;
	} else if (end && strchr(to, ':') == end) {
		len = (size_t)(end - from);
	} else {
		len = strlen(to);
		end = NULL;
	}
	if (len == 0 || len > 255 || (end && (strlen(end + 1) == 0 || strlen(end + 1) > 5)))
		return -EINVAL;
	memcpy(host, from, len);
	host[len] = '\0';
	if (end)
		snprintf(port, 8, "%s", end + 1);
	return 0;
}

static int connect_to(struct nettally_report *r, const char *to, char *why, size_t why_size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV }, *at;
	int size = SEND_BUFFER_BYTES, err;
	char host[256], port[8];

	if (!to || split(to, host, port) < 0)
		return complain(why, why_size, -EINVAL, "%s: write ADDRESS:PORT", to ? to : "no address");
	err = getaddrinfo(host, port, &hints, &at);
	if (err)
		return complain(why, why_size, -EHOSTUNREACH, "%s: %s", to, gai_strerror(err));
	r->fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = r->fd < 0 || connect(r->fd, at->ai_addr, at->ai_addrlen) < 0 ? -errno : 0;
	freeaddrinfo(at);
	if (err < 0)
		return complain(why, why_size, err, "%s: %s", to, strerror(-err));
	(void)setsockopt(r->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	return 0;
}

static int name_sender(struct nettally_report *r, const char *sender, char *why, size_t why_size)
{
	char host[256] = "";

	if (!sender) {
		if (gethostname(host, sizeof host - 1) < 0 || !*host)
			snprintf(host, sizeof host, "unknown");
		host[LAYOUT_NAME_MAX] = '\0';
		sender = host;
	}
	if (!*sender || strlen(sender) > LAYOUT_NAME_MAX)
		return complain(why, why_size, -EINVAL, "a sender's name has 1 to %d bytes", LAYOUT_NAME_MAX);
	for (const char *c = sender; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return complain(why, why_size, -EINVAL, "a sender's name has no control characters");
	r->sender_length = (uint8_t)strlen(sender);
	memcpy(r->sender, sender, r->sender_length);
	return 0;
}

static void release(struct nettally_report *r)
{
	if (r->fd >= 0)
		close(r->fd);
	EVP_MAC_CTX_free(r->mac);
	EVP_MAC_free(r->hmac);
	free(r);
}

int nettally_report_open(struct nettally_report **ret, const struct nettally_report_options *o, char *why, size_t why_size)
{
	struct nettally_report *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return complain(why, why_size, -ENOMEM, "no memory");
	r->fd = -1;
	r->most = o->datagram_max ? o->datagram_max : DATAGRAM_DEFAULT;
	r->began_us = utc_us();
	if (r->most < DATAGRAM_LEAST || r->most > LAYOUT_DATAGRAM_MAX)
		err = complain(why, why_size, -EINVAL, "a datagram has %d to %d bytes", DATAGRAM_LEAST, LAYOUT_DATAGRAM_MAX);
	else if (RAND_bytes((unsigned char *)&r->nonce, sizeof r->nonce) != 1)
		err = complain(why, why_size, -EIO, "libcrypto gives no random number");
	else
		err = name_sender(r, o->sender, why, why_size);
	if (err == 0)
		err = find_secret(r, o, why, why_size);
	if (err == 0)
		err = connect_to(r, o->to, why, why_size);
	if (err < 0) {
		release(r);
		return err;
	}
	*ret = r;
	return 0;
}

static size_t length_with(const struct nettally_report *r, size_t more)
{
	return LAYOUT_HEAD + r->sender_length + r->types.used + r->servers.used + r->used + more + LAYOUT_SIGNATURE;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

static int transmit(struct nettally_report *r, const uint8_t *bytes, size_t len)
{
	for (unsigned turn = 0;; turn++) {
		if (send(r->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if ((errno != ECONNREFUSED && errno != EINTR) || turn == 2)
			return -errno;
		/* ECONNREFUSED: that is the answer to an earlier datagram, and this one was not sent */
	}
}

static int send_datagram(struct nettally_report *r, unsigned flags)
{
	uint8_t bytes[LAYOUT_DATAGRAM_MAX], *at = bytes;
	int err = -EIO;

	at = put(at, LAYOUT_MAGIC, 4);
	*at++ = LAYOUT_VERSION;
	*at++ = (uint8_t)flags;
	at = put16(at, r->records);
	at = put(at, r->key_id, sizeof r->key_id);
	at = put64(at, utc_us());
	at = put64(at, r->began_us);
	at = put64(at, ++r->sequence);
	at = put64(at, r->before);
	at = put32(at, r->nonce);
	*at++ = r->sender_length;
	*at++ = (uint8_t)r->types.count;
	*at++ = (uint8_t)r->servers.count;
	*at++ = 0;
	at = put(at, r->sender, r->sender_length);
	at = put(at, r->types.bytes, r->types.used);
	at = put(at, r->servers.bytes, r->servers.used);
	at = put(at, r->bytes, r->used);
	if (sign(r->mac, bytes, (size_t)(at - bytes), at))
		err = transmit(r, bytes, (size_t)(at - bytes) + LAYOUT_SIGNATURE);
	*(err ? &r->stats.lost_datagrams : &r->stats.datagrams) += 1;
	*(err ? &r->stats.lost_records : &r->stats.records) += r->records;
	r->tell = r->records ? TELL_AGAIN : r->tell > 0 ? r->tell - 1 : 0;
	r->before += r->records;
	r->records = r->used = 0;
	r->types.count = r->types.used = r->types.latest = 0;
	r->servers.count = r->servers.used = r->servers.latest = 0;
	return err;
}

/* The index of these bytes, or ENTRIES_MAX: a new one. */
static unsigned find_entry(const struct entries *e, const uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0, at = e->latest; i < e->count; i++, at = at + 1 < e->count ? at + 1 : 0)
		if (e->at[at + 1] - e->at[at] == (int)len && memcmp(e->bytes + e->at[at], bytes, len) == 0)
			return at;
	return ENTRIES_MAX;
}

static unsigned add_entry(struct entries *e, const uint8_t *bytes, unsigned len)
{
	unsigned index = e->count++;

	memcpy(e->bytes + e->used, bytes, len);
	e->at[index] = (uint16_t)e->used;
	e->used += len;
	e->at[index + 1] = (uint16_t)e->used;
	e->latest = index;
	return index;
}

/* u8 family, address; NULL where it is neither. */
static uint8_t *put_address(uint8_t *to, const struct sockaddr *a, unsigned *ret_port)
{
	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)a;

		*ret_port = ntohs(in->sin_port);
		*to++ = 4;
		return put(to, &in->sin_addr, 4);
	}
	if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)a;
		bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr); /* a client of IPv4 at a socket of both */

		*ret_port = ntohs(in6->sin6_port);
		*to++ = mapped ? 4 : 6;
		return put(to, in6->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
	}
	return NULL;
}

static unsigned make_type(uint8_t entry[static ENTRY_MAX], const char *type)
{
	size_t len = type ? strnlen(type, LAYOUT_NAME_MAX + 1) : 0;

	if (len > LAYOUT_NAME_MAX) /* not within a character of UTF-8 */
		for (len = LAYOUT_NAME_MAX; len > 0 && ((unsigned char)type[len] & 0xc0) == 0x80;)
			len--;
	entry[0] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		entry[1 + i] = (unsigned char)type[i] < 0x20 || type[i] == 0x7f ? '?' : (uint8_t)type[i];
	return 1 + (unsigned)len;
}

static int make_server(uint8_t entry[static ENTRY_MAX], const struct sockaddr *server)
{
	unsigned port = 0;
	uint8_t *end = entry;

	if (server)
		end = put_address(entry, server, &port);
	else
		*end++ = 0;
	return end ? (int)(put16(end, port) - entry) : -EINVAL;
}

static bool all_fit(const struct nettally_delivery *d)
{
	return (d->bytes | d->packets | d->retransmits | d->requests | d->duration_us | d->rtt_us) <= NUMBER_MAX;
}

int nettally_report_add(struct nettally_report *r, const struct nettally_delivery *d)
{
	uint8_t record[RECORD_MAX], type[ENTRY_MAX], server[ENTRY_MAX], *end;
	unsigned type_len = make_type(type, d->type), type_index, server_index, port;
	int server_len = make_server(server, d->server), err = 0;

	end = put_address(record + 2, d->client, &port);
	if (!end || server_len < 0 || (d->requests | d->packets) == 0)
		return -EINVAL;
	if (!all_fit(d))
		return -ERANGE;
	end = put_varint(end, d->bytes);
	end = put_varint(end, d->packets);
	end = put_varint(end, d->retransmits);
	end = put_varint(end, d->requests);
	end = put_varint(end, d->duration_us);
	end = put_varint(end, d->rtt_us);
	type_index = find_entry(&r->types, type, type_len);
	server_index = find_entry(&r->servers, server, (unsigned)server_len);
	if (length_with(r, (size_t)(end - record) + (type_index == ENTRIES_MAX ? type_len : 0) +
			   (server_index == ENTRIES_MAX ? (unsigned)server_len : 0)) > r->most ||
	    (type_index == ENTRIES_MAX && r->types.count == ENTRIES_MAX) ||
	    (server_index == ENTRIES_MAX && r->servers.count == ENTRIES_MAX)) {
		err = send_datagram(r, 0);
		type_index = server_index = ENTRIES_MAX;
	}
	record[0] = (uint8_t)(r->types.latest = type_index < ENTRIES_MAX ? type_index : add_entry(&r->types, type, type_len));
	record[1] = (uint8_t)(r->servers.latest = server_index < ENTRIES_MAX ? server_index :
							       add_entry(&r->servers, server, (unsigned)server_len));
	memcpy(r->bytes + r->used, record, (size_t)(end - record));
	r->used += (unsigned)(end - record);
	r->records++;
	return err;
}

int nettally_report_flush(struct nettally_report *r)
{
	return r->records == 0 && r->tell == 0 ? 0 : send_datagram(r, 0);
}

unsigned nettally_report_pending(const struct nettally_report *r)
{
	return r->records;
}

void nettally_report_get_stats(const struct nettally_report *r, struct nettally_report_stats *ret)
{
	*ret = r->stats;
}

void nettally_report_close(struct nettally_report **pr)
{
	struct nettally_report *r = *pr;

	if (!r)
		return;
	if (r->records > 0)
		send_datagram(r, 0);
	if (r->sequence > 0)
		send_datagram(r, LAYOUT_FLAG_LAST);
	release(r);
	*pr = NULL;
}
