/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETTALLY_SINKS_SINKS_H
#define NETTALLY_SINKS_SINKS_H

#include "base/err.h"

struct sinks;

#endif
