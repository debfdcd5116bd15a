/* SPDX-License-Identifier: GPL-2.0-or-later */
/* geo_file.c -- see geo_file.h. libmaxminddb reads nodes and records; the walk is our own. */
#include "routes/geo_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* IPv4 stands at ::/96, and again at most at ::ffff:0:0/96, 64:ff9b::/96, 2001::/32 and 2002::/16. */
#define VISITS_PER_NODE 8u
#define VISITS_SPARE 4096u

struct geo_file {
	MMDB_s db;
	char *name;
};

static int open_memory(const char *name, struct err *e)
{
	int fd = memfd_create("mmdb", MFD_CLOEXEC);

	return fd < 0 ? err_errno(e, -errno, "%s: no memory for a copy", name) : fd;
}

static int copy_bytes(int to, const uint8_t *at, size_t len)
{
	while (len) {
		ssize_t n = write(to, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_file(int to, int from)
{
	size_t total = 0;
	uint8_t *piece = malloc(1 << 16);
	int r = piece ? 0 : -ENOMEM;

	while (r == 0) {
		ssize_t n = read(from, piece, 1 << 16);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			break;
		}
		total += (size_t)n;
		r = total > GEO_FILE_BYTES_MAX ? -EFBIG : copy_bytes(to, piece, (size_t)n);
	}
	free(piece);
	return r;
}

/* Takes `fd`, which holds the whole file. libmaxminddb opens by a path alone. */
static int open_copy(struct geo_file **ret, int fd, const char *name, struct err *e)
{
	struct geo_file *f = calloc(1, sizeof *f);
	char path[64];
	int r = 0;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (!f || !(f->name = strdup(name)))
		r = err_set(e, -ENOMEM, "%s: out of memory", name);
	if (r == 0) {
		int code = MMDB_open(path, MMDB_MODE_MMAP, &f->db);

		if (code != MMDB_SUCCESS)
			r = err_set(e, code == MMDB_OUT_OF_MEMORY_ERROR ? -ENOMEM : -EBADMSG, "%s: no MMDB file: %s", name,
				    MMDB_strerror(code));
	}
	close(fd);
	if (r < 0) {
		if (f)
			free(f->name);
		free(f);
		return r;
	}
	*ret = f;
	return 0;
}

int geo_file_open(struct geo_file **ret, const char *path, struct err *e)
{
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), to, r;
	struct stat st;

	if (from < 0)
		return err_errno(e, -errno, "%s", path);
	r = fstat(from, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	to = r == 0 ? open_memory(path, e) : -1;
	if (r == 0 && to < 0) {
		close(from);
		return to;
	}
	if (r == 0)
		r = copy_file(to, from);
	close(from);
	if (r < 0) {
		if (to >= 0)
			close(to);
		return err_errno(e, r, "%s: cannot be read", path);
	}
	return open_copy(ret, to, path, e);
}

int geo_file_open_bytes(struct geo_file **ret, struct slice bytes, const char *name, struct err *e)
{
	int fd = open_memory(name, e), r;

	if (fd < 0)
		return fd;
	r = copy_bytes(fd, bytes.at, bytes.len);
	if (r < 0) {
		close(fd);
		return err_errno(e, r, "%s", name);
	}
	return open_copy(ret, fd, name, e);
}

void geo_file_close(struct geo_file **pf)
{
	struct geo_file *f = *pf;

	*pf = NULL;
	if (!f)
		return;
	MMDB_close(&f->db);
	free(f->name);
	free(f);
}

/* ---- the walk ---- */

struct step {
	uint64_t record;
	uint8_t type;  /* MMDB_RECORD_TYPE_... */
	uint8_t depth; /* bits of the address that led here */
	struct addr addr;
};

struct walk {
	struct geo_file *f;
	const struct geo_walk *w;
	struct err *e;
	uint64_t visits, visits_max;
	unsigned depth_max;
	bool has_ip4_tree; /* an IPv6 tree with IPv4 behind ::/96 */
	struct step stack[130];
	size_t top;
};

static int damaged(struct walk *w, const char *why)
{
	return err_set(w->e, -EBADMSG, "%s: the search tree is damaged: %s", w->f->name, why);
}

static void set_bit(struct addr *a, unsigned bit)
{
	a->bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

static int found(struct walk *w, const struct step *s, uint32_t record)
{
	struct prefix p = { .addr = s->addr, .bits = s->depth };

	return w->w->network(w->w->arg, &p, record, w->e);
}

static bool is_alias(const struct walk *w, const struct step *s)
{
	return w->has_ip4_tree && s->addr.family == ADDR_IP6 && s->type == MMDB_RECORD_TYPE_SEARCH_NODE &&
	       s->record == w->f->db.ipv4_start_node.node_value && s->depth <= 96;
}

/* Both ways on from a node; the left one is taken first. */
static int descend(struct walk *w, const struct step *s)
{
	unsigned bit = s->addr.family == ADDR_IP4 ? 96u + s->depth : s->depth;
	struct step next = { .addr = s->addr, .depth = (uint8_t)(s->depth + 1) };
	MMDB_search_node_s node;

	if (s->depth >= (s->addr.family == ADDR_IP4 ? 32 : w->depth_max))
		return damaged(w, "it is deeper than an address is long");
	if (++w->visits > w->visits_max)
		return damaged(w, "nodes are reached in too many ways");
	if (MMDB_read_node(&w->f->db, (uint32_t)s->record, &node) != MMDB_SUCCESS)
		return damaged(w, "a node is outside of it");
	next.record = node.left_record_type == MMDB_RECORD_TYPE_DATA ? node.left_record_entry.offset : node.left_record;
	next.type = node.left_record_type;
	w->stack[w->top + 1] = next;
	set_bit(&next.addr, bit);
	next.record = node.right_record_type == MMDB_RECORD_TYPE_DATA ? node.right_record_entry.offset : node.right_record;
	next.type = node.right_record_type;
	w->stack[w->top] = next;
	w->top += 2;
	return 0;
}

static int visit(struct walk *w, const struct step *s)
{
	struct prefix p = { .addr = s->addr, .bits = s->depth };

	if (is_alias(w, s))
		return w->w->alias ? w->w->alias(w->w->arg, &p, w->e) : 0;
	switch (s->type) {
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		return descend(w, s);
	case MMDB_RECORD_TYPE_EMPTY:
		return 0;
	case MMDB_RECORD_TYPE_DATA:
		return found(w, s, (uint32_t)s->record);
	default:
		return damaged(w, "a record points outside of the file");
	}
}

static int walk_from(struct walk *w, const struct step *root)
{
	int r = 0;

	w->stack[0] = *root;
	w->top = 1;
	while (w->top && r == 0) {
		struct step s = w->stack[--w->top];

		r = visit(w, &s);
	}
	return r;
}

/* Where IPv4 begins in a tree for IPv6; nothing, a record or a node. Follows the 96 zero bits as a lookup does. */
static int find_ip4(struct walk *w, struct step *ret)
{
	struct step s = { .type = MMDB_RECORD_TYPE_SEARCH_NODE };
	MMDB_search_node_s node;

	while (s.depth < 96 && s.type == MMDB_RECORD_TYPE_SEARCH_NODE) {
		if (MMDB_read_node(&w->f->db, (uint32_t)s.record, &node) != MMDB_SUCCESS)
			return damaged(w, "a node is outside of it");
		s.type = node.left_record_type;
		s.record = s.type == MMDB_RECORD_TYPE_DATA ? node.left_record_entry.offset : node.left_record;
		s.depth++;
	}
	w->has_ip4_tree = s.depth == 96 && s.type == MMDB_RECORD_TYPE_SEARCH_NODE &&
			  s.record == w->f->db.ipv4_start_node.node_value;
	s.depth = 0;
	s.addr.family = ADDR_IP4;
	s.addr.bytes[10] = s.addr.bytes[11] = 0xff;
	*ret = s;
	return 0;
}

int geo_file_walk(struct geo_file *f, const struct geo_walk *gw, struct err *e)
{
	struct walk *w = calloc(1, sizeof *w);
	struct step root = { .type = MMDB_RECORD_TYPE_SEARCH_NODE }, ip4;
	bool ip6 = f->db.metadata.ip_version == 6;
	int r;

	if (!w)
		return err_set(e, -ENOMEM, "%s: out of memory", f->name);
	w->f = f;
	w->w = gw;
	w->e = e;
	w->visits_max = (uint64_t)f->db.metadata.node_count * VISITS_PER_NODE + VISITS_SPARE;
	w->depth_max = ip6 ? 128 : 32;
	ip4 = root;
	ip4.addr.family = ADDR_IP4;
	ip4.addr.bytes[10] = ip4.addr.bytes[11] = 0xff;
	r = ip6 ? find_ip4(w, &ip4) : 0;
	if (r == 0)
		r = walk_from(w, &ip4);
	root.addr.family = ADDR_IP6;
	if (r == 0 && ip6)
		r = walk_from(w, &root);
	free(w);
	return r;
}

/* ---- records ---- */

static int member(struct geo_file *f, uint32_t record, const char *const *path, MMDB_entry_data_s *ret, struct err *e)
{
	MMDB_entry_s entry = { .mmdb = &f->db, .offset = record };
	int code = MMDB_aget_value(&entry, ret, path);

	if (code == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || (code == MMDB_SUCCESS && !ret->has_data))
		return 0;
	if (code != MMDB_SUCCESS)
		return err_set(e, -EBADMSG, "%s: a record is damaged: %s", f->name, MMDB_strerror(code));
	return 1;
}

int geo_file_text(struct geo_file *f, uint32_t record, const char *const *path, char *ret, size_t size, struct err *e)
{
	MMDB_entry_data_s data;
	int r = member(f, record, path, &data, e);
	size_t len;

	if (r <= 0 || data.type != MMDB_DATA_TYPE_UTF8_STRING)
		return r < 0 ? r : 0;
	len = data.data_size < size ? data.data_size : size - 1;
	if (len)
		memcpy(ret, data.utf8_string, len);
	ret[len] = '\0';
	return 1;
}

int geo_file_number(struct geo_file *f, uint32_t record, const char *const *path, uint32_t *ret, struct err *e)
{
	MMDB_entry_data_s data;
	int r = member(f, record, path, &data, e);

	if (r <= 0)
		return r;
	switch (data.type) {
	case MMDB_DATA_TYPE_UINT16:
		*ret = data.uint16;
		return 1;
	case MMDB_DATA_TYPE_UINT32:
		*ret = data.uint32;
		return 1;
	case MMDB_DATA_TYPE_UINT64:
		*ret = data.uint64 <= UINT32_MAX ? (uint32_t)data.uint64 : 0;
		return data.uint64 <= UINT32_MAX;
	default:
		return 0;
	}
}
