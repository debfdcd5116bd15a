/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/prefix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned family_bits(const struct addr *a)
{
	return a->family == ADDR_IP4 ? 32 : 128;
}

/* Where the address begins in `bytes`: an IPv4 prefix of 24 bits ends in byte 12 + 3. */
static unsigned first_bit(const struct addr *a)
{
	return a->family == ADDR_IP4 ? 96 : 0;
}

static void clear_host_bits(struct addr *a, unsigned bits)
{
	unsigned keep = first_bit(a) + bits;

	for (unsigned i = 0; i < 16; i++) {
		if (i * 8 >= keep)
			a->bytes[i] = 0;
		else if (i * 8 + 8 > keep)
			a->bytes[i] &= (uint8_t)(0xff << (i * 8 + 8 - keep));
	}
}

int prefix_parse(struct prefix *ret, const char *text, struct err *e)
{
	char copy[PREFIX_TEXT_MAX];
	struct prefix p;
	char *slash;
	size_t len = strlen(text);

	if (len >= sizeof copy)
		return err_set(e, -EINVAL, "\"%.60s\" is no prefix; write 192.0.2.0/24 or 2001:db8::/32", text);
	memcpy(copy, text, len + 1);
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (addr_parse(&p.addr, copy) < 0)
		return err_set(e, -EINVAL, "\"%s\" is no prefix; write 192.0.2.0/24 or 2001:db8::/32", text);
	p.bits = (uint8_t)family_bits(&p.addr);
	if (slash) {
		unsigned bits = 0;
		const char *c = slash + 1;

		for (; *c >= '0' && *c <= '9' && bits <= 128; c++)
			bits = bits * 10 + (unsigned)(*c - '0');
		if (*c || c == slash + 1 || bits > family_bits(&p.addr))
			return err_set(e, -EINVAL, "\"%s\": a prefix length is 0 to %u here", text,
				       family_bits(&p.addr));
		p.bits = (uint8_t)bits;
	}
	clear_host_bits(&p.addr, p.bits);
	*ret = p;
	return 0;
}

void prefix_format(const struct prefix *p, char text[static PREFIX_TEXT_MAX])
{
	unsigned len = addr_format(&p->addr, text);

	snprintf(text + len, PREFIX_TEXT_MAX - len, "/%u", p->bits);
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	unsigned whole, rest, from;

	if (p->addr.family != a->family)
		return false;
	from = first_bit(a) / 8;
	whole = p->bits / 8;
	rest = p->bits % 8;
	if (memcmp(p->addr.bytes + from, a->bytes + from, whole) != 0)
		return false;
	return rest == 0 || ((p->addr.bytes[from + whole] ^ a->bytes[from + whole]) >> (8 - rest)) == 0;
}

int prefix_set_add(struct prefix_set *s, const struct prefix *p)
{
	struct prefix *grown = realloc(s->at, (s->count + 1) * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	s->at = grown;
	s->at[s->count++] = *p;
	return 0;
}

bool prefix_set_contains(const struct prefix_set *s, const struct addr *a)
{
	for (size_t i = 0; i < s->count; i++)
		if (prefix_contains(&s->at[i], a))
			return true;
	return false;
}

bool prefix_set_is_broadcast(const struct prefix_set *s, const struct addr *a)
{
	if (a->family != ADDR_IP4)
		return false;
	for (size_t i = 0; i < s->count; i++) {
		const struct prefix *p = &s->at[i];
		uint32_t host_mask, value = 0;

		if (p->bits > 30 || !prefix_contains(p, a)) /* RFC 3021: no broadcast on /31, /32 */
			continue;
		host_mask = p->bits ? UINT32_MAX >> p->bits : UINT32_MAX;
		for (unsigned b = 12; b < 16; b++)
			value = value << 8 | a->bytes[b];
		if ((value & host_mask) == host_mask)
			return true;
	}
	return false;
}

void prefix_set_free(struct prefix_set *s)
{
	free(s->at);
	*s = (struct prefix_set){ 0 };
}
