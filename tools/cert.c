/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfCrypt makes and signs; what it has no call for, the list of alternative names, is encoded
 * here. A certificate is handed out only after it has been verified against its issuer, as a peer
 * would.
 */
#include "cert.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#define DER_MAX 8192
#define RSA_BITS 2048
#define NAME_MAX_LEN 253 /* of a DNS name, RFC 1035 2.3.4 */
#define LABEL_MAX_LEN 63

/* GeneralName, RFC 5280 4.2.1.6: context tags. */
enum san_tag { SAN_EMAIL = 0x81, SAN_DNS = 0x82, SAN_IP = 0x87 };

struct cert_key {
	enum cert_key_type type;
	union {
		ecc_key ecc;
		RsaKey rsa;
	} as;
};

/* wolfCrypt's numbers, as far as they mean something to a user. */
static int from_wolf(int r)
{
	if (r >= 0)
		return 0;
	return r == MEMORY_E ? -ENOMEM : -EIO;
}

static int wolf_key_type(const struct cert_key *key)
{
	return key->type == CERT_ECDSA ? ECC_TYPE : RSA_TYPE;
}

static bool is_address(const char *name)
{
	uint8_t address[16];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool is_dns_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	if (strlen(name) > NAME_MAX_LEN)
		return false;
	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	for (;;) {
		size_t len = strspn(name, letters);

		if (len == 0 || len > LABEL_MAX_LEN || name[0] == '-' || name[len - 1] == '-')
			return false;
		if (name[len] == '\0')
			return true;
		if (name[len] != '.')
			return false;
		name += len + 1;
	}
}

static bool is_mail_address(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+.";
	size_t len = strspn(name, letters);

	return len > 0 && strlen(name) <= NAME_MAX_LEN && name[0] != '.' && name[0] != '-' &&
	       name[len] == '@' && name[len + 1] != '*' && is_dns_name(name + len + 1);
}

int cert_name_check(const char *name)
{
	return is_address(name) || is_dns_name(name) || is_mail_address(name) ? 0 : -EINVAL;
}

static struct cert_key *key_alloc(enum cert_key_type type)
{
	struct cert_key *key = calloc(1, sizeof *key);
	int r;

	if (key == NULL)
		return NULL;
	key->type = type;
	r = type == CERT_ECDSA ? wc_ecc_init(&key->as.ecc) : wc_InitRsaKey(&key->as.rsa, NULL);
	if (r != 0) {
		free(key);
		return NULL;
	}
	return key;
}

void cert_key_free(struct cert_key *key)
{
	if (key == NULL)
		return;
	if (key->type == CERT_ECDSA)
		wc_ecc_free(&key->as.ecc);
	else
		wc_FreeRsaKey(&key->as.rsa);
	explicit_bzero(key, sizeof *key);
	free(key);
}

int cert_key_new(enum cert_key_type type, struct cert_key **out)
{
	struct cert_key *key = key_alloc(type);
	WC_RNG rng;
	int r;

	*out = NULL;
	if (key == NULL)
		return -ENOMEM;
	r = wc_InitRng(&rng);
	if (r == 0) {
		r = type == CERT_ECDSA
			    ? wc_ecc_make_key_ex(&rng, 32, &key->as.ecc, ECC_SECP256R1)
			    : wc_MakeRsaKey(&key->as.rsa, RSA_BITS, WC_RSA_EXPONENT, &rng);
		wc_FreeRng(&rng);
	}
	if (r == 0)
		*out = key;
	else
		cert_key_free(key);
	return from_wolf(r);
}

static int key_decode(
	enum cert_key_type type, const uint8_t *der, word32 len, struct cert_key **out)
{
	struct cert_key *key = key_alloc(type);
	word32 at = 0;
	int r;

	if (key == NULL)
		return -ENOMEM;
	r = type == CERT_ECDSA ? wc_EccPrivateKeyDecode(der, &at, &key->as.ecc, len)
			       : wc_RsaPrivateKeyDecode(der, &at, &key->as.rsa, len);
	/* A key file need not hold the public part, which a certificate needs. */
	if (r == 0 && type == CERT_ECDSA && key->as.ecc.type == ECC_PRIVATEKEY_ONLY)
		r = wc_ecc_make_pub(&key->as.ecc, NULL);
	if (r != 0) {
		cert_key_free(key);
		return -EINVAL;
	}
	*out = key;
	return 0;
}

