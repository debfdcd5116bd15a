/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bgp_attributes.c -- path attributes: see bgp.h. What no route's place depends on (next hop, communities) is passed over. */
#include "routes/bgp_internal.h"

#include <errno.h>
#include <string.h>

enum { /* RFC 4271 5, 4760 3, 6793 3 */
	ATTRIBUTE_ORIGIN = 1,
	ATTRIBUTE_AS_PATH = 2,
	ATTRIBUTE_MED = 4,
	ATTRIBUTE_LOCAL_PREF = 5,
	ATTRIBUTE_AGGREGATOR = 7,
	ATTRIBUTE_MP_REACH = 14,
	ATTRIBUTE_MP_UNREACH = 15,
	ATTRIBUTE_AS4_PATH = 17,
	ATTRIBUTE_AS4_AGGREGATOR = 18,
};
#define FLAG_EXTENDED_LENGTH 0x10

static int append(struct path_words *to, uint32_t word)
{
	if (to->count == AS_PATH_WORDS_MAX)
		return -ENOSPC;
	to->words[to->count++] = word;
	return 0;
}

/* Opens a segment for `count` numbers that follow: a sequence behind a sequence goes on with it. */
static int append_head(struct path_words *to, unsigned kind, unsigned count)
{
	if (to->count && kind == AS_SEGMENT_SEQUENCE && AS_SEGMENT_KIND(to->words[to->last_head]) == kind) {
		to->words[to->last_head] += count; /* no carry into the kind: AS_PATH_WORDS_MAX is less than 1 << 16 */
		return 0;
	}
	to->last_head = to->count;
	return append(to, AS_SEGMENT(kind, count));
}

/* RFC 7606 7.2: an unknown kind, an empty segment, or one that is longer than the attribute is malformed. */
static int read_path(struct path_words *to, struct slice bytes, unsigned as_bytes, struct err *e)
{
	struct cursor c = cursor_of(bytes);

	to->count = to->last_head = 0;
	while (c.rest.len) {
		unsigned kind = cursor_u8(&c), count = cursor_u8(&c);
		const uint8_t *as = count ? cursor_take(&c, (size_t)count * as_bytes) : NULL;

		if (!as || kind < AS_SEGMENT_SET || kind > AS_SEGMENT_CONFED_SET)
			return err_set(e, -EBADMSG, "AS path with a damaged segment (kind %u, %u numbers)", kind, count);
		if (append_head(to, kind, count) < 0 || to->count + count > AS_PATH_WORDS_MAX)
			return err_set(e, -EBADMSG, "AS path of more than %u words", AS_PATH_WORDS_MAX);
		for (unsigned i = 0; i < count; i++, as += as_bytes)
			to->words[to->count++] = as_bytes == 4 ? be32(as) : be16(as);
	}
	return 0;
}

static struct as_path path_of(const struct path_words *w)
{
	return (struct as_path){ w->words, w->count };
}

/* RFC 6793 4.2.3: the first ASes of AS_PATH, as many as it is longer, and behind them all of AS4_PATH. Confederation
 * segments that lead, or lie beside what is taken, are taken; those in AS4_PATH are none (section 6). */
static int merge_as4(struct path_words *to, const struct path_words *path, const struct path_words *as4)
{
	struct as_path old = path_of(path), new = path_of(as4);
	uint32_t old_length = as_path_length(&old), new_length = as_path_length(&new), at = 0, rest;
	struct as_segment s;

	if (new_length > old_length)
		return 0;
	rest = old_length - new_length;
	to->count = to->last_head = 0;
	while (as_path_next(&old, &at, &s)) {
		bool confederation = s.kind == AS_SEGMENT_CONFED_SEQUENCE || s.kind == AS_SEGMENT_CONFED_SET;
		uint32_t take = s.kind != AS_SEGMENT_SEQUENCE || s.count < rest ? s.count : rest;

		if (!confederation && rest == 0)
			break;
		if (append_head(to, s.kind, take) < 0)
			return -ENOSPC;
		for (uint32_t i = 0; i < take; i++)
			if (append(to, s.as[i]) < 0)
				return -ENOSPC;
		if (!confederation)
			rest -= s.kind == AS_SEGMENT_SET ? 1 : take;
	}
	for (at = 0; as_path_next(&new, &at, &s);) {
		if (s.kind == AS_SEGMENT_CONFED_SEQUENCE || s.kind == AS_SEGMENT_CONFED_SET)
			continue;
		if (append_head(to, s.kind, s.count) < 0)
			return -ENOSPC;
		for (uint32_t i = 0; i < s.count; i++)
			if (append(to, s.as[i]) < 0)
				return -ENOSPC;
	}
	return 1;
}

