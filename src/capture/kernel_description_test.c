/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_description_test.c -- there and back; lines that contradict themselves; cut at every byte. */
#include "capture/kernel_description.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WHOLE \
	"nettally tables 1\n" "layout 1\n" "id 0123456789abcdef\n" "interface eth0.7\n" "ifindex 5\n" "netns 4026531840\n" \
	"capture kernel\n" "hooks tcx\n" "promiscuous 1\n" "since 1700000000\n" \
	"base 1 2 3 4 5 6 7 18446744073709551615\n" "cpus 2\n" "of remote\n" "table party 16384 64\n" "field party host\n" \
	"field party host_family\n" "field party window\n" "field party locality\n" "table plain 8 128\n" \
	"field plain src_host\n" "field plain vlan\n" "service web\n" "service mail\n" "local 10.0.0.0/8\n" \
	"local 2001:db8::/32\n"
#define NOTE "note 13\n" "any\ntext\ttoo\n"

static struct slice slice_of(const char *text)
{
	return (struct slice){ (const uint8_t *)text, strlen(text) };
}

static void there_and_back(void **state)
{
	struct kernel_described k;
	struct err e = { 0 };
	char *text;
	size_t len;

	(void)state;
	if (kernel_description_parse(&k, slice_of(WHOLE NOTE), &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(k.d.id, "0123456789abcdef");
	assert_string_equal(k.d.interface, "eth0.7");
	assert_int_equal(k.d.ifindex, 5);
	assert_int_equal(k.d.netns, 4026531840);
	assert_string_equal(k.d.capture, "kernel");
	assert_string_equal(k.hooks, "tcx");
	assert_true(k.d.promiscuous);
	assert_int_equal(k.d.since_utc_s, 1700000000);
	assert_int_equal(k.d.base.rx_bytes, 2);
	assert_true(k.d.base.tx_errors == UINT64_MAX);
	assert_int_equal(k.cpus, 2);
	assert_int_equal(k.d.of, OF_REMOTE);
	assert_int_equal(k.slots[TALLY_PARTY], 16384);
	assert_false(k.wide[TALLY_PARTY]);
	assert_true(k.wide[TALLY_PLAIN]);
	assert_int_equal(k.d.fields[TALLY_PLAIN], FIELD_BIT(FIELD_SRC_HOST) | FIELD_BIT(FIELD_VLAN));
	assert_int_equal(k.d.service_count, 2);
	assert_string_equal(k.d.services[1], "mail");
	assert_int_equal(k.d.local.count, 2);
	assert_string_equal(k.d.note, "any\ntext\ttoo\n");
	assert_int_equal(kernel_description_format(&k, &text, &len, &e), 0);
	assert_int_equal(len, strlen(WHOLE NOTE));
	kernel_described_free(&k);
	assert_int_equal(kernel_description_parse(&k, (struct slice){ (uint8_t *)text, len }, &e), 0);
	free(text);
	kernel_described_free(&k);
}

static const struct {
	const char *why, *text;
	int want;
} cases[] = {
	{ "whole", WHOLE "note 0\n", 0 },
	{ "a word of a later build", WHOLE "colour blue\n" "note 0\n", 0 },
	{ "empty", "", -EBADMSG },
	{ "something else", "hello\n", -EBADMSG },
	{ "a later version", "nettally tables 2\n", -EPROTONOSUPPORT },
	{ "no note", WHOLE, -EBADMSG },
	{ "more behind the note", WHOLE "note 0\nx", -EBADMSG },
	{ "a note that is longer than the text", WHOLE "note 99\nabc", -EBADMSG },
	{ "a field of a later build", WHOLE "field party colour\n" "note 0\n", -EPROTONOSUPPORT },
	{ "another layout", WHOLE "layout 2\n" "note 0\n", -EPROTONOSUPPORT },
	{ "slots that are no power of two", WHOLE "table party 24 64\n" "note 0\n", -EBADMSG },
	{ "less than a bucket", WHOLE "table party 4 64\n" "note 0\n", -EBADMSG },
	{ "no slots", WHOLE "table party 0 64\n" "note 0\n", -EBADMSG },
	{ "too many slots", WHOLE "table party 134217728 64\n" "note 0\n", -EBADMSG },
	{ "slots of an odd size", WHOLE "table party 16 65\n" "note 0\n", -EBADMSG },
	{ "a grain that there is not", WHOLE "table third 16 64\n" "note 0\n", -EBADMSG },
	{ "no CPU", WHOLE "cpus 0\n" "note 0\n", -EBADMSG },
	{ "too many CPUs", WHOLE "cpus 8193\n" "note 0\n", -EBADMSG },
	{ "a number that is too large", WHOLE "netns 18446744073709551616\n" "note 0\n", -EBADMSG },
	{ "a number and more", WHOLE "ifindex 5x\n" "note 0\n", -EBADMSG },
	{ "a negative number", WHOLE "since -1\n" "note 0\n", -EBADMSG },
	{ "a short base", WHOLE "base 1 2 3\n" "note 0\n", -EBADMSG },
	{ "an id that is none", WHOLE "id ../../etc/passwd\n" "note 0\n", -EBADMSG },
	{ "a path for an interface", WHOLE "interface ../x\n" "note 0\n", -EBADMSG },
	{ "a long interface", WHOLE "interface abcdefghijklmnop\n" "note 0\n", -EBADMSG },
	{ "of nobody", WHOLE "of nobody\n" "note 0\n", -EBADMSG },
	{ "a bad prefix", WHOLE "local 10.0.0.0/33\n" "note 0\n", -EBADMSG },
	{ "a service without a name", WHOLE "service \n" "note 0\n", -EBADMSG },
	{ "nothing but a head", "nettally tables 1\nnote 0\n", -EBADMSG },
};

static void lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct kernel_described k = { 0 };
		struct err e = { 0 };
		int code = kernel_description_parse(&k, slice_of(cases[i].text), &e);

		if (code != cases[i].want)
			fail_msg("%s: %d, not %d", cases[i].why, code, cases[i].want);
		kernel_described_free(&k);
	}
}

static void cut_at_every_byte(void **state)
{
	const size_t whole = strlen(WHOLE NOTE);

	(void)state;
	for (size_t len = 0; len < whole; len++) {
		/* its own memory, so that a sanitizer sees a step too far */
		uint8_t *copy = malloc(len + 1);
		struct kernel_described k;

		memcpy(copy, WHOLE NOTE, len);
		assert_int_not_equal(kernel_description_parse(&k, (struct slice){ copy, len }, NULL), 0);
		free(copy);
	}
}

static void many_services(void **state)
{
	struct kernel_described k = { 0 }, again;
	char *names[200], text[] = "service", *out;
	size_t len;

	(void)state;
	assert_int_equal(kernel_description_parse(&k, slice_of(WHOLE NOTE), NULL), 0);
	for (size_t i = 0; i < 200; i++)
		names[i] = text;
	for (size_t i = 0; i < k.d.service_count; i++)
		free(k.d.services[i]);
	free(k.d.services);
	k.d.services = names;
	k.d.service_count = 200;
	assert_int_equal(kernel_description_format(&k, &out, &len, NULL), 0);
	assert_int_equal(kernel_description_parse(&again, (struct slice){ (uint8_t *)out, len }, NULL), 0);
	assert_int_equal(again.d.service_count, 200);
	free(out);
	kernel_described_free(&again);
	k.d.services = NULL;
	k.d.service_count = 0;
	kernel_described_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(lines),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(many_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
