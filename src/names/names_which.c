/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which name holds: config, lease, hosts, dns, in this order. An address whose device is known (neighbour table, leases, or
 * it was seen to speak from there) has the device's names too, so that a device has one name for IPv4 and IPv6. */
#include "names/names_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct place *device_of(struct names *n, uint64_t mac)
{
	struct addr key = place_device(mac);

	return mac ? places_find(n->places, &key) : NULL;
}

static bool is_router(const struct place *device)
{
	return device && device->holds > ROUTER_HOLDS;
}

static const char *named(const struct known_row *row, enum name_source s, enum name_source *ret)
{
	if (!row || !row->name[0])
		return NULL;
	*ret = s;
	return row->name;
}

/* What the host itself is called, apart from its device. */
static const char *own_name(struct names *n, const struct addr *host, const struct place *p, enum name_source *ret)
{
	int64_t now = names_utc_s();
	const char *name = named(known_host(n->given, host, now), NAME_CONFIG, ret);

	if (!name)
		name = named(known_host(n->leases, host, now), NAME_LEASE, ret);
	if (!name)
		name = named(known_host(n->hosts, host, now), NAME_HOSTS, ret);
	if (!name && p && p->dns) {
		*ret = NAME_DNS;
		name = p->dns;
	}
	return name;
}

/* What the config or a lease calls the device. */
static const char *given_name(struct names *n, uint64_t mac, enum name_source *ret)
{
	int64_t now = names_utc_s();
	const char *name = named(known_mac(n->given, mac, now), NAME_CONFIG, ret);

	return name ? name : named(known_mac(n->leases, mac, now), NAME_LEASE, ret);
}

/* The better of two, by where they come from. */
static const char *better(const char *a, enum name_source from_a, const char *b, enum name_source from_b, enum name_source *ret)
{
	bool is_a = a && (!b || from_a <= from_b);

	if (a || b)
		*ret = is_a ? from_a : from_b;
	return is_a ? a : b;
}

/* By the device's newest IPv4, else IPv6 address. */
static const char *name_of_hosts(struct names *n, const struct place *device, const struct place *except, enum name_source *ret)
{
	const uint32_t numbers[] = { device->ip4, device->ip6 };
	const char *best = NULL;
	enum name_source from = NAME_NONE;

	for (unsigned i = 0; i < 2; i++) {
		const struct place *host = numbers[i] ? places_at(n->places, numbers[i] - 1) : NULL;
		enum name_source s = NAME_NONE;
		const char *name;

		if (!host || host == except || host->mac != place_device_mac(&device->key))
			continue;
		name = own_name(n, &host->key, host, &s);
		best = better(best, from, name, s, &from);
	}
	if (best)
		*ret = from;
	return best;
}

static const char *which_of_device(struct names *n, uint64_t mac, enum name_source *ret)
{
	struct place *device = device_of(n, mac);
	enum name_source from_given = NAME_NONE, from_hosts = NAME_NONE;
	const char *given = given_name(n, mac, &from_given), *hosts = NULL;

	if (device && !is_router(device))
		hosts = name_of_hosts(n, device, NULL, &from_hosts);
	return better(given, from_given, hosts, from_hosts, ret);
}

static const char *which_of_host(struct names *n, const struct addr *host, enum name_source *ret)
{
	const struct place *p = places_find(n->places, host);
	const struct known_row *lease = known_host(n->leases, host, names_utc_s());
	uint64_t mac = lease && lease->mac ? lease->mac : p ? p->mac : 0;
	struct place *device = device_of(n, mac);
	enum name_source from_own = NAME_NONE, from_given = NAME_NONE;
	const char *own = own_name(n, host, p, &from_own), *given = NULL, *name;

	if (mac && !is_router(device))
		given = given_name(n, mac, &from_given);
	name = better(own, from_own, given, from_given, ret);
	return name || !device || is_router(device) ? name : name_of_hosts(n, device, p, ret);
}

const char *names_which(struct names *n, const struct addr *key, enum name_source *ret)
{
	uint64_t mac = place_device_mac(key);

	*ret = NAME_NONE;
	return mac ? which_of_device(n, mac, ret) : which_of_host(n, key, ret);
}

/* FNV-1a; apart from the values that mean something else. */
uint64_t names_fingerprint(const char *name, enum name_source s)
{
	uint64_t h = 0xcbf29ce484222325 ^ (uint64_t)s;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3;
	return h < 2 ? h + 2 : h;
}

static struct learnt *add_learnt(struct names *n, const struct place *p)
{
	struct learnt *l;

	if (n->learnt_count == LEARNT_MAX)
		return NULL;
	if (n->learnt_count == n->learnt_room) {
		size_t room = n->learnt_room ? n->learnt_room * 2 : 64;
		struct learnt *more = realloc(n->learnt, room * sizeof *more);

		if (!more)
			return NULL;
		n->learnt = more;
		n->learnt_room = room;
	}
	l = &n->learnt[n->learnt_count];
	*l = (struct learnt){ .since_utc_s = names_utc_s(), .mac = place_device_mac(&p->key) };
	if (!l->mac)
		l->host = p->key;
	return l;
}

static bool learn_text(struct names *n, const struct place *p, const char *text, const char *source)
{
	struct learnt *l = add_learnt(n, p);

	if (!l)
		return false;
	if (text) {
		l->text = strdup(text);
		if (!l->text)
			return false;
	}
	snprintf(l->source, sizeof l->source, "%s", source);
	n->learnt_count++;
	return true;
}

/* That there is no name is told where it is sure, and after a start not before everything has been heard. */
static bool none_is_sure(const struct names *n, const struct place *p)
{
	if (!p->wanted || names_monotonic_ns() / 1000000000 - n->started_s < GRACE_S)
		return p->state == PLACE_NAMELESS && n->cf.dns && !p->mac;
	return place_device_mac(&p->key) || (n->cf.dns ? p->state == PLACE_NAMELESS : p->told > PLACE_TOLD_NONE);
}

static void tell_name(struct names *n, struct place *p)
{
	enum name_source s;
	const char *name = names_which(n, &p->key, &s);
	uint64_t print = name ? names_fingerprint(name, s) : PLACE_TOLD_NONE;

	if (print == p->told || (!name && !none_is_sure(n, p)))
		return;
	if (learn_text(n, p, name, name_source_text(s)))
		p->told = print;
}

static void tell_holder(struct names *n, struct place *p)
{
	struct learnt *l;

	if (!p->mac || p->mac == p->told_mac)
		return;
	l = add_learnt(n, p);
	if (!l)
		return;
	l->what = LEARNT_HOLDER;
	l->mac = p->mac;
	n->learnt_count++;
	p->told_mac = p->mac;
}

static void tell_vendor(struct names *n, struct place *p)
{
	uint64_t mac = place_device_mac(&p->key);
	const char *vendor = p->told_vendor ? NULL : names_vendor(n, mac);

	if (vendor && learn_text(n, p, vendor, "")) {
		n->learnt[n->learnt_count - 1].what = LEARNT_VENDOR;
		p->told_vendor = true;
	}
}

void names_tell(struct names *n, struct place *p)
{
	if (p->wanted) /* a neighbour that was never counted is nobody's */
		tell_name(n, p);
	if (p->wanted && p->key.family == PLACE_MAC)
		tell_vendor(n, p);
	else if (p->wanted)
		tell_holder(n, p);
}

void names_tell_device(struct names *n, uint64_t mac)
{
	struct place *device = device_of(n, mac);

	if (device)
		names_tell(n, device);
}
