/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.h -- IP and MAC addresses as values, with text both ways.
 *
 * An IPv4 address is kept in the last four bytes, with ::ffff:0:0/96 before it, but the family
 * says which it is: an IPv6 packet may carry ::ffff:1.2.3.4, and that is another address.
 * Thread: any. */
#ifndef NETTALLY_BASE_ADDR_H
#define NETTALLY_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

enum addr_family { ADDR_NONE = 0, ADDR_IP4 = 4, ADDR_IP6 = 6 };

struct addr {
	_Alignas(8) uint8_t bytes[16]; /* read as words on the way of a packet */
	uint8_t family; /* enum addr_family */
	uint8_t zero[7];
};

#define ADDR_TEXT_MAX 46 /* INET6_ADDRSTRLEN */
#define MAC_TEXT_MAX 18

/* Writes as inet_ntop(3) does, "-" for ADDR_NONE; returns the length written. */
unsigned addr_format(const struct addr *a, char text[static ADDR_TEXT_MAX]);

/* Either family, as inet_pton(3) reads; 0 or -EINVAL. */
int addr_parse(struct addr *ret, const char *text);

static inline const uint8_t *addr_ip4_bytes(const struct addr *a)
{
	return a->bytes + 12;
}

/* 224.0.0.0/4, 255.255.255.255, ff00::/8. A subnet's own broadcast address needs its prefix. */
bool addr_is_group(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);

/* aa:bb:cc:dd:ee:ff; the parser also takes '-' between the bytes. */
unsigned mac_format(const uint8_t mac[static 6], char text[static MAC_TEXT_MAX]);
int mac_parse(uint8_t ret[static 6], const char *text);

#endif
