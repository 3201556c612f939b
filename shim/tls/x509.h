/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What seamtls itself reads in a certificate: names, the key, the dates, what it may be used for,
 * and the signature (RFC 5280 4.1). Pure; the input is hostile; nothing is copied.
 */
#ifndef SEAMTLS_TLS_X509_H
#define SEAMTLS_TLS_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct x509_bytes {
	const uint8_t *data;
	size_t len;
};

/* What a signature says: those bytes, signed so, give these bits. */
struct x509_signed {
	struct x509_bytes content;   /* with tag and length */
	struct x509_bytes algorithm; /* AlgorithmIdentifier, with tag and length */
	struct x509_bytes signature; /* the BIT STRING's bits */
};

/* keyUsage (RFC 5280 4.2.1.3), as far as it is asked for. */
enum x509_usage {
	X509_DIGITAL_SIGNATURE = 1,
	X509_CERT_SIGN = 2,
	X509_CRL_SIGN = 4,
	X509_USAGE_ANY = 7, /* no such extension */
};

/* extKeyUsage (RFC 5280 4.2.1.12) */
enum x509_purpose {
	X509_SERVER_AUTH = 1,
	X509_CLIENT_AUTH = 2,
	X509_OCSP_SIGNING = 4,
	X509_PURPOSE_ANY = 8, /* no such extension, or anyExtendedKeyUsage */
};

/* Everything points into the certificate. */
struct x509 {
	struct x509_bytes subject, issuer; /* Name, with tag and length: equal if the bytes are */
	struct x509_bytes spki;            /* SubjectPublicKeyInfo, with tag and length */
	struct x509_bytes serial;          /* the INTEGER's content */
	struct x509_bytes san;             /* for x509_san_next() */
	struct x509_bytes crl_points;      /* cRLDistributionPoints: the SEQUENCE's content */
	struct x509_signed proof;
	int64_t not_before, not_after; /* seconds since the epoch */
	bool is_ca;                    /* basicConstraints */
	int path_len;      /* CA certificates that may follow; -1: as many as there are */
	unsigned usage;    /* enum x509_usage */
	unsigned purposes; /* enum x509_purpose */
	bool must_staple;  /* RFC 7633: status_request */
};

enum x509_san_type { X509_EMAIL = 1, X509_DNS = 2, X509_URI = 6, X509_IP = 7 };

/* 0 and *out, or -EBADMSG. */
int x509_parse(const uint8_t *der, size_t len, struct x509 *out);

bool x509_bytes_equal(struct x509_bytes a, struct x509_bytes b);

/* SEQUENCE { content, AlgorithmIdentifier, BIT STRING }: a certificate, a CRL, an OCSP response.
 * False: it is none. *rest, if not NULL, gets what follows the three. */
bool x509_signed_parse(
	struct x509_bytes sequence, struct x509_signed *out, struct x509_bytes *rest);

/* Takes the next subjectAltName of those types off *rest (a copy of x509.san). False: no more. */
bool x509_san_next(struct x509_bytes *rest, enum x509_san_type *type, struct x509_bytes *value);

/* Printable, malloc'ed; NULL if memory is short. Long ones end in "...". */
char *x509_name_text(struct x509_bytes name);                          /* RFC 4514: "CN=a,O=b" */
char *x509_san_text(enum x509_san_type type, struct x509_bytes value); /* "dns:a" */
char *x509_serial_text(struct x509_bytes serial);                      /* upper-case hex */

#define X509_DATE_LEN 40
void x509_date_text(int64_t when, char *out); /* "2024-01-31" */

#endif
