/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/scheme.h"
#include "tls/der.h"
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct tls_signature signatures[] = {
	{ 0x0403, "ecdsa_secp256r1_sha256", "ECDSA+SHA256", KEY_P256, true },
	{ 0x0503, "ecdsa_secp384r1_sha384", "ECDSA+SHA384", KEY_P384, true },
	{ 0x0603, "ecdsa_secp521r1_sha512", "ECDSA+SHA512", KEY_P521, true },
	{ 0x0807, "ed25519", "ED25519", KEY_ED25519, true },
	{ 0x0804, "rsa_pss_rsae_sha256", "RSA-PSS+SHA256", KEY_RSA, true },
	{ 0x0805, "rsa_pss_rsae_sha384", "RSA-PSS+SHA384", KEY_RSA, true },
	{ 0x0806, "rsa_pss_rsae_sha512", "RSA-PSS+SHA512", KEY_RSA, true },
	{ 0x0401, "rsa_pkcs1_sha256", "RSA+SHA256", KEY_RSA, false },
	{ 0x0501, "rsa_pkcs1_sha384", "RSA+SHA384", KEY_RSA, false },
	{ 0x0601, "rsa_pkcs1_sha512", "RSA+SHA512", KEY_RSA, false },
};

const struct tls_signature *tls_signature_at(size_t index)
{
	return index < COUNT(signatures) ? &signatures[index] : NULL;
}

const struct tls_signature *tls_signature_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT(signatures); i++)
		if (strcasecmp(signatures[i].name, name) == 0)
			return &signatures[i];
	return NULL;
}

#define OID(text)                                                                                  \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}
#define EC_PUBLIC_KEY OID("\x2a\x86\x48\xce\x3d\x02\x01")

static const struct {
	struct x509_bytes algorithm, curve; /* curve: empty, where none is asked for */
	enum key_kind kind;
} kinds[] = {
	{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), { NULL, 0 }, KEY_RSA },
	{ EC_PUBLIC_KEY, OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"), KEY_P256 },
	{ EC_PUBLIC_KEY, OID("\x2b\x81\x04\x00\x22"), KEY_P384 },
	{ EC_PUBLIC_KEY, OID("\x2b\x81\x04\x00\x23"), KEY_P521 },
	{ OID("\x2b\x65\x70"), { NULL, 0 }, KEY_ED25519 },
};

enum key_kind key_kind_find(struct x509_bytes spki)
{
	struct der_item outer, algorithm, oid, curve = { 0 };

	if (!der_expect(&spki, DER_SEQUENCE, &outer) ||
		!der_expect(&outer.content, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.content, DER_OID, &oid))
		return KEY_KIND_OTHER;
	der_next(&algorithm.content, &curve);
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (x509_bytes_equal(oid.content, kinds[i].algorithm) &&
			(kinds[i].curve.len == 0 ||
				x509_bytes_equal(curve.content, kinds[i].curve)))
			return kinds[i].kind;
	return KEY_KIND_OTHER;
}

bool key_kind_is_ec(enum key_kind kind)
{
	return kind == KEY_P256 || kind == KEY_P384 || kind == KEY_P521;
}

unsigned key_kind_group(enum key_kind kind)
{
	return kind == KEY_P256 ? 23 : kind == KEY_P384 ? 24 : kind == KEY_P521 ? 25 : 0;
}
