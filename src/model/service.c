/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service.c -- names of ports: two arrays of 65536 numbers, and what a newcomer expects to find
 * in them. */
#include "model/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE_NAME_MAX 48
#define SERVICES_MAX UINT16_MAX

static int name_check(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || len >= SERVICE_NAME_MAX || name[0] == '-' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != len)
		return err_set(e, -EINVAL,
			       "service \"%.60s\": a name is letters, digits, '_', '.' and '-', at most %d characters", name,
			       SERVICE_NAME_MAX - 1);
	if (strcmp(name, "other") == 0)
		return err_set(e, -EINVAL, "service \"other\": this name stands for keys that found no room; take another one");
	return 0;
}

/* index + 1, 0 = none of this name */
static uint16_t find_name(const struct services *s, const char *name)
{
	for (uint32_t i = s->count; i > 0; i--) /* the newest first: ports of one service come together */
		if (strcmp(s->names[i - 1], name) == 0)
			return (uint16_t)i;
	return 0;
}

static int add_name(struct services *s, const char *name, uint16_t *ret, struct err *e)
{
	char **grown;
	char *copy;

	if (s->count == SERVICES_MAX)
		return err_set(e, -ENOSPC, "service \"%s\": there are %u already", name, s->count);
	grown = realloc(s->names, (s->count + 1) * sizeof *grown);
	if (!grown)
		return err_errno(e, -ENOMEM, "service \"%s\"", name);
	s->names = grown;
	copy = strdup(name);
	if (!copy)
		return err_errno(e, -ENOMEM, "service \"%s\"", name);
	s->names[s->count++] = copy;
	*ret = (uint16_t)s->count;
	return 0;
}

int services_add(struct services *s, const char *name, enum service_proto proto, uint16_t port, struct err *e)
{
	uint16_t n, owner;
	int r;

	if (port == 0)
		return err_set(e, -EINVAL, "service \"%.60s\": a port is 1 to 65535", name);
	r = name_check(name, e);
	if (r < 0)
		return r;
	if (!s->of_port)
		s->of_port = calloc(2, sizeof *s->of_port);
	if (!s->of_port)
		return err_errno(e, -ENOMEM, "services");
	n = find_name(s, name);
	owner = s->of_port[proto][port];
	if (owner && owner != n)
		return err_set(e, -EEXIST, "service \"%s\": %s port %u belongs to service \"%s\" already", name,
			       proto == SERVICE_TCP ? "tcp" : "udp", port, s->names[owner - 1]);
	if (!n) {
		r = add_name(s, name, &n, e);
		if (r < 0)
			return r;
	}
	s->of_port[proto][port] = n;
	return 0;
}

/* "443" or "8000-8010", to the end of the text */
int service_ports_parse(uint16_t *ret_first, uint16_t *ret_last, const char *text, struct err *e)
{
	uint32_t port[2] = { 0, 0 };
	const char *at = text;

	for (unsigned i = 0; i < 2; i++) {
		const char *digits = at;

		for (; *at >= '0' && *at <= '9' && port[i] <= 65535; at++)
			port[i] = port[i] * 10 + (uint32_t)(*at - '0');
		if (at == digits || port[i] < 1 || port[i] > 65535)
			goto bad;
		if (i == 0 && *at == '\0')
			port[++i] = port[0];
		else if (i == 0 && *at++ != '-')
			goto bad;
	}
	if (*at || port[0] > port[1])
		goto bad;
	*ret_first = (uint16_t)port[0];
	*ret_last = (uint16_t)port[1];
	return 0;
bad:
	return err_set(e, -EINVAL, "'%.40s' is no port: write 443 or 8000-8010, between 1 and 65535", text);
}

int services_parse(struct services *s, const char *text, struct err *e)
{
	char name[SERVICE_NAME_MAX];
	const char *equals = strchr(text, '=');
	enum service_proto proto;
	uint16_t first, last;
	int r;

	if (!equals || (size_t)(equals - text) >= sizeof name ||
	    (strncmp(equals + 1, "tcp:", 4) != 0 && strncmp(equals + 1, "udp:", 4) != 0))
		return err_set(e, -EINVAL, "'%.60s' is no service: write NAME=tcp:PORT or NAME=udp:PORT-PORT", text);
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	proto = equals[1] == 't' ? SERVICE_TCP : SERVICE_UDP;
	r = service_ports_parse(&first, &last, equals + 5, e);
	for (uint32_t port = first; r == 0 && port <= last; port++)
		r = services_add(s, name, proto, (uint16_t)port, e);
	return r;
}

