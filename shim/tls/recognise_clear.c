/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Protocols in the clear by how they begin. It is a help for who reads the log; that the connection
 * is in the clear does not depend on it. */
#include "tls/recognise_private.h"
#include <string.h>

#define NAME_LEN 4 /* of letters, that other bytes do not happen to be */

enum {
	FINAL = 1, /* has no way to TLS on the same connection */
	WHERE = 2, /* not at the beginning, but anywhere in the sample */
};

struct pattern {
	const char *name;
	const char *bytes;
	size_t len;
	unsigned flags;
};

#define PATTERN(name, bytes, flags)                                                                \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1, flags                                              \
	}

/* The first that either side matches. What says more comes first. */
static const struct pattern patterns[] = {
	PATTERN("http", "CONNECT ", 0),
	PATTERN("http", "GET ", FINAL),
	PATTERN("http", "POST ", FINAL),
	PATTERN("http", "HEAD ", FINAL),
	PATTERN("http", "PUT ", FINAL),
	PATTERN("http", "DELETE ", FINAL),
	PATTERN("http", "OPTIONS ", FINAL),
	PATTERN("http", "PATCH ", FINAL),
	PATTERN("http", "PRI * HTTP/2", FINAL),
	PATTERN("http", "HTTP/1.", 0),
	PATTERN("smtp", "EHLO ", 0),
	PATTERN("smtp", "HELO ", 0),
	PATTERN("lmtp", "LHLO ", 0),
	PATTERN("imap", "* OK", 0),
	PATTERN("imap", "* PREAUTH", 0),
	PATTERN("pop3", "+OK", 0),
	PATTERN("ftp", "AUTH TLS", 0),
	PATTERN("ftp", "USER ", 0),
	PATTERN("pgsql", "\0\0\0\x08\x04\xd2\x16\x2f", 0),
	PATTERN("pgsql", "\0\0\0\x08\x04\xd2\x16\x30", 0),
	PATTERN("redis", "+PONG\r\n", FINAL),
	PATTERN("redis", "PING\r\n", FINAL),
	PATTERN("amqp", "AMQP", 0),
	PATTERN("mqtt", "\0\x04MQTT", FINAL | WHERE),
	PATTERN("xmpp", "<?xml", 0),
	PATTERN("xmpp", "<stream:", 0),
	PATTERN("rsync", "@RSYNCD:", FINAL),
	PATTERN("nats", "INFO {", 0),
	PATTERN("socks", "\x05\x01\x00", 0),
	PATTERN("socks", "\x05\x02\x00", 0),
	PATTERN("smtp", "SMTP", WHERE),
	PATTERN("ftp", "FTP", WHERE),
};

static bool matches(const struct way *way, const struct pattern *pattern)
{
	if ((pattern->flags & WHERE) != 0)
		return memmem(way->sample, way->sample_len, pattern->bytes, pattern->len) != NULL;
	return way->sample_len >= pattern->len &&
	       memcmp(way->sample, pattern->bytes, pattern->len) == 0;
}

/* "*3\r\n$": an array of strings. */
static bool is_redis(const struct way *way)
{
	const uint8_t *s = way->sample;

	return way->sample_len > 4 && s[0] == '*' && s[1] >= '1' && s[1] <= '9' &&
	       memmem(s, way->sample_len, "\r\n$", 3) != NULL;
}

/* A startup message of version 3. */
static bool is_pgsql(const struct way *way)
{
	const uint8_t *s = way->sample;

	return way->sample_len >= 8 && s[0] == 0 && s[1] == 0 && s[4] == 0 && s[5] == 3 &&
	       s[6] == 0 && s[7] <= 2;
}

/* The server's greeting: a packet's head, number 0, protocol 10, a version. */
static bool is_mysql(const struct way *way)
{
	const uint8_t *s = way->sample;

	return way->sample_len > 5 && s[2] == 0 && s[3] == 0 && s[4] == 10 && s[5] >= '1' &&
	       s[5] <= '9';
}

/* A SEQUENCE that begins with the number of the message (RFC 4511 4.1.1), and an operation. */
static bool is_ldap(const struct way *way)
{
	const uint8_t *s = way->sample;

	return way->sample_len > 5 && s[0] == 0x30 && s[1] < 0x80 && s[2] == 2 && s[3] == 1 &&
	       (s[5] & 0xc0) == 0x40;
}

static const struct {
	const char *name;
	bool (*is)(const struct way *way);
	bool final;
} shapes[] = {
	{ "redis", is_redis, true },
	{ "pgsql", is_pgsql, true },
	{ "mysql", is_mysql, false },
	{ "ldap", is_ldap, false },
};

bool recognise_is_named(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
		if ((patterns[i].flags & WHERE) == 0 && patterns[i].len >= NAME_LEN &&
			patterns[i].bytes[0] >= ' ' && len >= patterns[i].len &&
			memcmp(data, patterns[i].bytes, patterns[i].len) == 0)
			return true;
	return false;
}

const char *recognise_application(const struct recogniser *recogniser, bool *final)
{
	const struct way *sent = &recogniser->ways[RECOGNISE_SENT],
			 *received = &recogniser->ways[RECOGNISE_RECEIVED];

	*final = false;
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
		if (matches(sent, &patterns[i]) || matches(received, &patterns[i])) {
			*final = (patterns[i].flags & FINAL) != 0;
			return patterns[i].name;
		}
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		if (shapes[i].is(sent) || shapes[i].is(received)) {
			*final = shapes[i].final;
			return shapes[i].name;
		}
	return NULL;
}
