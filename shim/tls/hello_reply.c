/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/hello_reply.h"
#include "tls/alert.h"
#include "tls/extension.h"
#include "tls/hello.h"
#include "tls/server_hello.h"
#include "tls/suite.h"
#include "tls/vector.h"
#include <errno.h>

#define SERVER_HELLO 2

static int refuse(const struct why *why, int alert, const char *text)
{
	why_because(why, CAUSE_TAMPERED);
	why_say(why, -EPROTO, "the peer's ServerHello is wrong: %s", text);
	return alert;
}

static void list_extensions(struct x509_bytes in, struct numbers *out)
{
	struct x509_bytes body;
	size_t type;

	while (in.len > 0 && hello_next_extension(&in, &type, &body))
		numbers_add(out, type);
}

/* RFC 8446 4.2, RFC 5246 7.4.1.4: nothing comes that was not asked for, but a cookie. */
static int check_extensions(
	const struct server_hello *reply, const struct numbers *asked, const struct why *why)
{
	struct numbers seen = { 0 };
	struct x509_bytes in = reply->extensions, body;
	size_t type;

	while (in.len > 0 && hello_next_extension(&in, &type, &body)) {
		if (!numbers_have(asked, type) && type != EXTENSION_COOKIE)
			return refuse(why, ALERT_UNSUPPORTED_EXTENSION,
				"it has an extension that was not asked for");
		if (!numbers_add(&seen, type))
			return refuse(why, ALERT_ILLEGAL_PARAMETER, "it has an extension twice");
	}
	return 0;
}

static int check_suite(
	const struct server_hello *reply, const struct hello *hello, const struct why *why)
{
	const struct tls_suite *suite = tls_suite_by_id(reply->suite);

	if (suite == NULL || !hello_lists(hello->suites, reply->suite))
		return refuse(why, ALERT_ILLEGAL_PARAMETER,
			"it chooses a cipher suite that was not offered");
	if ((reply->version == RECORD_TLS12 || reply->version == RECORD_TLS13) &&
		reply->version != suite->version)
		return refuse(why, ALERT_ILLEGAL_PARAMETER,
			"it chooses a cipher suite that its TLS version does not have");
	return 0;
}

/* RFC 8446 4.2.1. */
static int check_version(
	const struct server_hello *reply, const struct hello *hello, const struct why *why)
{
	struct x509_bytes in = reply->extensions, body;
	size_t type;

	while (in.len > 0 && hello_next_extension(&in, &type, &body))
		if (type == EXTENSION_VERSIONS &&
			(reply->version < RECORD_TLS13 ||
				!hello_lists(hello->versions, reply->version)))
			return refuse(why, ALERT_ILLEGAL_PARAMETER,
				"it chooses a TLS version that was not offered");
	return 0;
}

static bool parse(struct x509_bytes message, struct server_hello *out)
{
	struct x509_bytes body;
	size_t type;

	return vector_take_number(&message, 1, &type) && type == SERVER_HELLO &&
	       vector_take_vector(&message, 3, &body) && server_hello_parse(body, out);
}

int hello_reply_check(struct x509_bytes hello, struct x509_bytes reply, const struct why *why)
{
	struct numbers asked = { 0 };
	struct server_hello theirs;
	struct hello ours;
	int alert;

	if (hello_parse(hello.data, hello.len, &ours) != 0 || !parse(reply, &theirs))
		return 0;
	list_extensions(ours.extensions, &asked);
	alert = check_extensions(&theirs, &asked, why);
	if (alert == 0)
		alert = check_version(&theirs, &ours, why);
	return alert != 0 ? alert : check_suite(&theirs, &ours, why);
}
