/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes_file_test.c -- small MRT files, plain and packed, whole and cut at every byte. */
#include "routes/routes_file.h"

#include "routes/mrt_testing.h"

#include <bzlib.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define TIME "65 54 00 00 "
#define PEERS "c0 00 02 fe 00 00 00 02 02 0a 00 00 01 0a 00 00 01 00 00 fb f4 02 0a 00 00 02 0a 00 00 02 00 00 fb f5 "
#define LONG "00 15 40 01 01 00 40 02 0e 02 03 00 00 fb f4 00 00 00 01 00 00 00 02 "  /* 64500 1 2 */
#define SHORT "00 11 40 01 01 00 40 02 0a 02 02 00 00 fb f5 00 00 00 02 "              /* 64501 2 */
#define HEAD4 "00 00 fb f5 00 00 00 09 00 00 00 01 0a 00 00 02 0a 00 00 09 "           /* of 10.0.0.2 */
#define HEAD4_FIRST "00 00 fb f4 00 00 00 09 00 00 00 01 0a 00 00 01 0a 00 00 09 "     /* of 10.0.0.1 */

/* A file in memory: its name. */
struct file {
	int fd;
	char path[40];
};

static struct file file_of(const void *bytes, size_t len)
{
	struct file f = { .fd = memfd_create("mrt", MFD_CLOEXEC) };

	assert_true(f.fd >= 0);
	assert_int_equal(write(f.fd, bytes, len), len);
	snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
	return f;
}

static int load(struct routes_file_result *ret, const void *bytes, size_t len)
{
	struct file f = file_of(bytes, len);
	struct err e = { 0 };
	int r = routes_file_load(ret, f.path, &e);

	if (r < 0)
		assert_non_null(strstr(e.msg, f.path));
	close(f.fd);
	return r;
}

static void add(struct bytes *to, uint16_t type, uint16_t subtype, const char *body)
{
	struct bytes b = { 0 };

	put_hex(&b, body);
	put_record(to, type, subtype, &b);
}

static void add_update(struct bytes *to, const char *head, const char *withdrawn, const char *attributes, const char *announced)
{
	struct bytes message = bgp_update(withdrawn, attributes, announced), b = { 0 };

	put_hex(&b, head);
	put(&b, message.at, message.len);
	put_record(to, 16, 4, &b);
}

/* A table of three prefixes; the second peer's routes are the better ones. */
static struct bytes table(void)
{
	struct bytes b = { 0 };

	add(&b, 13, 1, PEERS);
	add(&b, 13, 2, "00 00 00 00 08 0a 00 02 00 00 " TIME LONG "00 01 " TIME SHORT);
	add(&b, 13, 2, "00 00 00 01 18 c0 00 02 00 01 00 00 " TIME LONG);
	add(&b, 13, 4, "00 00 00 02 20 20 01 0d b8 00 01 00 01 " TIME SHORT);
	return b;
}

/* "10.0.0.0/8: 64501 2; ...", all routes of a table. */
static const char *text_of(const struct route_table *t, char *text, size_t size)
{
	static const enum addr_family families[] = { ADDR_IP4, ADDR_IP6 };
	size_t len = 0;

	*text = '\0';
	for (unsigned f = 0; f < 2; f++)
		for (size_t i = 0; i < route_table_count(t, families[f]); i++) {
			struct route r = route_table_at(t, families[f], i);
			struct as_path p = route_table_path(t, r.path);
			char prefix[PREFIX_TEXT_MAX], path[100];

			prefix_format(&r.prefix, prefix);
			as_path_format(&p, path, sizeof path);
			len += (size_t)snprintf(text + len, size - len, "%s: %s; ", prefix, path);
		}
	return text;
}

static void expect(const struct bytes *b, const char *want)
{
	struct routes_file_result result;
	char text[500];

	assert_int_equal(load(&result, b->at, b->len), 0);
	assert_string_equal(text_of(result.table, text, sizeof text), want);
	assert_string_equal(result.warning, "");
	assert_int_equal(result.newest_utc_s, 1700000000);
	route_table_free(&result.table);
}

