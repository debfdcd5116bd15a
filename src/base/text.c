/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c -- durations, sizes, times, people's numbers, JSON strings: see text.h. Everything is
 * own arithmetic on UTC, without locale and time zone. */
#include "base/text.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define DAY_S 86400
#define DURATION_MAX_S (UINT64_C(36525) * DAY_S) /* 100 years */

/* The digits that *at begins with; false where there are none or the number is over 64 bits. */
static bool take_number(const char **at, uint64_t *ret)
{
	const char *p = *at;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return false;
	if (p == *at)
		return false;
	*at = p;
	*ret = n;
	return true;
}

static const struct duration_unit {
	const char *name;
	uint32_t s;
} duration_units[] = {
	/* the largest first; duration_format() takes the first name of a length */
	{ "w", 7 * DAY_S }, { "d", DAY_S }, { "h", 3600 }, { "min", 60 }, { "m", 60 }, { "s", 1 },
};

int duration_parse(uint32_t *ret_s, const char *text, struct err *e)
{
	const char *unit = text;
	uint64_t n;

	if (take_number(&unit, &n)) {
		for (size_t i = 0; i < sizeof duration_units / sizeof *duration_units; i++) {
			uint64_t s;

			if (strcmp(unit, duration_units[i].name) != 0)
				continue;
			if (__builtin_mul_overflow(n, duration_units[i].s, &s) || s < 1 || s > DURATION_MAX_S)
				return err_set(e, -EINVAL, "duration '%.40s' is not between 1s and 100 years (36525d)", text);
			*ret_s = (uint32_t)s;
			return 0;
		}
	}
	return err_set(e, -EINVAL, "'%.40s' is no duration: write a number and a unit, such as 30s, 5min, 1h, 7d, 2w", text);
}

const char *duration_format(uint32_t s, char *buf, size_t size)
{
	/* Weeks are read, not written: 7d and 14d are what people look for beside 28d and 90d. */
	for (size_t i = 1; i < sizeof duration_units / sizeof *duration_units; i++) {
		if (s && s % duration_units[i].s == 0) {
			snprintf(buf, size, "%" PRIu32 "%s", s / duration_units[i].s, duration_units[i].name);
			return buf;
		}
	}
	snprintf(buf, size, "%" PRIu32 "s", s);
	return buf;
}

static const struct size_unit {
	const char *name;
	uint64_t bytes;
} size_units[] = {
	/* size_format() tries the first four in this order */
	{ "TiB", UINT64_C(1) << 40 }, { "GiB", UINT64_C(1) << 30 }, { "MiB", UINT64_C(1) << 20 },
	{ "KiB", UINT64_C(1) << 10 }, { "PiB", UINT64_C(1) << 50 }, { "kB", 1000 }, { "KB", 1000 },
	{ "MB", 1000000 }, { "GB", UINT64_C(1000000000) }, { "TB", UINT64_C(1000000000000) },
	{ "PB", UINT64_C(1000000000000000) }, { "B", 1 }, { "", 1 },
};

int size_parse(uint64_t *ret_bytes, const char *text, struct err *e)
{
	const char *unit = text;
	uint64_t n;

	if (take_number(&unit, &n)) {
		for (size_t i = 0; i < sizeof size_units / sizeof *size_units; i++) {
			if (strcmp(unit, size_units[i].name) != 0)
				continue;
			if (__builtin_mul_overflow(n, size_units[i].bytes, &n))
				break;
			*ret_bytes = n;
			return 0;
		}
	}
	return err_set(e, -EINVAL, "'%.40s' is no size: write a whole number and a unit, such as 512KiB, 64MiB, 10GiB, 10GB",
		       text);
}

const char *size_format(uint64_t bytes, char *buf, size_t size)
{
	for (size_t i = 0; i < 4; i++) {
		if (bytes && bytes % size_units[i].bytes == 0) {
			snprintf(buf, size, "%" PRIu64 "%s", bytes / size_units[i].bytes, size_units[i].name);
			return buf;
		}
	}
	snprintf(buf, size, "%" PRIu64, bytes);
	return buf;
}

