/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h -- what addresses and devices are called, and who made them: reverse DNS, hosts file, leases, neighbour table,
 * configured names, OUI list. Never makes a packet wait. */
#ifndef NETTALLY_NAMES_NAMES_H
#define NETTALLY_NAMES_NAMES_H

#include "base/addr.h"
#include "base/err.h"

struct names;

#endif
