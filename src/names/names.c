/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing, and what others ask and tell. */
#include "names/names_internal.h"

#include "base/clock.h"
#include "names/name_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOCAL_BIT (UINT64_C(1) << 41) /* of the first byte: locally administered, IEEE 802c */

const char *name_source_text(enum name_source s)
{
	static const char *const texts[] = {
		[NAME_NONE] = "-", [NAME_CONFIG] = "config", [NAME_LEASE] = "lease", [NAME_HOSTS] = "hosts", [NAME_DNS] = "dns",
	};

	return texts[s];
}

int64_t names_utc_s(void)
{
	return ns_to_s(clock_system().utc_ns(NULL));
}

int64_t names_monotonic_ns(void)
{
	return clock_system().monotonic_ns(NULL);
}

void names_config_default(struct names_config *ret)
{
	*ret = (struct names_config){
		.neighbours = true, .hosts = NAMES_HOSTS_DEFAULT, .oui = NAMES_OUI_DEFAULT,
		.cache = NAMES_CACHE_DEFAULT, .rate = NAMES_RATE_DEFAULT,
	};
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits < 6 && text[digits] == '\0' && atoi(text) > 0 && atoi(text) < 65536;
}

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53"; the text is taken apart. */
static bool is_server(char *text)
{
	char *colon = strrchr(text, ':');
	size_t len = strlen(text);
	struct addr a;

	if (text[0] != '[') {
		if (colon && strchr(text, ':') == colon) {
			*colon = '\0';
			return addr_parse(&a, text) == 0 && a.family == ADDR_IP4 && is_port(colon + 1);
		}
		return addr_parse(&a, text) == 0;
	}
	if (colon && colon > text && colon[-1] == ']') {
		if (!is_port(colon + 1))
			return false;
		len = (size_t)(colon - text);
	}
	if (text[len - 1] != ']')
		return false;
	text[len - 1] = '\0';
	return addr_parse(&a, text + 1) == 0 && a.family == ADDR_IP6;
}

int names_resolver_check(const char *text, struct err *e)
{
	char copy[sizeof((struct names_config *)0)->resolver], *rest = copy, *one;

	if (strlen(text) >= sizeof copy)
		return err_set(e, -EINVAL, "over %zu characters", sizeof copy - 1);
	memcpy(copy, text, strlen(text) + 1);
	while ((one = strsep(&rest, ",")))
		if (!*one || !is_server(one))
			return err_set(e, -EINVAL, "'%.60s' is no resolver: write ADDRESS or ADDRESS:PORT, such as "
				       "192.0.2.53:5353 or [2001:db8::53]:53", text);
	return 0;
}

/* A list that is configured must be there; the usual one may be missing. */
static int read_oui(struct names *n, struct err *e)
{
	int r = n->cf.oui[0] ? oui_read(&n->oui, n->cf.oui, e) : 0;

	return r == -ENOENT && strcmp(n->cf.oui, NAMES_OUI_DEFAULT) == 0 ? 0 : r;
}

static void take_config(struct names_config *to, const struct names_config *from)
{
	*to = *from;
	to->given = NULL;
	to->given_count = 0;
	if (to->rate < 1)
		to->rate = 1;
}

int names_new(struct names **ret, const struct names_config *cf, void (*say)(void *arg, const char *text), void *arg,
	      struct err *e)
{
	struct names *n = calloc(1, sizeof *n);
	int r;

	if (!n)
		return err_set(e, -ENOMEM, "no memory");
	pthread_mutex_init(&n->lock, NULL);
	take_config(&n->cf, cf);
	take_config(&n->mine, cf);
	n->say = say;
	n->arg = arg;
	n->started_s = ns_to_s(names_monotonic_ns());
	n->epoll_fd = n->neighbours_fd = -1;
	n->sweep_at = UINT32_MAX;
	n->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n->places = places_new(cf->cache);
	r = n->wake_fd < 0 || !n->places ? err_set(e, -ENOMEM, "no memory, or too many open files") : 0;
	if (r == 0) {
		names_mark_files(n, false);
		r = names_read_given(cf, &n->given, e);
	}
	if (r == 0)
		r = names_read_leases(cf, &n->leases, false, e);
	if (r == 0)
		r = names_read_hosts(cf, &n->hosts, false, e);
	if (r == 0)
		r = read_oui(n, e);
	if (r < 0) {
		names_stop(&n);
		return r;
	}
	*ret = n;
	return 0;
}

static void wake(struct names *n)
{
	uint64_t one = 1;

	if (write(n->wake_fd, &one, sizeof one) < 0)
		return; /* it is awake */
}

int names_change(struct names *n, const struct names_config *cf, struct err *e)
{
	struct known *given = NULL, *leases = NULL, *hosts = NULL, *old[3];
	int r = names_read_given(cf, &given, e);

	if (r == 0)
		r = names_read_leases(cf, &leases, false, e);
	if (r == 0)
		r = names_read_hosts(cf, &hosts, false, e);
	if (r < 0) {
		known_free(&given);
		known_free(&leases);
		return r;
	}
	pthread_mutex_lock(&n->lock);
	old[0] = n->given;
	old[1] = n->leases;
	old[2] = n->hosts;
	n->given = given;
	n->leases = leases;
	n->hosts = hosts;
	take_config(&n->cf, cf);
	n->reopen = n->sweep = true;
	pthread_mutex_unlock(&n->lock);
	for (unsigned i = 0; i < 3; i++)
		known_free(&old[i]);
	wake(n);
	return 0;
}

