/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the protocols of starttls.h share. */
#ifndef SEAMTLS_CONN_STARTTLS_PRIVATE_H
#define SEAMTLS_CONN_STARTTLS_PRIVATE_H

#include "conn/starttls.h"

#define STARTTLS_UNIT_MAX 4096     /* bytes of a line, or of an LDAP message */
#define STARTTLS_GREETING_MAX 2048 /* bytes of all its lines */
#define STARTTLS_OUT_MAX 8192      /* more than the units that are heard can bring about */
#define STARTTLS_UNITS_MAX 64      /* that a server says */
#define STARTTLS_COMMANDS_MAX 16   /* of a client that does not come to the point */
#define STARTTLS_REASON_LEN 256
#define STARTTLS_SELF_LEN 80

struct starttls_protocol {
	const char *name;
	bool greets;
	/* How many bytes the unit still needs, as far as its beginning tells; 0: it is whole; -1:
	 * it is none, and the dialogue is over. NULL: units are lines. */
	int (*rest)(struct starttls *starttls);
	/* What a client says unasked; NULL: nothing. */
	void (*begin)(struct starttls *starttls);
	/* A whole unit: in a client of the server's, in a server of the client's, and of the
	 * greeting of the program. Lines are without their end. */
	void (*hear_server)(struct starttls *starttls);
	void (*hear_client)(struct starttls *starttls);
	void (*hear_program)(struct starttls *starttls);
};

extern const struct starttls_protocol starttls_smtp, starttls_imap, starttls_pop3, starttls_nntp,
	starttls_pgsql, starttls_ldap;

struct starttls {
	const struct starttls_protocol *protocol;
	bool server;
	enum starttls_state state;
	bool left;
	unsigned step; /* the protocol's own */
	bool offered;  /* the server has named the upgrade */
	unsigned heard;
	char self[STARTTLS_SELF_LEN]; /* a client: its address; a server: its name in the greeting
				       */
	char reason[STARTTLS_REASON_LEN];
	size_t unit_len, out_len, greeting_len;
	char unit[STARTTLS_UNIT_MAX + 1]; /* a line ends with a NUL */
	uint8_t out[STARTTLS_OUT_MAX];
	uint8_t greeting[STARTTLS_GREETING_MAX];
};

/* To the peer. */
void starttls_say(struct starttls *starttls, const void *data, size_t len);
__attribute__((format(printf, 2, 3))) void starttls_say_line(
	struct starttls *starttls, const char *format, ...);
/* The program's greeting is whole: it is the client's turn. */
void starttls_greeted(struct starttls *starttls);
void starttls_upgrade(struct starttls *starttls);
/* The end, with the reason. */
__attribute__((format(printf, 2, 3))) void starttls_refuse(
	struct starttls *starttls, const char *format, ...);
/* The peer has gone, in peace. */
void starttls_leave(struct starttls *starttls);
/* The unit for a sentence: as far as it is printable, in `quote`. */
#define STARTTLS_QUOTE_LEN 96
const char *starttls_quote(const struct starttls *starttls, char quote[STARTTLS_QUOTE_LEN]);

/* --- Lines */

/* A reply's three digits, or -1; *last: no line of the same reply comes after it. */
int starttls_code(const struct starttls *starttls, bool *last);
/* Whether the line begins with the word, in any case, and what comes behind it. */
bool starttls_begins_with(const char *text, const char *word, const char **rest);
/* The line as part of the greeting that the program is to read. False: over. */
bool starttls_keep_greeting(struct starttls *starttls);

#endif
