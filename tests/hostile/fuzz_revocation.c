/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A revocation list, and a stapled OCSP response: the same bytes as either. */
#include "fuzz.h"
#include "tls/crl.h"
#include "tls/ocsp.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t serial[] = { 1, 2, 3 }, empty[] = { 0x30, 0 };
	struct x509 certificate = { .serial = { serial, sizeof serial },
		.issuer = { empty, sizeof empty },
		.crl_points = { data, len } };
	struct ocsp_subject subject = { .serial = { serial, sizeof serial },
		.issuer = { { empty, sizeof empty }, { data, len / 2 }, X509_USAGE_ANY } };
	uint8_t *copy = malloc(len > 0 ? len : 1);
	char text[256];
	struct crl_entry entry;
	const char *what;
	struct crl crl;

	ocsp_check((struct x509_bytes){ data, len }, &subject, 1800000000,
		&(struct why){ text, sizeof text, NULL });
	ocsp_is_of_another((struct x509_bytes){ data, len }, &subject);
	memcpy(copy, data, len);
	if (crl_init(&crl, copy, len, &what) < 0)
		return 0;
	certificate.issuer = crl.issuer;
	crl_covers(&crl, &certificate);
	crl_find(&crl, certificate.serial, &entry);
	crl_is_signed_by(&crl, &subject.issuer);
	crl_clear(&crl);
	return 0;
}
