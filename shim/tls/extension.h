/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IANA's numbers of the extensions that are looked at here, and sets of such numbers. */
#ifndef SEAMTLS_TLS_EXTENSION_H
#define SEAMTLS_TLS_EXTENSION_H

#include <stdbool.h>
#include <stddef.h>

enum {
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_GROUPS = 10,
	EXTENSION_SIGNATURES = 13,
	EXTENSION_PROTOCOLS = 16,
	EXTENSION_PRE_SHARED_KEY = 41,
	EXTENSION_EARLY_DATA = 42,
	EXTENSION_VERSIONS = 43,
	EXTENSION_COOKIE = 44,
	EXTENSION_PSK_MODES = 45,
	EXTENSION_KEY_SHARE = 51,
	EXTENSION_RENEGOTIATION_INFO = 0xff01
};

#define NUMBERS_MOST 64 /* no hello has as many extensions */

struct numbers {
	size_t seen[NUMBERS_MOST];
	size_t count;
};

bool numbers_have(const struct numbers *numbers, size_t number);
/* False: it is there already, or there is no room. */
bool numbers_add(struct numbers *numbers, size_t number);

#endif
