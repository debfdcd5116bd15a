/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel.h -- counting in the kernel at one interface: programs at tcx (or clsact, or XDP), and the tables
 * they count into (bpf/tally_shared.h).
 *
 * A generation is one set of tables with a description of what they hold. A kernel_point counts into one
 * generation at a time; within it, epochs: kernel_swap() lets the programs count into the empty tables and
 * gives back the full ones, frozen. Another form or larger tables are another generation: the programs at
 * the hooks are replaced in one step each, so that every frame is in one generation or the other.
 *
 * Pinned (bpffs), maps and links outlive the process: counting goes on. Whoever opens the point next finds
 * the generations that were left, each readable by its own description; what of their epochs is in the
 * ledger already, the ledger knows (generation id and number). Below cf->pins:
 *
 *	INTERFACE/link-ingress, link-egress, link-xdp   INTERFACE/gID/description, control, sums, tGRAIN-EPOCH-CPU,
 *	rules (their counters), rules-tc, rules-xdp (their programs)
 *
 * ('.' in a name is written ':': bpffs reserves dots.) Nothing here decides whether an epoch was booked.
 * Never logs. Thread: one at a time for a point; kernel_usable() and kernel_list(): any.
 * Needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN. */
#ifndef NETTALLY_CAPTURE_KERNEL_H
#define NETTALLY_CAPTURE_KERNEL_H

#include "base/prefix.h"
#include "capture/netlink.h"
#include "model/account.h"
#include "model/service.h"

#include <bpf/tally_shared.h>

struct bpf_insn;
struct sock_filter;

#define KERNEL_PINS_DEFAULT "/sys/fs/bpf/nettally"
#define KERNEL_KEYS_DEFAULT (1u << 20)
#define KERNEL_ID_TEXT 17 /* 16 hexadecimal digits */

/* ---- what to count ---- */

/* Classic BPF, as the model of a filter: what libpcap makes of an expression. */
struct kernel_filter {
	const struct sock_filter *insns;
	uint32_t len;                    /* 0: matches nothing */
};

/* A part of the rules (or the pre-filter), for one program; its descriptors are those of maps (bpf/rules_shared.h). */
struct kernel_rules_part {
	const struct kernel_filter *filters;
	uint32_t count;
	bool xdp, tagged, gate;
	int scratch, counters;
	uint32_t at;                     /* byte of the first one's counters in an entry */
	int next_map;                    /* PROG_ARRAY; -1 = nothing comes after it */
	uint32_t next;
};

/* The rules count in the order of this array. Copied, but for the function, which keeps no state. */
struct kernel_rules {
	const struct kernel_filter *rules;
	uint32_t count;
	struct kernel_filter gate;       /* the pre-filter: what it does not match is `filtered` in the sums; len 0 = none */
	/* Into eBPF, free() *ret. Fails where the part is too much for one program: it is tried again in two. */
	int (*translate)(const struct kernel_rules_part *part, struct bpf_insn **ret, uint32_t *ret_count, struct err *e);
};

struct kernel_form {
	uint64_t fields[TALLY_GRAINS];   /* FIELD_BITs, 0 = the grain is not used; INTERFACE and WINDOW are the reader's */
	enum account_of of;              /* which ends the party grain books at all */
	const struct services *services; /* borrowed for the call; NULL = none */
	const struct prefix_set *local;  /* the same */
	const struct kernel_rules *rules; /* the same; NULL = none, and they cost nothing */
	const char *note;                /* kept in the description for whoever books these tables (accounts); any text */
	uint64_t keys_max;               /* per CPU and grain; 0 = KERNEL_KEYS_DEFAULT */
	uint64_t keys_first;             /* tables are made for so many at first, and grow; 0 = by this machine's memory */
};

/* ---- a generation, to read ---- */

struct kernel_generation;

