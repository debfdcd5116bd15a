/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_bench.c -- what a packet costs in the programs of bpf/, beside what else counts packets in the kernel.
 *
 * kernel_bench [-l LOADS] [-r PACKETS] [-k KEYS[,KEYS...]]
 *
 * BPF_PROG_TEST_RUN on CPU 0; nothing is attached. The frame's source address is another one for each packet (a
 * Weyl sequence over KEYS addresses), so that tables are met as a flood of hosts meets them. Every program is
 * measured in every load of the object, in turns of which the fastest counts; the medians over loads are shown.
 * Compare within one run only.
 * Each table must add up to the packets that were run. Needs root. */
#include <bpf/testing.h>

#include "bench.skel.h"

#include <sched.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define LOADS_MAX 25
#define KEYS_MAX 8
#define CLASS_PORTS 3
#define TURNS 8

enum shape { NONE, SERVICE_PARTY, ONE_PARTY, BOTH_PARTIES, TWO_HOSTS, FULL_TABLE, SHAPES };

/* A line of the table. */
static const struct {
	const char *name, *program;
	enum shape shape;            /* which configuration of the tables it needs; NONE: any */
	unsigned keys_max;           /* 0 = any */
	bool tc;
} rows[] = {
	{ "XDP_PASS", "bench_pass", NONE, 1, false },
	{ "another source each time", "bench_perturb", NONE, 0, false },
	{ "and parse", "bench_parse", NONE, 0, false },
	{ "and per-CPU hash, 24-byte key", "bench_percpu_hash", NONE, 0, false },
	{ "and shared hash, ports, sums", "bench_collector", NONE, 65535, false },
	{ "nettally, host and service of remote", "bench_tally", SERVICE_PARTY, 0, false },
	{ "nettally, host of remote", "bench_tally", ONE_PARTY, 0, false },
	{ "nettally, host, both ends", "bench_tally", BOTH_PARTIES, 0, false },
	{ "nettally, host, both ends vary", "bench_tally", TWO_HOSTS, 0, false },
	{ "nettally, host of remote, table of 1024 slots", "bench_tally", FULL_TABLE, 0, false },
	{ "tc: nothing", "bench_tc_pass", NONE, 1, true },
	{ "tc egress, host and service of remote", "tally_egress", SERVICE_PARTY, 1, true },
	{ "tc ingress, host and service of remote", "tally_ingress", SERVICE_PARTY, 1, true },
};

#define ROWS COUNT(rows)

/* UDP from 192.0.2.1 to 10.51.100.2 port 443, 60 bytes with padding. */
static const uint8_t frame[60] = {
	2, 0, 0, 0, 0, 11, 2, 0, 0, 0, 0, 10, 8, 0,
	0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 10, 51, 100, 2,
	0x1f, 0x90, 1, 187, 0, 26, 0, 0,
};

struct options {
	unsigned loads, key_count;
	uint64_t packets;
	uint32_t keys[KEYS_MAX];
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static uint32_t buckets_for(uint32_t keys)
{
	uint32_t buckets = 128;

	while (buckets * TALLY_BUCKET < keys * 2)
		buckets *= 2;
	return buckets;
}

static void configure(struct tally_config *cf, enum shape shape)
{
	*cf = (struct tally_config){ .grains = 1 << TALLY_PARTY, .fields = { TALLY_F_HOST, 0 } };
	if (shape == SERVICE_PARTY)
		cf->fields[TALLY_PARTY] |= TALLY_F_SERVICE;
	if (shape != BOTH_PARTIES && shape != TWO_HOSTS) {
		cf->of = 2; /* OF_REMOTE */
		cf->local4_count = 1;
		memcpy(&cf->local4[0].network, "\x0a\x00\x00\x00", 4);
		memcpy(&cf->local4[0].mask, "\xff\x00\x00\x00", 4);
	}
}

static int fill_classes(struct bpf_map *m)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < CLASS_PORTS; i++) {
		static const uint8_t ports[CLASS_PORTS][2] = { { 39, 13 }, { 39, 16 }, { 1, 187 } };
		uint32_t key = 17u << 16, value = i + 1;

		memcpy(&key, ports[i], 2);
		r = bpf_map_update_elem(bpf_map__fd(m), &key, &value, 0);
	}
	return r;
}