#define TABLE_TEXT "10.0.0.0/8: 64501 2; 192.0.2.0/24: 64500 1 2; 2001:db8::/32: 64501 2; "
#define UPDATE_ATTRIBUTES "40 01 01 00 40 02 06 02 01 00 00 fb f5 40 03 04 0a 00 00 02" /* 64501 */

static void tables_and_updates(void **state)
{
	struct bytes b = table();

	(void)state;
	expect(&b, TABLE_TEXT);
	/* of a prefix that is told again in a table, the later counts */
	add(&b, 13, 2, "00 00 00 03 08 0a 00 01 00 00 " TIME LONG);
	expect(&b, "10.0.0.0/8: 64500 1 2; 192.0.2.0/24: 64500 1 2; 2001:db8::/32: 64501 2; ");
	/* updates behind a table change it, peer by peer */
	b = table();
	add_update(&b, HEAD4, "08 0a", UPDATE_ATTRIBUTES, "10 ac 10");
	expect(&b, "10.0.0.0/8: 64500 1 2; 172.16.0.0/16: 64501; 192.0.2.0/24: 64500 1 2; 2001:db8::/32: 64501 2; ");
	add_update(&b, HEAD4, "", UPDATE_ATTRIBUTES, "18 c0 00 02");
	add(&b, 16, 5, HEAD4_FIRST "00 06 00 01"); /* its session is lost */
	expect(&b, "172.16.0.0/16: 64501; 192.0.2.0/24: 64501; 2001:db8::/32: 64501 2; ");
	/* updates alone */
	b = (struct bytes){ 0 };
	add_update(&b, HEAD4, "", UPDATE_ATTRIBUTES, "10 ac 10 08 0a");
	add_update(&b, HEAD4, "08 0a", "", "");
	expect(&b, "172.16.0.0/16: 64501; ");
}

/* Cut at every byte: what was whole counts, and there is a warning, unless it is cut between records. */
static void cut_at_every_byte(void **state)
{
	static const char *const texts[] = { "", "10.0.0.0/8: 64501 2; ", "10.0.0.0/8: 64501 2; 192.0.2.0/24: 64500 1 2; ",
		TABLE_TEXT };
	struct bytes b = table();
	size_t ends[5] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		ends[i + 1] = ends[i] + 12 + be32(b.at + ends[i] + 8);
	assert_int_equal(b.len, ends[4]);
	for (size_t len = 0; len <= b.len; len++) {
		struct routes_file_result result;
		int r = load(&result, b.at, len);
		unsigned whole = 0;
		char text[500];

		while (whole < 4 && ends[whole + 1] <= len)
			whole++;
		assert_int_equal(r, whole ? 0 : -EBADMSG);
		if (r < 0)
			continue;
		assert_string_equal(text_of(result.table, text, sizeof text), texts[whole - 1]);
		assert_int_equal(*result.warning != '\0', len != ends[whole]);
		route_table_free(&result.table);
	}
}

/* A packed stream that is cut says so, and gives no route that was not there. */
static void cut_while_packed(const uint8_t *packed, size_t len)
{
	struct routes_file_result result;
	char text[500];

	for (size_t cut = 0; cut < len; cut++) {
		int r = load(&result, packed, cut);

		assert_true(r == 0 || r == -EBADMSG);
		if (r < 0)
			continue;
		text_of(result.table, text, sizeof text);
		assert_memory_equal(text, TABLE_TEXT, strlen(text));
		assert_true(*result.warning);
		route_table_free(&result.table);
	}
	assert_int_equal(load(&result, packed, len), 0);
	assert_string_equal(text_of(result.table, text, sizeof text), TABLE_TEXT);
	assert_string_equal(result.warning, "");
	route_table_free(&result.table);
}

