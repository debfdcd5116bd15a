/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file: locks, foreign and damaged files, migration, a kill in the middle of a booking, a
 * full and a read-only disk. */
#include "ledger/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define W 1700006400

static void write_file(const char *path, const void *bytes, size_t size, off_t at, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, at), size);
	close(fd);
}

static void test_one_owner(void **state)
{
	struct bench *b = *state;
	struct ledger_options o = { .strings = b->strings };
	struct ledger *second;
	char want[200];
	struct err e;

	bench_open(b);
	assert_int_equal(ledger_open(&second, b->path, &o, &e), -EBUSY);
	snprintf(want, sizeof want, "%s: in use by another nettally (pid %d)", b->path, (int)getpid());
	assert_string_equal(e.msg, want);
	ledger_close(&b->ledger);
	bench_open(b);
	ledger_close(&b->ledger);
	struct stat st;
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void test_foreign_files_are_left_alone(void **state)
{
	struct bench *b = *state;
	static const struct {
		const char *why, *bytes, *says;
		size_t size;
	} cases[] = {
		{ "a text file", "hello, world\n", "is no ledger", 13 },
		{ "one byte", "x", "is no ledger", 1 },
		{ "zeros", "", "is no ledger", 8192 },
		{ "a database's first bytes", "SQLite format 3", "another program", 16 },
		{ "random", "\x9c\x01\xff\xfeSQLite", "is no ledger", 4096 },
	};
	uint8_t bytes[8192], after[8193];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = { 0 };

		memset(bytes, 0, sizeof bytes);
		memcpy(bytes, cases[i].bytes, strlen(cases[i].bytes));
		write_file(b->path, bytes, cases[i].size, 0, O_TRUNC);
		assert_int_equal(bench_try_open(b, &e), -EUCLEAN);
		assert_non_null(strstr(e.msg, cases[i].says));
		int fd = open(b->path, O_RDONLY);
		assert_int_equal(read(fd, after, sizeof after), cases[i].size);
		close(fd);
		assert_memory_equal(bytes, after, cases[i].size);
	}
	unlink(b->path);
	write_file(b->path, "", 0, 0, O_TRUNC); /* empty is fine */
	bench_open(b);
}

static void test_another_programs_database(void **state)
{
	struct bench *b = *state;
	struct err e = { 0 };
	sqlite3 *db;

	sqlite3_open(b->path, &db);
	sqlite3_exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(5)", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(bench_try_open(b, &e), -EUCLEAN);
	assert_non_null(strstr(e.msg, "another program"));
	assert_ask(b, "SELECT x FROM t", "5");
}

static void fill_ledger(struct bench *b)
{
	struct account *a = make_account("hosts", "host", 60);

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	for (int i = 0; i < 10; i++)
		book_some(b, a, W + 60 * i, 1, 1000);
	ledger_close(&b->ledger);
	account_unref(&a);
}

/* Whatever is done to the file: a clear refusal or a ledger that works; never a crash, never
 * overwritten. */
static void test_damaged_files(void **state)
{
	struct bench *b = *state;
	char keep[128], command[300];
	uint8_t garbage[4096];
	struct stat st;

	fill_ledger(b);
	snprintf(keep, sizeof keep, "%s.good", b->path);
	snprintf(command, sizeof command, "cp %s %s", b->path, keep);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "cp %s %s", keep, b->path);
	assert_int_equal(stat(keep, &st), 0);
	for (unsigned i = 0; i < sizeof garbage; i++)
		garbage[i] = (uint8_t)(i * 131 + 7);
	for (off_t page = 0; page < st.st_size / 4096; page++) {
		struct err e = { 0 };

		assert_int_equal(system(command), 0);
		write_file(b->path, garbage, sizeof garbage, page * 4096, 0);
		int r = bench_try_open(b, &e);
		if (r != -EUCLEAN)
			fail_msg("page %d overwritten: %d %s", (int)page, r, e.msg);
		if (page)
			assert_non_null(strstr(e.msg, "move it away (mv "));
	}
	for (off_t size = 1; size < st.st_size; size += size < 8192 ? 511 : 7777) {
		struct err e = { 0 };

		assert_int_equal(system(command), 0);
		assert_int_equal(truncate(b->path, size), 0);
		int r = bench_try_open(b, &e);
		if (r != -EUCLEAN)
			fail_msg("cut at %d: %d %s", (int)size, r, e.msg);
		struct stat cut;
		assert_int_equal(stat(b->path, &cut), 0);
		assert_int_equal(cut.st_size, size);
	}
	assert_int_equal(system(command), 0);
	bench_open(b);
}

static void test_newer_and_older(void **state)
{
	struct bench *b = *state;
	struct err e = { 0 };
	sqlite3 *db;

	fill_ledger(b);
	sqlite3_open(b->path, &db);
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(bench_try_open(b, &e), -EPROTO);
	assert_non_null(strstr(e.msg, "newer nettally (ledger version 99"));
	unlink(b->path);
	/* version 0: the making of a ledger was cut off behind its first pragma */
	sqlite3_open(b->path, &db);
	sqlite3_exec(db, "PRAGMA application_id = 0x4e74616c; VACUUM", NULL, NULL, NULL);
	sqlite3_close(db);
	fill_ledger(b);
	assert_ask(b, "PRAGMA user_version", "3");
	assert_ask(b, "SELECT count(*) FROM hosts", "10000");
}

