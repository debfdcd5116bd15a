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

/* Sets the sentence and gives `code`, so that callers write `return err_set(e, -EINVAL, ...)`. */
#define err_set(e, code, ...) ERR_WITH(err_set_sentence, e, code, __VA_ARGS__)
/* As err_set, with ": " and strerror(-code) behind the sentence. */
#define err_errno(e, code, ...) ERR_WITH(err_set_errno, e, code, __VA_ARGS__)
/* Puts "prefix: " before the sentence that is there already. */
#define err_prefix(e, code, ...) ERR_WITH(err_set_prefix, e, code, __VA_ARGS__)

/* Macros, so that the compiler sees that the value is the code that was given. */
#define ERR_WITH(function, e, code, ...)                                                                     \
	__extension__({                                                                                      \
		const int err_code_ = (code);                                                                \
		function(e, err_code_, __VA_ARGS__);                                                         \
		err_code_;                                                                                   \
	})

void err_set_sentence(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void err_set_errno(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void err_set_prefix(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
