/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_bench.c -- rules_bench RULES CAPTURE [SIZE...]: what a set of rules costs a packet, beside libpcap's interpreter rule
 * by rule, in one run: CPU time, interleaved, medians. RULES: those that libpcap takes, and the negation of each,
 * are the set of all; smaller sets are picks of it, larger ones get hosts, networks and ports besides. Every
 * count is checked against libpcap's. Prints a Markdown table. The capture is held in memory (Ethernet only). */
#include "rules/rule_set.h"

#include "rules/testing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 5
#define INTERPRETED_MAX 200000000u /* rules times packets that libpcap is given: else it would take minutes */

struct frames {
	struct frame *at;
	struct tally *weights;
	size_t count, room;
};

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *need(void *p)
{
	if (!p) {
		fprintf(stderr, "rules_bench: no memory\n");
		exit(1);
	}
	return p;
}

static struct frames read_frames(const char *path)
{
	struct capture *capture = capture_open(path);
	struct frames all = { 0 };
	struct frame frame;

	if (!capture)
		exit(1);
	while (capture_next(capture, &frame)) {
		if (all.count == all.room) {
			all.room = all.room ? all.room * 2 : 1 << 20;
			all.at = need(realloc(all.at, all.room * sizeof *all.at));
			all.weights = need(realloc(all.weights, all.room * sizeof *all.weights));
		}
		frame.bytes = memcpy(need(malloc(frame.cap_len + 1)), frame.bytes, frame.cap_len);
		all.weights[all.count] = (struct tally){ 1, frame.wire_len, 0 };
		all.at[all.count++] = frame;
	}
	capture_close(capture);
	return all;
}

/* The expressions of the file that libpcap takes for Ethernet, without identifiers. */
static char **read_rules(const char *path, size_t *ret_count)
{
	struct rule_source from = { path, "02:00:00:00:00:01", NULL };
	struct rule_file *file = NULL;
	struct err e;
	char **ret;

	*ret_count = 0;
	if (rule_file_read(&file, &from, NULL, &e) < 0) {
		fprintf(stderr, "rules_bench: %s\n", e.msg);
		exit(1);
	}
	ret = need(calloc(2 * file->count + 1, sizeof *ret));
	for (size_t i = 0; i < file->count; i++) {
		struct program p = { 0 };

		if (program_compile(&p, file->rules[i].expression, LINKTYPE_ETHERNET, &e) < 0)
			continue;
		program_free(&p);
		ret[(*ret_count)++] = need(strdup(file->rules[i].expression));
		if (asprintf(&ret[(*ret_count)++], "not (%s)", file->rules[i].expression) < 0)
			need(NULL);
	}
	rule_file_free(&file);
	return ret;
}

/* Rules that an operator might write for hosts, networks and services of his. */
static void write_more(FILE *to, size_t i)
{
	switch (i % 5) {
	case 0: fprintf(to, "m%zu;host 10.0.%zu.%zu\n", i, i / 250 % 250, i % 250); break;
	case 1: fprintf(to, "m%zu;tcp port %zu\n", i, 1 + i * 7 % 20000); break;
	case 2: fprintf(to, "m%zu;net 10.%zu.0.0/16\n", i, i % 250); break;
	case 3: fprintf(to, "m%zu;src host 10.0.%zu.%zu and tcp dst port %zu\n", i, i / 250 % 250, i % 250, 80 + i % 9); break;
	default: fprintf(to, "m%zu;udp port %zu and net 10.0.%zu.0/24\n", i, 1 + i * 13 % 30000, i % 250);
	}
}

static struct rule_file *make_rules(char **expressions, size_t count, size_t want)
{
	struct rule_source from = { "made", NULL, NULL };
	struct rule_file *file = NULL;
	char *text = NULL;
	size_t len = 0, step = want < count ? count / want : 1;
	FILE *to = need(open_memstream(&text, &len));
	struct err e;

