/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void keep(capng_type_t which)
{
	static const unsigned kept[] = { CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON };
	bool had[sizeof kept / sizeof *kept];

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (had[i])
			capng_update(CAPNG_ADD, which, kept[i]);
}

static struct passwd *find_user(const char *user, struct err *e)
{
	struct passwd *pw = getpwnam(user);

	if (!pw)
		err_set(e, -ENOENT, "user %s: there is none; create it or take `user` out of the config", user);
	return pw;
}

/* The folders above `dir` can be passed by all; nothing can be listed, and objects are open to their owner alone. */
static int open_the_way(const char *dir)
{
	char path[512];
	struct stat st;

	for (const char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - dir);

		if (len >= sizeof path)
			return -ENAMETOOLONG;
		memcpy(path, dir, len);
		path[len] = '\0';
		if (stat(path, &st) < 0 || ((st.st_mode & 0001) == 0 && chmod(path, (st.st_mode & 07777) | 0001) < 0))
			return -errno;
	}
	return 0;
}

/* nftw() has no argument: a folder belongs to its owner already, what lies in it is given to the same. */
static int give_as_top(const char *path, const struct stat *st, int type, struct FTW *at)
{
	char top[512];
	struct stat owner;

	(void)type;
	if (at->level == 0 || (size_t)at->base > sizeof top)
		return 0;
	memcpy(top, path, (size_t)at->base);
	top[at->base - 1] = '\0';
	if (stat(top, &owner) < 0)
		return -1;
	if (st->st_uid == owner.st_uid && st->st_gid == owner.st_gid)
		return 0;
	return lchown(path, owner.st_uid, owner.st_gid);
}

int privileges_give_pins(const char *user, const char *dir, struct err *e)
{
	struct passwd *pw;
	int r;

	if (!user[0] || dir[0] != '/' || geteuid() != 0 || access(dir, F_OK) < 0)
		return 0;
	pw = find_user(user, e);
	if (!pw)
		return e->code;
	r = open_the_way(dir);
	if (r == 0 && (lchown(dir, pw->pw_uid, pw->pw_gid) < 0 || nftw(dir, give_as_top, 8, FTW_PHYS) != 0))
		r = -errno;
	return r < 0 ? err_errno(e, r, "%s: cannot be given to user %s", dir, user) : 0;
}

static int become(const char *user, struct err *e)
{
	struct passwd *pw = find_user(user, e);

	if (!pw)
		return e->code;
	if (capng_change_id((int)pw->pw_uid, (int)pw->pw_gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0)
		return err_set(e, -EPERM, "user %s: cannot change to it", user);
	return 0;
}

int privileges_drop(const char *user, struct err *e)
{
	if (capng_get_caps_process() != 0)
		return err_set(e, -EPERM, "cannot read this process's capabilities");
	keep(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
	if (user[0] && geteuid() == 0) {
		int r = become(user, e);

		if (r < 0)
			return r;
	} else {
		/* Without CAP_SETPCAP the bounding set stays as it is: systemd or the container
		 * cut it. */
		capng_apply(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_CAPS) != 0)
			return err_set(e, -EPERM, "cannot give up capabilities");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(e, -errno, "cannot set no_new_privs");
	return 0;
}

/* What the daemon, SQLite, libmicrohttpd, libbpf (a reload), the sinks' libraries and the C library call while it runs.
 * getaddrinfo() sends its two questions by sendmmsg. */
static const int allowed[] = {
	SCMP_SYS(accept4), SCMP_SYS(access), SCMP_SYS(bind), SCMP_SYS(bpf), SCMP_SYS(brk), SCMP_SYS(chmod), SCMP_SYS(chown),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(close),
	SCMP_SYS(connect), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fallocate), SCMP_SYS(fchmod),
	SCMP_SYS(fchown), SCMP_SYS(fcntl), SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(fstat), SCMP_SYS(fstatfs),
	SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(futex), SCMP_SYS(getcwd), SCMP_SYS(getdents64),
	SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getpeername), SCMP_SYS(getpid),
	SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getrusage), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
	SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(getuid), SCMP_SYS(ioctl), SCMP_SYS(listen),
	SCMP_SYS(lseek), SCMP_SYS(lstat), SCMP_SYS(madvise), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(mmap),
	SCMP_SYS(memfd_create), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(newfstatat),
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pread64),
	SCMP_SYS(prlimit64), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(read), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2),
	SCMP_SYS(restart_syscall), SCMP_SYS(rmdir), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield),
	SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(sendfile), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list), SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(sigaltstack),
	SCMP_SYS(signalfd4), SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(stat), SCMP_SYS(statfs),
	SCMP_SYS(statx), SCMP_SYS(sysinfo), SCMP_SYS(tgkill), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_gettime),
	SCMP_SYS(timerfd_settime), SCMP_SYS(umask), SCMP_SYS(uname), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(utimensat), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(prctl), SCMP_SYS(get_robust_list),
	SCMP_SYS(geteuid), SCMP_SYS(membarrier),
};

int privileges_filter_calls(struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; i < sizeof allowed / sizeof *allowed && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? err_errno(e, r, "cannot install the system call filter") : 0;
}