static int load(struct bench_bpf **ret, struct tables *t, enum shape shape, uint32_t keys)
{
	struct bench_bpf *s = bench_bpf__open();
	struct tally_config cf;
	int r;

	if (!s)
		return -errno;
	configure(&cf, shape);
	t->used = 1;
	tables_configure(t, &cf, buckets_for(shape == FULL_TABLE ? 1 : keys));
	memcpy((void *)(uintptr_t)&s->rodata->config, &t->config, sizeof t->config);
	*(uint32_t *)(uintptr_t)&s->rodata->bench_keys = keys;
	*(uint32_t *)(uintptr_t)&s->rodata->bench_targets = shape == TWO_HOSTS;
	*(uint16_t *)(uintptr_t)&s->rodata_services->service_of_port[TALLY_SERVICE_UDP + 443] = 1;
	bpf_map__set_max_entries(s->maps.bench_percpu, shape == NONE ? keys * 2 : 1);
	r = tables_prepare(t, s->obj);
	if (r == 0)
		r = bench_bpf__load(s);
	if (r == 0)
		r = tables_fill(t);
	if (r == 0)
		r = fill_classes(s->maps.bench_classes);
	*ret = s;
	return r;
}

/* ns a packet, whole ones: as the kernel measures them inside. What it does around (net/bpf/test_run.c turns the XDP
 * dispatcher to the program, and waits for RCU) is not a packet's. */
static double run(const struct bench_bpf *s, unsigned row, uint64_t packets)
{
	int fd = bpf_program__fd(bpf_object__find_program_by_name(s->obj, rows[row].program));
	struct bpf_test_run_opts opts = {
		.sz = sizeof opts, .data_in = frame, .data_size_in = sizeof frame, .repeat = (int)packets,
	};
	int r = bpf_prog_test_run_opts(fd, &opts);

	if (r < 0) {
		fprintf(stderr, "kernel_bench: %s: %s\n", rows[row].program, strerror(-r));
		exit(1);
	}
	return opts.duration;
}

static uint64_t counted(const struct tables *t)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < t->bytes[TALLY_PARTY]; at += sizeof(struct tally_narrow_slot))
		sum += ((const struct tally_narrow_slot *)(const void *)(t->slots[TALLY_PARTY][0] + at))->counters.packets;
	for (unsigned side = 0; side < TALLY_SIDES; side++)
		for (unsigned l = 0; l < TALLY_LOCALITIES; l++)
			sum += t->sums[0].other[TALLY_PARTY][side][l].packets;
	return sum;
}

static void check(const struct tables *t, enum shape shape, uint64_t packets)
{
	bool both = shape == BOTH_PARTIES || shape == TWO_HOSTS;
	uint64_t want = both ? 2 * packets : packets, is = counted(t);

	if (is == want && t->sums[0].hooks[TALLY_INGRESS].frames + t->sums[0].hooks[TALLY_EGRESS].frames == packets)
		return;
	fprintf(stderr, "kernel_bench: %llu packets in the table, of %llu\n", (unsigned long long)is,
		(unsigned long long)want);
	exit(1);
}

static bool has_row(unsigned row, enum shape shape, uint32_t keys)
{
	return rows[row].shape == shape && (!rows[row].keys_max || keys <= rows[row].keys_max);
}

/* Every row of this shape: results in ns[row]. In short turns, of which the fastest counts: what a busy machine does
 * to a turn is only ever added. */
