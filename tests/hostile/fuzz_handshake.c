/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a peer may send to a client of ours before any key is agreed on. First byte: versions and
 * how it is delivered. */
#include "fixture.h"
#include "fuzz.h"
#include <stdlib.h>

static struct tls_context *context_for(unsigned max_version)
{
	static struct tls_context *context[2];
	struct tls_settings settings = { .min_version = POLICY_TLS12,
		.max_version = max_version ? POLICY_TLS13 : POLICY_TLS12,
		.verify = POLICY_VERIFY_NONE };
	char why[TLS_REASON_MAX];

	if (context[max_version] == NULL &&
		tls_context_new(&settings, TLS_CLIENT, &context[max_version], why, sizeof why) != 0)
		abort();
	return context[max_version];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len > 0)
		fixture_feed(context_for(data[0] & 1), data + 1, len - 1, (data[0] & 2) != 0);
	return 0;
}
