/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 3207. */
#include "conn/starttls_private.h"

#include <string.h>

enum { GREETING, EHLO, STARTTLS };

/* RFC 5321 4.1.3: who has no name that others know says the address. */
static void say_ehlo(struct starttls *starttls)
{
	starttls_say_line(starttls, "EHLO [%s%s]",
		strchr(starttls->self, ':') != NULL ? "IPv6:" : "", starttls->self);
}

static void hear_ehlo(struct starttls *starttls, bool last)
{
	const char *rest;

	starttls->offered |= starttls->unit_len > 4 &&
			     starttls_begins_with(starttls->unit + 4, "STARTTLS", &rest);
	if (!last)
		return;
	if (!starttls->offered) {
		starttls_refuse(starttls, "the server does not offer STARTTLS");
		return;
	}
	starttls_say_line(starttls, "STARTTLS");
	starttls->step = STARTTLS;
}

static void hear_server(struct starttls *starttls)
{
	static const struct {
		int code;
		const char *what;
	} expected[] = {
		[GREETING] = { 220, "greeted with" },
		[EHLO] = { 250, "answered EHLO with" },
		[STARTTLS] = { 220, "answered STARTTLS with" },
	};
	char quote[STARTTLS_QUOTE_LEN];
	bool last;

	if (starttls_code(starttls, &last) != expected[starttls->step].code) {
		starttls_refuse(starttls, "the server %s '%s'", expected[starttls->step].what,
			starttls_quote(starttls, quote));
		return;
	}
	switch (starttls->step) {
	case GREETING:
		if (!starttls_keep_greeting(starttls) || !last)
			return;
		say_ehlo(starttls);
		starttls->step = EHLO;
		return;
	case EHLO:
		hear_ehlo(starttls, last);
		return;
	default:
		if (last)
			starttls_upgrade(starttls);
	}
}

/* The name that the greeting has, for our own answer (RFC 5321 4.2: it comes first). */
static void take_name(struct starttls *starttls)
{
	const char *name = starttls->unit_len > 4 ? starttls->unit + 4 : "";
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  ".-_:[]");

	if (len == 0 || len >= sizeof(starttls->self))
		return;
	memcpy(starttls->self, name, len);
	starttls->self[len] = '\0';
}

static void hear_program(struct starttls *starttls)
{
	bool last;

	starttls_code(starttls, &last);
	starttls_say_line(starttls, "%s", starttls->unit);
	if (!last)
		return;
	take_name(starttls);
	starttls_greeted(starttls);
}

static void hear_client(struct starttls *starttls)
{
	const char *line = starttls->unit, *rest;

	if (starttls_begins_with(line, "EHLO", &rest)) {
		starttls_say_line(starttls, "250-%s", starttls->self);
		starttls_say_line(starttls, "250 STARTTLS");
	} else if (starttls_begins_with(line, "HELO", &rest)) {
		starttls_say_line(starttls, "250 %s", starttls->self);
	} else if (starttls_begins_with(line, "NOOP", &rest) ||
		   starttls_begins_with(line, "RSET", &rest)) {
		starttls_say_line(starttls, "250 2.0.0 OK");
	} else if (starttls_begins_with(line, "QUIT", &rest)) {
		starttls_say_line(starttls, "221 2.0.0 Bye");
		starttls_leave(starttls);
	} else if (!starttls_begins_with(line, "STARTTLS", &rest)) {
		starttls_say_line(starttls, "530 5.7.0 Must issue a STARTTLS command first");
	} else if (rest[strspn(rest, " ")] != '\0') {
		starttls_say_line(starttls, "501 5.5.4 Syntax error (no parameters allowed)");
	} else {
		starttls_say_line(starttls, "220 2.0.0 Ready to start TLS");
		starttls_upgrade(starttls);
	}
}

const struct starttls_protocol starttls_smtp = {
	.name = "smtp",
	.greets = true,
	.hear_server = hear_server,
	.hear_client = hear_client,
	.hear_program = hear_program,
};
