/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is refused below is what browsers refuse: hashes with collisions, keys below 112 bits of
 * strength. */
#include "tls/signature.h"
#include "tls/der.h"
#include "tls/proven.h"
#include <wolfssl/wolfcrypt/settings.h>

#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

#define RSA_BITS_MIN 2048
#define EC_BITS_MIN 256
#define RSA_BYTES_MAX 1024 /* a key of 8192 bits; longer ones only take time */

enum scheme { SCHEME_RSA, SCHEME_RSA_PSS, SCHEME_ECDSA, SCHEME_ED25519 };

/* 1.2.840.113549.1.1, .1.2.840.10045.4, and what hashes are called in parameters of PSS. */
#define PKCS1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define ECDSA "\x2a\x86\x48\xce\x3d\x04"
#define NIST_HASH "\x60\x86\x48\x01\x65\x03\x04\x02"

static const struct algorithm {
	const char *oid;
	size_t len;
	enum scheme scheme;
	enum wc_HashType hash;
	const char *weak; /* NULL: it is not */
} algorithms[] = {
	{ PKCS1 "\x02", 9, SCHEME_RSA, WC_HASH_TYPE_NONE, "MD2" },
	{ PKCS1 "\x03", 9, SCHEME_RSA, WC_HASH_TYPE_NONE, "MD4" },
	{ PKCS1 "\x04", 9, SCHEME_RSA, WC_HASH_TYPE_NONE, "MD5" },
	{ PKCS1 "\x05", 9, SCHEME_RSA, WC_HASH_TYPE_NONE, "SHA-1" },
	{ PKCS1 "\x0e", 9, SCHEME_RSA, WC_HASH_TYPE_SHA224, NULL },
	{ PKCS1 "\x0b", 9, SCHEME_RSA, WC_HASH_TYPE_SHA256, NULL },
	{ PKCS1 "\x0c", 9, SCHEME_RSA, WC_HASH_TYPE_SHA384, NULL },
	{ PKCS1 "\x0d", 9, SCHEME_RSA, WC_HASH_TYPE_SHA512, NULL },
	{ PKCS1 "\x0a", 9, SCHEME_RSA_PSS, WC_HASH_TYPE_NONE, NULL },
	{ ECDSA "\x01", 7, SCHEME_ECDSA, WC_HASH_TYPE_NONE, "SHA-1" },
	{ ECDSA "\x03\x01", 8, SCHEME_ECDSA, WC_HASH_TYPE_SHA224, NULL },
	{ ECDSA "\x03\x02", 8, SCHEME_ECDSA, WC_HASH_TYPE_SHA256, NULL },
	{ ECDSA "\x03\x03", 8, SCHEME_ECDSA, WC_HASH_TYPE_SHA384, NULL },
	{ ECDSA "\x03\x04", 8, SCHEME_ECDSA, WC_HASH_TYPE_SHA512, NULL },
	{ "\x2b\x65\x70", 3, SCHEME_ED25519, WC_HASH_TYPE_NONE, NULL },
};

static const struct {
	const char *oid;
	size_t len;
	enum wc_HashType hash;
	int mgf;
} pss_hashes[] = {
	{ NIST_HASH "\x01", 9, WC_HASH_TYPE_SHA256, WC_MGF1SHA256 },
	{ NIST_HASH "\x02", 9, WC_HASH_TYPE_SHA384, WC_MGF1SHA384 },
	{ NIST_HASH "\x03", 9, WC_HASH_TYPE_SHA512, WC_MGF1SHA512 },
};

/* *parameters gets what follows the OID. NULL: not known. */
static const struct algorithm *algorithm_find(
	struct x509_bytes identifier, struct x509_bytes *parameters)
{
	struct der_item sequence, oid;

	if (!der_expect(&identifier, DER_SEQUENCE, &sequence) ||
		!der_expect(&sequence.content, DER_OID, &oid))
		return NULL;
	*parameters = sequence.content;
	for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
		if (der_oid_is(oid.content, algorithms[i].oid, algorithms[i].len))
			return &algorithms[i];
	return NULL;
}

struct pss {
	enum wc_HashType hash;
	int mgf;
	int salt_len;
};

