/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An MMDB file as countries, and as names of AS; and the text table of names. */
#include "routes/asnames.h"
#include "routes/geo.h"
#include "routes/geo_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libmaxminddb 1.7 forgets lists of a file whose metadata is damaged; that is not ours to mend. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb";
}

static int look_at(void *arg, const struct prefix *p, uint32_t record, struct err *e)
{
	static const char *const organization[] = { "autonomous_system_organization", NULL };
	char text[64];

	(void)p;
	return geo_file_text(arg, record, organization, text, sizeof text, e) < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = { data, size };
	struct geo_file *f = NULL;
	struct asnames *n = NULL;
	struct geo *g = NULL;
	struct addr a = { .family = ADDR_IP4 };
	struct err e;

	if (geo_load_bytes(&g, bytes, "fuzz", &e) == 0)
		geo_country(g, geo_find(g, &a));
	geo_free(&g);
	if (geo_file_open_bytes(&f, bytes, "fuzz", &e) == 0) {
		struct geo_walk walk = { .network = look_at, .arg = f };

		geo_file_walk(f, &walk, &e);
	}
	geo_file_close(&f);
	if (asnames_parse(&n, bytes, "fuzz", &e) == 0)
		asnames_find(n, 64500);
	asnames_free(&n);
	return 0;
}
