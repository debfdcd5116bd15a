/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockets/sockets.h"

#include "base/clock.h"
#include "sockets/connections.h"
#include "sockets/diag.h"

#include "sockets.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The ring and what is told of it. Between a look's question and its answer nothing is taken from the ring: so what the answer
 * has is older than what the ring then says of the same connection. */
struct sockets {
	struct sockets_bpf *skel;
	struct ring_buffer *ring;
	struct diag *diag;
	struct connections *connections;
	sockets_tell *tell;          /* during a call */
	void *arg;
	int64_t now_ns;
};

static int64_t monotonic_ns(void)
{
	const struct clock c = clock_system();

	return c.monotonic_ns(c.arg);
}

/* The program adds to them meanwhile. */
static const volatile struct sockets_sums *sums_of(const struct sockets *s)
{
	return (const volatile struct sockets_sums *)&s->skel->data_sums->sums;
}

static bool was_accepted(void *arg, const struct sockets_ends *ends)
{
	const struct sockets *s = arg;
	uint32_t value;

	return bpf_map_lookup_elem(bpf_map__fd(s->skel->maps.accepted), ends, &value) == 0;
}

static int take_closed(void *arg, void *data, size_t size)
{
	struct sockets *s = arg;
	struct sockets_closed closed;
	struct socket_delivery d;

	if (size < sizeof closed)
		return 0;
	memcpy(&closed, data, sizeof closed);
	if (connections_close(s->connections, &closed, &d) && s->tell)
		s->tell(s->arg, &d);
	return 0;
}

static int load_failed(int code, struct err *e)
{
	if (code == -EPERM || code == -EACCES)
		return err_set(e, code, "may not follow TCP connections: that needs CAP_BPF and CAP_PERFMON");
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return err_set(e, code, "cannot follow TCP connections: this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
	return err_errno(e, code, "cannot follow TCP connections: the kernel refuses the program");
}

static int load(struct sockets *s, const struct sockets_config *cf, uint32_t limit, struct err *e)
{
	struct stat ns;
	int r;

	if (stat("/proc/self/ns/net", &ns) < 0)
		return err_errno(e, -errno, "/proc/self/ns/net");
	s->skel = sockets_bpf__open();
	if (!s->skel)
		return err_errno(e, -errno, "cannot open the program that follows TCP connections");
	s->skel->rodata->netns = (uint32_t)ns.st_ino;
	r = bpf_map__set_max_entries(s->skel->maps.accepted, limit);
	if (r == 0)
		r = bpf_map__set_max_entries(s->skel->maps.closed, cf->ring_bytes ? cf->ring_bytes : SOCKETS_RING_DEFAULT);
	if (r == 0)
		r = sockets_bpf__load(s->skel);
	if (r == 0)
		r = sockets_bpf__attach(s->skel);
	return r < 0 ? load_failed(r, e) : 0;
}

static int open_ring(struct sockets *s, struct err *e)
{
	s->ring = ring_buffer__new(bpf_map__fd(s->skel->maps.closed), take_closed, s, NULL);
	return s->ring ? 0 : err_errno(e, -errno, "cannot read the ring of TCP connections");
}

int sockets_open(struct sockets **ret, const struct sockets_config *cf, struct err *e)
{
	const uint32_t limit = cf->connections_max ? cf->connections_max : SOCKETS_CONNECTIONS_DEFAULT;
	struct sockets *s = calloc(1, sizeof *s);
	struct connections_config connections = { .limit = limit, .was_accepted = was_accepted, .arg = s };
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "no memory to follow TCP connections");
	libbpf_set_print(NULL); /* its sentences are ours to say */
	r = connections_new(&s->connections, &connections, e);
	if (r == 0)
		sockets_set_services(s, cf->services);
	if (r == 0)
		r = diag_open(&s->diag, e);
	if (r == 0)
		r = load(s, cf, limit, e);
	if (r == 0)
		r = open_ring(s, e);
	if (r == 0) /* who is there already */
		r = sockets_look(s, NULL, NULL, e);
	if (r < 0) {
		sockets_close(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void sockets_set_services(struct sockets *s, const struct services *services)
{
	connections_set_services(s->connections, services);
}

int sockets_fd(const struct sockets *s)
{
	return ring_buffer__epoll_fd(s->ring);
}

/* How often the program did not run: it was running already on that CPU, interrupted. Who knows what it has missed? */
static uint64_t misses(const struct sockets *s)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof info;

	if (bpf_obj_get_info_by_fd(bpf_program__fd(s->skel->progs.sockets_state), &info, &size) < 0)
		return 0;
	return info.recursion_misses;
}

int sockets_read(struct sockets *s, sockets_tell *tell, void *arg)
{
	int r;

	if (sums_of(s)->accepted_lost)
		connections_doubt(s->connections);
	s->tell = tell;
	s->arg = arg;
	r = ring_buffer__consume(s->ring);
	return r < 0 ? r : 0;
}

static void see(void *arg, const struct connection *c)
{
	struct sockets *s = arg;
	struct socket_delivery d;

	if (connections_see(s->connections, c, s->now_ns, &d) && s->tell)
		s->tell(s->arg, &d);
}

int sockets_look(struct sockets *s, sockets_tell *tell, void *arg, struct err *e)
{
	int r = sockets_read(s, tell, arg);

	if (r < 0)
		return err_errno(e, r, "cannot read the ring of TCP connections");
	if (misses(s))
		connections_doubt(s->connections);
	s->now_ns = monotonic_ns();
	connections_begin_look(s->connections);
	r = diag_list(s->diag, see, s, e);
	connections_end_look(s->connections, r == 0, monotonic_ns());
	return r;
}

void sockets_stats(const struct sockets *s, struct sockets_stats *ret)
{
	const volatile struct sockets_sums *sums = sums_of(s);

	connections_stats(s->connections, ret);
	if (ret->lost < sums->closed_lost) /* else both know of them */
		ret->lost = sums->closed_lost;
	ret->accepted_lost = sums->accepted_lost;
	ret->missed = misses(s);
}

void sockets_close(struct sockets **ps)
{
	struct sockets *s = *ps;

	if (!s)
		return;
	ring_buffer__free(s->ring);
	sockets_bpf__destroy(s->skel);
	diag_close(&s->diag);
	connections_free(&s->connections);
	free(s);
	*ps = NULL;
}
