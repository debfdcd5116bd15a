/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trafstat.h -- the datagram of 308 bytes that trafstat's module for nginx sends for each request: little-endian, packed,
 *   u64 time, u64 bytes_sent, u32 type, u32 seconds, u32 tcpi_total_retrans, u32 tcpi_snd_mss, char ip[256], u8 sign[20]
 * where sign is SHA-1 over the whole with the secret, padded with zeros, in its place. Whoever knows an old one can repeat
 * it for 20 s: that is the protocol's; version 2 (wire.h) has no such gap. Thread: any, an object one at a time. */
#ifndef NETTALLY_REPORTS_TRAFSTAT_H
#define NETTALLY_REPORTS_TRAFSTAT_H

#include "base/err.h"
#include "reports/report.h"

#include <stdbool.h>

#define TRAFSTAT_LENGTH 308
#define TRAFSTAT_SIGNED_AT 288
#define TRAFSTAT_SECRET_MAX 20
#define TRAFSTAT_TOLERANCE_S 20

struct trafstat;

int trafstat_open(struct trafstat **ret, struct slice secret, struct err *e); /* 1..TRAFSTAT_SECRET_MAX bytes */
void trafstat_close(struct trafstat **t);

/* The signature of 308 bytes. */
bool trafstat_is_signed(struct trafstat *t, const uint8_t *datagram);
/* Its time is within the tolerance. */
bool trafstat_is_fresh(const uint8_t *datagram, int64_t utc_s);
/* The type is a number. -EBADMSG: no address in it. */
int trafstat_read(struct report *ret, uint32_t *ret_type, const uint8_t *datagram);

#endif
