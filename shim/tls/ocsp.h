/* SPDX-License-Identifier: GPL-3.0-or-later */
/* OCSP responses (RFC 6960), as they are stapled. Pure; the input is hostile. */
#ifndef SEAMTLS_TLS_OCSP_H
#define SEAMTLS_TLS_OCSP_H

#include "anchors.h"
#include "why.h"
#include "x509.h"

/* Whose status it is. */
struct ocsp_subject {
	struct x509_bytes serial;
	struct issuer issuer; /* without spki: its key is not known, and no signature is checked */
};

/*
 * Whether the response says that the certificate is good now. 0; or an alert's description, and
 * `why` goes on after "the OCSP response": "has expired on 2026-01-31". If that it is revoked:
 * ALERT_CERTIFICATE_REVOKED.
 */
int ocsp_check(struct x509_bytes response, const struct ocsp_subject *subject, int64_t now,
	const struct why *why);

/* Whether the response can be parsed, and has nothing to say of the certificate. */
bool ocsp_is_of_another(struct x509_bytes response, const struct ocsp_subject *subject);

#endif
