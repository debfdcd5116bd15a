/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rule_set_test.c -- sets of rules: the captures' truth (made by tcpdump), libpcap on the same frames, tags in
 * metadata, what is said of rules. */
#include "rules/rule_set.h"

#include "rules/testing.h"

#include <errno.h>
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRUTHS_MAX 100

static struct rule_file *parse(const char *text)
{
	const struct rule_source from = { "rules", "02:00:00:00:00:01", NULL };
	struct rule_file *file = NULL;
	struct err e;

	if (rule_file_parse(&file, &from, (struct slice){ (const uint8_t *)text, strlen(text) }, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	return file;
}

static struct rule_set *open_set(const char *text, uint16_t linktype)
{
	struct rule_file *file = parse(text);
	struct rule_mistakes m = { 0 };
	struct rule_set *set = NULL;
	struct err e;

	if (rule_set_open(&set, file, linktype, &m, &e) < 0)
		fail_msg("%s\n%s", e.msg, m.text);
	rule_file_free(&file);
	return set;
}

static void count_one(struct rule_set *set, const struct frame *frame)
{
	struct tally weight = { 1, frame->wire_len + (frame->vlan_tpid ? 4u : 0u), 0 };

	rule_set_count(set, frame, &weight, 1);
}

/* ---- what is said of rules ---- */

static void mistakes_are_said_at_once(void **state)
{
	struct rule_file *file = parse("good;ip\nbad;tcp port and\n\nworse;nonsense here\nnever;ip and ip6\n");
	struct rule_mistakes m = { 0 };
	struct rule_set *set = NULL;
	struct err e;

	(void)state;
	assert_int_equal(rule_set_open(&set, file, LINKTYPE_ETHERNET, &m, &e), -EINVAL);
	assert_null(set);
	assert_int_equal(m.count, 2);
	assert_non_null(strstr(m.text, "rules:2: bad: "));
	assert_non_null(strstr(m.text, "rules:4: worse: "));
	assert_string_equal(e.msg, "rules: mistakes: 2");
	rule_mistakes_free(&m);
	rule_file_free(&file);
}

static void all_kinds_of_mistakes_in_order(void **state)
{
	static const char text[] = "a;tcp port and\nb\nnever;ip and ip6\nc;${x}\nd;nonsense here\n";
	const struct rule_source from = { "rules", NULL, rule_set_check };
	struct rule_file *file = NULL;
	struct rule_mistakes m = { 0 };
	const char *at;
	struct err e;

	(void)state;
	assert_int_equal(rule_file_parse(&file, &from, (struct slice){ (const uint8_t *)text, sizeof text - 1 }, &m, &e),
			 -EINVAL);
	assert_int_equal(m.count, 4);
	at = strstr(m.text, "rules:1: a: ");
	assert_ptr_equal(at, m.text);
	assert_non_null(at = strstr(at, "\nrules:2: b: no ';'"));
	assert_non_null(at = strstr(at, "\nrules:4: c: ${x}: "));
	assert_non_null(strstr(at, "\nrules:5: d: "));
	rule_mistakes_free(&m);
}

static void never_and_same(void **state)
{
	struct rule_set *set = open_set("a;tcp port 80\nnever;ip and ip6\nb;tcp src port 80 or tcp dst port 80\n"
					"c;tcp port 81\n", LINKTYPE_ETHERNET);
	struct rule_set *raw = open_set("a;arp\nb;vlan\nc;ip\nd;ether broadcast\n", LINKTYPE_RAW);

	(void)state;
	assert_int_equal(rule_set_count_rules(set), 4);
	assert_null(rule_set_never(set, 0));
	assert_non_null(rule_set_never(set, 1));
	assert_int_equal(rule_set_same(set, 2), 0);
	assert_int_equal(rule_set_same(set, 3), 3);
	assert_int_equal(rule_set_size(set).functions, 2);
	assert_non_null(rule_set_never(raw, 0));
	assert_string_equal(rule_set_never(raw, 1), "no VLAN support for Raw IP");
	assert_null(rule_set_never(raw, 2));
	assert_string_equal(rule_set_never(raw, 3), "not a broadcast link");
	rule_set_close(&set);
	rule_set_close(&raw);
	assert_null(set);
}

static void an_empty_set(void **state)
{
	struct rule_set *set = open_set("# nothing\n", LINKTYPE_ETHERNET);
	struct frame frame = { .bytes = (const uint8_t *)"", .linktype = LINKTYPE_ETHERNET };

	(void)state;
	count_one(set, &frame);
	assert_int_equal(rule_set_count_rules(set), 0);
	rule_set_close(&set);
}

/* ---- tags that were taken off ---- */

#define SOME_RULES "all;\nlong;greater 70\nvlan;vlan\nvlan7;vlan 7\nvip;vlan and ip\nvport;vlan and udp port 53\n" \
	"ip;ip\nport;udp port 53\nbyte;ether[70] == 3\nodd;ether[15:2] == 0x0745\nword;ether[14:4] == 0x00070800\n" \
	"edge;ether[59:4] & 1 == 1\nedge2;ether[60:4] & 1 == 1\nchain;ip6 protochain 6\nin;ether[12:2] == 0x8100\n" \
	"qinq;vlan and vlan\nsrc;ether src 02:00:00:00:00:01\nlast;ether[ether[15]:1] = 5\n"

static void tags_are_put_back(void **state)
{
	struct rule_set *set = open_set(SOME_RULES, LINKTYPE_ETHERNET);
	size_t rules = rule_set_count_rules(set);
	struct dice d = { .seed = 7 };

	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		uint8_t tagged[128], bare[124];
		uint32_t len = dice_frame(&d, tagged, sizeof tagged), ids[32];
		struct frame frame = { .linktype = LINKTYPE_ETHERNET, .vlan_tpid = 0x8100, .bytes = bare };
		uint64_t want = 0, got = 0;
		size_t count;

		if (len < 16)
			continue;
		tagged[12] = 0x81, tagged[13] = 0, tagged[14] = 0;
		if (n % 2)
			tagged[15] = 7;
		if (n % 4)
			tagged[16] = 8, tagged[17] = 0;
		memcpy(bare, tagged, 12);
		memcpy(bare + 12, tagged + 16, len - 16);
		frame.cap_len = len - 4;
		frame.wire_len = len - 4 + n % 3;
		frame.vlan_tci = tagged[15];
		for (size_t i = 0; i < rules; i++)
			if (reference_run(rule_set_program(set, i), tagged, len + n % 3, len))
				want |= 1ull << i;
		count = rule_set_match(set, &frame, ids);
		for (size_t i = 0; i < count; i++)
			got |= 1ull << ids[i];
		if (got != want)
			fail_msg("frame %u of %u bytes: rules %" PRIx64 ", libpcap says %" PRIx64, n, len, got, want);
	}
	rule_set_close(&set);
}

/* ---- rules that have nothing to do with each other ---- */

#define TANGLED 96
#define BYTES 32

static unsigned one_of(unsigned rule)
{
	return 20 + rule % BYTES;
}

static unsigned other_of(unsigned rule)
{
	return 20 + (rule * 7 + rule / BYTES + 5) % BYTES;
}

static bool tangled_match(const uint8_t *bytes, unsigned rule)
{
	return bytes[one_of(rule)] > 127 && bytes[other_of(rule)] > 99;
}

/* Each byte is in several rules, with others: nearly each frame comes to states that no other has, and the machine
 * is divided again and again. */
static void tangled_rules_divide_the_machine(void **state)
{
	char text[8192] = "";
	struct rule_set *set;
	struct dice d = { .seed = 9 };
	uint64_t want[TANGLED] = { 0 };

	(void)state;
	for (unsigned i = 0, len = 0; i < TANGLED; i++)
		len += (unsigned)snprintf(text + len, sizeof text - len, "r%u;ether[%u] > 127 and ether[%u] > 99\n", i, one_of(i),
					  other_of(i));
	set = open_set(text, LINKTYPE_ETHERNET);
	for (unsigned n = 0; n < 20000; n++) {
		uint8_t bytes[20 + BYTES];
		struct frame frame = { .linktype = LINKTYPE_ETHERNET, .bytes = bytes, .cap_len = sizeof bytes, .wire_len = 100 };
		uint32_t ids[TANGLED];

		for (unsigned i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)dice_throw(&d, 256);
		for (unsigned i = 0; i < TANGLED; i++)
			want[i] += tangled_match(bytes, i);
		count_one(set, &frame);
		if (n % 16 == 0) {
			size_t matched = rule_set_match(set, &frame, ids);

			for (size_t i = 0; i < matched; i++)
				assert_true(tangled_match(bytes, ids[i]));
		}
	}
	for (unsigned i = 0; i < TANGLED; i++) {
		struct tally got = rule_set_tally(set, i);

		assert_int_equal(got.packets, want[i]);
		assert_int_equal(got.l2_bytes, 100 * want[i]);
	}
	print_message("%zu machines, %zu states, %zu KiB\n", rule_set_size(set).machines, rule_set_size(set).states,
		      rule_set_size(set).bytes >> 10);
	assert_true(rule_set_size(set).machines > 1);
	assert_true(rule_set_size(set).bytes < 128u << 20);
	rule_set_close(&set);
}

/* ---- the captures' truth ---- */

struct truth {
	char identifier[32];
	bool ok, invalid;
	uint64_t packets, bytes;
};

static size_t read_truth(const char *capture, struct truth *ret)
{
	char path[1024], line[1024], status[16];
	size_t count = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s.truth/rules.tsv", capture);
	f = fopen(path, "r");
	while (f && count < TRUTHS_MAX && fgets(line, sizeof line, f)) {
		struct truth *t = &ret[count];

		if (sscanf(line, "%31[^\t]\t%15[^\t]\t%" SCNu64 "\t%" SCNu64, t->identifier, status, &t->packets, &t->bytes) != 4)
			continue;
		t->ok = strcmp(status, "ok") == 0;
		t->invalid = strcmp(status, "invalid") == 0;
		count++;
	}
	if (f)
		fclose(f);
	return count;
}

/* Without the two that are wrong on purpose. */
static struct rule_file *rules_of_data(const char *data)
{
	struct rule_file *file = NULL;
	char path[512];
	struct rule_source from = { path, NULL, NULL };
	struct err e;

