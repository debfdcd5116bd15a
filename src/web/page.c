/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page.c -- the page for people. Its script and style are its own and carry a nonce (CSP level
 * 3), new in each reply. */
#include "web/routes.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define NONCE_MARK "@NONCE@"

/* assets/index.html, a string a line: no string literal is longer than C11 promises to take. */
static const char *const lines[] = {
#include "index_html.inc"
};

static int make_nonce(char ret[static NONCE_TEXT_MAX])
{
	uint8_t bytes[(NONCE_TEXT_MAX - 1) / 2];

	if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != (ssize_t)sizeof bytes)
		return -EAGAIN;
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int page_index(struct reply *ret, const struct request *r)
{
	FILE *to;

	(void)r;
	if (make_nonce(ret->nonce) < 0)
		return reply_error(ret, 503, "no random numbers yet: ask again in a second");
	to = open_memstream(&ret->body, &ret->body_len);
	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		const char *mark = strstr(lines[i], NONCE_MARK);

		if (mark)
			fprintf(to, "%.*s%s%s", (int)(mark - lines[i]), lines[i], ret->nonce, mark + strlen(NONCE_MARK));
		else
			fputs(lines[i], to);
	}
	ret->status = 200;
	ret->type = "text/html; charset=utf-8";
	return fclose(to) == 0 ? 0 : -ENOMEM;
}