int cert_key_parse(const char *pem, struct cert_key **out)
{
	uint8_t der[DER_MAX];
	int len = wc_KeyPemToDer((const uint8_t *)pem, (int)strlen(pem), der, sizeof der, NULL);
	int r = -EINVAL;

	*out = NULL;
	if (len > 0) {
		r = key_decode(CERT_ECDSA, der, (word32)len, out);
		if (r == -EINVAL)
			r = key_decode(CERT_RSA, der, (word32)len, out);
	}
	explicit_bzero(der, sizeof der);
	return r;
}

static int to_pem(const uint8_t *der, word32 len, int type, char **pem)
{
	int size = wc_DerToPem(der, len, NULL, 0, type);
	int r;

	if (size <= 0)
		return from_wolf(size < 0 ? size : BUFFER_E);
	*pem = calloc(1, (size_t)size + 1);
	if (*pem == NULL)
		return -ENOMEM;
	r = wc_DerToPem(der, len, (uint8_t *)*pem, (word32)size, type);
	if (r < 0) {
		cert_text_free(*pem);
		*pem = NULL;
	}
	return from_wolf(r);
}

void cert_text_free(char *pem)
{
	if (pem != NULL)
		explicit_bzero(pem, strlen(pem));
	free(pem);
}

static int rsa_to_pkcs8(RsaKey *key, uint8_t *out, word32 *len)
{
	uint8_t plain[DER_MAX];
	int n = wc_RsaKeyToDer(key, plain, sizeof plain);

	if (n > 0)
		n = wc_CreatePKCS8Key(out, len, plain, (word32)n, RSAk, NULL, 0);
	explicit_bzero(plain, sizeof plain);
	return n;
}

int cert_key_text(const struct cert_key *key, char **pem)
{
	struct cert_key *k =
		(struct cert_key *)key; /* wolfCrypt has no const for what it only reads */
	uint8_t der[DER_MAX];
	word32 len = sizeof der;
	int r = key->type == CERT_ECDSA ? wc_EccKeyToPKCS8(&k->as.ecc, der, &len)
					: rsa_to_pkcs8(&k->as.rsa, der, &len);

	*pem = NULL;
	r = r < 0 ? from_wolf(r) : to_pem(der, len, PKCS8_PRIVATEKEY_TYPE, pem);
	explicit_bzero(der, sizeof der);
	return r;
}

/* The names that a certificate is good for: SEQUENCE OF GeneralName. All are short, so that one
 * length byte or three do. */
struct san_list {
	uint8_t names[NAME_MAX_LEN + 64];
	size_t len;
};

static void san_add(struct san_list *list, enum san_tag tag, const void *value, size_t len)
{
	list->names[list->len++] = (uint8_t)tag;
	if (len > 127)
		list->names[list->len++] = 0x81;
	list->names[list->len++] = (uint8_t)len;
	memcpy(list->names + list->len, value, len);
	list->len += len;
}

static bool san_add_address(struct san_list *list, const char *text)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, text, address) == 1)
		san_add(list, SAN_IP, address, 4);
	else if (inet_pton(AF_INET6, text, address) == 1)
		san_add(list, SAN_IP, address, 16);
	else
		return false;
	return true;
}

static void set_alternative_names(const char *name, Cert *cert)
{
	struct san_list list = { .len = 0 };
	uint8_t *out = cert->altNames;

	if (!san_add_address(&list, name))
		san_add(&list, strchr(name, '@') != NULL ? SAN_EMAIL : SAN_DNS, name, strlen(name));
	if (strcmp(name, "localhost") == 0) {
		san_add_address(&list, "127.0.0.1");
		san_add_address(&list, "::1");
	}
	*out++ = 0x30;
	if (list.len > 255) {
		*out++ = 0x82;
		*out++ = (uint8_t)(list.len >> 8);
	} else if (list.len > 127) {
		*out++ = 0x81;
	}
	*out++ = (uint8_t)list.len;
	memcpy(out, list.names, list.len);
	cert->altNamesSz = (int)((size_t)(out - cert->altNames) + list.len);
}

