/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/hello_check.h"
#include "tls/alert.h"
#include "tls/extension.h"
#include "tls/vector.h"
#include <errno.h>

/* RFC 8446 4.2: a client sends its share as the group has it, and no other length. */
static const struct {
	size_t group, len;
} shares[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 }, { 0x11ec, 1216 } };

static int refuse(const struct why *why, int alert, const char *text)
{
	why_because(why, CAUSE_TAMPERED);
	why_say(why, -EPROTO, "the peer's ClientHello is wrong: %s", text);
	return alert;
}

/* A vector of numbers, which is all there is in the extension and has at least one. */
static bool is_list(struct x509_bytes body, size_t width)
{
	struct x509_bytes list;

	return vector_take_vector(&body, width, &list) && body.len == 0 && list.len > 0 &&
	       list.len % 2 == 0;
}

/* RFC 5746 3.6: this is the first handshake of the connection. */
static int check_renegotiation(struct x509_bytes body, const struct why *why)
{
	struct x509_bytes earlier;

	if (!vector_take_vector(&body, 1, &earlier) || body.len > 0)
		return refuse(why, ALERT_DECODE_ERROR, "its renegotiation_info cannot be parsed");
	if (earlier.len > 0)
		return refuse(why, ALERT_HANDSHAKE_FAILURE,
			"it goes on from a handshake that there was not (renegotiation_info)");
	return 0;
}

static int check_share(size_t group, size_t len, const struct why *why)
{
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
		if (shares[i].group == group && shares[i].len != len)
			return refuse(why, ALERT_ILLEGAL_PARAMETER,
				"a key share has not the length that its group has");
	return 0;
}

/* RFC 8446 4.2.8: one share for a group. Empty: the client wants to be asked. */
static int check_shares(struct x509_bytes body, const struct why *why)
{
	struct numbers groups = { 0 };
	struct x509_bytes list, share;
	size_t group;
	int alert = 0;

	if (!vector_take_vector(&body, 2, &list) || body.len > 0)
		return refuse(why, ALERT_DECODE_ERROR, "its key_share cannot be parsed");
	while (list.len > 0 && alert == 0) {
		if (!vector_take_number(&list, 2, &group) ||
			!vector_take_vector(&list, 2, &share) || share.len == 0)
			return refuse(why, ALERT_DECODE_ERROR, "its key_share cannot be parsed");
		if (!numbers_add(&groups, group))
			return refuse(
				why, ALERT_ILLEGAL_PARAMETER, "it has two key shares of a group");
		alert = check_share(group, share.len, why);
	}
	return alert;
}

static int check_body(size_t type, struct x509_bytes body, const struct why *why)
{
	switch (type) {
	case EXTENSION_GROUPS:
	case EXTENSION_SIGNATURES:
		return is_list(body, 2)
			       ? 0
			       : refuse(why, ALERT_DECODE_ERROR,
					 "a list of groups or signatures cannot be parsed");
	case EXTENSION_VERSIONS:
		return is_list(body, 1) ? 0
					: refuse(why, ALERT_DECODE_ERROR,
						  "its list of versions cannot be parsed");
	case EXTENSION_RENEGOTIATION_INFO:
		return check_renegotiation(body, why);
	case EXTENSION_KEY_SHARE:
		return check_shares(body, why);
	default:
		return 0;
	}
}

int hello_check(const struct hello *hello, const struct why *why)
{
	struct numbers seen = { 0 };
	struct x509_bytes in = hello->extensions, body;
	size_t type;
	int alert = 0;

	/* hello_parse() has seen that they are whole. */
	while (in.len > 0 && alert == 0 && hello_next_extension(&in, &type, &body))
		alert = numbers_add(&seen, type)
				? check_body(type, body, why)
				: refuse(why, ALERT_ILLEGAL_PARAMETER,
					  "it has an extension twice, or too many");
	/* RFC 8446 4.2.9 */
	if (alert == 0 && numbers_have(&seen, EXTENSION_PRE_SHARED_KEY) &&
		!numbers_have(&seen, EXTENSION_PSK_MODES))
		return refuse(why, ALERT_MISSING_EXTENSION,
			"it offers a session without saying how it may be resumed");
	return alert;
}
