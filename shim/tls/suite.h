/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cipher suites and groups that are offered: IANA's names, wolfSSL's, and what the record layer
 * makes of them. */
#ifndef SEAMTLS_TLS_SUITE_H
#define SEAMTLS_TLS_SUITE_H

#include "record.h"

struct tls_suite {
	uint16_t id;
	uint16_t version; /* RECORD_TLS12 or RECORD_TLS13: a suite belongs to one of them */
	enum record_aead aead;
	const char *name;    /* IANA */
	const char *wolfssl; /* what wolfSSL_CTX_set_cipher_list() calls it */
};

struct tls_group {
	int id;              /* IANA's number, which is wolfSSL's */
	const char *name;    /* IANA */
	const char *wolfssl; /* what wolfSSL_get_curve_name() calls it */
};

/* In the order of preference that applies if the policy has none; NULL after the last. */
const struct tls_suite *tls_suite_at(size_t index);
const struct tls_suite *tls_suite_by_id(unsigned id);
const struct tls_suite *tls_suite_by_name(const char *name);

/* The first TLS_GROUP_DEFAULTS are the default, in this order. */
#define TLS_GROUP_DEFAULTS 4
const struct tls_group *tls_group_at(size_t index);
const struct tls_group *tls_group_by_name(const char *name);
const struct tls_group *tls_group_by_wolfssl_name(const char *name);

#endif
