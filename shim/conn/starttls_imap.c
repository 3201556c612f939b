/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RFC 3501 6.2.1. What a greeting says of capabilities holds in the clear only, and is not passed
 * on to either side: the client of a server asks again when it is in TLS.
 */
#include "conn/starttls_private.h"

#include <string.h>

#define TAG "S1"
#define TAG_MAX 64
#define CAPABILITIES "IMAP4rev1 STARTTLS LOGINDISABLED"

enum { GREETING, STARTTLS };

/* "[CAPABILITY ...]" behind "* OK ": where it begins and ends. False: there is none. */
static bool find_capabilities(const struct starttls *starttls, const char **from, const char **to)
{
	const char *rest;

	if (!starttls_begins_with(starttls->unit, "* OK", from) ||
		!starttls_begins_with(*from, "[CAPABILITY", &rest))
		return false;
	*to = strchr(rest, ']');
	if (*to != NULL)
		*to += (*to)[1] == ' ' ? 2 : 1;
	return *to != NULL;
}

static void hear_greeting(struct starttls *starttls)
{
	char quote[STARTTLS_QUOTE_LEN];
	const char *rest, *from, *to;

	if (starttls_begins_with(starttls->unit, "* PREAUTH", &rest)) {
		/* RFC 9051 7.1.4: there is no STARTTLS any more, whoever it was who said this. */
		starttls_refuse(starttls, "the server greeted with PREAUTH, after which there is "
					  "no STARTTLS");
		return;
	}
	if (!starttls_begins_with(starttls->unit, "* OK", &rest)) {
		starttls_refuse(
			starttls, "the server greeted with '%s'", starttls_quote(starttls, quote));
		return;
	}
	if (find_capabilities(starttls, &from, &to)) {
		size_t at = (size_t)(from - starttls->unit), behind = (size_t)(to - starttls->unit);

		memmove(starttls->unit + at, to, starttls->unit_len - behind + 1);
		starttls->unit_len -= behind - at;
	}
	if (!starttls_keep_greeting(starttls))
		return;
	starttls_say_line(starttls, TAG " STARTTLS");
	starttls->step = STARTTLS;
}

static void hear_server(struct starttls *starttls)
{
	char quote[STARTTLS_QUOTE_LEN];
	const char *rest;

	if (starttls->step == GREETING)
		hear_greeting(starttls);
	else if (starttls_begins_with(starttls->unit, TAG " OK", &rest))
		starttls_upgrade(starttls);
	else if (strncmp(starttls->unit, "* ", 2) != 0 ||
		 starttls_begins_with(starttls->unit, "* BYE", &rest))
		starttls_refuse(starttls, "the server answered STARTTLS with '%s'",
			starttls_quote(starttls, quote));
}

static void hear_program(struct starttls *starttls)
{
	const char *from, *to, *rest;

	starttls_greeted(starttls);
	if (starttls_begins_with(starttls->unit, "* PREAUTH", &rest)) {
		/* The client could do everything at once, and nothing would be protected. */
		starttls_say_line(starttls, "* BYE TLS is required");
		starttls_refuse(starttls, "the program greeted with PREAUTH, after which there is "
					  "no STARTTLS");
	} else if (find_capabilities(starttls, &from, &to)) {
		starttls_say_line(starttls, "* OK [CAPABILITY " CAPABILITIES "] %s", to);
	} else {
		starttls_say_line(starttls, "%s", starttls->unit);
	}
}

/* RFC 3501 9: ASTRING-CHAR less "+". */
static size_t tag_len(const char *line)
{
	size_t len = 0;

	while (len <= TAG_MAX && line[len] > 0x20 && line[len] < 0x7f &&
		strchr("(){%*\"\\+", line[len]) == NULL)
		len++;
	return len <= TAG_MAX && line[len] == ' ' ? len : 0;
}

static void hear_client(struct starttls *starttls)
{
	const char *tag = starttls->unit, *rest;
	int len = (int)tag_len(tag);
	const char *command = tag + len + 1;

	if (len == 0) {
		starttls_say_line(starttls, "* BAD no tag");
	} else if (starttls_begins_with(command, "STARTTLS", &rest) && rest[0] == '\0') {
		starttls_say_line(starttls, "%.*s OK Begin TLS negotiation now", len, tag);
		starttls_upgrade(starttls);
	} else if (starttls_begins_with(command, "CAPABILITY", &rest)) {
		starttls_say_line(starttls, "* CAPABILITY " CAPABILITIES);
		starttls_say_line(starttls, "%.*s OK CAPABILITY completed", len, tag);
	} else if (starttls_begins_with(command, "NOOP", &rest)) {
		starttls_say_line(starttls, "%.*s OK NOOP completed", len, tag);
	} else if (starttls_begins_with(command, "LOGOUT", &rest)) {
		starttls_say_line(starttls, "* BYE Logging out");
		starttls_say_line(starttls, "%.*s OK LOGOUT completed", len, tag);
		starttls_leave(starttls);
	} else {
		starttls_say_line(
			starttls, "%.*s NO [PRIVACYREQUIRED] Issue STARTTLS first", len, tag);
	}
}

const struct starttls_protocol starttls_imap = {
	.name = "imap",
	.greets = true,
	.hear_server = hear_server,
	.hear_client = hear_client,
	.hear_program = hear_program,
};
