/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bmp_listen.h -- the socket where routers connect. Thread: any. */
#ifndef NETTALLY_ROUTES_BMP_LISTEN_H
#define NETTALLY_ROUTES_BMP_LISTEN_H

#include "routes/routes_config.h"

/* Bound and listening, non-blocking; as c->bmp says. */
int bmp_listen(const struct routes_config *c, int *ret_fd, struct err *e);
/* "127.0.0.1:11019", with the port that was free. */
void bmp_listen_name(int fd, char *text, size_t size);
/* The next connection, non-blocking, watched over by keep-alives; negative: none. */
int bmp_accept(int listen_fd, struct addr *ret_from);

#endif