struct kernel_description {              /* borrowed from its generation */
	char id[KERNEL_ID_TEXT];
	char interface[INTERFACE_NAME_MAX];
	uint32_t ifindex;
	uint64_t netns;                  /* inode of the network namespace */
	char capture[16];                /* "kernel", "xdp" */
	int64_t since_utc_s;             /* when the interface was taken up first, by whichever generation */
	struct interface_stats base;     /* its counters when counting began */
	bool promiscuous;                /* we switched that on: kernel_detach() and kernel_reap() switch it off */
	uint64_t fields[TALLY_GRAINS];
	enum account_of of;
	char **services;                 /* names by index */
	size_t service_count;
	struct prefix_set local;
	uint32_t rules;                  /* how many */
	char *note;
};

/* Of one epoch slot. */
struct kernel_epoch {
	uint64_t number;                 /* 0 = clean: nothing in it */
	unsigned slot;
	int64_t opened_utc_ns;
};

struct kernel_entry {
	enum tally_grain grain;
	enum tally_side side;            /* party grain */
	bool other;                      /* found no room: of the key only the side and the locality are known */
	const uint64_t *key;             /* TALLY_WIDE_WORDS words; those that a narrow slot lacks are 0 */
	struct tally_counters counters;
};

const struct kernel_description *kernel_describe(const struct kernel_generation *g);
/* Both slots, the older epoch first; clean ones have number 0. */
void kernel_epochs(const struct kernel_generation *g, struct kernel_epoch ret[static TALLY_EPOCHS]);
/* Every key of an epoch, of all CPUs in turn (a key comes once per CPU), then `other`. Reads through mmap;
 * right for an epoch that is not counted into any more, and close to right for one that is. */
void kernel_read(const struct kernel_generation *g, const struct kernel_epoch *epoch,
		 void (*entry)(void *arg, const struct kernel_entry *e), void *arg);
/* Added over CPUs. */
void kernel_sums(const struct kernel_generation *g, const struct kernel_epoch *epoch, struct tally_sums *ret);

/* Each rule that matched something in that epoch, at each hook, added over CPUs; in order within a hook. */
void kernel_rules_read(const struct kernel_generation *g, const struct kernel_epoch *epoch,
		       void (*entry)(void *arg, enum tally_hook hook, uint32_t rule, const struct tally_counters *c), void *arg);
/* False: the kernel took no program of it, it is never counted. Only of generations of this process. */
bool kernel_rule_is_counted(const struct kernel_generation *g, uint32_t rule);

/* A key of an entry in a layout of the model; fields that the entry does not know are 0, FIELD_INTERFACE and
 * FIELD_WINDOW are 0 and left to the caller. Of an entry that is `other` every field is, but FIELD_LOCALITY.
 * `service_ids`: index -> id in struct strings. */
void kernel_key_unpack(const struct kernel_entry *entry, const struct key_layout *l, const uint32_t *service_ids,
		       size_t service_count, uint8_t *key);

/* Takes its pins away and closes it: its epochs are booked, or given up. */
void kernel_generation_remove(struct kernel_generation **g);
/* Closes it; pins stay. Accepts NULL. */
void kernel_generation_close(struct kernel_generation **g);

/* ---- an interface that is counted ---- */

struct kernel_config {                   /* strings are borrowed for the call */
	const char *interface;
	uint32_t ifindex;
	uint16_t linktype;               /* enum linktype: ETHERNET, or RAW for frames that begin with IP */
	bool xdp;                        /* ingress at XDP, native only */
	bool mirror;                     /* with xdp: count and drop; no egress */
	bool loopback;                   /* each frame goes out and comes in: ingress alone */
	const char *pins;                /* the ledger's directory in a bpffs; NULL = unpinned */
	struct interface_stats base;     /* now; only where they cannot be read again at the moment that counting begins */
	int64_t now_utc_s;
	bool promiscuous;                /* the caller has switched that on (netlink_set_promiscuous()); goes on over a restart */
	bool clsact;                     /* tests: as if this kernel had no tcx */
};

struct kernel_point;

/* Can it be done here at all? 0, or negative errno and a sentence: no permission (names the capability), a
 * kernel that is too old. Tries it out with a small program. Any thread. */
int kernel_usable(struct err *e);

