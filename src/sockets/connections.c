/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockets/connections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_SLOTS 1024
#define MISSED_LOOKS 4 /* not seen in so many: it has closed, and nobody told */

/* What was told of a connection. */
struct told {
	struct sockets_counters counters;
	uint64_t bytes;
};

struct entry {
	struct sockets_ends ends;
	struct told told;
	uint64_t cookie;
	uint32_t look;             /* that saw it last */
	bool taken, ours;
	bool before;               /* `told` is what it had moved before we began */
};

struct ports {
	uint64_t bits[65536 / 64];
};

struct connections {
	struct connections_config cf;
	struct entry *slots;       /* a power of two */
	uint32_t slot_count, used;
	uint64_t seeds[5];         /* odd */
	uint32_t look;
	bool began;                /* a first look is complete */
	bool doubts;               /* the kernel may not know of all that were accepted */
	bool crowded_then;         /* not all that was there before is in the table */
	int64_t began_ns;
	struct ports services, listening, listening_next;
	struct sockets_stats stats;
	uint64_t living;           /* of the look that is under way */
};

static bool ports_have(const struct ports *p, uint16_t port)
{
	return p->bits[port / 64] >> (port % 64) & 1;
}

static void ports_add(struct ports *p, uint16_t port)
{
	p->bits[port / 64] |= UINT64_C(1) << (port % 64);
}

void connections_set_services(struct connections *c, const struct services *s)
{
	memset(&c->services, 0, sizeof c->services);
	for (unsigned port = 1; s && s->of_port && port < 65536; port++)
		if (s->of_port[SERVICE_TCP][port])
			ports_add(&c->services, (uint16_t)port);
}

int connections_new(struct connections **ret, const struct connections_config *cf, struct err *e)
{
	struct connections *c = calloc(1, sizeof *c);

	if (c) {
		c->cf = *cf;
		c->slot_count = FIRST_SLOTS;
		c->slots = calloc(c->slot_count, sizeof *c->slots);
	}
	if (!c || !c->slots) {
		connections_free(&c);
		return err_set(e, -ENOMEM, "no memory for connections");
	}
	if (getrandom(c->seeds, sizeof c->seeds, 0) != (ssize_t)sizeof c->seeds) {
		connections_free(&c);
		return err_errno(e, -errno, "no random numbers");
	}
	*ret = c;
	return 0;
}

void connections_free(struct connections **c)
{
	if (!*c)
		return;
	free((*c)->slots);
	free(*c);
	*c = NULL;
}

/* ---- the table ---- */

