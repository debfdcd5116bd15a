/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_pins.h -- directories in a bpffs, and what is where in them (kernel.h has the drawing).
 *
 * Paths are made by kernel_path(), free() them; NULL = no memory. Thread: any. */
#ifndef NETTALLY_CAPTURE_KERNEL_PINS_H
#define NETTALLY_CAPTURE_KERNEL_PINS_H

#include "base/err.h"

#include <stddef.h>

char *kernel_path(const char *dir, const char *name);
/* The directory of an interface: '.' is reserved in a bpffs (kernel/bpf/inode.c, bpf_lookup()), no interface
 * has ':' in its name (net/core/dev.c, dev_valid_name()). */
char *kernel_path_of_interface(const char *dir, const char *interface);

/* mkdir(2); 0 where it is there already. */
int kernel_pins_make(const char *dir);
/* Names in a directory whose first character is one of `first` (NULL: all), in order of names; none where it is missing. */
int kernel_pins_names(const char *dir, const char *first, char ***ret, size_t *ret_count);
void kernel_pins_names_free(char **names, size_t count);
/* Unlinks everything in a directory, and it; directories in it too. */
void kernel_pins_remove(const char *dir);

#endif
