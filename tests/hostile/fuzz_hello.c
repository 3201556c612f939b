/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a server with several certificates reads of a ClientHello before it has chosen one. */
#include "fuzz.h"
#include "tls/hello.h"
#include "tls/hello_check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char reason[TLS_REASON_MAX] = "";
	const struct why why = { reason, sizeof reason, NULL };
	struct hello hello;
	int r = hello_parse(data, len, &hello);

	if (r != 0 && r != -EAGAIN && r != -EBADMSG)
		abort();
	if (r == 0 && strlen(hello.name) >= sizeof hello.name)
		abort();
	if (r == 0) {
		hello_lists(hello.suites, 0x1301);
		hello_lists(hello.signatures, 0x0403);
		hello_lists(hello.groups, 29);
		if (hello_check(&hello, &why) != 0 && reason[0] == '\0')
			abort();
	}
	return 0;
}
