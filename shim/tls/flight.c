/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/flight.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLIGHT_LEN 4096 /* all but long chains of certificates */

void flight_clear(struct flight *flight)
{
	free(flight->bytes);
	flight->bytes = NULL;
	flight->given = flight->seen = 0;
}

int flight_settle(struct flight *flight, const struct tls_transport *transport)
{
	size_t given = flight->given;
	ssize_t n = 0;

	flight->given = flight->seen = 0;
	if (given == 0)
		return 0;
	do
		n = flight->peek.skip(transport->arg, flight->bytes, given);
	while (n == -EINTR);
	return n == (ssize_t)given ? 0 : -EPROTO;
}

/* As peek(); -EOPNOTSUPP: it is to be read as it is asked for. */
static ssize_t look(struct flight *flight, const struct tls_transport *transport)
{
	ssize_t n;

	if (flight->peek.peek == NULL)
		return -EOPNOTSUPP;
	if (flight->bytes == NULL)
		flight->bytes = malloc(FLIGHT_LEN);
	if (flight->bytes == NULL)
		return -EOPNOTSUPP;
	n = flight->peek.peek(transport->arg, flight->bytes, FLIGHT_LEN);
	if (n > 0)
		flight->seen = (size_t)n;
	return n;
}

ssize_t flight_read(
	struct flight *flight, const struct tls_transport *transport, uint8_t *buf, size_t len)
{
	if (flight->given == flight->seen) {
		ssize_t n = flight_settle(flight, transport);

		if (n == 0)
			n = look(flight, transport);
		if (n == -EOPNOTSUPP)
			return transport->recv(transport->arg, buf, len);
		if (n <= 0)
			return n;
	}
	if (len > flight->seen - flight->given)
		len = flight->seen - flight->given;
	memcpy(buf, flight->bytes + flight->given, len);
	flight->given += len;
	return (ssize_t)len;
}