/* The attributes that make the path, as they stand in the message. */
struct found {
	struct slice as_path, as4_path;
	uint32_t aggregator;
	bool has_aggregator, has_as4_aggregator;
	uint32_t seen; /* a bit per attribute of the list above: of a second one of a kind the first counts (RFC 7606 3 g) */
};

static int wrong_length(uint8_t type, size_t len, struct err *e)
{
	return err_set(e, -EBADMSG, "path attribute %u of %zu bytes", type, len);
}

static int take_attribute(struct bgp_attributes *a, struct found *f, uint8_t type, struct slice v, struct err *e)
{
	switch (type) {
	case ATTRIBUTE_ORIGIN:
		if (v.len != 1 || v.at[0] > BGP_ORIGIN_INCOMPLETE)
			return wrong_length(type, v.len, e);
		a->origin = v.at[0];
		break;
	case ATTRIBUTE_MED:
	case ATTRIBUTE_LOCAL_PREF:
		if (v.len != 4)
			return wrong_length(type, v.len, e);
		*(type == ATTRIBUTE_MED ? &a->med : &a->local_pref) = be32(v.at);
		break;
	case ATTRIBUTE_AGGREGATOR:
		if (v.len != 6 && v.len != 8)
			break; /* RFC 7606 7.7: only the attribute is passed over */
		f->has_aggregator = true;
		f->aggregator = v.len == 8 ? be32(v.at) : be16(v.at);
		break;
	case ATTRIBUTE_AS4_AGGREGATOR: f->has_as4_aggregator = v.len == 8; break;
	case ATTRIBUTE_AS_PATH: a->has_path = true; f->as_path = v; break;
	case ATTRIBUTE_AS4_PATH: f->as4_path = v; break;
	case ATTRIBUTE_MP_REACH: a->reach = v; break;
	case ATTRIBUTE_MP_UNREACH: a->unreach = v; break;
	default: break;
	}
	return 0;
}

/* Goes on behind an attribute that is damaged, as long as the lengths hold: MP_REACH and MP_UNREACH may follow. */
static int walk(struct bgp_attributes *a, struct found *f, struct slice bytes, struct err *e)
{
	struct cursor c = cursor_of(bytes);
	int r = 0;

	while (c.rest.len) {
		uint8_t flags = cursor_u8(&c), type = cursor_u8(&c);
		size_t len = flags & FLAG_EXTENDED_LENGTH ? cursor_be16(&c) : cursor_u8(&c);
		struct slice v = cursor_slice(&c, len);
		uint32_t bit = type < 32 ? 1u << type : 0;

		if (c.truncated)
			return err_set(e, -EBADMSG, "path attribute %u is longer than the list of attributes", type);
		if (f->seen & bit)
			continue;
		f->seen |= bit;
		if (take_attribute(a, f, type, v, e) < 0)
			r = -EBADMSG;
	}
	return r;
}

static int make_path(struct bgp_parser *p, const struct found *f, bool as4, struct bgp_attributes *a, struct err *e)
{
	int r = read_path(&p->path, f->as_path, as4 ? 4 : 2, e);

	if (r < 0)
		return r;
	a->path = path_of(&p->path);
	if (as4 || !f->as4_path.len || (f->has_aggregator && f->aggregator != AS_TRANS && f->has_as4_aggregator))
		return 0;
	if (read_path(&p->as4_path, f->as4_path, 4, NULL) < 0)
		return 0; /* RFC 6793 6: a damaged AS4_PATH is passed over, the route stays */
	r = merge_as4(&p->merged, &p->path, &p->as4_path);
	if (r < 0)
		return err_set(e, -EBADMSG, "AS path of more than %u words", AS_PATH_WORDS_MAX);
	if (r > 0)
		a->path = path_of(&p->merged);
	return 0;
}

int bgp_attributes_read(struct bgp_parser *p, struct slice bytes, const struct bgp_options *o, struct bgp_attributes *ret,
			struct err *e)
{
	struct found f = { 0 };
	int r;

	*ret = (struct bgp_attributes){ .origin = BGP_ORIGIN_INCOMPLETE, .local_pref = 100 };
	r = walk(ret, &f, bytes, e);
	if (make_path(p, &f, o->as4, ret, r < 0 ? NULL : e) < 0)
		r = -EBADMSG;
	return r;
}
