/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is common to the protocols. The peer's bytes are cut into units, lines or messages, and no
 * byte behind the one that ends the dialogue is ever taken: what is there already at that moment
 * was sent in the clear by somebody who wants it to be taken for protected (CVE-2011-0411), and
 * ends the connection.
 */
#include "conn/starttls_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct starttls_protocol *protocol_of(enum policy_starttls protocol)
{
	static const struct starttls_protocol *const protocols[] = {
		[POLICY_STARTTLS_SMTP] = &starttls_smtp,
		[POLICY_STARTTLS_IMAP] = &starttls_imap,
		[POLICY_STARTTLS_POP3] = &starttls_pop3,
		[POLICY_STARTTLS_LDAP] = &starttls_ldap,
		[POLICY_STARTTLS_PGSQL] = &starttls_pgsql,
		[POLICY_STARTTLS_NNTP] = &starttls_nntp,
	};

	return protocols[protocol];
}

bool starttls_greets(enum policy_starttls protocol)
{
	return protocol != POLICY_STARTTLS_NONE && protocol_of(protocol)->greets;
}

struct starttls *starttls_new(enum policy_starttls protocol, bool server, const char *self)
{
	struct starttls *starttls = calloc(1, sizeof(*starttls));

	if (starttls == NULL)
		return NULL;
	starttls->protocol = protocol_of(protocol);
	starttls->server = server;
	starttls->state = server && starttls->protocol->greets ? STARTTLS_PROGRAM : STARTTLS_PEER;
	snprintf(starttls->self, sizeof(starttls->self), "%s", self);
	if (!server && starttls->protocol->begin != NULL)
		starttls->protocol->begin(starttls);
	return starttls;
}

void starttls_free(struct starttls *starttls)
{
	if (starttls != NULL)
		explicit_bzero(starttls, sizeof(*starttls)); /* a client may have sent a password */
	free(starttls);
}

enum starttls_state starttls_state(const struct starttls *starttls)
{
	return starttls->state;
}

const char *starttls_reason(const struct starttls *starttls)
{
	return starttls->reason;
}

bool starttls_left(const struct starttls *starttls)
{
	return starttls->left;
}

const uint8_t *starttls_pending(const struct starttls *starttls, size_t *len)
{
	*len = starttls->out_len;
	return starttls->out;
}

void starttls_sent(struct starttls *starttls, size_t len)
{
	starttls->out_len -= len;
	memmove(starttls->out, starttls->out + len, starttls->out_len);
}

const uint8_t *starttls_greeting(const struct starttls *starttls, size_t *len)
{
	*len = starttls->greeting_len;
	return starttls->greeting;
}

/* --- What the protocols do */

void starttls_say(struct starttls *starttls, const void *data, size_t len)
{
	if (len > sizeof(starttls->out) - starttls->out_len) {
		starttls_refuse(starttls, "there is too much to answer at once");
		return;
	}
	memcpy(starttls->out + starttls->out_len, data, len);
	starttls->out_len += len;
}

void starttls_say_line(struct starttls *starttls, const char *format, ...)
{
	char line[STARTTLS_UNIT_MAX + 64];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 2, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(line) - 2)
		return;
	memcpy(line + len, "\r\n", 2);
	starttls_say(starttls, line, (size_t)len + 2);
}

void starttls_greeted(struct starttls *starttls)
{
	if (starttls->state != STARTTLS_OVER)
		starttls->state = STARTTLS_PEER;
}

void starttls_upgrade(struct starttls *starttls)
{
	if (starttls->state != STARTTLS_OVER)
		starttls->state = STARTTLS_UPGRADE;
}

void starttls_refuse(struct starttls *starttls, const char *format, ...)
{
	va_list args;
	int len;

	if (starttls->state == STARTTLS_OVER)
		return;
	starttls->state = STARTTLS_OVER;
	len = snprintf(starttls->reason, sizeof(starttls->reason),
		"starttls = %s: ", starttls->protocol->name);
	va_start(args, format);
	vsnprintf(starttls->reason + len, sizeof(starttls->reason) - (size_t)len, format, args);
	va_end(args);
}

void starttls_leave(struct starttls *starttls)
{
	starttls_refuse(starttls, "the client ended the connection before it asked for TLS");
	starttls->left = true;
}

const char *starttls_quote(const struct starttls *starttls, char quote[STARTTLS_QUOTE_LEN])
{
	size_t len = 0;

	while (len < STARTTLS_QUOTE_LEN - 1 && len < starttls->unit_len) {
		unsigned char c = (unsigned char)starttls->unit[len];

		quote[len++] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
	}
	quote[len] = '\0';
	return quote;
}

/* --- Units */

/* A line's end, and what of it nobody may say: a NUL, or a return in the middle. */
static bool finish_line(struct starttls *starttls)
{
	size_t len = --starttls->unit_len; /* the line feed */

	if (len > 0 && starttls->unit[len - 1] == '\r')
		len = --starttls->unit_len;
	starttls->unit[len] = '\0';
	return memchr(starttls->unit, '\0', len) == NULL &&
	       memchr(starttls->unit, '\r', len) == NULL;
}

