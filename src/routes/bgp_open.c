/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bgp_open.c -- the OPEN message: what the two ends of a session agreed on. */
#include "routes/bgp.h"

#include <errno.h>

enum { PARAMETER_CAPABILITIES = 2, PARAMETER_EXTENDED = 255 };
enum { CAPABILITY_AS4 = 65, CAPABILITY_ADD_PATH = 69 };

/* RFC 7911 4: AFI, SAFI, send/receive, as often as there is room. */
static void read_add_path(struct slice value, struct bgp_open *o)
{
	struct cursor c = cursor_of(value);

	while (c.rest.len >= 4) {
		uint16_t afi = cursor_be16(&c);
		uint8_t safi = cursor_u8(&c), mode = cursor_u8(&c);

		if (safi != BGP_SAFI_UNICAST || mode > 3)
			continue;
		if (afi == BGP_AFI_IP4)
			o->add_path_ip4 = mode;
		else if (afi == BGP_AFI_IP6)
			o->add_path_ip6 = mode;
	}
}

static bool read_capabilities(struct slice bytes, struct bgp_open *o)
{
	struct cursor c = cursor_of(bytes);

	while (c.rest.len) {
		uint8_t code = cursor_u8(&c);
		struct slice value = cursor_slice(&c, cursor_u8(&c));

		if (c.truncated)
			return false;
		if (code == CAPABILITY_AS4 && value.len == 4) {
			o->as4 = true;
			o->as = be32(value.at);
		} else if (code == CAPABILITY_ADD_PATH) {
			read_add_path(value, o);
		}
	}
	return true;
}

static bool read_parameters(struct slice bytes, bool extended, struct bgp_open *o)
{
	struct cursor c = cursor_of(bytes);

	while (c.rest.len) {
		uint8_t type = cursor_u8(&c);
		struct slice value = cursor_slice(&c, extended ? cursor_be16(&c) : cursor_u8(&c));

		if (c.truncated)
			return false;
		if (type == PARAMETER_CAPABILITIES && !read_capabilities(value, o))
			return false;
	}
	return true;
}

int bgp_open_read(struct slice message, struct bgp_open *ret, struct err *e)
{
	uint32_t length = bgp_message_length(message);
	struct cursor c = cursor_of(message);
	struct bgp_open o = { 0 };
	uint16_t parameters;
	bool extended;

	if (length == 0 || length > message.len || bgp_message_type(message) != BGP_OPEN)
		return err_set(e, -EBADMSG, "not an OPEN message");
	c.rest.len = length;
	(void)cursor_slice(&c, BGP_HEADER_BYTES + 1u); /* the version */
	o.as = cursor_be16(&c);
	(void)cursor_be16(&c); /* hold time */
	o.bgp_id = cursor_be32(&c);
	parameters = cursor_u8(&c);
	extended = parameters == 255 && c.rest.len && c.rest.at[0] == PARAMETER_EXTENDED; /* RFC 9072 2 */
	if (extended) {
		(void)cursor_u8(&c);
		parameters = cursor_be16(&c);
	}
	if (!read_parameters(cursor_slice(&c, parameters), extended, &o) || c.truncated)
		return err_set(e, -EBADMSG, "OPEN message whose parameters are longer than itself");
	*ret = o;
	return 0;
}

struct bgp_options bgp_options_of(const struct bgp_open *sender, const struct bgp_open *receiver)
{
	return (struct bgp_options){
		.as4 = sender->as4 && receiver->as4,
		.add_path_ip4 = (sender->add_path_ip4 & 2) && (receiver->add_path_ip4 & 1),
		.add_path_ip6 = (sender->add_path_ip6 & 2) && (receiver->add_path_ip6 & 1),
	};
}