/* At most three digits and one of them behind the point: 9.9 k, 99.9 k, 999 k, 1.0 M. */
static const char *human(uint64_t n, const char *unit, char *buf, size_t size)
{
	static const char *const prefixes[] = { "", "k", "M", "G", "T", "P", "E" };
	unsigned i = 0;
	uint64_t scale = 1;

	if (n < 1000) {
		snprintf(buf, size, *unit ? "%" PRIu64 " %s" : "%" PRIu64 "%s", n, unit);
		return buf;
	}
	/* What would be rounded to 1000 goes up to the next prefix. */
	while (i + 1 < sizeof prefixes / sizeof *prefixes && n / scale >= 999 && n >= 1000 * scale - scale / 2) {
		scale *= 1000;
		i++;
	}
	uint64_t whole = n / scale;
	uint64_t tenths = (n % scale * 10 + scale / 2) / scale + whole * 10; /* scale <= 1e18: no overflow */

	if (tenths < 1000)
		snprintf(buf, size, "%" PRIu64 ".%" PRIu64 " %s%s", tenths / 10, tenths % 10, prefixes[i], unit);
	else
		snprintf(buf, size, "%" PRIu64 " %s%s", whole + (n % scale >= scale / 2), prefixes[i], unit);
	return buf;
}

const char *human_bytes(uint64_t bytes, char *buf, size_t size)
{
	return human(bytes, "B", buf, size);
}

