/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 4642. */
#include "conn/starttls_private.h"

enum { GREETING, STARTTLS };

static void hear_server(struct starttls *starttls)
{
	char quote[STARTTLS_QUOTE_LEN];
	bool last;
	int code = starttls_code(starttls, &last);

	if (starttls->step == GREETING && (code == 200 || code == 201)) {
		if (!starttls_keep_greeting(starttls))
			return;
		starttls_say_line(starttls, "STARTTLS");
		starttls->step = STARTTLS;
	} else if (starttls->step == STARTTLS && code == 382) {
		starttls_upgrade(starttls);
	} else {
		starttls_refuse(starttls, "the server %s '%s'",
			starttls->step == GREETING ? "greeted with" : "answered STARTTLS with",
			starttls_quote(starttls, quote));
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

	if (starttls_begins_with(line, "STARTTLS", &rest) && rest[0] == '\0') {
		starttls_say_line(starttls, "382 Continue with TLS negotiation");
		starttls_upgrade(starttls);
	} else if (starttls_begins_with(line, "CAPABILITIES", &rest)) {
		starttls_say_line(starttls, "101 Capability list:");
		starttls_say_line(starttls, "VERSION 2");
		starttls_say_line(starttls, "STARTTLS");
		starttls_say_line(starttls, ".");
	} else if (starttls_begins_with(line, "QUIT", &rest)) {
		starttls_say_line(starttls, "205 Bye");
		starttls_leave(starttls);
	} else {
		starttls_say_line(starttls, "483 Issue STARTTLS first");
	}
}

const struct starttls_protocol starttls_nntp = {
	.name = "nntp",
	.greets = true,
	.hear_server = hear_server,
	.hear_client = hear_client,
	.hear_program = hear_program,
};
