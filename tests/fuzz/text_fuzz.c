/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_fuzz.c -- durations, sizes, times, addresses, prefixes, services, listen addresses: what
 * is read, reads the same when it was written again. */
#include "base/addr.h"
#include "base/prefix.h"
#include "base/text.h"
#include "model/field.h"
#include "model/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void numbers(const char *text)
{
	uint32_t s, s_again;
	uint64_t bytes, bytes_again;
	int64_t utc, utc_again;
	char buf[64];

	if (duration_parse(&s, text, NULL) == 0 &&
	    (duration_parse(&s_again, duration_format(s, buf, sizeof buf), NULL) < 0 || s != s_again))
		abort();
	if (size_parse(&bytes, text, NULL) == 0 &&
	    (size_parse(&bytes_again, size_format(bytes, buf, sizeof buf), NULL) < 0 || bytes != bytes_again))
		abort();
	/* an offset can lead out of the years 0000 to 9999 by a day; these have no text to read
	 * again */
	if (time_parse(&utc, text, 1700000000, NULL) == 0 && utc >= -62167219200 && utc <= 253402300799 &&
	    (time_parse(&utc_again, time_format(utc, buf, sizeof buf), 0, NULL) < 0 || utc != utc_again))
		abort();
}

static void addresses(const char *text)
{
	char buf[PREFIX_TEXT_MAX];
	struct prefix p, p_again;
	uint8_t mac[6], mac_again[6];
	struct addr a, a_again;

	if (addr_parse(&a, text) == 0) {
		addr_format(&a, buf);
		if (addr_parse(&a_again, buf) < 0 || !addr_equal(&a, &a_again))
			abort();
	}
	if (mac_parse(mac, text) == 0) {
		mac_format(mac, buf);
		if (mac_parse(mac_again, buf) < 0 || memcmp(mac, mac_again, sizeof mac) != 0)
			abort();
	}
	if (prefix_parse(&p, text, NULL) == 0) {
		prefix_format(&p, buf);
		if (prefix_parse(&p_again, buf, NULL) < 0 || p.bits != p_again.bits || !addr_equal(&p.addr, &p_again.addr))
			abort();
	}
}

static void words(const char *text)
{
	enum field fields[FIELDS_PER_KEY_MAX];
	struct services s = { 0 };
	size_t count, size = 0;
	char *json = NULL, buf[64];
	FILE *f;

	(void)field_list_parse(fields, &count, text, NULL);
	(void)services_parse(&s, text, NULL);
	services_free(&s);
	(void)text_printable(text, buf, sizeof buf);
	f = open_memstream(&json, &size);
	if (!f)
		abort();
	json_string(f, text);
	fclose(f);
	if (size < 2 || strpbrk(json, "<>&\n"))
		abort();
	free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	numbers(text);
	addresses(text);
	words(text);
	free(text);
	return 0;
}
