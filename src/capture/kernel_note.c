/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_note.c -- whose tables are pinned there, without touching what counts. */
#include "capture/kernel.h"

#include "capture/kernel_generation.h"
#include "capture/kernel_pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* 1 = found, 0 = nothing that can be read. */
static int read_note(const char *dir, const char *name, char **ret, struct err *e)
{
	char *path = kernel_path(dir, name);
	struct kernel_generation *g = NULL;
	struct err why = { .msg = "no memory" };
	int code = path ? kernel_generation_open(&g, path, &why) : -ENOMEM;

	free(path);
	if (code == -ENOMEM || code == -EMFILE || code == -ENFILE || code == -EPERM)
		return err_set(e, code, "%s", why.msg);
	if (code < 0)
		return 0;
	*ret = strdup(kernel_describe(g)->note ? kernel_describe(g)->note : "");
	kernel_generation_close(&g);
	return *ret ? 1 : err_set(e, -ENOMEM, "no memory");
}

int kernel_pinned_note(const char *dir, const char *interface, char **ret, struct err *e)
{
	char *path = kernel_path_of_interface(dir, interface), **names = NULL;
	size_t count = 0;
	int code = path ? kernel_pins_names(path, "g", &names, &count) : -ENOMEM;

	if (code < 0) {
		err_errno(e, code, "%s/%s", dir, interface);
		free(path);
		return code;
	}
	for (size_t i = 0; code == 0 && i < count; i++)
		code = read_note(path, names[i], ret, e);
	kernel_pins_names_free(names, count);
	free(path);
	if (code == 0)
		return err_set(e, -ENOENT, "%s/%s: nothing there can be read", dir, interface);
	return code < 0 ? code : 0;
}