	for (size_t i = 0; i < want; i++) {
		if (i * step < count)
			fprintf(to, "r%zu;%s\n", i, expressions[i * step]);
		else
			write_more(to, i);
	}
	fclose(to);
	if (rule_file_parse(&file, &from, (struct slice){ (uint8_t *)text, len }, NULL, &e) < 0) {
		fprintf(stderr, "rules_bench: %s\n", e.msg);
		exit(1);
	}
	free(text);
	return file;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of the first `packets`; seconds a packet. Fills in what libpcap counts. */
static double interpret(const struct rule_set *set, const struct frames *all, size_t packets, struct tally *counts)
{
	size_t rules = rule_set_count_rules(set);
	double start = cpu_s();

	memset(counts, 0, rules * sizeof *counts);
	for (size_t i = 0; i < packets; i++) {
		const struct frame *f = &all->at[i];

		for (size_t r = 0; r < rules; r++) {
			const struct program *p = rule_set_program(set, r);

			if (p->len && reference_run(p, f->bytes, f->wire_len, f->cap_len))
				tally_add(&counts[r], &all->weights[i]);
		}
	}
	return (cpu_s() - start) / (double)packets;
}

static void check(struct rule_set *set, const struct tally *counts)
{
	for (size_t r = 0; r < rule_set_count_rules(set); r++) {
		struct tally got = rule_set_tally(set, r);

		if (got.packets == counts[r].packets && got.l2_bytes == counts[r].l2_bytes)
			continue;
		fprintf(stderr, "rules_bench: rule %zu: %" PRIu64 " packets, libpcap says %" PRIu64 "\n", r, got.packets,
			counts[r].packets);
		exit(1);
	}
}

static void bench(const struct rule_file *file, const struct frames *all)
{
	size_t packets = INTERPRETED_MAX / file->count < all->count ? INTERPRETED_MAX / file->count : all->count;
	double ours[RUNS], theirs[RUNS], opened[RUNS];
	struct tally *counts = need(calloc(file->count, sizeof *counts));
	struct rule_set_size size = { 0 };
	struct rule_set *set;
	struct err e;

	for (int run = 0; run < RUNS; run++) {
		double start = cpu_s();

		if (rule_set_open(&set, file, LINKTYPE_ETHERNET, NULL, &e) < 0) {
			fprintf(stderr, "rules_bench: %s\n", e.msg);
			exit(1);
		}
		opened[run] = cpu_s() - start;
		start = cpu_s();
		rule_set_count(set, all->at, all->weights, all->count);
		ours[run] = (cpu_s() - start) / (double)all->count;
		size = rule_set_size(set);
		rule_set_close(&set);
		if (rule_set_open(&set, file, LINKTYPE_ETHERNET, NULL, &e) < 0)
			exit(1);
		rule_set_count(set, all->at, all->weights, packets);
		theirs[run] = interpret(set, all, packets, counts);
		check(set, counts);
		rule_set_close(&set);
	}
	qsort(ours, RUNS, sizeof *ours, by_size);
	qsort(theirs, RUNS, sizeof *theirs, by_size);
	qsort(opened, RUNS, sizeof *opened, by_size);
	printf("| %zu | %.1f | %.1f | 1/%.1f | %.2f | %zu | %zu | %zu | %.1f |\n", file->count, ours[RUNS / 2] * 1e9,
	       theirs[RUNS / 2] * 1e9, theirs[RUNS / 2] / ours[RUNS / 2], opened[RUNS / 2] * 1e3, size.lookups, size.machines,
	       size.states, (double)size.bytes / (1 << 20));
	fflush(stdout);
	free(counts);
}

int main(int argc, char **argv)
{
	static const char *const sizes[] = { "1", "10", "56", "112", "300", "1000" };
	const char *const *size = argc > 3 ? (const char *const *)argv + 3 : sizes;
	const char *const *end = argc > 3 ? (const char *const *)argv + argc : sizes + 6;
	char **expressions;
	struct frames all;
	size_t count;

	if (argc < 3) {
		fprintf(stderr, "usage: rules_bench RULES CAPTURE [SIZE...]\n");
		return 2;
	}
	all = read_frames(argv[2]);
	expressions = read_rules(argv[1], &count);
	printf("%zu packets, %zu rules with their negations\n\n", all.count, count);
	printf("| rules | ns a packet | libpcap, rule by rule | ratio | open, ms | look-ups | machines | states | MiB |\n");
	printf("|---|---|---|---|---|---|---|---|---|\n");
	for (; size < end; size++) {
		size_t want = strtoul(*size, NULL, 10);
		struct rule_file *file = make_rules(expressions, count, want ? want : 1);

		bench(file, &all);
		rule_file_free(&file);
	}
	return 0;
}