static void measure(enum shape shape, uint32_t keys, uint64_t packets, double *ns)
{
	const uint64_t turn = packets / TURNS, warm = keys * 4ull;
	uint64_t frames = 0;
	struct tables t = { 0 };
	struct bench_bpf *s = NULL;
	int r = load(&s, &t, shape, keys);

	if (r < 0) {
		fprintf(stderr, "kernel_bench: cannot load: %s\n", strerror(-r));
		exit(1);
	}
	for (unsigned i = 0; i < ROWS; i++) {
		ns[i] = has_row(i, shape, keys) ? 1e9 : -1;
		if (ns[i] > 0)
			run(s, i, warm), frames += warm;
	}
	for (unsigned n = 0; n < TURNS; n++) {
		for (unsigned i = 0; i < ROWS; i++) {
			double took = ns[i] > 0 ? run(s, i, turn) : -1;

			frames += ns[i] > 0 ? turn : 0;
			ns[i] = took < ns[i] ? took : ns[i];
		}
	}
	if (shape != NONE)
		check(&t, shape, frames);
	tables_free(&t);
	bench_bpf__destroy(s);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double result[ROWS][KEYS_MAX][LOADS_MAX];

static double median(const struct options *o, unsigned row, unsigned key)
{
	qsort(result[row][key], o->loads, sizeof(double), by_size);
	return result[row][key][o->loads / 2];
}

static void measure_all(const struct options *o)
{
	double ns[ROWS];

	for (unsigned l = 0; l < o->loads; l++)
		for (unsigned k = 0; k < o->key_count; k++)
			for (unsigned shape = NONE; shape < SHAPES; shape++) {
				measure((enum shape)shape, o->keys[k], o->packets, ns);
				for (unsigned i = 0; i < ROWS; i++)
					if (rows[i].shape == (enum shape)shape)
						result[i][k][l] = ns[i];
			}
}

static void show(const struct options *o)
{
	printf("ns a packet, median of %u loads, %llu packets each%*s", o->loads, (unsigned long long)o->packets, 4, "");
	for (unsigned k = 0; k < o->key_count; k++)
		printf("%9u", o->keys[k]);
	printf(" keys\n");
	for (unsigned i = 0; i < ROWS; i++) {
		printf("%-58s", rows[i].name);
		for (unsigned k = 0; k < o->key_count; k++) {
			double ns = median(o, i, k);

			if (ns < 0)
				printf("%9s", "-");
			else
				printf("%9.1f", ns);
		}
		printf("\n");
	}
}

static unsigned row_named(const char *name)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return i;
	abort();
}

static void show_ratios(const struct options *o)
{
	const unsigned one = row_named("nettally, host of remote"), both = row_named("nettally, host, both ends");
	const unsigned ours = row_named("nettally, host and service of remote");
	const unsigned other = row_named("and shared hash, ports, sums");
	const unsigned pass = row_named("tc: nothing"), egress = row_named("tc egress, host and service of remote");

	for (unsigned k = 0; k < o->key_count; k++) {
		printf("%u keys: both ends / one %.2f", o->keys[k], median(o, both, k) / median(o, one, k));
		if (median(o, other, k) > 0)
			printf(", host and service / shared hash %.2f", median(o, ours, k) / median(o, other, k));
		printf("\n");
		for (unsigned j = 0; j < o->key_count; j++)
			if (o->keys[k] == 100000 && o->keys[j] == 60000)
				printf("host and service at 100000 keys / shared hash at 60000: %.2f\n",
				       median(o, ours, k) / median(o, other, j));
		if (median(o, egress, k) > 0)
			printf("tc egress, net of nothing: %.1f ns\n", median(o, egress, k) - median(o, pass, k));
	}
}

static int parse_keys(struct options *o, char *text)
{
	char *save = NULL;

	o->key_count = 0;
	for (char *k = strtok_r(text, ",", &save); k && o->key_count < KEYS_MAX; k = strtok_r(NULL, ",", &save)) {
		unsigned long n = strtoul(k, NULL, 10);

		if (n < 1 || n > 8000000)
			return -EINVAL;
		o->keys[o->key_count++] = (uint32_t)n;
	}
	return o->key_count ? 0 : -EINVAL;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "l:r:k:")) != -1) {
		unsigned long n = c == 'k' || c == '?' ? 1 : strtoul(optarg, NULL, 10);

		if (c == '?' || n == 0 || (c == 'k' && parse_keys(o, optarg) < 0) || (c == 'l' && n > LOADS_MAX) ||
		    (c == 'r' && n > 1000000000))
			return -EINVAL;
		if (c == 'l')
			o->loads = (unsigned)n;
		if (c == 'r')
			o->packets = n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .loads = 5, .packets = 4000000, .key_count = 5, .keys = { 1, 1000, 60000, 100000, 1000000 } };
	cpu_set_t first;

	if (parse_options(&o, argc, argv) < 0) {
		fprintf(stderr, "usage: kernel_bench [-l LOADS] [-r PACKETS] [-k KEYS[,KEYS...]]\n");
		return 2;
	}
	if (!bpf_is_permitted())
		return SKIPPED;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof first, &first) < 0) {
		printf("skipped: cannot stay on CPU 0: %s\n", strerror(errno));
		return SKIPPED;
	}
	libbpf_set_print(quiet);
	measure_all(&o);
	show(&o);
	show_ratios(&o);
	return 0;
}
