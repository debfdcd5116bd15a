/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_description.c -- one row a word, for both ways. */
#include "capture/kernel_description.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define SERVICES_MAX 65535u
#define LOCAL_MAX 65536u
#define LINE_MAX_BYTES 1024u

static const char *const of_names[] = { [OF_BOTH] = "both", [OF_LOCAL] = "local", [OF_REMOTE] = "remote" };
static const char *const grain_names[TALLY_GRAINS] = { [TALLY_PARTY] = "party", [TALLY_PLAIN] = "plain" };

/* Hidden fields have no name for users; in this text they have one. */
static const char *name_of_field(enum field f)
{
	switch (f) {
	case FIELD_HOST_FAMILY: return "host_family";
	case FIELD_SRC_FAMILY: return "src_family";
	case FIELD_DST_FAMILY: return "dst_family";
	case FIELD_WINDOW: return "window";
	case FIELD_LOCALITY: return "locality";
	default: return field_name(f);
	}
}

/* ---- to text ---- */

static void write_table(FILE *to, const struct kernel_described *k, unsigned grain)
{
	if (!k->slots[grain])
		return;
	fprintf(to, "table %s %" PRIu32 " %" PRIu32 "\n", grain_names[grain], k->slots[grain], kernel_slot_bytes(k, grain));
	for (enum field f = 0; f < FIELD_COUNT; f++)
		if (k->d.fields[grain] & FIELD_BIT(f))
			fprintf(to, "field %s %s\n", grain_names[grain], name_of_field(f));
}

static void write_base(FILE *to, const struct interface_stats *s)
{
	fprintf(to, "base %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		s->rx_packets, s->rx_bytes, s->rx_dropped, s->rx_errors,
		s->tx_packets, s->tx_bytes, s->tx_dropped, s->tx_errors);
}

static void write_all(FILE *to, const struct kernel_described *k)
{
	const struct kernel_description *d = &k->d;
	const char *note = d->note ? d->note : "";
	char text[PREFIX_TEXT_MAX];

	fprintf(to, "nettally tables %d\nlayout %d\nid %s\ninterface %s\n", VERSION, TALLY_FORMAT, d->id, d->interface);
	fprintf(to, "ifindex %" PRIu32 "\nnetns %" PRIu64 "\ncapture %s\nhooks %s\n", d->ifindex, d->netns, d->capture, k->hooks);
	fprintf(to, "promiscuous %d\nsince %" PRId64 "\n", d->promiscuous, d->since_utc_s);
	write_base(to, &d->base);
	fprintf(to, "cpus %" PRIu32 "\nof %s\n", k->cpus, of_names[d->of]);
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++)
		write_table(to, k, grain);
	for (size_t i = 0; i < d->service_count; i++)
		fprintf(to, "service %s\n", d->services[i]);
	for (size_t i = 0; i < d->local.count; i++) {
		prefix_format(&d->local.at[i], text);
		fprintf(to, "local %s\n", text);
	}
	if (d->rules)
		fprintf(to, "rules %" PRIu32 "\n", d->rules);
	fprintf(to, "note %zu\n%s", strlen(note), note);
}

