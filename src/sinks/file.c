/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of records for those who ship files: NDJSON or CSV, one after the other for each table.
 *
 * TABLE-NUMBER.ndjson.part grows; after `rotate` or `rotate_size` it is renamed to TABLE-TIME-NUMBER.ndjson and never touched
 * again. How far each .part is good, and the cursor, stand in one small file that is replaced by rename(2) once the rows are on
 * the disk: after a crash what lies behind is cut off, so each record is in the files exactly once. A window that changed
 * later comes again,
 * whole: the last one counts. */
#include "sinks/sink.h"
#include "sinks/text_row.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WRITE_BYTES (1u << 20)
#define NAME_BYTES 256

struct part {
	const struct sink_table *table;
	bool is_open;
	uint64_t number;        /* of the file, or of the last one */
	uint64_t bytes;         /* that are good */
	uint64_t written;       /* in this write(), behind them */
	int64_t since_utc_s;
	int fd;
};

struct file_sink {
	const struct sink_config *cf;
	char ledger[40];
	bool csv;
	int dir_fd;
	struct part *parts;     /* one for each table */
	struct bytes text;
	struct sink_cursor cursor;
	bool has_cursor;
};

static const struct sink_option options[] = {
	{ "directory", SINK_TEXT, NULL, "where the files go; it must be there", true },
	{ "format", SINK_TEXT, "ndjson", "ndjson or csv", false },
	{ "rotate", SINK_DURATION, "1h", "a file is closed after so long ...", false },
	{ "rotate_size", SINK_SIZE, "64MiB", "... or once it is so large", false },
	{ 0 },
};

static int file_check(const struct sink_config *cf, unsigned *ret_line, struct err *e)
{
	const char *format = sink_text(cf, "format");

	if (strcmp(format, "ndjson") != 0 && strcmp(format, "csv") != 0)
		return err_set(e, -EINVAL, "format = %.40s: write ndjson or csv", format);
	for (size_t i = 0; i < cf->table_count; i++)
		if (strchr(cf->tables[i].name, '/') || cf->tables[i].name[0] == '.') {
			*ret_line = cf->tables[i].line;
			return err_set(e, -EINVAL, "table %s: the name of a file has no '/', and no '.' first",
					cf->tables[i].name);
		}
	return 0;
}

static int64_t utc_s(void)
{
	struct clock c = clock_system();

	return ns_to_s(c.utc_ns(c.arg));
}

static int fail(const struct file_sink *s, const char *name, int code, struct err *e)
{
	if (code == -EDQUOT)
		code = -ENOSPC;
	return err_errno(e, code, "%.200s/%s", sink_text(s->cf, "directory"), name);
}

/* ---- the state: "1 LEDGER AGAIN SEQ", then "NUMBER OPEN BYTES SINCE TABLE" for each table ---- */

static void state_name(const struct file_sink *s, char buf[static 80], const char *suffix)
{
	snprintf(buf, 80, ".nettally-%s%s", s->cf->name, suffix);
}

static struct part *part_of(struct file_sink *s, const char *table)
{
	for (size_t i = 0; i < s->cf->table_count; i++)
		if (strcmp(s->cf->tables[i].name, table) == 0)
			return &s->parts[i];
	return NULL;
}

static int read_state(struct file_sink *s, struct err *e)
{
	char name[80], ledger[40], table[SINK_TABLE_NAME_MAX];
	struct part of = { 0 };
	unsigned is_open;

	state_name(s, name, "");
	int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail(s, name, -errno, e);
	FILE *f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return err_set(e, -ENOMEM, "out of memory");
	}
	bool good = fscanf(f, "1 %39s %" SCNu64 " %" SCNu64 "\n", ledger, &s->cursor.again, &s->cursor.seq) == 3;
	while (good && fscanf(f, "%" SCNu64 " %u %" SCNu64 " %" SCNd64 " %63[^\n]\n", &of.number, &is_open, &of.bytes,
			      &of.since_utc_s, table) == 5) {
		struct part *p = part_of(s, table);

		if (!p)
			continue;
		p->number = of.number;
		p->is_open = is_open;
		p->bytes = of.bytes;
		p->since_utc_s = of.since_utc_s;
	}
	fclose(f);
	s->has_cursor = good && strcmp(ledger, s->ledger) == 0;
	return 0;
}