#define TCP 1
#define UDP 2
/* What a newcomer wants to see by name: IANA's registered ports, under the words that people
 * use. */
static const struct {
	const char *name;
	uint16_t port;
	uint8_t protos;
} well_known[] = {
	{ "ftp", 20, TCP }, { "ftp", 21, TCP }, { "ssh", 22, TCP }, { "telnet", 23, TCP }, { "smtp", 25, TCP },
	{ "smtp", 465, TCP }, { "smtp", 587, TCP }, { "dns", 53, TCP | UDP }, { "dns", 853, TCP | UDP },
	{ "dhcp", 67, UDP }, { "dhcp", 68, UDP }, { "dhcp", 546, UDP }, { "dhcp", 547, UDP }, { "tftp", 69, UDP },
	{ "http", 80, TCP }, { "http", 8080, TCP }, { "https", 443, TCP }, { "https", 8443, TCP }, { "quic", 443, UDP },
	{ "kerberos", 88, TCP | UDP }, { "pop3", 110, TCP }, { "pop3", 995, TCP }, { "ntp", 123, UDP },
	{ "netbios", 137, UDP }, { "netbios", 138, UDP }, { "smb", 139, TCP }, { "smb", 445, TCP },
	{ "imap", 143, TCP }, { "imap", 993, TCP }, { "snmp", 161, UDP }, { "snmp", 162, UDP }, { "bgp", 179, TCP },
	{ "ldap", 389, TCP | UDP }, { "ldap", 636, TCP }, { "ipsec", 500, UDP }, { "ipsec", 4500, UDP },
	{ "syslog", 514, UDP }, { "syslog", 6514, TCP }, { "ipp", 631, TCP | UDP }, { "rsync", 873, TCP },
	{ "openvpn", 1194, TCP | UDP }, { "mssql", 1433, TCP }, { "radius", 1812, UDP }, { "radius", 1813, UDP },
	{ "mqtt", 1883, TCP }, { "mqtt", 8883, TCP }, { "ssdp", 1900, UDP }, { "nfs", 2049, TCP | UDP },
	{ "squid", 3128, TCP }, { "mysql", 3306, TCP }, { "rdp", 3389, TCP | UDP }, { "stun", 3478, TCP | UDP },
	{ "bfd", 3784, UDP }, { "vxlan", 4789, UDP }, { "sip", 5060, TCP | UDP }, { "sip", 5061, TCP },
	{ "iperf", 5201, TCP | UDP }, { "xmpp", 5222, TCP }, { "xmpp", 5269, TCP }, { "mdns", 5353, UDP },
	{ "llmnr", 5355, TCP | UDP }, { "postgresql", 5432, TCP }, { "amqp", 5672, TCP }, { "vnc", 5900, TCP },
	{ "geneve", 6081, UDP }, { "redis", 6379, TCP }, { "irc", 6667, TCP }, { "irc", 6697, TCP },
	{ "git", 9418, TCP }, { "memcached", 11211, TCP }, { "wireguard", 51820, UDP },
};

int services_add_well_known(struct services *s, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof well_known / sizeof *well_known; i++) {
		if (well_known[i].protos & TCP)
			r = services_add(s, well_known[i].name, SERVICE_TCP, well_known[i].port, e);
		if (r == 0 && well_known[i].protos & UDP)
			r = services_add(s, well_known[i].name, SERVICE_UDP, well_known[i].port, e);
	}
	return r;
}

int services_intern(struct services *s, struct strings *strings, struct err *e)
{
	uint32_t *ids = calloc(s->count ? s->count : 1, sizeof *ids);

	if (!ids)
		return err_errno(e, -ENOMEM, "services");
	for (uint32_t i = 0; i < s->count; i++) {
		ids[i] = strings_add(strings, s->names[i]);
		if (!ids[i]) {
			free(ids);
			return err_set(e, -ENOSPC, "service \"%s\": no room for more names", s->names[i]);
		}
	}
	free(s->ids);
	s->ids = ids;
	return 0;
}

void services_free(struct services *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		free(s->names[i]);
	free(s->names);
	free(s->of_port);
	free(s->ids);
	*s = (struct services){ 0 };
}
