/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_files.h -- hosts(5) and the DHCP leases of dnsmasq, ISC dhcpd and Kea, as rows of names. Lines that cannot be
 * understood are left out, counted. Thread: any. */
#ifndef NETTALLY_NAMES_HOST_FILES_H
#define NETTALLY_NAMES_HOST_FILES_H

#include "base/slice.h"
#include "names/known.h"

struct host_file_counts {
	uint64_t rows, left_out; /* of this file */
};

/* Of several lines for an address the first counts, and its first name. 0 or -ENOMEM. */
int hosts_parse(struct known *k, struct slice text, struct host_file_counts *counts);

/* The kind is seen from the first words. A lease is over at its end; of several for an address the last counts. */
int leases_parse(struct known *k, struct slice text, struct host_file_counts *counts);

/* One per kind, for leases_parse(). */
int leases_dnsmasq_parse(struct known *k, struct slice text, struct host_file_counts *counts);
int leases_isc_parse(struct known *k, struct slice text, struct host_file_counts *counts);
int leases_kea_parse(struct known *k, struct slice text, struct host_file_counts *counts);

#endif
