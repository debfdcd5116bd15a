/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETTALLY_SOCKETS_SOCKETS_H
#define NETTALLY_SOCKETS_SOCKETS_H

#include "base/err.h"

struct sockets;

#endif
