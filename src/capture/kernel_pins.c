/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_pins.c -- a bpffs as a tree of names. */
#include "capture/kernel_pins.h"

#include "capture/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS "/sys/fs/bpf"
#define BPFFS_MAGIC 0xcafe4a11u /* BPF_FS_MAGIC */
#define DEPTH_MAX 4

char *kernel_path(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static void swap_characters(char *text, char from, char to)
{
	for (; *text; text++)
		if (*text == from)
			*text = to;
}

char *kernel_path_of_interface(const char *dir, const char *interface)
{
	char *path = kernel_path(dir, interface);

	if (path)
		swap_characters(path + strlen(dir), '.', ':');
	return path;
}

int kernel_pins_make(const char *dir)
{
	return mkdir(dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***names, size_t *count, const char *name)
{
	char **grown = realloc(*names, (*count + 1) * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	*names = grown;
	grown[*count] = strdup(name);
	if (!grown[*count])
		return -ENOMEM;
	++*count;
	return 0;
}

int kernel_pins_names(const char *dir, const char *first, char ***ret, size_t *ret_count)
{
	char **names = NULL;
	size_t count = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);
	int code = 0;

	if (!d && errno != ENOENT)
		return -errno;
	while (d && code == 0 && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && (!first || strchr(first, entry->d_name[0])))
			code = add_name(&names, &count, entry->d_name);
	if (d)
		closedir(d);
	if (code < 0) {
		kernel_pins_names_free(names, count);
		return code;
	}
	if (count)
		qsort(names, count, sizeof *names, by_name);
	*ret = names;
	*ret_count = count;
	return 0;
}

void kernel_pins_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static void remove_below(const char *dir, unsigned depth)
{
	char **names;
	size_t count;

	if (kernel_pins_names(dir, NULL, &names, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		char *path = kernel_path(dir, names[i]);

		if (path && unlink(path) < 0 && errno != ENOENT && depth < DEPTH_MAX)
			remove_below(path, depth + 1);
		free(path);
	}
	kernel_pins_names_free(names, count);
	rmdir(dir);
}

void kernel_pins_remove(const char *dir)
{
	remove_below(dir, 0);
}

static bool is_bpffs(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) == 0 && (uint32_t)fs.f_type == BPFFS_MAGIC;
}

static int mount_bpffs(struct err *e)
{
	int code;

	if (access(BPFFS, F_OK) == 0 && mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
		return 0;
	code = errno == EPERM || errno == EACCES ? -EPERM : -errno;
	if (code == -EPERM)
		return err_set(e, code, "there is no bpffs at %s, and mounting one needs CAP_SYS_ADMIN: "
			       "`mount -t bpf bpf %s` as root", BPFFS, BPFFS);
	if (code == -ENODEV)
		return err_set(e, code, "this kernel has no bpffs (CONFIG_BPF_SYSCALL)");
	return err_errno(e, code, "cannot mount a bpffs at %s", BPFFS);
}

static int no_directory(const char *dir, int code, struct err *e)
{
	if (code == -EACCES || code == -EPERM)
		return err_set(e, code, "%s: may not write there: make it as root and give it to this user "
			       "(`install -d -o USER -m 0700 %s`)", dir, dir);
	return err_errno(e, code, "cannot make %s", dir);
}

/* Another user's daemon may have made a folder on the way. Later this process may have no right over it (root without
 * CAP_DAC_OVERRIDE is like any other), so it is opened for passing, while we may; nothing can be listed by that. */
static int open_the_way(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if ((st.st_mode & 0001) || st.st_uid == geteuid())
		return 0;
	return chmod(path, (st.st_mode & 07777) | 0011) < 0 && errno != EPERM ? -errno : 0;
}

/* Makes what is missing of the path, the part before `at` exists. */
static int make_path(char *path, struct err *e)
{
	for (char *at = strchr(path + 1, '/'); ; at = strchr(at + 1, '/')) {
		int code;

		if (at)
			*at = '\0';
		code = access(path, F_OK) == 0 ? 0 : kernel_pins_make(path);
		if (code == 0 && at)
			code = open_the_way(path);
		if (code < 0)
			return no_directory(path, code, e);
		if (!at)
			return 0;
		*at = '/';
	}
}

/* The part of the path that is there already has to be in a bpffs: nothing is made elsewhere. */
static int check_parent(const char *dir, struct err *e)
{
	char *path = strdup(dir), *slash;
	int code = 0;

	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	while (access(path, F_OK) < 0 && (slash = strrchr(path, '/')) && slash != path)
		*slash = '\0';
	if (!is_bpffs(path))
		code = err_set(e, -ENOENT, "%s is not in a bpffs: take a directory below %s", dir, BPFFS);
	free(path);
	return code;
}

int kernel_pins_prepare(const char *dir, struct err *e)
{
	char *path;
	int code = 0;

	if (dir[0] != '/' || strchr(dir, '.'))
		return err_set(e, -EINVAL, "%s: has to begin with '/' and have no '.' in it (a bpffs reserves them)", dir);
	if (strncmp(dir, BPFFS "/", sizeof BPFFS) == 0 && !is_bpffs(BPFFS))
		code = mount_bpffs(e);
	if (code == 0)
		code = check_parent(dir, e);
	if (code < 0)
		return code;
	path = strdup(dir);
	if (!path)
		return err_set(e, -ENOMEM, "no memory");
	code = make_path(path, e);
	if (code == 0 && access(dir, R_OK | W_OK | X_OK) < 0)
		code = no_directory(dir, -errno, e);
	free(path);
	return code;
}

int kernel_list(const char *dir, char ***ret, size_t *ret_count, struct err *e)
{
	int code = kernel_pins_names(dir, NULL, ret, ret_count);

	if (code < 0)
		return err_errno(e, code, "cannot read %s", dir);
	for (size_t i = 0; i < *ret_count; i++)
		swap_characters((*ret)[i], ':', '.');
	return 0;
}

void kernel_forget_booked(const char *dir, const char *interface)
{
	char *path = kernel_path_of_interface(dir, interface), **names;
	size_t count;

	if (path && kernel_pins_names(path, "g", &names, &count) == 0) {
		if (count == 0)
			kernel_pins_remove(path);
		kernel_pins_names_free(names, count);
	}
	free(path);
}

void kernel_forget(const char *dir, const char *interface)
{
	char *path = kernel_path_of_interface(dir, interface);

	if (path)
		kernel_pins_remove(path);
	free(path);
}
