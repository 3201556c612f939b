/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What seamtls itself reads in a certificate: names for the check of the peer's name and for audit,
 * the key for pins, the dates. Whether a certificate is genuine is wolfSSL's business. Pure; the
 * input is hostile; nothing is copied.
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

/* Everything points into the certificate. */
struct x509 {
	struct x509_bytes subject, issuer; /* Name, with tag and length: equal if the bytes are */
	struct x509_bytes spki;            /* SubjectPublicKeyInfo, with tag and length */
	struct x509_bytes serial;          /* the INTEGER's content */
	struct x509_bytes san;             /* for x509_san_next() */
	int64_t not_before, not_after;     /* seconds since the epoch */
	bool is_ca;                        /* basicConstraints */
};

enum x509_san_type { X509_EMAIL = 1, X509_DNS = 2, X509_URI = 6, X509_IP = 7 };

/* 0 and *out, or -EBADMSG. */
int x509_parse(const uint8_t *der, size_t len, struct x509 *out);

/* Takes the next subjectAltName of those types off *rest (a copy of x509.san). False: no more. */
bool x509_san_next(struct x509_bytes *rest, enum x509_san_type *type, struct x509_bytes *value);

/* Printable, malloc'ed; NULL if memory is short. Long ones end in "...". */
char *x509_name_text(struct x509_bytes name);                          /* RFC 4514: "CN=a,O=b" */
char *x509_san_text(enum x509_san_type type, struct x509_bytes value); /* "dns:a" */
char *x509_serial_text(struct x509_bytes serial);                      /* upper-case hex */

#define X509_DATE_LEN 40
void x509_date_text(int64_t when, char *out); /* "2024-01-31" */

#endif
