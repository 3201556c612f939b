/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificate revocation lists (RFC 5280 5): whole ones, of the CA that issued the certificates. */
#ifndef SEAMTLS_TLS_CRL_H
#define SEAMTLS_TLS_CRL_H

#include "anchors.h"
#include "x509.h"
#include <stdatomic.h>

/* Everything points into `der`. */
struct crl {
	uint8_t *der;
	struct x509_signed proof;
	struct x509_bytes issuer; /* Name, with tag and length */
	int64_t this_update, next_update;
	struct x509_bytes points; /* GeneralNames: only certificates that name one of them */
	bool only_users, only_authorities;
	struct x509_bytes list; /* revokedCertificates, the SEQUENCE's content */
	uint32_t *entries;      /* offsets in the list, by serial number */
	size_t count;
	/* The key that was found to have signed it: a list is large, and asked for often. */
	_Atomic int signer_known; /* 0, 1: somebody is writing, 2 */
	uint8_t signer[32];       /* SHA-256 of its SubjectPublicKeyInfo */
};

struct crl_entry {
	int64_t when;
	int reason; /* CRLReason; -1: none is given */
};

/*
 * Takes `der` over, also when it fails. 0; -ENOMEM; -EBADMSG: this is no list; -ENOTSUP: it is one
 * that must not be used as if it were a whole one, and *what says what it is (static).
 */
int crl_init(struct crl *crl, uint8_t *der, size_t len, const char **what);
void crl_clear(struct crl *crl);

/* Whether the list is about that certificate, going by names and scope. */
bool crl_covers(const struct crl *crl, const struct x509 *certificate);

bool crl_is_signed_by(struct crl *crl, const struct issuer *issuer);

/* Whether the serial number is in the list. */
bool crl_find(const struct crl *crl, struct x509_bytes serial, struct crl_entry *out);

#endif