static bool pss_hash(struct x509_bytes identifier, struct pss *out)
{
	struct der_item sequence, oid;

	if (!der_expect(&identifier, DER_SEQUENCE, &sequence) ||
		!der_expect(&sequence.content, DER_OID, &oid))
		return false;
	for (size_t i = 0; i < sizeof pss_hashes / sizeof pss_hashes[0]; i++)
		if (der_oid_is(oid.content, pss_hashes[i].oid, pss_hashes[i].len)) {
			out->hash = pss_hashes[i].hash;
			out->mgf = pss_hashes[i].mgf;
			return true;
		}
	return false;
}

/*
 * RFC 4055 3.1: [0] hash, [1] mask generation, [2] length of the salt, each SHA-1's if it is not
 * there: so the first two have to be. The same hash in both, as everybody has it.
 */
static bool pss_parse(struct x509_bytes parameters, struct pss *out)
{
	struct der_item sequence, hash, mask, inner, oid, salt;
	struct pss mgf;

	if (!der_expect(&parameters, DER_SEQUENCE, &sequence) ||
		!der_expect(&sequence.content, DER_CONTEXT_CONSTRUCTED | 0, &hash) ||
		!pss_hash(hash.content, out) ||
		!der_expect(&sequence.content, DER_CONTEXT_CONSTRUCTED | 1, &mask) ||
		!der_expect(&mask.content, DER_SEQUENCE, &inner) ||
		!der_expect(&inner.content, DER_OID, &oid) || !pss_hash(inner.content, &mgf) ||
		mgf.hash != out->hash)
		return false;
	out->salt_len = 20;
	if (sequence.content.len == 0)
		return true;
	if (!der_expect(&sequence.content, DER_CONTEXT_CONSTRUCTED | 2, &salt) ||
		!der_expect(&salt.content, DER_INTEGER, &inner) || inner.content.len < 1 ||
		inner.content.len > 2)
		return false;
	out->salt_len = inner.content.data[0];
	if (inner.content.len == 2)
		out->salt_len = out->salt_len << 8 | inner.content.data[1];
	return true;
}

static bool rsa_pss_verify(
	const struct x509_signed *proof, struct x509_bytes parameters, RsaKey *key)
{
	uint8_t digest[WC_MAX_DIGEST_SIZE], plain[RSA_BYTES_MAX];
	struct pss pss;
	int len, digest_len, n;

	if (!pss_parse(parameters, &pss))
		return false;
	digest_len = wc_HashGetDigestSize(pss.hash);
	len = wc_RsaEncryptSize(key);
	if (len <= 0 || len > RSA_BYTES_MAX || proof->signature.len != (size_t)len ||
		wc_Hash(pss.hash, proof->content.data, (word32)proof->content.len, digest,
			(word32)digest_len) != 0)
		return false;
	n = wc_RsaPSS_Verify_ex(proof->signature.data, (word32)len, plain, sizeof plain, pss.hash,
		pss.mgf, pss.salt_len, key);
	return n > 0 && wc_RsaPSS_CheckPadding_ex(digest, (word32)digest_len, plain, (word32)n,
				pss.hash, pss.salt_len, 0) == 0;
}

/* Keys are large, and the host program's stacks may be small. */
static bool rsa_verify(const struct x509_signed *proof, const struct algorithm *algorithm,
	struct x509_bytes parameters, struct x509_bytes spki)
{
	RsaKey *key = malloc(sizeof *key);
	word32 at = 0;
	bool ok = false;

	if (key == NULL || wc_InitRsaKey(key, NULL) != 0) {
		free(key);
		return false;
	}
	if (wc_RsaPublicKeyDecode(spki.data, &at, key, (word32)spki.len) == 0) {
		if (algorithm->scheme == SCHEME_RSA_PSS)
			ok = rsa_pss_verify(proof, parameters, key);
		else
			ok = wc_RsaEncryptSize(key) <= RSA_BYTES_MAX &&
			     wc_SignatureVerify(algorithm->hash, WC_SIGNATURE_TYPE_RSA_W_ENC,
				     proof->content.data, (word32)proof->content.len,
				     proof->signature.data, (word32)proof->signature.len, key,
				     sizeof *key) == 0;
	}
	wc_FreeRsaKey(key);
	free(key);
	return ok;
}

