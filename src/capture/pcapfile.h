/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcapfile.h -- frames out of pcap and pcapng files, from a file or a stream.
 *
 * Files and streams (a pipe, standard input) are read into one buffer that grows to one record
 * at most, and walked there. pcap: both byte orders, micro- and nanoseconds (magic a1b2c3d4,
 * a1b23c4d), the modified format a1b2cd34, and versions before 2.4 with their lengths exchanged;
 * pcapng: sections of either byte order, several interfaces and link types, enhanced, simple
 * (its time is 0) and obsolete packet blocks, if_tsresol, if_tsoffset, if_name, epb_flags
 * (direction); all other blocks are skipped. (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.)
 *
 * A damaged file gives every frame before the damage, then an error that names the file and the
 * packet number at which it stopped. Thread: the caller's. Owns: the buffer, until close. */
#ifndef NETTALLY_CAPTURE_PCAPFILE_H
#define NETTALLY_CAPTURE_PCAPFILE_H

#include "base/err.h"
#include "base/strings.h"
#include "model/frame.h"

/* A record that says it captured more than this is damage (as libpcap's MAXIMUM_SNAPLEN). */
#define PCAPFILE_CAP_LEN_MAX 262144

struct pcapfile;

/* `path` "-" is standard input. Names of interfaces are added to `strings`. -EINVAL: no capture
 * file; -ENOENT, -EACCES ... as open(2). An empty capture is no error; an empty file is. */
int pcapfile_open(struct pcapfile **ret, const char *path, struct strings *strings, struct err *e);

/* Up to FRAME_BATCH frames, valid until the next call. Returns the number, 0 at the end of the
 * file; -EBADMSG on damage (once; then 0): frames before the damage were all given by earlier
 * calls. -EAGAIN: a stream that has nothing to read for `idle_ms` (0 = wait for ever). */
int pcapfile_next(struct pcapfile *f, struct frame frames[static FRAME_BATCH], int idle_ms, struct err *e);

/* The largest snap length that the file states (0: none stated). */
uint32_t pcapfile_snap_len(const struct pcapfile *f);
uint64_t pcapfile_packets(const struct pcapfile *f); /* given so far */
void pcapfile_close(struct pcapfile **f);

#endif