static int set_use(const struct cert_request *request, Cert *cert)
{
	int r;

	if (request->use == CERT_CA) {
		cert->isCA = 1;
		cert->basicConstCrit = 1;
		cert->pathLenSet = 1;
		cert->pathLen = 0;
		return wc_SetKeyUsage(cert, "keyCertSign,cRLSign");
	}
	set_alternative_names(request->name, cert);
	/* RSA key exchange is gone, a signature is all that a TLS key is for. */
	r = wc_SetKeyUsage(cert, "digitalSignature");
	if (r == 0)
		r = wc_SetExtKeyUsage(
			cert, request->use == CERT_SERVER ? "serverAuth" : "clientAuth");
	return r;
}

/* Everything of the certificate but its key and its signature. */
static int fill_in(const struct cert_request *request, const struct cert_issuer *issuer, Cert *cert)
{
	uint8_t der[DER_MAX];
	int len, r;

	cert->daysValid = (int)request->days;
	strcpy(cert->subject.org, "seamtls local");
	if (strlen(request->name) <
		sizeof cert->subject
			.commonName) /* RFC 5280: 64 at most; the name is among the others anyway */
		strcpy(cert->subject.commonName, request->name);
	r = set_use(request, cert);
	if (r != 0 || issuer == NULL)
		return from_wolf(r);
	cert->selfSigned = 0;
	len = wc_CertPemToDer(
		(const uint8_t *)issuer->pem, (int)strlen(issuer->pem), der, sizeof der, CERT_TYPE);
	if (len <= 0 || wc_SetIssuerBuffer(cert, der, len) != 0 ||
		wc_SetAuthKeyIdFromCert(cert, der, len) != 0)
		return -EKEYREJECTED;
	return 0;
}

static int sign(Cert *cert, struct cert_key *key, struct cert_key *signer, char **pem)
{
	uint8_t der[DER_MAX];
	WC_RNG rng;
	int r = wc_SetSubjectKeyIdFromPublicKey_ex(cert, wolf_key_type(key), &key->as);

	if (r == 0 && cert->selfSigned)
		r = wc_SetAuthKeyIdFromPublicKey_ex(cert, wolf_key_type(key), &key->as);
	if (r == 0)
		r = wc_InitRng(&rng);
	if (r != 0)
		return from_wolf(r);
	cert->sigType = signer->type == CERT_ECDSA ? CTC_SHA256wECDSA : CTC_SHA256wRSA;
	r = wc_MakeCert_ex(cert, der, sizeof der, wolf_key_type(key), &key->as, &rng);
	if (r >= 0)
		r = wc_SignCert_ex(cert->bodySz, cert->sigType, der, sizeof der,
			wolf_key_type(signer), &signer->as, &rng);
	wc_FreeRng(&rng);
	return r < 0 ? from_wolf(r) : to_pem(der, (word32)r, CERT_TYPE, pem);
}

/* As a peer does it: is `pem` good, if `issuer` is trusted? */
static int verify(const char *pem, const char *issuer)
{
	WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
	int r;

	if (manager == NULL)
		return -ENOMEM;
	/* NOLINTBEGIN(clang-analyzer-core.NonNullParamChecker): sign() has made both */
	r = wolfSSL_CertManagerLoadCABuffer(
		manager, (const uint8_t *)issuer, (long)strlen(issuer), WOLFSSL_FILETYPE_PEM);
	if (r == WOLFSSL_SUCCESS)
		r = wolfSSL_CertManagerVerifyBuffer(
			manager, (const uint8_t *)pem, (long)strlen(pem), WOLFSSL_FILETYPE_PEM);
	/* NOLINTEND(clang-analyzer-core.NonNullParamChecker) */
	wolfSSL_CertManagerFree(manager);
	return r == WOLFSSL_SUCCESS ? 0 : -EKEYREJECTED;
}

int cert_make(const struct cert_request *request, const struct cert_key *key,
	const struct cert_issuer *issuer, char **pem)
{
	struct cert_key *own = (struct cert_key *)key; /* see cert_key_text() */
	Cert *cert = wc_CertNew(NULL);
	int r;

	*pem = NULL;
	if (cert == NULL)
		return -ENOMEM;
	r = fill_in(request, issuer, cert);
	if (r == 0)
		r = sign(cert, own, issuer != NULL ? issuer->key : own, pem);
	wc_CertFree(cert);
	if (r == 0)
		r = verify(*pem, issuer != NULL ? issuer->pem : *pem);
	if (r < 0) {
		cert_text_free(*pem);
		*pem = NULL;
	}
	return r;
}