static bool ecdsa_verify(
	const struct x509_signed *proof, enum wc_HashType hash, struct x509_bytes spki)
{
	ecc_key *key = wc_ecc_key_new(NULL);
	word32 at = 0;
	bool ok;

	ok = key != NULL && wc_EccPublicKeyDecode(spki.data, &at, key, (word32)spki.len) == 0 &&
	     wc_SignatureVerify(hash, WC_SIGNATURE_TYPE_ECC, proof->content.data,
		     (word32)proof->content.len, proof->signature.data,
		     (word32)proof->signature.len, key, sizeof *key) == 0;
	wc_ecc_key_free(key);
	return ok;
}

static bool ed25519_verify(const struct x509_signed *proof, struct x509_bytes spki)
{
	word32 at = 0;
	int valid = 0;
	bool ok;
	ed25519_key key;

	if (wc_ed25519_init(&key) != 0)
		return false;
	ok = wc_Ed25519PublicKeyDecode(spki.data, &at, &key, (word32)spki.len) == 0 &&
	     wc_ed25519_verify_msg(proof->signature.data, (word32)proof->signature.len,
		     proof->content.data, (word32)proof->content.len, &valid, &key) == 0 &&
	     valid == 1;
	wc_ed25519_free(&key);
	return ok;
}

static bool verify(const struct x509_signed *proof, struct x509_bytes spki)
{
	struct x509_bytes parameters;
	const struct algorithm *algorithm = algorithm_find(proof->algorithm, &parameters);

	if (algorithm == NULL || algorithm->weak != NULL)
		return false;
	switch (algorithm->scheme) {
	case SCHEME_ECDSA:
		return ecdsa_verify(proof, algorithm->hash, spki);
	case SCHEME_ED25519:
		return ed25519_verify(proof, spki);
	default:
		return rsa_verify(proof, algorithm, parameters, spki);
	}
}

bool signature_is_by(const struct x509_signed *proof, struct x509_bytes spki)
{
	uint8_t digest[PROVEN_LEN];
	bool digested = proven_digest(proof, spki, digest);

	if (digested && proven_has(digest))
		return true;
	if (!verify(proof, spki))
		return false;
	if (digested)
		proven_add(digest);
	return true;
}

bool signature_is_strong(struct x509_bytes identifier, const struct why *why)
{
	struct x509_bytes parameters;
	const struct algorithm *algorithm = algorithm_find(identifier, &parameters);
	struct pss pss;

	if (algorithm == NULL ||
		(algorithm->scheme == SCHEME_RSA_PSS && !pss_parse(parameters, &pss)))
		return why_say(why, false, "is signed with an algorithm that is not supported");
	if (algorithm->weak != NULL)
		return why_say(why, false,
			"is signed with %s, of which collisions can be made: SHA-256 or better is "
			"needed",
			algorithm->weak);
	return true;
}

/* The bits of an RSA or elliptic-curve key; 0: another kind. */
static int key_bits(struct x509_bytes spki, bool *rsa)
{
	const byte *modulus, *exponent;
	word32 at = 0, modulus_len = 0, exponent_len;
	ecc_key *key;
	int bits = 0;

	*rsa = wc_RsaPublicKeyDecode_ex(spki.data, &at, (word32)spki.len, &modulus, &modulus_len,
		       &exponent, &exponent_len) == 0;
	if (*rsa)
		return (int)modulus_len * 8;
	key = wc_ecc_key_new(NULL);
	at = 0;
	if (key != NULL && wc_EccPublicKeyDecode(spki.data, &at, key, (word32)spki.len) == 0)
		bits = wc_ecc_size(key) * 8;
	wc_ecc_key_free(key);
	return bits;
}

bool signature_key_is_strong(struct x509_bytes spki, const struct why *why)
{
	bool rsa;
	int bits = key_bits(spki, &rsa);

	if (bits == 0 || bits >= (rsa ? RSA_BITS_MIN : EC_BITS_MIN))
		return true;
	return why_say(why, false, "is not acceptable: its %s key has only %d bits: %d are needed",
		rsa ? "RSA" : "elliptic-curve", bits, rsa ? RSA_BITS_MIN : EC_BITS_MIN);
}
