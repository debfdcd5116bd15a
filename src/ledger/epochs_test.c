/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Epochs of kernel tables: booked with their counts or not at all, never twice, whenever the kill
 * comes. */
#include "ledger/testing.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#define W 1700000040

static void add_epoch(struct booking *k, const char *generation, uint64_t number)
{
	k->epochs = realloc(k->epochs, (k->epoch_count + 1) * sizeof *k->epochs);
	k->epochs[k->epoch_count] = (struct booked_epoch){ .number = number };
	snprintf(k->epochs[k->epoch_count++].generation, BOOKED_GENERATION_MAX, "%s", generation);
}

static struct booking *booking_of(struct bench *b, struct account *a, const char *generation, uint64_t number)
{
	struct booking *k = make_booking(a, W, 1, 10, b->strings);

	add_epoch(k, generation, number);
	return k;
}

static void assert_epoch(struct bench *b, const char *generation, uint64_t want)
{
	uint64_t number = 77;

	must(ledger_epoch(b->ledger, generation, &number, &e));
	assert_int_equal(number, want);
}

static void test_booked_with_its_counts(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);
	struct booking *k = booking_of(b, a, "00000000000000a1", 1);

	bench_open(b);
	assert_epoch(b, "00000000000000a1", 0);
	must(ledger_book(b->ledger, k, &e));
	assert_epoch(b, "00000000000000a1", 1);
	assert_epoch(b, "00000000000000a2", 0);
	assert_ask(b, "SELECT generation || ' ' || number || ' ' || booked FROM epoch", "00000000000000a1 1 1700000041");
	k->epochs[0].number = 2;
	must(ledger_book(b->ledger, k, &e));
	ledger_close(&b->ledger);
	bench_open(b);
	assert_epoch(b, "00000000000000a1", 2);
	assert_ask(b, "SELECT sum(rx_packets) FROM record_hosts", "20");
	booking_free(&k);
	account_unref(&a);
}

static void test_not_booked_twice(void **state)
{
	static const struct {
		const char *why;
		struct booked_epoch epochs[3];
		int want;
	} cases[] = { /* in the ledger: a up to 5, b up to 2 */
		{ "the same again", { { "a", 5 } }, -EALREADY },
		{ "an older one", { { "a", 3 } }, -EALREADY },
		{ "one of two, first", { { "a", 5 }, { "c", 1 } }, -EALREADY },
		{ "one of two, last", { { "c", 1 }, { "b", 2 } }, -EALREADY },
		{ "new ones of both", { { "a", 6 }, { "b", 3 } }, 0 },
		{ "several of one, in order", { { "a", 7 }, { "a", 8 }, { "b", 4 } }, 0 },
		{ "several of one, out of order", { { "a", 10 }, { "a", 9 } }, 0 },
		{ "those again", { { "a", 9 }, { "a", 10 } }, -EALREADY },
		{ "none", { { "", 0 } }, 0 },
	};
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);
	struct booking *k = booking_of(b, a, "a", 5);
	int64_t bookings = 1;

	add_epoch(k, "b", 2);
	bench_open(b);
	must(ledger_book(b->ledger, k, &e));
	booking_free(&k);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = { 0 };

		k = make_booking(a, W, 1, 10, b->strings);
		for (size_t j = 0; j < 3 && cases[i].epochs[j].number; j++)
			add_epoch(k, cases[i].epochs[j].generation, cases[i].epochs[j].number);
		int r = ledger_book(b->ledger, k, &e);
		if (r != cases[i].want)
			fail_msg("%s: %d %s", cases[i].why, r, e.msg);
		if (r < 0)
			assert_non_null(strstr(e.msg, "is booked already"));
		else
			bookings++;
		assert_int_equal(ask(b, "SELECT sum(rx_packets) FROM record_hosts"), 10 * bookings);
		assert_int_equal(ask(b, "SELECT sum(rx_packets) FROM total"), 10 * bookings);
		assert_int_equal(ask(b, "SELECT value FROM meta WHERE key = 'bookings'"), bookings);
		booking_free(&k);
	}
	assert_epoch(b, "a", 10);
	assert_epoch(b, "b", 4);
	assert_epoch(b, "c", 0); /* refused with its booking */
	account_unref(&a);
}

static void test_forgets_all_but(void **state)
{
	struct bench *b = *state;
	struct booking *k = booking_new();
	const char *const keep[] = { "b", "z", "it's" };

	add_epoch(k, "a", 1);
	add_epoch(k, "b", 2);
	add_epoch(k, "c", 3);
	add_epoch(k, "it's", 4);
	bench_open(b);
	must(ledger_book(b->ledger, k, &e));
	must(ledger_forget_epochs(b->ledger, keep, 3, &e));
	assert_ask(b, "SELECT group_concat(generation || number, ' ') FROM epoch", "b2 it's4");
	must(ledger_forget_epochs(b->ledger, NULL, 0, &e));
	assert_ask(b, "SELECT count(*) FROM epoch", "0");
	booking_free(&k);
}

/* What the daemon does: it books epoch after epoch, and after a kill goes on behind the one that the
 * ledger has. */
static void book_until_killed(struct bench *b, struct account *a, const char *step)
{
	uint64_t number;
	struct err e;

	if (step)
		setenv("NETTALLY_FAULT", step, 1);
	bench_open(b);
	if (ledger_epoch(b->ledger, "a", &number, &e) < 0)
		_exit(1);
	for (;;) {
		struct booking *k = booking_of(b, a, "a", ++number);

		if (ledger_book(b->ledger, k, &e) < 0)
			_exit(1);
		booking_free(&k);
	}
}

static void assert_whole_after_a_kill(struct bench *b, struct account *a, const char *step)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		book_until_killed(b, a, step);
	if (!step) {
		usleep((useconds_t)(rand() % 30000));
		kill(child, SIGKILL);
	}
	waitpid(child, &status, 0);
	if (step) /* base/fault.c */
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 137);
	else
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	int64_t number = ask(b, "SELECT coalesce((SELECT number FROM epoch), 0)");
	assert_int_equal(ask(b, "SELECT coalesce(sum(rx_packets), 0) FROM record_hosts"), 10 * number);
	assert_int_equal(ask(b, "SELECT value FROM meta WHERE key = 'bookings'"), number);
}

static void test_a_kill_loses_and_doubles_nothing(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	ledger_close(&b->ledger);
	srand(11);
	for (int round = 0; round < 20; round++)
		assert_whole_after_a_kill(b, a, NULL);
#ifdef NETTALLY_FAULTS
	static const struct {
		const char *step;
		int64_t booked; /* of the three bookings before the kill */
	} steps[] = { { "book_begun:3", 2 }, { "book_before_commit:3", 2 }, { "book_committed:3", 3 } };

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		int64_t before = ask(b, "SELECT coalesce((SELECT number FROM epoch), 0)");

		assert_whole_after_a_kill(b, a, steps[i].step);
		assert_int_equal(ask(b, "SELECT number FROM epoch") - before, steps[i].booked);
	}
#endif
	account_unref(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(test_booked_with_its_counts),
		ledger_test(test_not_booked_twice),
		ledger_test(test_forgets_all_but),
		ledger_test(test_a_kill_loses_and_doubles_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