	snprintf(path, sizeof path, "%s/pcap/rules.txt", data);
	if (rule_file_read(&file, &from, NULL, &e) < 0)
		return NULL;
	while (file->count && strncmp(file->rules[file->count - 1].identifier, "bad_", 4) == 0) {
		file->count--;
		free(file->rules[file->count].identifier);
		free(file->rules[file->count].expression);
	}
	return file;
}

static uint64_t check_capture(const char *path, const struct rule_file *file)
{
	struct truth truths[TRUTHS_MAX];
	size_t count = read_truth(path, truths);
	struct capture *capture = count ? capture_open(path) : NULL;
	struct rule_set *set = NULL;
	struct frame frame;
	uint64_t checked = 0;
	struct err e;

	if (!capture)
		return 0;
	if (rule_set_open(&set, file, capture_linktype(capture), NULL, &e) < 0)
		fail_msg("%s: %s", path, e.msg);
	while (capture_next(capture, &frame))
		count_one(set, &frame);
	for (size_t i = 0; i < file->count; i++) {
		struct tally got = rule_set_tally(set, i);

		for (size_t j = 0; j < count; j++) {
			if (strcmp(truths[j].identifier, file->rules[i].identifier) != 0)
				continue;
			if (truths[j].invalid)
				assert_non_null(rule_set_never(set, i));
			else if (truths[j].ok && (got.packets != truths[j].packets || got.l2_bytes != truths[j].bytes))
				fail_msg("%s: %s: %" PRIu64 " packets, %" PRIu64 " bytes, not %" PRIu64 ", %" PRIu64, path,
					 truths[j].identifier, got.packets, got.l2_bytes, truths[j].packets, truths[j].bytes);
			checked += truths[j].ok;
		}
	}
	rule_set_close(&set);
	capture_close(capture);
	return checked;
}

static void truth_of_captures(void **state)
{
	const char *data = getenv("NETTALLY_DATA");
	struct rule_file *file = data && *data ? rules_of_data(data) : NULL;
	char folder[512], path[512 + 260];
	uint64_t checked = 0;
	struct dirent *entry;
	DIR *dir;

	(void)state;
	if (!file) {
		print_message("skipped: no captures in NETTALLY_DATA\n");
		skip();
	}
	snprintf(folder, sizeof folder, "%s/pcap", data);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".pcap") || strstr(entry->d_name, ".truth") || strstr(entry->d_name, ".txt"))
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		checked += check_capture(path, file);
	}
	closedir(dir);
	print_message("%" PRIu64 " counts agree with the truth\n", checked);
	assert_true(checked > 1000);
	rule_file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_said_at_once),
		cmocka_unit_test(all_kinds_of_mistakes_in_order),
		cmocka_unit_test(never_and_same),
		cmocka_unit_test(an_empty_set),
		cmocka_unit_test(tags_are_put_back),
		cmocka_unit_test(tangled_rules_divide_the_machine),
		cmocka_unit_test(truth_of_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
