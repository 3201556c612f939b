/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a peer may send to a server of ours before any key is agreed on: the choice of a
 * certificate, tickets, early data. First byte: how it is delivered. */
#include "fixture.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len > 0)
		fixture_feed(fixture_context(TLS_SERVER, 0), data + 1, len - 1, (data[0] & 1) != 0);
	return 0;
}
