/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally_shared.h -- what the kernel programs and user space agree on: the key, the slots, the sums, the
 * configuration. Included by bpf/tally.bpf.c and by src/capture/; asserted on both sides.
 *
 * A table is one per CPU, epoch slot and grain: a BPF array of buckets of TALLY_BUCKET slots, so that one
 * look-up serves all probes. Its writers are the programs of its own CPU, which run with bottom halves
 * disabled: no atomics. A key that finds its bucket full goes on to the next ones (TALLY_BUCKETS_PROBED);
 * where all are full it is added to `other` in the sums. Everything is in host byte order except addresses.
 * Changing any of this means a new TALLY_FORMAT: tables outlive the build that made them. */
#ifndef NETTALLY_TALLY_SHARED_H
#define NETTALLY_TALLY_SHARED_H

#include <linux/types.h>

#define TALLY_FORMAT 1

/* ---- the key: words of 8 bytes; a word that no account needs is 0 ---- */

enum tally_word {
	TALLY_SMALL,                /* the small fields, packed as below */
	TALLY_HOST, TALLY_HOST_END, /* 16 bytes as in a packet; IPv4 is v4-mapped */
	TALLY_MAC,                  /* key form: 0 = unknown, else 1 << 48 | the six bytes as a number */
	TALLY_PORTS,                /* source in the lower half, destination in the upper; each 0 or 1 << 16 | port */
	TALLY_NARROW_WORDS,         /* a narrow slot has these; a wide one all */
	TALLY_SRC_MAC = TALLY_NARROW_WORDS,
	TALLY_DST_MAC,
	TALLY_SRC_HOST, TALLY_SRC_HOST_END,
	TALLY_DST_HOST, TALLY_DST_HOST_END,
	TALLY_WIDE_WORDS
};

/* The small word, from the lowest bit on. Forms as in src/model/key.h: 0 = unknown. */
#define TALLY_PROTO_SHIFT 0      /*  9 bits: 1 << 8 | protocol */
#define TALLY_VLAN_SHIFT 9       /* 13 bits: 1 << 12 | VLAN ID */
#define TALLY_ETHERTYPE_SHIFT 22 /* 17 bits: 1 << 16 | type */
#define TALLY_SERVICE_SHIFT 39   /* 16 bits: index of the service + 1 */
#define TALLY_DIRECTION_SHIFT 55 /*  2 bits: enum direction */
#define TALLY_LOCALITY_SHIFT 57  /*  2 bits: enum locality, of the party */
#define TALLY_FAMILY_SHIFT 59    /*  2 bits: enum tally_family of the hosts in the key */
#define TALLY_SIDE_SHIFT 61      /*  1 bit: enum tally_side; party grain only */

enum tally_family { TALLY_NO_IP, TALLY_IP4, TALLY_IP6 };
enum tally_side { TALLY_RX, TALLY_TX, TALLY_SIDES }; /* received by (the destination), sent by (the source) */

/* ---- slots ---- */

struct tally_counters {
	__u64 packets, l2_bytes, l3_bytes; /* packets 0: the slot is free */
};

struct tally_narrow_slot {
	__u64 key[TALLY_NARROW_WORDS];
	struct tally_counters counters;
};

struct tally_wide_slot {
	__u64 key[TALLY_WIDE_WORDS];
	struct tally_counters counters;
	__u64 zero[2];
};

_Static_assert(sizeof(struct tally_narrow_slot) == 64, "a narrow slot is one cache line");
_Static_assert(sizeof(struct tally_wide_slot) == 128, "a wide slot is two cache lines");

#define TALLY_BUCKET 8           /* slots; an element of the BPF array */
#define TALLY_BUCKETS_PROBED 16  /* the home bucket and those behind it, around the end */

/* ---- grains and epochs ---- */

enum tally_grain { TALLY_PARTY, TALLY_PLAIN, TALLY_GRAINS }; /* = PLAN_PARTY, PLAN_PLAIN */

#define TALLY_EPOCHS 2           /* tables of each CPU and grain: one is counted into, one is being booked */

/* Index in the array of maps of a grain, and in the array of sums. */
#define TALLY_INDEX(epoch, cpu, cpus) ((epoch) * (cpus) + (cpu))

/* ---- sums: one per epoch and CPU; what became of every frame ---- */

enum tally_hook { TALLY_INGRESS, TALLY_EGRESS, TALLY_HOOKS };

struct tally_hook_sums {
	__u64 frames;
	__u64 l2_bytes;          /* on the wire, all segments */
	__u64 more_packets;      /* of super-packets: segments beyond the first; packets = frames + this */
	__u64 more_bytes;        /* l2_bytes less the bytes of the frames as the kernel handed them over */
	__u64 malformed;         /* frames */
	__u64 filtered_packets;  /* what the pre-filter left out, which is in none of the above; a struct rules_counters */
	__u64 filtered_l2_bytes;
	__u64 filtered_frames;
};

#define TALLY_LOCALITIES 3       /* enum locality */

