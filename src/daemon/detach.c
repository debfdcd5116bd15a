/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/detach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* One run over the folders of pins. */
struct run {
	const struct detach_options *o;
	const struct detach_report *report;
	struct netlink *netlink;
	int count;
	int failed;          /* the first failure */
	struct err *first;
};

/* What is pinned for one ledger. */
struct place {
	char dir[LEFTOVERS_PATH_MAX];
	char path[LEFTOVERS_PATH_MAX]; /* of the ledger; "" = no table says */
	bool gone;
	char **interfaces;
	size_t count;
	struct ledger *ledger;         /* NULL: nothing is booked */
	struct strings *strings;
	int lock_fd;                   /* of a ledger that is not opened */
};

static void say_failed(struct run *run, const struct err *e)
{
	run->report->failed(run->report->arg, e);
	if (run->failed == 0) {
		run->failed = e->code;
		*run->first = *e;
	}
}

#define PATH_MAX_OF_INTERFACE (LEFTOVERS_PATH_MAX + 32)

static void path_of_interface(const char *dir, const char *interface, char ret[static PATH_MAX_OF_INTERFACE])
{
	snprintf(ret, PATH_MAX_OF_INTERFACE, "%s/%.20s", dir, interface);
	for (char *c = ret + strlen(dir) + 1; *c; c++)
		if (*c == '.')
			*c = ':'; /* as kernel.h writes it */
}

/* NAME-NUMBER, as leftovers_directory() makes it. */
static bool is_place_of_ours(const char *dir)
{
	const char *number = strrchr(dir, '-');

	return number && strlen(number) == 9 && strspn(number + 1, "0123456789abcdef") == 8;
}

/* A kill between the last table and its folder leaves that: nothing to book, nothing to say. */
static void remove_empty(struct place *p)
{
	char path[PATH_MAX_OF_INTERFACE];
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++) {
		path_of_interface(p->dir, p->interfaces[i], path);
		if (is_place_of_ours(p->dir) && rmdir(path) == 0)
			free(p->interfaces[i]);
		else
			p->interfaces[kept++] = p->interfaces[i];
	}
	p->count = kept;
}

/* Folders that another program has in the same bpffs are none of our business, whatever --pins says. */
static bool is_ours(const char *dir, const char *interface)
{
	char path[PATH_MAX_OF_INTERFACE];
	bool ours = false;
	DIR *folder;

	path_of_interface(dir, interface, path);
	folder = opendir(path);
	if (!folder)
		return false;
	for (struct dirent *entry; !ours && (entry = readdir(folder));) {
		const char *name = entry->d_name;

		ours = strncmp(name, "link-", 5) == 0 ||
		       (strchr("gnr", name[0]) && strspn(name + 1, "0123456789abcdef") == KERNEL_ID_TEXT - 1);
	}
	closedir(folder);
	return ours;
}

static int check_ours(const struct place *p, struct err *e)
{
	for (size_t i = 0; i < p->count; i++)
		if (!is_ours(p->dir, p->interfaces[i]))
			return err_set(e, -EINVAL, "%.200s/%.20s: nettally did not make this, so it stays", p->dir,
				       p->interfaces[i]);
	return 0;
}

static void find_path(struct place *p)
{
	for (size_t i = 0; i < p->count && !p->path[0]; i++) {
		char *note = NULL;
		struct err e;

		if (kernel_pinned_note(p->dir, p->interfaces[i], &note, &e) == 0 && !leftovers_ledger_path(note, p->path))
			p->path[0] = '\0';
		free(note);
	}
}

/* The lock of a ledger that is not opened (it is gone, or nothing is to be booked): a daemon may hold it all
 * the same. No lock file: none ever ran. */