/* Makes tables and programs, puts the programs at the hooks (in the place of our own pinned ones), waits until
 * no older program runs any more. From then on frames are counted; the generations that were there are closed
 * for good and wait in kernel_take_left(). The interface's `since` and `base` go on where all its hooks were
 * still counting, else begin with `cf`; tables begin as large as those before where these were well used.
 * -EBUSY: another program is in the XDP slot. -ENOTSUP: the pre-filter cannot
 * be had in the kernel. -EOPNOTSUPP: the driver has no native XDP, or the link type cannot
 * be counted in the kernel. Changes nothing when it fails. */
int kernel_open(struct kernel_point **ret, const struct kernel_config *cf, const struct kernel_form *form, struct err *e);
/* A generation of before, oldest first, or NULL; the caller's to remove or close. Also after kernel_renew() has
 * failed half-way: what the new one had counted by then. */
struct kernel_generation *kernel_take_left(struct kernel_point *k);

/* What is counted into. Valid until the next kernel_renew() or kernel_close(). */
struct kernel_generation *kernel_current(struct kernel_point *k);
bool kernel_is_pinned(const struct kernel_point *k);
/* Which hooks: "tcx", "clsact", "xdp+tcx" ... */
const char *kernel_hooks(const struct kernel_point *k);
/* What people should know, for the log: tables of an earlier run that this build cannot read, and where they
 * stay; NULL = nothing. */
const char *kernel_warning(const struct kernel_point *k);

/* The other slot must be clean (kernel_clean()); -EAGAIN where it is not. Afterwards *ret is frozen. */
int kernel_swap(struct kernel_point *k, int64_t now_utc_ns, struct kernel_epoch *ret, struct err *e);
/* The epoch in the slot that is not active is booked: empties it. */
void kernel_clean(struct kernel_point *k);

/* Tables are filling: 1 = a larger generation would help and may be made; 0 = no. Cheap; any time. */
int kernel_is_filling(const struct kernel_point *k);
/* A new generation of another form (NULL: the same, larger); the old one is closed for good and given to the
 * caller. On failure the old one goes on. */
int kernel_renew(struct kernel_point *k, const struct kernel_form *form, int64_t now_utc_ns,
		 struct kernel_generation **ret_old, struct err *e);

/* Counting ends: programs leave the hooks, pins of links go. The current generation is then the caller's, to
 * book and remove, like those in kernel_take_left(). */
int kernel_detach(struct kernel_point *k, struct kernel_generation **ret, struct err *e);
/* Closes descriptors; what is pinned goes on counting, what is not ends. Accepts NULL. */
void kernel_close(struct kernel_point **k);

/* ---- what is pinned ---- */

/* Makes `dir` (its last parts; mounts a bpffs at /sys/fs/bpf where there is none and this process may).
 * -ENOENT, -EACCES, -EPERM: with a sentence that says what to do. */
int kernel_pins_prepare(const char *dir, struct err *e);

/* Names of the interfaces that have something pinned below `dir`, for kernel_reap(); free() each and the array. */
int kernel_list(const char *dir, char ***ret, size_t *ret_count, struct err *e);
/* The note of a generation that is pinned for that interface, which goes on as it is; free() it. -ENOENT: none
 * that can be read. */
int kernel_pinned_note(const char *dir, const char *interface, char **ret, struct err *e);
/* Takes the programs of that interface off its hooks, wherever it is by now, and opens what was counted:
 * an array of generations, oldest first, the caller's to book and remove, then kernel_forget(). What this build
 * cannot read is left out. A clsact filter (Linux before 6.6) and promiscuous mode can only be taken away in the
 * network namespace that it was set in. */
int kernel_reap(const char *dir, const char *interface, struct kernel_generation ***ret, size_t *ret_count, struct err *e);
/* Removes what is left of an interface's directory. */
void kernel_forget(const char *dir, const char *interface);
/* The same where no generation is left: one that this build cannot read waits for the build that can. */
void kernel_forget_booked(const char *dir, const char *interface);

#endif
