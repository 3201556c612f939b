/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 2595 4. */
#include "conn/starttls_private.h"

enum { GREETING, STLS };

static void hear_server(struct starttls *starttls)
{
	char quote[STARTTLS_QUOTE_LEN];
	const char *rest;

	if (!starttls_begins_with(starttls->unit, "+OK", &rest)) {
		starttls_refuse(starttls, "the server %s '%s'",
			starttls->step == GREETING ? "greeted with" : "answered STLS with",
			starttls_quote(starttls, quote));
	} else if (starttls->step == STLS) {
		starttls_upgrade(starttls);
	} else if (starttls_keep_greeting(starttls)) {
		starttls_say_line(starttls, "STLS");
		starttls->step = STLS;
	}
}

static void hear_program(struct starttls *starttls)
{
	starttls_say_line(starttls, "%s", starttls->unit);
	starttls_greeted(starttls);
}

static void hear_client(struct starttls *starttls)
{
	const char *line = starttls->unit, *rest;

	if (starttls_begins_with(line, "STLS", &rest) && rest[0] == '\0') {
		starttls_say_line(starttls, "+OK Begin TLS negotiation");
		starttls_upgrade(starttls);
	} else if (starttls_begins_with(line, "CAPA", &rest)) {
		starttls_say_line(starttls, "+OK Capability list follows");
		starttls_say_line(starttls, "STLS");
		starttls_say_line(starttls, ".");
	} else if (starttls_begins_with(line, "QUIT", &rest)) {
		starttls_say_line(starttls, "+OK Bye");
		starttls_leave(starttls);
	} else {
		starttls_say_line(starttls, "-ERR Issue STLS first");
	}
}

const struct starttls_protocol starttls_pop3 = {
	.name = "pop3",
	.greets = true,
	.hear_server = hear_server,
	.hear_client = hear_client,
	.hear_program = hear_program,
};