static size_t gz_of(const uint8_t *bytes, size_t len, uint8_t *ret, size_t room)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (uint8_t *)bytes;
	z.avail_in = (unsigned)len;
	z.next_out = ret;
	z.avail_out = (unsigned)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static void packed_files(void **state)
{
	struct bytes b = table();
	uint8_t packed[2000];
	unsigned bz_len = sizeof packed;
	size_t len = gz_of(b.at, b.len, packed, sizeof packed);

	(void)state;
	cut_while_packed(packed, len);
	/* two members (streams), the cut between them within a record */
	len = gz_of(b.at, 100, packed, sizeof packed);
	len += gz_of(b.at + 100, b.len - 100, packed + len, sizeof packed - len);
	struct routes_file_result result;
	char text[500];

	assert_int_equal(load(&result, packed, len), 0);
	assert_string_equal(text_of(result.table, text, sizeof text), TABLE_TEXT);
	route_table_free(&result.table);
	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)packed, &bz_len, (char *)b.at, (unsigned)b.len, 1, 0, 0), BZ_OK);
	cut_while_packed(packed, bz_len);
	len = bz_len;
	bz_len = (unsigned)(sizeof packed - len);
	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)packed + len, &bz_len, (char *)b.at, (unsigned)b.len, 1, 0, 0), BZ_OK);
	assert_int_equal(load(&result, packed, len + bz_len), 0);
	assert_int_equal(result.records.records, 8);
	assert_string_equal(result.warning, "");
	route_table_free(&result.table);
}

/* Each byte turned over: an error, a warning or another table, and never a read outside (the sanitizers see it). */
static void every_byte_wrong(void **state)
{
	struct bytes b = table();

	(void)state;
	add_update(&b, HEAD4, "08 0a", UPDATE_ATTRIBUTES, "10 ac 10");
	for (size_t i = 0; i < b.len; i++) {
		struct routes_file_result result;

		b.at[i] ^= 0xff;
		if (load(&result, b.at, b.len) == 0)
			route_table_free(&result.table);
		b.at[i] ^= 0xff;
	}
}

static void what_is_passed_over(void **state)
{
	struct bytes b = table();
	struct routes_file_result result;
	size_t len = b.len + 12 + MRT_RECORD_MAX + 1 + b.len;
	uint8_t *all = calloc(1, len);

	(void)state;
	assert_non_null(all);
	memcpy(all, b.at, b.len);
	memcpy(all + b.len, b.at, 12);
	all[b.len + 8] = (MRT_RECORD_MAX + 1) >> 24;
	all[b.len + 9] = (uint8_t)((MRT_RECORD_MAX + 1) >> 16);
	all[b.len + 10] = (uint8_t)((MRT_RECORD_MAX + 1) >> 8);
	all[b.len + 11] = (uint8_t)(MRT_RECORD_MAX + 1);
	memcpy(all + len - b.len, b.at, b.len);
	assert_int_equal(load(&result, all, len), 0);
	assert_int_equal(result.records.too_long, 1);
	assert_int_equal(result.records.records, 8);
	assert_non_null(strstr(result.warning, "1 records over 4 MiB"));
	route_table_free(&result.table);
	free(all);
	add(&b, 13, 2, "00 00 00 03 08 0b 00 01 00 07 " TIME LONG); /* peer 7 */
	add(&b, 13, 2, "00 00 00 03 21 0b 00");
	assert_int_equal(load(&result, b.at, b.len), 0);
	assert_int_equal(result.records.unknown_peers, 1);
	assert_int_equal(result.records.malformed, 1);
	assert_non_null(strstr(result.warning, "2 damaged records or routes"));
	assert_non_null(strstr(result.warning, "record 6: table row with a damaged prefix"));
	route_table_free(&result.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_and_updates),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(packed_files),
		cmocka_unit_test(every_byte_wrong),
		cmocka_unit_test(what_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
