/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/own.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static int add_own(struct own_addresses *o, const struct interface_info *info)
{
	uint64_t *macs = realloc(o->macs, (o->mac_count + 1) * sizeof *macs);
	struct addr *addrs;

	if (!macs)
		return -ENOMEM;
	o->macs = macs;
	if (info->has_mac && !info->loopback) {
		uint64_t mac = UINT64_C(1) << 48;

		for (unsigned i = 0; i < 6; i++)
			mac |= (uint64_t)info->mac[i] << (40 - 8 * i);
		o->macs[o->mac_count++] = mac;
	}
	addrs = realloc(o->addrs, (o->addr_count + info->addr_count + 1) * sizeof *addrs);
	if (!addrs)
		return -ENOMEM;
	o->addrs = addrs;
	for (size_t i = 0; i < info->addr_count; i++) {
		o->addrs[o->addr_count++] = info->addrs[i].addr;
		if (prefix_set_add(&o->networks, &info->addrs[i].prefix) < 0)
			return -ENOMEM;
	}
	return 0;
}

void own_addresses_read(struct own_addresses *o, struct netlink *n)
{
	struct own_addresses fresh = { 0 };
	struct interface_info *all;
	size_t count;

	if (netlink_interfaces(n, &all, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (add_own(&fresh, &all[i]) < 0)
			break;
	free(all);
	own_addresses_free(o);
	*o = fresh;
}

uint64_t own_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}