static int take_lock(struct place *p, struct err *e)
{
	char name[LEFTOVERS_PATH_MAX + 8], pid[24] = "";
	int r = 0;

	if (!p->path[0])
		return 0;
	snprintf(name, sizeof name, "%s-lock", p->path);
	p->lock_fd = open(name, O_RDONLY | O_CLOEXEC);
	if (p->lock_fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, -errno, "%s", name);
	if (flock(p->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_errno(e, -errno, "%s", name);
	r = (int)pread(p->lock_fd, pid, sizeof pid - 1, 0);
	pid[r > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	return err_set(e, -EBUSY, "%.100s: a daemon counts into it%s%s%s: stop it first", p->path, *pid ? " (pid " : "", pid,
		       *pid ? ")" : "");
}

static int open_ledger(struct run *run, struct place *p, struct err *e)
{
	struct ledger_options options = { 0 };
	struct stat st;
	int r = take_lock(p, e);

	p->gone = p->path[0] && stat(p->path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
	if (r < 0 || run->o->discard || p->gone)
		return r;
	if (!p->path[0])
		return err_set(e, -EPROTO, "%.100s: its tables do not say whose they are: made by another version of nettally? "
			       "--discard removes them", p->dir);
	if (p->path[0] != '/' && !run->o->ledger)
		return err_set(e, -EINVAL, "%.100s: was given as this path, from a folder that nobody knows: say which with "
			       "--ledger", p->path);
	if (p->lock_fd >= 0)
		close(p->lock_fd); /* the ledger takes it itself */
	p->lock_fd = -1;
	if (strings_new(&p->strings) < 0)
		return err_errno(e, -ENOMEM, "%s", p->path);
	options.strings = p->strings;
	return ledger_open(&p->ledger, p->path, &options, e);
}

static void detach_interfaces(struct run *run, struct place *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct detached d = { .interface = p->interfaces[i], .ledger = p->path, .gone = p->gone };
		struct err e = { 0 };

		if (leftovers_detach(p->dir, p->interfaces[i], p->ledger, p->strings, run->netlink, &d.sum, &e) < 0) {
			err_prefix(&e, e.code, "%s", p->interfaces[i]);
			say_failed(run, &e);
			continue;
		}
		run->count++;
		run->report->detached(run->report->arg, &d);
	}
}

static void close_place(struct place *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->interfaces[i]);
	free(p->interfaces);
	ledger_close(&p->ledger);
	strings_free(&p->strings);
	if (p->lock_fd >= 0)
		close(p->lock_fd);
}

static void detach_place(struct run *run, struct place *p)
{
	struct err e = { 0 };
	int r = kernel_list(p->dir, &p->interfaces, &p->count, &e);

	p->lock_fd = -1;
	remove_empty(p);
	if (r == 0)
		r = check_ours(p, &e);
	if (r == 0 && !p->path[0])
		find_path(p);
	if (r == 0 && p->count)
		r = open_ledger(run, p, &e);
	if (r < 0)
		say_failed(run, &e);
	else
		detach_interfaces(run, p);
	close_place(p);
	rmdir(p->dir); /* where all went well it is empty */
}

static int detach_every(struct run *run, struct err *e)
{
	const char *pins = run->o->pins;
	DIR *folder = opendir(pins);

	if (!folder)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, -errno, "%s: needs root", pins);
	for (struct dirent *entry; (entry = readdir(folder));) {
		struct place p = { 0 };

		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR ||
		    snprintf(p.dir, sizeof p.dir, "%s/%s", pins, entry->d_name) >= (int)sizeof p.dir)
			continue;
		detach_place(run, &p);
	}
	closedir(folder);
	return 0;
}

static int detach_one(struct run *run, struct err *e)
{
	struct place p = { 0 };
	struct stat st;
	int r = leftovers_directory(run->o->pins, run->o->ledger, p.dir, e);

	if (r < 0)
		return r;
	if (stat(p.dir, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, -errno, "%s: needs root", p.dir);
	if (snprintf(p.path, sizeof p.path, "%s", run->o->ledger) >= (int)sizeof p.path)
		return err_set(e, -ENAMETOOLONG, "--ledger: the path is too long");
	detach_place(run, &p);
	return 0;
}

static bool is_there(const char *pins)
{
	struct stat st;

	return stat(pins, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int detach_all(const struct detach_options *o, const struct detach_report *report, struct err *e)
{
	struct run run = { .o = o, .report = report, .first = e };
	int r;

	if (!is_there(o->pins))
		return 0;
	r = kernel_usable(e);
	if (r == 0)
		r = netlink_open(&run.netlink, e);
	if (r == 0)
		r = o->ledger ? detach_one(&run, e) : detach_every(&run, e);
	netlink_close(&run.netlink);
	if (r < 0) {
		report->failed(report->arg, e);
		return r;
	}
	rmdir(o->pins); /* the last one turns off the light; others' pins keep it */
	return run.failed < 0 ? run.failed : run.count;
}
