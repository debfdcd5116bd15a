/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_kernel_bench.c -- rules_kernel_bench RULES CAPTURE [SIZE...]: what rules in the kernel cost a packet, beside libpcap's
 * interpreter rule by rule in user space. The rules that libpcap takes, and the negation of each, over again up to
 * SIZE. Frames of the capture are given to the counting program (BPF_PROG_TEST_RUN) with and without rules; the
 * difference is theirs. Each frame is repeated, so the branch predictor is warm, for both. Needs root. */
#include "daemon/rules_kernel.h"

#include "capture/kernel_generation.h"
#include "rules/testing.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAMES 64
#define EACH 37          /* every 37th frame */
#define REPEAT 20000
#define REPEAT_LIBPCAP 200

struct bench {
	struct program *programs;
	struct kernel_filter *filters;
	size_t count;
};

static double time_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
	fprintf(stderr, "rules_kernel_bench: %s\n", what);
	exit(1);
}

static void add(struct bench *b, const char *expression, bool negated)
{
	struct program *p = &b->programs[b->count];
	char *text;

	if (asprintf(&text, negated ? "not (%s)" : "%s", expression) < 0)
		die("no memory");
	if (program_compile(p, text, LINKTYPE_ETHERNET, NULL) == 0 && !program_loops(p)) {
		b->filters[b->count] = (struct kernel_filter){ p->insns, p->len };
		b->count++;
	}
	free(text);
}

static void compile(struct bench *b, const struct rule_file *f, size_t count)
{
	b->programs = calloc(count, sizeof *b->programs);
	b->filters = calloc(count, sizeof *b->filters);
	if (!b->programs || !b->filters || f->count == 0)
		die("no rules");
	for (size_t i = 0; b->count < count; i++)
		add(b, f->rules[i / 2 % f->count].expression, i % 2);
}

static struct kernel_point *open_point(const struct bench *b, bool xdp, double *ret_s)
{
	const struct kernel_rules rules = { b->filters, (uint32_t)b->count, { 0 }, rules_kernel_translate };
	const struct kernel_config cf = {
		.interface = "near", .ifindex = if_nametoindex("near"), .linktype = LINKTYPE_ETHERNET, .xdp = xdp,
	};
	const struct kernel_form form = {
		.fields = { [TALLY_PARTY] = FIELD_BIT(FIELD_HOST) }, .keys_first = 1000, .rules = &rules,
	};
	struct kernel_point *k;
	double begun = time_s(CLOCK_MONOTONIC);
	struct err e;

	if (kernel_open(&k, &cf, &form, &e) < 0)
		die(e.msg);
	*ret_s = time_s(CLOCK_MONOTONIC) - begun;
	return k;
}

/* ns a frame, the mean of FRAMES kinds. */
static double run_kernel(struct kernel_point *k, const char *path, bool xdp)
{
	struct capture *capture = capture_open(path);
	const int program = kernel_current(k)->programs[xdp ? KERNEL_XDP : KERNEL_INGRESS];
	struct frame f;
	double sum = 0;
	unsigned n = 0;

	for (unsigned i = 0; capture && n < FRAMES && capture_next(capture, &f); i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f.bytes, .data_size_in = f.cap_len, .repeat = REPEAT);

		if (i % EACH || f.cap_len < 14)
			continue;
		if (bpf_prog_test_run_opts(program, &opts) < 0)
			die("BPF_PROG_TEST_RUN failed");
		sum += opts.duration;
		n++;
	}
	if (!n)
		die("no frames");
	capture_close(capture);
	return sum / n;
}

static double run_libpcap(const struct bench *b, const char *path)
{
	struct capture *capture = capture_open(path);
	struct frame f;
	double sum = 0;
	unsigned n = 0;
	volatile unsigned matches = 0;

	for (unsigned i = 0; capture && n < FRAMES && capture_next(capture, &f); i++) {
		double begun = time_s(CLOCK_THREAD_CPUTIME_ID);

		if (i % EACH || f.cap_len < 14)
			continue;
		for (unsigned r = 0; r < REPEAT_LIBPCAP; r++)
			for (size_t k = 0; k < b->count; k++)
				matches += reference_run(&b->programs[k], f.bytes, f.cap_len, f.cap_len) != 0;
		sum += (time_s(CLOCK_THREAD_CPUTIME_ID) - begun) * 1e9 / REPEAT_LIBPCAP;
		n++;
	}
	capture_close(capture);
	return sum / n;
}

static void measure(const struct rule_file *f, const char *path, size_t count, bool xdp)
{
	struct bench none = { 0 }, b = { 0 };
	double load_s, begun_s, without, with, libpcap;
	struct kernel_point *k = open_point(&none, xdp, &begun_s);

	without = run_kernel(k, path, xdp);
	kernel_close(&k);
	compile(&b, f, count);
	k = open_point(&b, xdp, &load_s);
	with = run_kernel(k, path, xdp);
	kernel_close(&k);
	libpcap = run_libpcap(&b, path);
	printf("| %s | %zu | %.1f | %.1f | %.1f | 1/%.1f | %.0f |\n", xdp ? "xdp" : "tc", count, without, with, libpcap,
	       libpcap / (with - without), load_s * 1e3);
	for (size_t i = 0; i < b.count; i++)
		program_free(&b.programs[i]);
	free(b.programs);
	free(b.filters);
}

int main(int argc, char **argv)
{
	struct rule_source from = { .path = argc > 2 ? argv[1] : "", .mac = "02:00:00:00:00:01" };
	struct rule_file *f;
	struct err e;

	if (argc < 3)
		die("usage: rules_kernel_bench RULES CAPTURE [SIZE...]");
	if (rule_file_read(&f, &from, NULL, &e) < 0)
		die(e.msg);
	if (unshare(CLONE_NEWNET) < 0 || system("ip link add near type veth peer name far") != 0)
		die("no network namespace");
	printf("| hook | rules | kernel without, ns | with, ns | libpcap, ns | ratio | to open, ms |\n"
	       "|---|---|---|---|---|---|---|\n");
	for (int i = 3; i < (argc > 3 ? argc : 4); i++)
		for (unsigned xdp = 0; xdp < 2; xdp++)
			measure(f, argv[2], argc > 3 ? strtoul(argv[i], NULL, 10) : 100, xdp);
	rule_file_free(&f);
	return 0;
}