static int replace(struct file_sink *s, const char *temporary, const char *name, struct err *e)
{
	if (renameat(s->dir_fd, temporary, s->dir_fd, name) < 0)
		return fail(s, name, -errno, e);
	return fsync(s->dir_fd) < 0 ? fail(s, name, -errno, e) : 0;
}

static int write_all(struct file_sink *s, int fd, const char *name, const char *at, size_t len, struct err *e)
{
	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(s, name, -errno, e);
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_state(struct file_sink *s, struct sink_cursor cursor, struct err *e)
{
	char name[80], temporary[80], line[256];
	struct bytes text = { 0 };

	snprintf(line, sizeof line, "1 %s %" PRIu64 " %" PRIu64 "\n", s->ledger, cursor.again, cursor.seq);
	bytes_puts(&text, line);
	for (size_t i = 0; i < s->cf->table_count; i++) {
		const struct part *p = &s->parts[i];

		snprintf(line, sizeof line, "%" PRIu64 " %u %" PRIu64 " %" PRId64 " %s\n", p->number, p->is_open,
			 p->bytes + p->written, p->since_utc_s, p->table->name);
		bytes_puts(&text, line);
	}
	state_name(s, name, "");
	state_name(s, temporary, ".new");
	int fd = openat(s->dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int r = fd < 0 ? fail(s, temporary, -errno, e) : text.failed ? err_set(e, -ENOMEM, "out of memory") : 0;
	if (r == 0)
		r = write_all(s, fd, temporary, text.at, text.len, e);
	if (r == 0 && fsync(fd) < 0)
		r = fail(s, temporary, -errno, e);
	if (fd >= 0)
		close(fd);
	bytes_free(&text);
	return r < 0 ? r : replace(s, temporary, name, e);
}

/* ---- a table's file ---- */

static void part_path(const struct file_sink *s, const struct part *p, char buf[static NAME_BYTES])
{
	snprintf(buf, NAME_BYTES, "%s-%" PRIu64 ".%s.part", p->table->name, p->number, sink_text(s->cf, "format"));
}

static void closed_path(const struct file_sink *s, const struct part *p, char buf[static NAME_BYTES])
{
	time_t since = (time_t)p->since_utc_s;
	struct tm tm;
	char time[24];

	gmtime_r(&since, &tm);
	strftime(time, sizeof time, "%Y%m%dT%H%M%SZ", &tm);
	snprintf(buf, NAME_BYTES, "%s-%s-%" PRIu64 ".%s", p->table->name, time, p->number, sink_text(s->cf, "format"));
}

static int open_part(struct file_sink *s, struct part *p, struct err *e)
{
	char path[NAME_BYTES];

	part_path(s, p, path);
	p->fd = openat(s->dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (p->fd < 0)
		return fail(s, path, -errno, e);
	/* What lies behind was written by a run that did not come to its end. */
	if (ftruncate(p->fd, (off_t)p->bytes) < 0 || lseek(p->fd, (off_t)p->bytes, SEEK_SET) < 0)
		return fail(s, path, -errno, e);
	p->written = 0;
	return 0;
}

/* A number is taken again where the state does not know of its file: that run did not come to its end. */
static int begin_part(struct file_sink *s, struct part *p, struct err *e)
{
	p->number++;
	p->bytes = 0;
	p->since_utc_s = utc_s();
	int r = open_part(s, p, e);
	p->is_open = r == 0;
	if (r == 0 && s->csv)
		text_row_csv_header(&s->text, &p->table->columns);
	return r;
}

/* A file that was closed by rename, before the state said so, is gone as .part: it is complete. */
static int open_left(struct file_sink *s, struct part *p, struct err *e)
{
	char path[NAME_BYTES];
	struct stat st;

	part_path(s, p, path);
	if (fstatat(s->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
		p->is_open = false;
		return 0;
	}
	return open_part(s, p, e);
}

static int put_text(struct file_sink *s, struct part *p, size_t least, struct err *e)
{
	int r;

	if (s->text.failed)
		return err_set(e, -ENOMEM, "out of memory");
	if (s->text.len < least || s->text.len == 0)
		return 0;
	r = write_all(s, p->fd, p->table->name, s->text.at, s->text.len, e);
	p->written += s->text.len;
	bytes_clear(&s->text);
	return r;
}

/* ---- the sink ---- */

static void file_close(void *sink)
{
	struct file_sink *s = sink;

	if (!s)
		return;
	for (size_t i = 0; s->parts && i < s->cf->table_count; i++)
		if (s->parts[i].fd >= 0)
			close(s->parts[i].fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	bytes_free(&s->text);
	free(s->parts);
	free(s);
}

static int file_open(void **ret, const struct sink_config *cf, const struct sink_context *cx, struct err *e)
{
	struct file_sink *s = calloc(1, sizeof *s);
	int r = 0;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->cf = cf;
	s->dir_fd = -1;
	s->csv = strcmp(sink_text(cf, "format"), "csv") == 0;
	snprintf(s->ledger, sizeof s->ledger, "%s", cx->ledger);
	s->parts = calloc(cf->table_count + 1, sizeof *s->parts);
	for (size_t i = 0; s->parts && i < cf->table_count; i++)
		s->parts[i] = (struct part){ .table = &cf->tables[i], .fd = -1 };
	if (!s->parts)
		r = err_set(e, -ENOMEM, "out of memory");
	if (r == 0 && (s->dir_fd = open(sink_text(cf, "directory"), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = fail(s, "", -errno, e);
	if (r == 0)
		r = read_state(s, e);
	for (size_t i = 0; i < cf->table_count && r == 0; i++)
		if (s->parts[i].is_open)
			r = open_left(s, &s->parts[i], e);
	if (r < 0) {
		file_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int file_cursor(void *sink, struct sink_cursor *ret, struct err *e)
{
	struct file_sink *s = sink;

	if (!s->has_cursor)
		return err_set(e, -ENOENT, "no file yet");
	*ret = s->cursor;
	return 0;
}

static int write_rows(struct file_sink *s, struct sink_batch *b, struct err *e)
{
	struct part *p = NULL;
	struct sink_row row;
	int r;

	bytes_clear(&s->text);
	while ((r = b->next(b, &row, e)) == 1) {
		struct part *next = part_of(s, row.window->table->name);

		if (p && next != p && (r = put_text(s, p, 1, e)) < 0)
			return r;
		p = next;
		if (!p->is_open && (r = begin_part(s, p, e)) < 0)
			return r;
		if (s->csv) {
			text_row_csv(&s->text, &row);
		} else {
			text_row_json(&s->text, &row, false);
			bytes_char(&s->text, '\n');
		}
		r = put_text(s, p, WRITE_BYTES, e);
		if (r < 0)
			return r;
	}
	return r < 0 || !p ? r : put_text(s, p, 1, e);
}

static int sync_parts(struct file_sink *s, struct err *e)
{
	for (size_t i = 0; i < s->cf->table_count; i++)
		if (s->parts[i].written && fdatasync(s->parts[i].fd) < 0)
			return fail(s, s->parts[i].table->name, -errno, e);
	return 0;
}

/* What is full or old enough gets its name. The rows are safe already, so a failure only makes it wait. */
static void rotate(struct file_sink *s)
{
	for (size_t i = 0; i < s->cf->table_count; i++) {
		struct part *p = &s->parts[i];
		char path[NAME_BYTES], closed[NAME_BYTES];

		p->bytes += p->written;
		p->written = 0;
		if (!p->is_open || p->bytes == 0 ||
		    (p->bytes < sink_number(s->cf, "rotate_size") && utc_s() - p->since_utc_s < (int64_t)sink_number(s->cf,
				"rotate")))
			continue;
		part_path(s, p, path);
		closed_path(s, p, closed);
		if (renameat(s->dir_fd, path, s->dir_fd, closed) < 0)
			continue;
		close(p->fd);
		p->fd = -1;
		p->is_open = false;
		p->bytes = 0;
	}
}

/* After any failure the engine closes; the next open() cuts off what was written in vain. */
static int file_write(void *sink, struct sink_batch *b, struct err *e)
{
	struct file_sink *s = sink;
	int r = write_rows(s, b, e);

	if (r == 0)
		r = sync_parts(s, e);
	if (r == 0)
		r = write_state(s, b->cursor, e);
	if (r < 0)
		return r == -EINVAL ? -EIO : r;
	s->cursor = b->cursor;
	rotate(s);
	return 0;
}

static void file_idle(void *sink)
{
	rotate(sink);
}

const struct sink_ops sink_file = {
	.name = "file",
	.help = "NDJSON or CSV files that are renamed once they are complete",
	.options = options,
	.batch_records = 20000,
	.check = file_check,
	.open = file_open,
	.cursor = file_cursor,
	.write = file_write,
	.idle = file_idle,
	.close = file_close,
};