int kernel_description_format(const struct kernel_described *k, char **ret, size_t *ret_len, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return err_set(e, -ENOMEM, "no memory");
	write_all(to, k);
	if (fclose(to) != 0 || !text) {
		free(text);
		return err_set(e, -ENOMEM, "no memory");
	}
	if (len > KERNEL_DESCRIPTION_MAX) {
		free(text);
		return err_set(e, -E2BIG, "the accounts and services are too long to be described: %zu bytes", len);
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

/* ---- from text ---- */

/* A line, without its end, cut into a word and what follows it. */
struct line {
	char text[LINE_MAX_BYTES];
	char *value; /* "" = there is none */
};

/* 1, 0 at the end of the text, -EBADMSG for a line that has no end, is too long, or holds a NUL. */
static int next_line(struct cursor *c, struct line *ret)
{
	const uint8_t *end;
	struct slice line;
	char *space;

	if (c->rest.len == 0)
		return 0;
	end = memchr(c->rest.at, '\n', c->rest.len);
	if (!end)
		return -EBADMSG;
	line = cursor_slice(c, (size_t)(end - c->rest.at));
	cursor_u8(c);
	if (line.len >= sizeof ret->text || (line.len && memchr(line.at, '\0', line.len)))
		return -EBADMSG;
	if (line.len)
		memcpy(ret->text, line.at, line.len);
	ret->text[line.len] = '\0';
	space = strchr(ret->text, ' ');
	ret->value = ret->text + line.len;
	if (space) {
		*space = '\0';
		ret->value = space + 1;
	}
	return 1;
}

/* Digits up to a space or the end; moves *at behind that space. */
static int take_number(char **at, uint64_t most, uint64_t *ret)
{
	char *p = *at;
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return -EBADMSG;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return -EBADMSG;
	if (n > most || (*p && *p != ' '))
		return -EBADMSG;
	*at = *p ? p + 1 : p;
	*ret = n;
	return 0;
}

static int parse_number(char *value, uint64_t most, uint64_t *ret)
{
	int code = take_number(&value, most, ret);

	return code < 0 || *value ? -EBADMSG : 0;
}

static int parse_u32(char *value, uint32_t most, uint32_t *ret)
{
	uint64_t n;

	if (parse_number(value, most, &n) < 0)
		return -EBADMSG;
	*ret = (uint32_t)n;
	return 0;
}

static int parse_word(const char *value, char *to, size_t size)
{
	size_t len = strlen(value);

	if (len == 0 || len >= size || strchr(value, ' '))
		return -EBADMSG;
	memcpy(to, value, len + 1);
	return 0;
}

/* "party 16384 ...": moves *value behind the name. */
static int take_grain(char **value, unsigned *ret)
{
	for (unsigned grain = 0; grain < TALLY_GRAINS; grain++) {
		size_t len = strlen(grain_names[grain]);

		if (strncmp(*value, grain_names[grain], len) == 0 && (*value)[len] == ' ') {
			*value += len + 1;
			*ret = grain;
			return 0;
		}
	}
	return -EBADMSG;
}

static int parse_layout(struct kernel_described *k, char *value)
{
	(void)k;
	return strcmp(value, "1") == 0 && TALLY_FORMAT == 1 ? 0 : -EPROTONOSUPPORT;
}

static int parse_id(struct kernel_described *k, char *value)
{
	if (strlen(value) != KERNEL_ID_TEXT - 1 || strspn(value, "0123456789abcdef") != KERNEL_ID_TEXT - 1)
		return -EBADMSG;
	return parse_word(value, k->d.id, sizeof k->d.id);
}

static int parse_interface(struct kernel_described *k, char *value)
{
	return strchr(value, '/') ? -EBADMSG : parse_word(value, k->d.interface, sizeof k->d.interface);
}

static int parse_ifindex(struct kernel_described *k, char *value)
{
	return parse_u32(value, INT32_MAX, &k->d.ifindex);
}

static int parse_netns(struct kernel_described *k, char *value)
{
	return parse_number(value, UINT64_MAX, &k->d.netns);
}

static int parse_capture(struct kernel_described *k, char *value)
{
	return parse_word(value, k->d.capture, sizeof k->d.capture);
}

static int parse_hooks(struct kernel_described *k, char *value)
{
	return parse_word(value, k->hooks, sizeof k->hooks);
}

static int parse_promiscuous(struct kernel_described *k, char *value)
{
	uint64_t n;

	if (parse_number(value, 1, &n) < 0)
		return -EBADMSG;
	k->d.promiscuous = n;
	return 0;
}

static int parse_since(struct kernel_described *k, char *value)
{
	uint64_t n;

	if (parse_number(value, INT64_MAX, &n) < 0)
		return -EBADMSG;
	k->d.since_utc_s = (int64_t)n;
	return 0;
}

static int parse_base(struct kernel_described *k, char *value)
{
	struct interface_stats *s = &k->d.base;
	uint64_t *const to[] = {
		&s->rx_packets, &s->rx_bytes, &s->rx_dropped, &s->rx_errors,
		&s->tx_packets, &s->tx_bytes, &s->tx_dropped, &s->tx_errors,
	};

	for (size_t i = 0; i < sizeof to / sizeof *to; i++)
		if (take_number(&value, UINT64_MAX, to[i]) < 0)
			return -EBADMSG;
	return *value ? -EBADMSG : 0;
}

static int parse_cpus(struct kernel_described *k, char *value)
{
	return parse_u32(value, KERNEL_CPUS_MAX, &k->cpus);
}

static int parse_rules(struct kernel_described *k, char *value)
{
	return parse_u32(value, KERNEL_RULES_MAX, &k->d.rules);
}

static int parse_of(struct kernel_described *k, char *value)
{
	for (unsigned of = 0; of < sizeof of_names / sizeof *of_names; of++) {
		if (strcmp(value, of_names[of]) == 0) {
			k->d.of = (enum account_of)of;
			return 0;
		}
	}
	return -EBADMSG;
}

static int parse_table(struct kernel_described *k, char *value)
{
	uint64_t slots, bytes;
	unsigned grain;

	if (take_grain(&value, &grain) < 0 || take_number(&value, KERNEL_SLOTS_MAX, &slots) < 0 ||
	    parse_number(value, UINT32_MAX, &bytes) < 0)
		return -EBADMSG;
	if (slots < TALLY_BUCKET || (slots & (slots - 1)) != 0)
		return -EBADMSG;
	if (bytes != sizeof(struct tally_narrow_slot) && bytes != sizeof(struct tally_wide_slot))
		return -EBADMSG;
	k->slots[grain] = (uint32_t)slots;
	k->wide[grain] = bytes == sizeof(struct tally_wide_slot);
	return 0;
}

static int parse_field(struct kernel_described *k, char *value)
{
	unsigned grain;

	if (take_grain(&value, &grain) < 0)
		return -EBADMSG;
	for (enum field f = 0; f < FIELD_COUNT; f++) {
		const char *name = name_of_field(f);

		if (name && strcmp(value, name) == 0) {
			k->d.fields[grain] |= FIELD_BIT(f);
			return 0;
		}
	}
	return -EPROTONOSUPPORT; /* a later build's: without it, keys would be added together */
}

/* Room for one more, in steps. */
static void *grown(void *at, size_t count, size_t size)
{
	return count % 64 == 0 ? realloc(at, (count + 64) * size) : at;
}

static int parse_service(struct kernel_described *k, char *value)
{
	struct kernel_description *d = &k->d;
	char **services;

	if (d->service_count == SERVICES_MAX || *value == '\0' || strchr(value, ' '))
		return -EBADMSG;
	services = grown(d->services, d->service_count, sizeof *services);
	if (!services)
		return -ENOMEM;
	d->services = services;
	services[d->service_count] = strdup(value);
	if (!services[d->service_count])
		return -ENOMEM;
	d->service_count++;
	return 0;
}

static int parse_local(struct kernel_described *k, char *value)
{
	struct prefix p;

	if (k->d.local.count == LOCAL_MAX || prefix_parse(&p, value, NULL) < 0)
		return -EBADMSG;
	return prefix_set_add(&k->d.local, &p);
}

static const struct {
	const char *word;
	int (*parse)(struct kernel_described *k, char *value);
	bool needed;
} words[] = {
	{ "layout", parse_layout, true },
	{ "id", parse_id, true },
	{ "interface", parse_interface, true },
	{ "ifindex", parse_ifindex, true },
	{ "netns", parse_netns, true },
	{ "capture", parse_capture, true },
	{ "hooks", parse_hooks, true },
	{ "promiscuous", parse_promiscuous, false },
	{ "since", parse_since, true },
	{ "base", parse_base, true },
	{ "cpus", parse_cpus, true },
	{ "of", parse_of, true },
	{ "table", parse_table, false },
	{ "field", parse_field, false },
	{ "service", parse_service, false },
	{ "local", parse_local, false },
	{ "rules", parse_rules, false },
};

#define WORDS (sizeof words / sizeof *words)

static int parse_line(struct kernel_described *k, struct line *line, uint32_t *seen)
{
	for (size_t i = 0; i < WORDS; i++) {
		if (strcmp(line->text, words[i].word) != 0)
			continue;
		*seen |= 1u << i;
		return words[i].parse(k, line->value);
	}
	return 0;
}

static int parse_note(struct kernel_described *k, char *value, struct cursor *c)
{
	struct slice note;
	uint64_t len;

	if (parse_number(value, KERNEL_DESCRIPTION_MAX, &len) < 0)
		return -EBADMSG;
	note = cursor_slice(c, len);
	if (c->truncated || c->rest.len || (len && memchr(note.at, '\0', len)))
		return -EBADMSG;
	k->d.note = malloc(len + 1);
	if (!k->d.note)
		return -ENOMEM;
	if (len)
		memcpy(k->d.note, note.at, len);
	k->d.note[len] = '\0';
	return 0;
}

static int parse_head(struct cursor *c)
{
	static const char head[] = "tables ";
	struct line line;
	uint64_t version;

	if (next_line(c, &line) != 1 || strcmp(line.text, "nettally") != 0 ||
	    strncmp(line.value, head, sizeof head - 1) != 0 ||
	    parse_number(line.value + sizeof head - 1, UINT64_MAX, &version) < 0)
		return -EBADMSG;
	return version == VERSION ? 0 : -EPROTONOSUPPORT;
}

static int parse_body(struct kernel_described *k, struct cursor *c)
{
	uint32_t seen = 0;
	struct line line;
	int code;

	while ((code = next_line(c, &line)) == 1) {
		if (strcmp(line.text, "note") == 0) {
			code = parse_note(k, line.value, c);
			break;
		}
		code = parse_line(k, &line, &seen);
		if (code < 0)
			return code;
	}
	if (code < 0)
		return code;
	for (size_t i = 0; i < WORDS; i++)
		if (words[i].needed && !(seen & 1u << i))
			return -EBADMSG;
	return k->d.note && k->cpus && (k->slots[TALLY_PARTY] || k->slots[TALLY_PLAIN] || k->d.rules) ? 0 : -EBADMSG;
}

int kernel_description_parse(struct kernel_described *ret, struct slice text, struct err *e)
{
	struct cursor c = cursor_of(text);
	struct kernel_described k = { 0 };
	int code = parse_head(&c);

	if (code == 0)
		code = parse_body(&k, &c);
	if (code == 0) {
		*ret = k;
		return 0;
	}
	kernel_described_free(&k);
	if (code == -EPROTONOSUPPORT)
		return err_set(e, code, "tables of another version of nettally, which this one cannot read");
	if (code == -ENOMEM)
		return err_set(e, code, "no memory");
	return err_set(e, code, "the description of the tables is damaged");
}

void kernel_described_free(struct kernel_described *k)
{
	for (size_t i = 0; i < k->d.service_count; i++)
		free(k->d.services[i]);
	free(k->d.services);
	prefix_set_free(&k->d.local);
	free(k->d.note);
	*k = (struct kernel_described){ 0 };
}
