/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err.h -- one error type that carries the sentence.
 *
 * A function that can fail returns 0 or a negative errno value and, on failure, leaves a sentence
 * for people in *e. `e` may be NULL. Outputs (`ret_`, `*ret`) are written only on success.
 * Modules return errors; only daemon/ and cli/ print them or exit. Thread: any. */
#ifndef NETTALLY_BASE_ERR_H
#define NETTALLY_BASE_ERR_H

struct err {
	int code;      /* negative errno, 0 = no error */
	char msg[512]; /* no trailing newline, no "nettally: " */
};

/* Sets the sentence and returns `code`, so that callers write `return err_set(e, -EINVAL, ...)`. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and strerror(-code) behind the sentence. */
int err_errno(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the sentence that is there already; returns e->code. */
int err_prefix(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