struct tally_sums {
	struct tally_hook_sums hooks[TALLY_HOOKS];
	__u64 used[TALLY_GRAINS]; /* slots taken */
	__u64 overflowed;         /* bookings that found no room, and are in `other` */
	__u64 rules_missed;       /* frames that the rules' programs (or the pre-filter's) could not be asked about */
	__u64 zero[4];
	struct tally_counters other[TALLY_GRAINS][TALLY_SIDES][TALLY_LOCALITIES]; /* plain: [TALLY_RX][0] */
	__u64 zero_end[4];
};

_Static_assert(sizeof(struct tally_sums) % 64 == 0, "sums of two CPUs share no cache line");

/* ---- control: written by user space only; the map .data.control, mapped ---- */

struct tally_control {
	__u32 active;                        /* the epoch slot that is counted into */
	__u32 zero;
	__u64 epoch[TALLY_EPOCHS];           /* number of the epoch in each slot, from 1; 0 = clean */
	__s64 opened_utc_ns[TALLY_EPOCHS];   /* when it became active */
};

/* ---- configuration: the map .rodata, frozen; the verifier drops what no account needs ---- */

/* What a grain's key is made of. */
#define TALLY_F_PROTO     (1u << 0)
#define TALLY_F_VLAN      (1u << 1)
#define TALLY_F_ETHERTYPE (1u << 2)
#define TALLY_F_SERVICE   (1u << 3)
#define TALLY_F_DIRECTION (1u << 4)
#define TALLY_F_LOCALITY  (1u << 5)
#define TALLY_F_HOST      (1u << 6)  /* party */
#define TALLY_F_MAC       (1u << 7)  /* party */
#define TALLY_F_PORTS     (1u << 8)  /* both: the one that is not wanted is summed over in user space */
#define TALLY_F_SRC_MAC   (1u << 9)
#define TALLY_F_DST_MAC   (1u << 10)
#define TALLY_F_SRC_HOST  (1u << 11)
#define TALLY_F_DST_HOST  (1u << 12)
#define TALLY_F_WIDE (TALLY_F_SRC_MAC | TALLY_F_DST_MAC | TALLY_F_SRC_HOST | TALLY_F_DST_HOST)

#define TALLY_LOCAL_INLINE 8     /* prefixes of a family that are compared one by one; more: the map `local` */

struct tally_local4 {
	__u32 network, mask;             /* network byte order */
};

struct tally_local6 {
	__u64 network[2], mask[2];       /* as in a packet */
};

/* Key of the map `local`, an LPM trie (BPF_F_NO_PREALLOC; its __u32 values mean nothing). The address is as in
 * the key of a table, so IPv4 is v4-mapped; bits = 32 + prefix length, and 96 more for IPv4. */
struct tally_local_key {
	__u32 bits;
	__u32 family;                    /* enum tally_family */
	__u64 address[2];
};

struct tally_config {
	__u32 fields[TALLY_GRAINS];      /* TALLY_F_*; grains that are not used have no bit in `grains` */
	__u32 grains;                    /* 1 << enum tally_grain */
	__u32 wide;                      /* the same bits: its slots are wide */
	__u32 of;                        /* enum account_of: which ends of a packet the party grain books at all */
	__u32 shift[TALLY_GRAINS];       /* home bucket = hash >> shift, shift = 64 - log2(buckets), at most 63 */
	__u32 bucket_mask[TALLY_GRAINS]; /* buckets - 1 */
	__u32 cpus;                      /* possible CPUs: stride of TALLY_INDEX */
	__u32 raw_ip;                    /* frames begin with the IP header (tun, wireguard) */
	__u32 drop;                      /* XDP: a mirror port, count and drop */
	__u32 local4_count, local6_count; /* over TALLY_LOCAL_INLINE: ask the map `local` */
	struct tally_local4 local4[TALLY_LOCAL_INLINE];
	struct tally_local6 local6[TALLY_LOCAL_INLINE];
	__u64 seeds[TALLY_WIDE_WORDS];   /* odd, random: of a word of the key, or of its upper half */
	__u64 low_seeds[TALLY_WIDE_WORDS]; /* of the lower half of an IPv6 address's word */
};

/* Index in `service_of_port`, a read-only array of 2 * 65536 __u16: 0 = none, else index of the service + 1. */
#define TALLY_SERVICE_TCP 0
#define TALLY_SERVICE_UDP 65536

/* The hash of a key is the sum of each word times a seed that a sender cannot know; its upper bits tell the bucket.
 * Those of a product depend on few bits of the seed where words differ in their upper bits alone, as addresses do,
 * whose last byte is the highest here: with two such words, all of a network talking to all of another would come to
 * 256 buckets. So halves of addresses are multiplied: the upper half of such a sum is evenly spread, whatever the
 * halves are (Lemire, Kaser: "Strongly universal string hashing is fast"). The other words have little in the
 * top, and a key in which one address stays whole has no other (word_hash() of table.h). */

#endif
