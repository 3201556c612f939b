/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pkcs11: URIs (RFC 7512), which name an object in a token and how to get at it. */
#ifndef SEAMTLS_TLS_PKCS11_URI_H
#define SEAMTLS_TLS_PKCS11_URI_H

#include "why.h"
#include <stdbool.h>
#include <stdint.h>

#define PKCS11_VALUE_MAX 255

/* Empty: not given. */
struct pkcs11_uri {
	char token[PKCS11_VALUE_MAX + 1], serial[PKCS11_VALUE_MAX + 1];
	char manufacturer[PKCS11_VALUE_MAX + 1], model[PKCS11_VALUE_MAX + 1];
	char object[PKCS11_VALUE_MAX + 1], type[PKCS11_VALUE_MAX + 1];
	char module_path[PKCS11_VALUE_MAX + 1];
	char pin_value[PKCS11_VALUE_MAX + 1], pin_source[PKCS11_VALUE_MAX + 1];
	char id[PKCS11_VALUE_MAX + 1]; /* bytes */
	size_t id_len;
};

bool pkcs11_uri_is(const char *text);
/* 0; or -EINVAL with the reason. */
int pkcs11_uri_parse(const char *text, struct pkcs11_uri *out, const struct why *why);

#endif