static void book_until_killed(struct bench *b, struct account *a)
{
	bench_open(b);
	for (int i = 0;; i++) {
		struct booking *k = make_booking(a, W + 60 * (i / 5), 1, 700, b->strings);
		struct err e;

		if (ledger_book(b->ledger, k, &e) < 0)
			_exit(1);
		ledger_maintain(b->ledger, W + 60 * (i / 5) + 86400, 1, &e);
		booking_free(&k);
	}
}

static void test_kill_in_the_middle(void **state)
{
	struct bench *b = *state;
	const struct keep keep[] = { { 60, 86400 }, { 3600, 0 } };
	struct account *a = make_account("hosts", "host", 60);

	memcpy(a->keep, keep, sizeof keep);
	a->keep_count = 2;
	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	ledger_close(&b->ledger);
	srand(7);
	for (int round = 0; round < 20; round++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			book_until_killed(b, a);
		usleep((useconds_t)(rand() % 60000));
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		int64_t bookings = ask(b, "SELECT value FROM meta WHERE key = 'bookings'");
		assert_int_equal(ask(b, "SELECT sum(rx_packets) FROM record_hosts"), bookings * 700);
		assert_int_equal(ask(b, "SELECT sum(rx_packets) FROM total"), bookings * 700);
	}
	assert_true(ask(b, "SELECT value FROM meta WHERE key = 'bookings'") > 20);
	assert_ask(b, "SELECT count(*) - (SELECT records FROM account) FROM record_hosts", "0");
	account_unref(&a);
}

static bool small_disk(struct bench *b, const char *options)
{
	return mount("tmpfs", b->dir, "tmpfs", 0, options) == 0;
}

/* All but `left` bytes of the disk. */
static void eat_disk(struct bench *b, char path[static 128])
{
	static const uint8_t zeros[4096];

	snprintf(path, 128, "%s/eater", b->dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while (write(fd, zeros, sizeof zeros) > 0)
		;
	close(fd);
}

static void test_full_disk(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);
	char eater[128];

	if (!small_disk(b, "size=4m")) {
		print_message("skipped: needs the privilege to mount\n");
		account_unref(&a);
		return;
	}
	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	book_some(b, a, W, 1, 100);
	for (int round = 0; round < 5; round++) {
		eat_disk(b, eater);
		struct booking *k = make_booking(a, W + 60, 1 + (uint32_t)round, 8000, b->strings);
		for (int i = 0; i < 3; i++) {
			struct err e = { 0 };
			assert_int_equal(ledger_book(b->ledger, k, &e), -ENOSPC);
			assert_non_null(strstr(e.msg, "no space left"));
		}
		unlink(eater);
		must(ledger_book(b->ledger, k, &e));
		booking_free(&k);
	}
	assert_ask(b, "SELECT sum(rx_packets) FROM hosts", "40100");
	ledger_close(&b->ledger);
	/* a disk that is full from the start: nothing is left behind that could not be used
	 * later */
	eat_disk(b, eater);
	struct err why = { 0 };
	int r = bench_try_open(b, &why);
	if (r == 0) { /* there may be room enough just to open */
		struct booking *k = make_booking(a, W + 120, 1, 8000, b->strings);
		assert_int_equal(ledger_book(b->ledger, k, &why), -ENOSPC);
		unlink(eater);
		must(ledger_book(b->ledger, k, &e));
		booking_free(&k);
	} else {
		assert_int_equal(r, -ENOSPC);
		unlink(eater);
		bench_open(b);
	}
	ledger_close(&b->ledger);
	snprintf(b->path, sizeof b->path, "%s/new.db", b->dir);
	eat_disk(b, eater);
	assert_int_equal(bench_try_open(b, &why), -ENOSPC);
	unlink(eater);
	bench_open(b);
	ledger_close(&b->ledger);
	assert_int_equal(umount2(b->dir, MNT_DETACH), 0);
	account_unref(&a);
}

static void test_read_only_disk(void **state)
{
	struct bench *b = *state;
	struct err e = { 0 };

	if (!small_disk(b, "size=4m")) {
		print_message("skipped: needs the privilege to mount\n");
		return;
	}
	fill_ledger(b);
	assert_int_equal(mount(NULL, b->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(bench_try_open(b, &e), -EROFS);
	assert_int_equal(mount(NULL, b->dir, NULL, MS_REMOUNT, NULL), 0);
	bench_open(b);
	ledger_close(&b->ledger);
	assert_int_equal(umount2(b->dir, MNT_DETACH), 0);
}

static void test_file_moved_away_while_open(void **state)
{
	struct bench *b = *state;
	struct account *a = make_account("hosts", "host", 60);
	char moved[128];

	bench_open(b);
	must(ledger_define(b->ledger, &a, 1, &e));
	book_some(b, a, W, 1, 10);
	snprintf(moved, sizeof moved, "%s.moved", b->path);
	rename(b->path, moved);
	book_some(b, a, W, 1, 7);
	assert_ask(b, "SELECT sum(rx_packets) FROM hosts", "7"); /* a new ledger, with its view */
	account_unref(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ledger_test(test_one_owner), ledger_test(test_foreign_files_are_left_alone),
		ledger_test(test_another_programs_database), ledger_test(test_damaged_files),
		ledger_test(test_newer_and_older), ledger_test(test_kill_in_the_middle),
		ledger_test(test_full_disk), ledger_test(test_read_only_disk),
		ledger_test(test_file_moved_away_while_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
