/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PostgreSQL's protocol, "SSL Session Encryption" and "Message Formats" of its manual. */
#include "conn/starttls_private.h"

#include <stdint.h>

#define HEADER_LEN 8
/* The versions 1234.5678 to 1234.5680 of the protocol. */
#define CANCEL_REQUEST 80877102u
#define SSL_REQUEST 80877103u
#define GSS_REQUEST 80877104u

static uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

bool starttls_is_request(const uint8_t *data, size_t len)
{
	uint32_t code;

	if (len != STARTTLS_REQUEST_LEN || get_be32(data) != STARTTLS_REQUEST_LEN)
		return false;
	code = get_be32(data + 4);
	return code == SSL_REQUEST || code == GSS_REQUEST;
}

/* A client's packets begin with a length and a code, and no more of them is looked at; a server
 * answers with one byte. */
static int rest(struct starttls *starttls)
{
	return (int)((starttls->server ? HEADER_LEN : 1) - starttls->unit_len);
}

static void begin(struct starttls *starttls)
{
	static const uint8_t request[HEADER_LEN] = { 0, 0, 0, HEADER_LEN, SSL_REQUEST >> 24,
		SSL_REQUEST >> 16 & 0xff, SSL_REQUEST >> 8 & 0xff, SSL_REQUEST & 0xff };

	starttls_say(starttls, request, sizeof(request));
}

static void hear_server(struct starttls *starttls)
{
	switch (starttls->unit[0]) {
	case 'S':
		starttls_upgrade(starttls);
		return;
	case 'N':
		starttls_refuse(starttls, "the server does not offer TLS");
		return;
	case 'E':
		starttls_refuse(starttls, "the server answered SSLRequest with an error");
		return;
	default:
		starttls_refuse(starttls, "the server answered SSLRequest with the byte %02x",
			(unsigned)(uint8_t)starttls->unit[0]);
	}
}

/* As the server itself does where pg_hba.conf has hostssl lines only. */
static void refuse_startup(struct starttls *starttls)
{
	static const char error[] = "E\0\0\0\x44"
				    "SFATAL\0"
				    "VFATAL\0"
				    "C28000\0"
				    "Mconnections without TLS are not accepted\0";

	starttls_say(starttls, error, sizeof(error));
	starttls_refuse(starttls, "the client began without TLS");
}

static void hear_client(struct starttls *starttls)
{
	const uint8_t *packet = (const uint8_t *)starttls->unit;
	uint32_t len = get_be32(packet), code = get_be32(packet + 4);

	if (len == HEADER_LEN && code == SSL_REQUEST) {
		starttls_say(starttls, "S", 1);
		starttls_upgrade(starttls);
	} else if (len == HEADER_LEN && code == GSS_REQUEST) {
		starttls_say(starttls, "N", 1);
	} else if (code == CANCEL_REQUEST) {
		/* It holds the key of somebody's session; nobody waits for an answer. */
		starttls_refuse(starttls, "the client sent a request to cancel without TLS");
	} else if (code >> 16 == 2 || code >> 16 == 3) {
		refuse_startup(starttls);
	} else {
		starttls_refuse(starttls, "the client does not speak PostgreSQL's protocol");
	}
}

const struct starttls_protocol starttls_pgsql = {
	.name = "pgsql",
	.rest = rest,
	.begin = begin,
	.hear_server = hear_server,
	.hear_client = hear_client,
};
