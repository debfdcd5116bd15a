/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETTALLY_REPORTS_REPORTS_H
#define NETTALLY_REPORTS_REPORTS_H

#include "base/err.h"

struct reports;

#endif