const char *human_count(uint64_t n, char *buf, size_t size)
{
	return human(n, "", buf, size);
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Years begin in March
 * here, so that the leap day is a year's last; 146097 days are 400 years. */
static int64_t days_of_date(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_of_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned m = (unsigned)((5 * day_of_year + 2) / 153);

	*ret_day = (unsigned)(day_of_year - (153 * m + 2) / 5 + 1);
	*ret_month = m < 10 ? m + 3 : m - 9;
	*ret_year = era * 400 + year_of_era + (*ret_month <= 2);
}

const char *time_format(int64_t utc_s, char *buf, size_t size)
{
	bool before = utc_s % DAY_S < 0; /* division goes towards zero */
	int64_t rest = utc_s % DAY_S + (before ? DAY_S : 0);
	int64_t year;
	unsigned month, day;

	date_of_days(utc_s / DAY_S - before, &year, &month, &day);
	snprintf(buf, size, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02uZ", year, month, day, (unsigned)rest / 3600,
		 (unsigned)rest / 60 % 60, (unsigned)rest % 60);
	return buf;
}

/* Exactly `digits` digits, at most `most`. */
static bool take_digits(const char **at, unsigned digits, unsigned most, unsigned *ret)
{
	unsigned n = 0;

	for (unsigned i = 0; i < digits; i++) {
		char c = (*at)[i];

		if (c < '0' || c > '9')
			return false;
		n = n * 10 + (unsigned)(c - '0');
	}
	if (n > most)
		return false;
	*at += digits;
	*ret = n;
	return true;
}

static bool take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* "Z", "+01:00", "-0330", or nothing, which is UTC too. */
static bool take_offset(const char **at, int64_t *ret_s)
{
	unsigned hours, minutes;
	int64_t sign = **at == '-' ? -1 : 1;

	*ret_s = 0;
	if (**at == '\0' || take_char(at, 'Z') || take_char(at, 'z'))
		return true;
	if (!take_char(at, '+') && !take_char(at, '-'))
		return false;
	if (!take_digits(at, 2, 23, &hours))
		return false;
	(void)take_char(at, ':');
	if (!take_digits(at, 2, 59, &minutes))
		return false;
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* RFC 3339 5.6: seconds may be 60 (a leap second) and may have a fraction, which is cut off. */
static bool take_clock_time(const char **at, int64_t *ret_s)
{
	unsigned hours, minutes, seconds = 0;
	int64_t offset_s;

	if (!take_digits(at, 2, 23, &hours) || !take_char(at, ':') || !take_digits(at, 2, 59, &minutes))
		return false;
	if (take_char(at, ':')) {
		if (!take_digits(at, 2, 60, &seconds))
			return false;
		if (take_char(at, '.')) {
			size_t digits = strspn(*at, "0123456789");

			if (digits == 0)
				return false;
			*at += digits;
		}
	}
	if (!take_offset(at, &offset_s))
		return false;
	*ret_s = (int64_t)hours * 3600 + minutes * 60 + seconds - offset_s;
	return true;
}

static bool time_parse_rfc3339(int64_t *ret_utc_s, const char *text)
{
	static const uint8_t month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const char *at = text;
	unsigned year, month, day;
	int64_t clock_s = 0;

	if (!take_digits(&at, 4, 9999, &year) || !take_char(&at, '-') || !take_digits(&at, 2, 12, &month) ||
	    !take_char(&at, '-') || !take_digits(&at, 2, 31, &day))
		return false;
	if (month < 1 || day < 1 || day > month_days[month - 1])
		return false;
	if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
		return false;
	if (*at && !((take_char(&at, 'T') || take_char(&at, 't') || take_char(&at, ' ')) && take_clock_time(&at, &clock_s)))
		return false;
	if (*at)
		return false;
	*ret_utc_s = days_of_date(year, month, day) * DAY_S + clock_s;
	return true;
}

#define TIME_LAST_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

int time_parse(int64_t *ret_utc_s, const char *text, int64_t now_utc_s, struct err *e)
{
	const char *rest = text;
	uint64_t seconds;
	uint32_t before_s;

	if (strcmp(text, "now") == 0) {
		*ret_utc_s = now_utc_s;
	} else if (strcmp(text, "today") == 0) {
		*ret_utc_s = window_start(now_utc_s, DAY_S);
	} else if (strcmp(text, "yesterday") == 0) {
		*ret_utc_s = window_start(now_utc_s, DAY_S) - DAY_S;
	} else if (*text == '-' && duration_parse(&before_s, text + 1, NULL) == 0) {
		*ret_utc_s = now_utc_s - before_s;
	} else if (take_number(&rest, &seconds) && *rest == '\0' && seconds <= TIME_LAST_S) {
		*ret_utc_s = (int64_t)seconds;
	} else if (!time_parse_rfc3339(ret_utc_s, text)) {
		return err_set(e, -EINVAL,
			       "'%.40s' is no time: write 2026-11-22T00:46:00Z, 2026-11-22, 1700000000 (seconds since 1970), "
			       "now, today, yesterday, or -1h (that long ago)", text);
	}
	return 0;
}

/* Bytes of the UTF-8 character at `s`, 0 where there is none: RFC 3629, so no overlong form, no
 * surrogate, nothing above U+10FFFF. `s` ends with a NUL, which is no continuation byte, so
 * nothing behind it is read. */
static size_t utf8_length(const char *s)
{
	const unsigned char *b = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	size_t length;

	if (b[0] < 0x80)
		return 1;
	if (b[0] >= 0xc2 && b[0] <= 0xdf)
		length = 2;
	else if (b[0] >= 0xe0 && b[0] <= 0xef)
		length = 3;
	else if (b[0] >= 0xf0 && b[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (b[0] == 0xe0)
		low = 0xa0;
	if (b[0] == 0xed)
		high = 0x9f;
	if (b[0] == 0xf0)
		low = 0x90;
	if (b[0] == 0xf4)
		high = 0x8f;
	if (b[1] < low || b[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (b[i] < 0x80 || b[i] > 0xbf)
			return 0;
	return length;
}

void json_string(FILE *to, const char *text)
{
	putc('"', to);
	while (*text) {
		size_t length = utf8_length(text);
		unsigned char c = (unsigned char)*text;

		if (length > 1) {
			fwrite(text, 1, length, to);
			text += length;
			continue;
		}
		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", to);
		else if (c == '\t')
			fputs("\\t", to);
		else if (length == 0 || c < 0x20 || c == 0x7f || c == '<' || c == '>' || c == '&')
			fprintf(to, "\\u%04x", c);
		else
			putc(c, to);
		text++;
	}
	putc('"', to);
}

const char *text_printable(const char *text, char *buf, size_t size)
{
	size_t used = 0;

	if (size == 0)
		return buf;
	while (*text) {
		size_t length = utf8_length(text);
		unsigned char c = (unsigned char)*text;
		/* C2 80 .. C2 9F are U+0080 .. U+009F, the C1 controls: terminals obey them too */
		bool control = length == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] < 0xa0);
		size_t width = control ? 1 : length;

		if (used + width >= size)
			break;
		if (control)
			buf[used] = '?';
		else
			memcpy(buf + used, text, length);
		used += width;
		text += length ? length : 1;
	}
	buf[used] = '\0';
	return buf;
}
