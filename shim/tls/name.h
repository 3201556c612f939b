/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The check that a certificate is for the name that was meant (RFC 9525): subjectAltName only,
 * never the subject's CN. */
#ifndef SEAMTLS_TLS_NAME_H
#define SEAMTLS_TLS_NAME_H

#include "x509.h"

/* The bytes of an IPv4 or IPv6 address in out[16], or 0 if `name` is none. A zone ("fe80::1%eth0")
 * is left out. */
size_t name_parse_address(const char *name, uint8_t *out);

/* Whether `name` can be a host name: letters, digits, '-', '_' and dots, no empty label, 253 bytes
 * at most. */
bool name_is_host(const char *name);

/* Whether the certificate is for `name`, a host name or an address in text. */
bool name_matches(const struct x509 *certificate, const char *name);

/* Whether it has the host name itself, not only a wildcard over it. */
bool name_equals(const struct x509 *certificate, const char *name);

#endif