/* Folds each word's product, so that a client that chooses addresses and ports does not choose the slot. */
static uint32_t home_of(const struct connections *c, const struct sockets_ends *ends)
{
	uint64_t words[5], h = 0;

	_Static_assert(sizeof words == sizeof *ends, "five words");
	memcpy(words, ends, sizeof words);
	for (unsigned i = 0; i < 5; i++) {
		__extension__ unsigned __int128 product = (unsigned __int128)(words[i] ^ h) * (c->seeds[i] | 1);

		h = (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return (uint32_t)h & (c->slot_count - 1);
}

/* Its slot, or the free one where it would go. */
static struct entry *slot_of(const struct connections *c, const struct sockets_ends *ends)
{
	uint32_t at = home_of(c, ends);

	while (c->slots[at].taken && memcmp(&c->slots[at].ends, ends, sizeof *ends) != 0)
		at = (at + 1) & (c->slot_count - 1);
	return &c->slots[at];
}

static struct entry *find(const struct connections *c, const struct sockets_ends *ends)
{
	struct entry *e = slot_of(c, ends);

	return e->taken ? e : NULL;
}

/* Those behind it that are not at home move up. */
static void take_out(struct connections *c, struct entry *e)
{
	const uint32_t mask = c->slot_count - 1;
	uint32_t hole = (uint32_t)(e - c->slots), at = hole;

	for (;;) {
		uint32_t home;

		at = (at + 1) & mask;
		if (!c->slots[at].taken)
			break;
		home = home_of(c, &c->slots[at].ends);
		if (((at - home) & mask) < ((at - hole) & mask))
			continue; /* its home lies behind the hole */
		c->slots[hole] = c->slots[at];
		hole = at;
	}
	c->slots[hole] = (struct entry){ 0 };
	c->used--;
}

static int grow(struct connections *c)
{
	struct entry *old = c->slots;
	uint32_t count = c->slot_count;
	struct entry *slots = calloc((size_t)count * 2, sizeof *slots);

	if (!slots)
		return -ENOMEM;
	c->slots = slots;
	c->slot_count = count * 2;
	for (uint32_t i = 0; i < count; i++)
		if (old[i].taken)
			*slot_of(c, &old[i].ends) = old[i];
	free(old);
	return 0;
}

/* NULL: no room. */
static struct entry *add(struct connections *c, const struct connection *seen)
{
	struct entry *e;

	if (c->used >= c->cf.limit || (c->used >= c->slot_count / 2 && grow(c) < 0))
		return NULL;
	e = slot_of(c, &seen->ends);
	*e = (struct entry){ .ends = seen->ends, .cookie = seen->cookie, .taken = true };
	c->used++;
	return e;
}

/* ---- what is told ---- */

static void get_addr(struct addr *to, const uint8_t bytes[static 16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	*to = (struct addr){ .family = memcmp(bytes, mapped, sizeof mapped) == 0 ? ADDR_IP4 : ADDR_IP6 };
	memcpy(to->bytes, bytes, sizeof to->bytes);
}

static uint64_t payload_of(const struct sockets_counters *c)
{
	return c->bytes_sent > c->bytes_retrans ? c->bytes_sent - c->bytes_retrans : 0;
}

/* Counts of segments wrap at 32 bits. Bytes may go back: the kernel counts those that it sends again before it knows whether
 * it has the memory to (net/ipv4/tcp_output.c); then the same ones are not told twice. */
static void fill(struct socket_delivery *d, const struct sockets_ends *ends, const struct sockets_counters *now,
		 const struct told *told)
{
	const uint64_t bytes = payload_of(now);

	*d = (struct socket_delivery){
		.port = ends->local_port,
		.client_port = ends->remote_port,
		.packets = (uint32_t)(now->data_segments - told->counters.data_segments),
		.bytes = bytes > told->bytes ? bytes - told->bytes : 0,
		.retransmits = (uint32_t)(now->retransmits - told->counters.retransmits),
	};
	get_addr(&d->client, ends->remote);
	get_addr(&d->server, ends->local);
}

static void lose(struct connections *c, struct entry *e)
{
	c->stats.lost += e->ours;
	take_out(c, e);
}

/* ---- those that live ---- */

void connections_begin_look(struct connections *c)
{
	c->look++;
	c->living = 0;
	memset(&c->listening_next, 0, sizeof c->listening_next);
}

/* The first sight of it. */
static struct entry *meet(struct connections *c, const struct connection *seen)
{
	const bool accepted = c->cf.was_accepted(c->cf.arg, &seen->ends);
	struct entry *e = add(c, seen);

	if (!e) {
		c->stats.crowded++;
		c->crowded_then = c->crowded_then || !c->began;
		return NULL;
	}
	e->before = !accepted && (!c->began || c->crowded_then);
	e->ours = accepted || ports_have(&c->services, seen->ends.local_port);
	if (e->before || c->doubts) /* whoever listens may come later in this look, or have come before */
		e->ours = e->ours || ports_have(&c->listening, seen->ends.local_port) ||
			  ports_have(&c->listening_next, seen->ends.local_port);
	if (e->before)
		e->told = (struct told){ seen->counters, payload_of(&seen->counters) };
	return e;
}

bool connections_see(struct connections *c, const struct connection *seen, int64_t now_ns, struct socket_delivery *ret)
{
	struct entry *e;

	if (seen->listens) {
		ports_add(&c->listening_next, seen->ends.local_port);
		return false;
	}
	c->living++;
	e = find(c, &seen->ends);
	if (e && e->cookie != seen->cookie) {
		lose(c, e);
		e = NULL;
	}
	if (!e)
		e = meet(c, seen);
	if (!e)
		return false;
	e->look = c->look;
	fill(ret, &seen->ends, &seen->counters, &e->told);
	if (!e->ours || ret->packets == 0)
		return false;
	ret->srtt_us = seen->srtt_us;
	ret->monotonic_ns = now_ns;
	e->told.counters = seen->counters;
	e->told.bytes += ret->bytes;
	e->before = false;
	return true;
}

/* Their end was not told. From the top down: what take_out() moves up is looked at again, or was. */
static void drop_missed(struct connections *c)
{
	for (uint32_t i = c->slot_count; i-- > 0;)
		while (c->slots[i].taken && c->look - c->slots[i].look >= MISSED_LOOKS)
			lose(c, &c->slots[i]);
}

/* Those that were there before and whose port is listened on by a socket that came behind them in the look. */
static void claim_listened(struct connections *c)
{
	for (uint32_t i = 0; i < c->slot_count; i++)
		if (c->slots[i].taken && ports_have(&c->listening, c->slots[i].ends.local_port))
			c->slots[i].ours = true;
}

void connections_end_look(struct connections *c, bool complete, int64_t now_ns)
{
	c->stats.looks++;
	if (!complete) {
		c->stats.looks_failed++;
		c->look--; /* what it did not see is not missing */
		return;
	}
	c->listening = c->listening_next;
	c->stats.living = c->living;
	if (!c->began) {
		claim_listened(c);
		c->began = true;
		c->began_ns = now_ns;
	}
	drop_missed(c);
}

/* ---- those that close ---- */

/* The same ends again, after an end that was not told. */
static bool is_another(const struct entry *e, const struct sockets_closed *closed)
{
	const struct sockets_counters *a = &e->told.counters, *b = &closed->counters;

	if (closed->cookie)
		return closed->cookie != e->cookie;
	return b->bytes_sent < a->bytes_sent || b->bytes_acked < a->bytes_acked || b->bytes_retrans < a->bytes_retrans;
}

/* It was never seen alive: is it told whole? */
static bool is_new_delivery(struct connections *c, const struct sockets_closed *closed)
{
	const uint16_t port = closed->ends.local_port;

	if (closed->accepted)
		return true;
	if (!ports_have(&c->services, port) && (!c->doubts || !ports_have(&c->listening, port)) && c->began)
		return false;
	if (c->began && !c->crowded_then && closed->monotonic_ns >= (uint64_t)c->began_ns)
		return true;
	c->stats.unknown += ports_have(&c->services, port) || ports_have(&c->listening, port);
	return false;
}

bool connections_close(struct connections *c, const struct sockets_closed *closed, struct socket_delivery *ret)
{
	struct told told = { .bytes = 0 };
	struct entry *e = find(c, &closed->ends);
	bool ours;

	if (e && is_another(e, closed)) {
		lose(c, e);
		e = NULL;
	}
	if (e) {
		/* It may have been seen just before its end, and be asked for just behind it: then the kernel does not know
		 * it as accepted any more, but says so here. */
		ours = e->ours || closed->accepted;
		if (!e->before || !closed->accepted)
			told = e->told;
		take_out(c, e);
	} else {
		ours = is_new_delivery(c, closed);
	}
	if (!ours)
		return false;
	fill(ret, &closed->ends, &closed->counters, &told);
	ret->requests = 1;
	ret->srtt_us = closed->srtt_us;
	ret->monotonic_ns = (int64_t)closed->monotonic_ns;
	c->stats.closed++;
	return true;
}

void connections_doubt(struct connections *c)
{
	c->doubts = true;
}

void connections_stats(const struct connections *c, struct sockets_stats *ret)
{
	*ret = c->stats;
}
