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
	flight->taken = false;
}

bool flight_waits(const struct flight *flight)
{
	return flight->given < flight->seen;
}

int flight_settle(struct flight *flight, const struct tls_transport *transport)
{
	size_t given = flight->given;
	bool taken = flight->taken;
	ssize_t n = 0;

	if (taken && flight_waits(flight))
		return 0;
	flight->given = flight->seen = 0;
	flight->taken = false;
	if (given == 0 || taken)
		return 0;
	do
		n = flight->peek.skip(transport->arg, flight->bytes, given);
	while (n == -EINTR);
	return n == (ssize_t)given ? 0 : -EPROTO;
}

/* As peek(); -EOPNOTSUPP: it is to be read as it is asked for. */
static ssize_t look(struct flight *flight, const struct tls_transport *transport, bool first)
{
	ssize_t n;

	if (flight->peek.peek == NULL)
		return -EOPNOTSUPP;
	if (flight->bytes == NULL)
		flight->bytes = malloc(FLIGHT_LEN);
	if (flight->bytes == NULL)
		return -EOPNOTSUPP;
	n = (first ? transport->recv : flight->peek.peek)(
		transport->arg, flight->bytes, FLIGHT_LEN);
	if (n > 0) {
		flight->seen = (size_t)n;
		flight->taken = first;
	}
	return n;
}

ssize_t flight_read(struct flight *flight, const struct tls_transport *transport, uint8_t *buf,
	size_t len, bool first)
{
	if (!flight_waits(flight)) {
		ssize_t n = flight_settle(flight, transport);

		if (n == 0)
			n = look(flight, transport, first);
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
