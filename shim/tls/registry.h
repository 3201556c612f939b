/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IANA's names of what other TLS libraries agree on, beyond what this one offers (suite.h). */
#ifndef SEAMTLS_TLS_REGISTRY_H
#define SEAMTLS_TLS_REGISTRY_H

#include <stdbool.h>

#define REGISTRY_NUMBER_LEN 8 /* "0xc02b" */

/* The name; if it is not known the number, in `number`. */
const char *registry_suite(unsigned id, char number[REGISTRY_NUMBER_LEN]);
const char *registry_group(unsigned id, char number[REGISTRY_NUMBER_LEN]);

/* "TLSv1.3" to "SSLv2"; NULL: there is no such version. */
const char *registry_version(unsigned id);

/* A suite that encrypts nothing. */
bool registry_suite_is_clear(unsigned id);

#endif
