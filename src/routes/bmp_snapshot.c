/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes/bmp_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t magic[8] = "NTBMP1\n";

/* ---- writing ---- */

struct making {
	uint8_t *at;
	size_t len, room;
	uint16_t *numbers;   /* in the file + 1, by the router's own number; 0 = not written yet */
	uint32_t peers;
	uint64_t routes;
	bool failed;
};

static uint8_t *more(struct making *m, size_t n)
{
	if (m->room - m->len < n) {
		size_t room = m->room * 2 + n + 4096;
		uint8_t *p = m->failed ? NULL : realloc(m->at, room);

		if (!p) {
			m->failed = true;
			return NULL;
		}
		m->at = p;
		m->room = room;
	}
	m->len += n;
	return m->at + m->len - n;
}

static void put(struct making *m, uint64_t value, unsigned bytes)
{
	uint8_t *at = more(m, bytes);

	for (unsigned i = 0; at && i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static void put_bytes(struct making *m, const uint8_t *from, size_t n)
{
	uint8_t *at = more(m, n);

	if (at && n)
		memcpy(at, from, n);
}

static void put_peer(struct making *m, const struct bmp_peer *p)
{
	put(m, 'P', 1);
	put(m, p->type, 1);
	put(m, p->flags, 1);
	put(m, p->distinguisher, 8);
	put(m, p->addr.family, 1);
	put_bytes(m, p->addr.bytes, 16);
	put(m, p->as, 4);
	put(m, p->bgp_id, 4);
}

static void put_route(void *arg, const struct bmp_route *r)
{
	struct making *m = arg;
	const struct prefix *p = &r->nlri->prefix;
	const struct bgp_attributes *a = r->attributes;
	const uint8_t *bytes = p->addr.family == ADDR_IP4 ? addr_ip4_bytes(&p->addr) : p->addr.bytes;

	if (!m->numbers[r->peer_number]) {
		put_peer(m, r->peer);
		m->numbers[r->peer_number] = (uint16_t)++m->peers;
	}
	put(m, 'R', 1);
	put(m, m->numbers[r->peer_number] - 1u, 2);
	put(m, r->table, 1);
	put(m, p->addr.family, 1);
	put(m, p->bits, 1);
	put_bytes(m, bytes, (p->bits + 7u) / 8);
	put(m, r->nlri->path_id, 4);
	put(m, a->origin, 1);
	put(m, a->local_pref, 4);
	put(m, a->med, 4);
	put(m, a->path.count, 2);
	for (uint32_t i = 0; i < a->path.count; i++)
		put(m, a->path.words[i], 4);
	m->routes++;
}

int bmp_snapshot_make(struct bmp_snapshot *ret, const struct bmp_router *r, int64_t now_utc_s)
{
	struct making m = { .numbers = calloc(BMP_PEERS_MAX, sizeof *m.numbers) };

	if (!m.numbers)
		return -ENOMEM;
	put_bytes(&m, magic, sizeof magic);
	put(&m, (uint64_t)now_utc_s, 8);
	bmp_router_each(r, put_route, &m);
	put(&m, 'E', 1);
	put(&m, m.routes, 8);
	free(m.numbers);
	if (m.failed) {
		free(m.at);
		return -ENOMEM;
	}
	*ret = (struct bmp_snapshot){ m.at, m.len };
	return 0;
}

void bmp_snapshot_free(struct bmp_snapshot *s)
{
	free(s->at);
	*s = (struct bmp_snapshot){ 0 };
}

/* ---- reading ---- */

static uint64_t take(struct cursor *c, unsigned bytes)
{
	const uint8_t *at = cursor_take(c, bytes);
	uint64_t value = 0;

	for (unsigned i = 0; at && i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static bool take_family(struct cursor *c, struct addr *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->family = cursor_u8(c);
	if (ret->family == ADDR_IP4)
		ret->bytes[10] = ret->bytes[11] = 0xff;
	return ret->family == ADDR_IP4 || ret->family == ADDR_IP6;
}

static bool take_peer(struct cursor *c, struct bmp_peer *ret)
{
	const uint8_t *bytes;
	bool ok;

	ret->type = cursor_u8(c);
	ret->flags = cursor_u8(c);
	ret->distinguisher = take(c, 8);
	ok = take_family(c, &ret->addr);
	bytes = cursor_take(c, 16);
	if (bytes)
		memcpy(ret->addr.bytes, bytes, 16);
	ret->as = cursor_be32(c);
	ret->bgp_id = cursor_be32(c);
	ret->utc_s = 0;
	return ok && !c->truncated;
}

/* Host bits are not looked at: what was written had none, and a damaged file may say anything. */
static bool take_prefix(struct cursor *c, struct prefix *ret)
{
	bool ok = take_family(c, &ret->addr);
	unsigned most = ret->addr.family == ADDR_IP4 ? 32 : 128, n;
	const uint8_t *bytes;

	ret->bits = cursor_u8(c);
	if (!ok || ret->bits > most)
		return false;
	n = (ret->bits + 7u) / 8;
	bytes = n ? cursor_take(c, n) : NULL;
	if (bytes)
		memcpy(ret->addr.bytes + (most == 32 ? 12 : 0), bytes, n);
	if (bytes && ret->bits % 8 && (bytes[n - 1] & 0xff >> ret->bits % 8))
		return false;
	return !c->truncated;
}

static bool path_is_sound(const uint32_t *words, uint32_t count)
{
	uint32_t at = 0;

	while (at < count) {
		uint32_t kind = AS_SEGMENT_KIND(words[at]), of = AS_SEGMENT_COUNT(words[at]);

		if (kind < AS_SEGMENT_SET || kind > AS_SEGMENT_CONFED_SET || of == 0 || of > count - at - 1)
			return false;
		at += 1 + of;
	}
	return true;
}

struct restoring {
	struct bmp_router *r;
	struct bmp_peer *peers;
	uint32_t peer_count;
	uint32_t *words;
};

static bool take_route(struct restoring *x, struct cursor *c)
{
	struct bgp_attributes a = { .has_path = true };
	struct bgp_nlri n = { 0 };
	struct bmp_route route = { .nlri = &n, .attributes = &a };
	uint32_t peer = (uint32_t)take(c, 2), table = cursor_u8(c);

	if (c->truncated || peer >= x->peer_count || table >= BMP_TABLES || !take_prefix(c, &n.prefix))
		return false;
	n.path_id = cursor_be32(c);
	a.origin = cursor_u8(c);
	a.local_pref = cursor_be32(c);
	a.med = cursor_be32(c);
	a.path.count = (uint32_t)take(c, 2);
	a.path.words = x->words;
	if (a.path.count > AS_PATH_WORDS_MAX)
		return false;
	for (uint32_t i = 0; i < a.path.count; i++)
		x->words[i] = cursor_be32(c);
	if (c->truncated || !path_is_sound(x->words, a.path.count))
		return false;
	route.table = (enum bmp_table)table;
	route.peer = &x->peers[peer];
	return bmp_router_restore(x->r, &route) == 0;
}

/* True where the end was reached as it was written. */
static bool take_all(struct restoring *x, struct cursor *c)
{
	uint64_t routes = 0;

	while (!c->truncated) {
		switch (cursor_u8(c)) {
		case 'P':
			if (x->peer_count == BMP_PEERS_MAX || !take_peer(c, &x->peers[x->peer_count]))
				return false;
			x->peer_count++;
			break;
		case 'R':
			if (!take_route(x, c))
				return false;
			routes++;
			break;
		case 'E':
			return take(c, 8) == routes && !c->truncated;
		default:
			return false;
		}
	}
	return false;
}

int bmp_snapshot_restore(struct bmp_router *r, struct slice bytes, int64_t *ret_utc_s, struct err *e)
{
	struct restoring x = { .r = r };
	struct cursor c = cursor_of(bytes);
	const uint8_t *head = cursor_take(&c, sizeof magic);
	int64_t utc_s = (int64_t)take(&c, 8);
	bool whole;

	if (!head || memcmp(head, magic, sizeof magic) != 0)
		return err_set(e, -EBADMSG, "this is no snapshot of routes");
	x.peers = calloc(BMP_PEERS_MAX, sizeof *x.peers);
	x.words = malloc(AS_PATH_WORDS_MAX * sizeof *x.words);
	whole = x.peers && x.words && take_all(&x, &c);
	free(x.peers);
	free(x.words);
	*ret_utc_s = utc_s;
	return whole ? 0 : err_set(e, -EBADMSG, "the snapshot of routes is damaged: what stands before the damage is used");
}

/* ---- files ---- */

static int write_all(int fd, const uint8_t *at, size_t len)
{
	while (len) {
		ssize_t n = write(fd, at, len < 1 << 20 ? len : 1 << 20);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int bmp_snapshot_write(const struct bmp_snapshot *s, const char *path, struct err *e)
{
	char fresh[4096];
	int fd, r;

	if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
		return err_set(e, -ENAMETOOLONG, "%s: too long", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(e, -errno, "%s", fresh);
	r = write_all(fd, s->at, s->len);
	close(fd);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(fresh);
	return r < 0 ? err_errno(e, r, "%s: cannot be written", path) : 0;
}

int bmp_snapshot_read(struct bmp_snapshot *ret, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	size_t len = 0;
	uint8_t *at;

	*ret = (struct bmp_snapshot){ 0 };
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, -errno, "%s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (INT64_C(4) << 30)) {
		close(fd);
		return err_set(e, -EINVAL, "%s: this is no snapshot of routes", path);
	}
	at = malloc((size_t)st.st_size + 1);
	while (at && len < (size_t)st.st_size) {
		ssize_t n = read(fd, at + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (!at)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	*ret = (struct bmp_snapshot){ at, len };
	return 0;
}