/* Of the bytes at `data`, those that belong to the unit; *whole: they end it. 0: over. */
static size_t part_of_unit(struct starttls *starttls, const uint8_t *data, size_t len, bool *whole)
{
	size_t room = STARTTLS_UNIT_MAX - starttls->unit_len;
	const uint8_t *end;
	int rest;

	if (starttls->protocol->rest != NULL) {
		rest = starttls->protocol->rest(starttls);
		if (rest < 0)
			return 0;
		if ((size_t)rest < len)
			len = (size_t)rest;
		*whole = false; /* only its beginning tells how long it is */
	} else {
		end = memchr(data, '\n', len);
		if (end != NULL)
			len = (size_t)(end - data) + 1;
		*whole = end != NULL;
	}
	if (len <= room)
		return len;
	starttls_refuse(starttls, "the peer sent a %s of more than %d bytes",
		starttls->protocol->rest != NULL ? "message" : "line", STARTTLS_UNIT_MAX);
	return 0;
}

static void hear_unit(struct starttls *starttls)
{
	const struct starttls_protocol *protocol = starttls->protocol;
	unsigned most = starttls->server ? STARTTLS_COMMANDS_MAX : STARTTLS_UNITS_MAX;

	if (protocol->rest == NULL && !finish_line(starttls))
		starttls_refuse(starttls, "the peer sent a line with a control character in it");
	else if (++starttls->heard > most)
		starttls_refuse(starttls,
			"the peer said more than %u things and none of them was %s", most,
			starttls->server ? "a request for TLS" : "the answer to one");
	else if (starttls->server)
		protocol->hear_client(starttls);
	else
		protocol->hear_server(starttls);
}

/* Takes a part of a unit, and what ends it. The count; 0: over. */
static size_t take_part(struct starttls *starttls, const uint8_t *data, size_t len,
	void (*hear)(struct starttls *starttls))
{
	bool whole = false;
	size_t part = part_of_unit(starttls, data, len, &whole);

	if (part == 0)
		return 0;
	memcpy(starttls->unit + starttls->unit_len, data, part);
	starttls->unit_len += part;
	if (starttls->protocol->rest != NULL) {
		int rest = starttls->protocol->rest(starttls);

		if (rest < 0)
			return part;
		whole = rest == 0;
	}
	if (whole) {
		hear(starttls);
		starttls->unit_len = 0;
	}
	return part;
}

size_t starttls_hear(struct starttls *starttls, const uint8_t *data, size_t len)
{
	size_t taken = 0;

	while (taken < len && starttls->state == STARTTLS_PEER) {
		size_t part = take_part(starttls, data + taken, len - taken, hear_unit);

		if (part == 0)
			break;
		taken += part;
	}
	if (starttls->state == STARTTLS_UPGRADE && taken < len) {
		starttls->out_len = 0; /* it is not told to go on */
		starttls_refuse(starttls,
			"the peer sent something in the clear behind %s: somebody may have put "
			"it there",
			starttls->server ? "its request for TLS" : "its agreement to TLS");
	}
	return taken;
}

static void hear_program_unit(struct starttls *starttls)
{
	finish_line(starttls);
	starttls->protocol->hear_program(starttls);
}

size_t starttls_hear_program(struct starttls *starttls, const uint8_t *data, size_t len)
{
	size_t taken = 0;

	while (taken < len && starttls->state == STARTTLS_PROGRAM) {
		size_t part = take_part(starttls, data + taken, len - taken, hear_program_unit);

		if (part == 0)
			break;
		taken += part;
	}
	return taken;
}

/* --- Lines */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int starttls_code(const struct starttls *starttls, bool *last)
{
	const char *line = starttls->unit;

	*last = true;
	if (!is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]) ||
		(line[3] != '\0' && line[3] != ' ' && line[3] != '-'))
		return -1;
	*last = line[3] != '-';
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

bool starttls_begins_with(const char *text, const char *word, const char **rest)
{
	size_t len = strlen(word);

	if (strncasecmp(text, word, len) != 0 || (text[len] != '\0' && text[len] != ' '))
		return false;
	*rest = text + len + (text[len] == ' ');
	return true;
}

bool starttls_keep_greeting(struct starttls *starttls)
{
	size_t len = starttls->unit_len;
	uint8_t *to = starttls->greeting + starttls->greeting_len;

	if (len + 2 > sizeof(starttls->greeting) - starttls->greeting_len) {
		starttls_refuse(starttls, "the server's greeting has more than %d bytes",
			STARTTLS_GREETING_MAX);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)starttls->unit[i];

		to[i] = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : c;
	}
	memcpy(to + len, "\r\n", 2);
	starttls->greeting_len += len + 2;
	return true;
}
