/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What comes before TLS. First byte: protocol and role; second: how many bytes come at a time. In a
 * server the rest up to a NUL is the program's greeting, in the clear too.
 */
#include "conn/starttls.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

#define PROTOCOLS 6

static void send_all(struct starttls *starttls)
{
	size_t len;

	while (starttls_pending(starttls, &len), len > 0)
		starttls_sent(starttls, (len + 1) / 2);
}

/* Chunks as they might come from the network, each in memory of its own. */
static size_t hear(struct starttls *starttls, enum starttls_state while_state, size_t chunk,
	const uint8_t *data, size_t len,
	size_t (*by)(struct starttls *starttls, const uint8_t *data, size_t len))
{
	size_t at = 0;

	while (at < len && starttls_state(starttls) == while_state) {
		size_t part = len - at < chunk ? len - at : chunk, taken;
		uint8_t *copy = malloc(part);

		memcpy(copy, data + at, part);
		taken = by(starttls, copy, part);
		free(copy);
		if (taken > part || (taken < part && starttls_state(starttls) == while_state))
			abort();
		at += taken;
		send_all(starttls);
	}
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct starttls *starttls;
	const uint8_t *end;
	size_t chunk, greeting;

	if (len < 2)
		return 0;
	chunk = data[1] + 1u;
	starttls = starttls_new(1 + data[0] % PROTOCOLS, data[0] / PROTOCOLS % 2 != 0, "192.0.2.1");
	data += 2;
	len -= 2;
	send_all(starttls);
	if (starttls_state(starttls) == STARTTLS_PROGRAM) {
		end = memchr(data, 0, len);
		greeting = end != NULL ? (size_t)(end - data) : len;
		hear(starttls, STARTTLS_PROGRAM, chunk, data, greeting, starttls_hear_program);
		data += greeting;
		len -= greeting;
		if (len > 0)
			len--, data++;
	}
	hear(starttls, STARTTLS_PEER, chunk, data, len, starttls_hear);
	if (starttls_state(starttls) == STARTTLS_OVER && starttls_reason(starttls)[0] == '\0')
		abort();
	if (starttls_greeting(starttls, &greeting) != NULL && greeting > 2048)
		abort();
	starttls_free(starttls);
	return 0;
}