int names_start(struct names *n, struct err *e)
{
	int r = pthread_create(&n->thread, NULL, names_run, n);

	if (r != 0)
		return err_errno(e, -r, "the thread of names");
	n->started = true;
	return 0;
}

void names_stop(struct names **pn)
{
	struct names *n = *pn;

	if (!n)
		return;
	atomic_store(&n->stop, true);
	if (n->started) {
		wake(n);
		pthread_join(n->thread, NULL);
	}
	if (n->wake_fd >= 0)
		close(n->wake_fd);
	known_free(&n->given);
	known_free(&n->leases);
	known_free(&n->hosts);
	places_free(&n->places);
	oui_free(&n->oui);
	learnt_free(n->learnt, n->learnt_count);
	pthread_mutex_destroy(&n->lock);
	free(n);
	*pn = NULL;
}

void names_recall(struct names *n, const struct learnt *l)
{
	struct addr key = l->host.family != ADDR_NONE ? l->host : place_device(l->mac);
	struct place *p;

	pthread_mutex_lock(&n->lock);
	p = places_want(n->places, &key);
	if (p && l->what == LEARNT_HOLDER) {
		p->told_mac = l->mac;
	} else if (p && l->what == LEARNT_NAME && l->text) {
		enum name_source s = NAME_CONFIG;

		while (s < NAME_DNS && strcmp(name_source_text(s), l->source) != 0)
			s++;
		p->told = names_fingerprint(l->text, s);
		if (s == NAME_DNS && n->cf.dns && key.family != PLACE_MAC && !p->dns)
			p->dns = strdup(l->text); /* until DNS has said it again; NULL does no harm */
	}
	pthread_mutex_unlock(&n->lock);
}

/* Nobody has names for what is good on one link, or in one machine, alone: fe80::/10, 169.254.0.0/16, ::1, 127.0.0.0/8. */
static bool is_askable(const struct addr *a)
{
	static const uint8_t loopback[16] = { [15] = 1 };
	const uint8_t *b = a->bytes;

	if (a->family == ADDR_IP4)
		return b[12] != 127 && !(b[12] == 169 && b[13] == 254);
	return !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80) && memcmp(b, loopback, sizeof loopback) != 0;
}

static void want_host(struct names *n, const struct addr *host, uint64_t mac, bool is_local)
{
	struct place *p = places_want(n->places, host);

	if (!p)
		return;
	p->wanted = true;
	if (mac && is_local && places_hold(n->places, p, mac))
		names_tell_device(n, mac);
	if (n->cf.dns && !p->queued && is_askable(host) && ns_to_s(names_monotonic_ns()) >= p->ask_again_s) {
		places_queue(n->places, p, is_local);
		if (places_queued(n->places) == 1)
			wake(n);
	}
	names_tell(n, p);
}

void names_want(struct names *n, const struct addr *host, uint64_t mac, bool is_local)
{
	pthread_mutex_lock(&n->lock);
	if (mac) {
		struct addr key = place_device(mac);
		struct place *device = places_want(n->places, &key);

		if (device) {
			device->wanted = true;
			names_tell(n, device);
		}
	}
	if (host->family != ADDR_NONE)
		want_host(n, host, mac, is_local);
	pthread_mutex_unlock(&n->lock);
}

static const char *print_name(struct names *n, const struct addr *key, char *ret, enum name_source *source)
{
	enum name_source s;
	const char *name;

	pthread_mutex_lock(&n->lock);
	name = names_which(n, key, &s);
	snprintf(ret, NAME_MAX_TEXT, "%s", name ? name : "-");
	pthread_mutex_unlock(&n->lock);
	if (source)
		*source = s;
	return ret;
}

const char *names_of_host(struct names *n, const struct addr *host, char ret[static NAME_MAX_TEXT], enum name_source *source)
{
	return print_name(n, host, ret, source);
}

const char *names_of_mac(struct names *n, uint64_t mac, char ret[static NAME_MAX_TEXT], enum name_source *source)
{
	struct addr key = place_device(mac);

	return print_name(n, &key, ret, source);
}

const char *names_vendor(const struct names *n, uint64_t mac)
{
	const char *vendor = n->oui && mac ? oui_find(n->oui, mac & 0xffffffffffff) : NULL;

	return vendor || !(mac & LOCAL_BIT) || mac == UINT64_MAX ? vendor : "(random)";
}

void names_take(struct names *n, struct learnt **ret, size_t *ret_count)
{
	pthread_mutex_lock(&n->lock);
	*ret = n->learnt;
	*ret_count = n->learnt_count;
	n->learnt = NULL;
	n->learnt_count = n->learnt_room = 0;
	pthread_mutex_unlock(&n->lock);
}

void names_state(struct names *n, struct names_state *ret)
{
	pthread_mutex_lock(&n->lock);
	*ret = (struct names_state){
		.remembered = places_count(n->places), .waiting = places_queued(n->places),
		.asked = n->counts.asked, .found = n->counts.found, .none = n->counts.none, .refused = n->counts.refused,
		.failed = n->counts.failed, .silent = n->counts.silent, .evicted = places_evicted(n->places),
		.reread = n->counts.reread, .unreadable = n->counts.unreadable, .is_down = n->is_down,
	};
	pthread_mutex_unlock(&n->lock);
}
