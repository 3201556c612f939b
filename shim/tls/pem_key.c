/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Private keys in PEM: as they are, in PKCS#8, encrypted in PKCS#8 (RFC 5958, RFC 8018), or
 * encrypted in the way that came before it (RFC 1421). */
#include "tls/credential.h"
#include "tls/der.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/des3.h>
#include <wolfssl/wolfcrypt/wc_encrypt.h>

static int refuse_form(const char *path, const struct why *why)
{
	return why_say(why, -ENOTSUP,
		"the key '%s' is encrypted in a way that is not supported: encrypt it again with "
		"openssl pkcs8 -topk8 -v2 aes256",
		path);
}

static int refuse_password(const char *path, const struct password *password, const struct why *why)
{
	if (password->file == NULL)
		return why_say(why, -EKEYREJECTED,
			"the key '%s' is encrypted: set password_file, or store it without a "
			"password",
			path);
	return why_say(why, -EKEYREJECTED, "the password in '%s' is not that of the key '%s'",
		password->file, path);
}

/* What is between `begin` and the last line, decoded. */
static int decode(struct credential *out, const struct pem_block *block, const char *begin)
{
	size_t rest = begin != NULL ? block->len - (size_t)(begin - block->text) : 0;
	const char *end = begin != NULL ? memmem(begin, rest, "-----END ", 9) : NULL;
	word32 len = (word32)out->key_len;

	begin = end != NULL ? begin + strspn(begin, "\r\n") : NULL;
	if (end == NULL || begin > end ||
		Base64_Decode((const byte *)begin, (word32)(end - begin), out->key, &len) != 0)
		return -EKEYREJECTED;
	out->key_len = len;
	return 0;
}

/* What wolfSSL does not tell from a wrong password. */
static bool has_other_form(const struct credential *key)
{
	static const char *const forms[] = {
		"\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x08",     /* PBKDF2 with HMAC and SHA-224 */
		"\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x0a",     /* SHA-384 */
		"\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x0b",     /* SHA-512 */
		"\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x04\x0b", /* scrypt */
		"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x16", /* AES-192-CBC */
	};

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (memmem(key->key, key->key_len, forms[i], strlen(forms[i])) != NULL)
			return true;
	return false;
}

/* What a wrong password makes has good padding once in 256 times: a key begins with a version, in
 * whichever form it is (RFC 5208, RFC 8017, RFC 5915). */
static bool is_key(const uint8_t *data, size_t len)
{
	struct x509_bytes opened = { data, len };
	struct der_item key, version;

	return der_expect(&opened, DER_SEQUENCE, &key) &&
	       der_expect(&key.content, DER_INTEGER, &version) && version.content.len == 1;
}

static int decrypt_pkcs8(struct credential *out, const char *path, const struct pem_block *block,
	const struct password *password, const struct why *why)
{
	const char *begin = memchr(block->text, '\n', block->len);
	bool other;
	int r;

	if (decode(out, block, begin) < 0)
		return why_say(why, -EKEYREJECTED, "the key '%s' cannot be parsed", path);
	other = has_other_form(out);
	r = wc_DecryptPKCS8Key(
		out->key, (word32)out->key_len, password->text, (int)strlen(password->text));
	if (r <= 0 && (other || r == ALGO_ID_E || r == ASN_UNKNOWN_OID_E || r == NOT_COMPILED_IN))
		return refuse_form(path, why);
	if (r <= 0 || !is_key(out->key, (size_t)r))
		return refuse_password(path, password, why);
	explicit_bzero(out->key + r, out->key_len - (size_t)r);
	out->key_len = (size_t)r;
	return 0;
}

/* RFC 1423 1.1, and AES since. */
static const struct {
	const char *name;
	int cipher;
	unsigned key_len, iv_len;
} ciphers[] = {
	{ "AES-128-CBC,", WC_CIPHER_AES_CBC, 16, 16 },
	{ "AES-192-CBC,", WC_CIPHER_AES_CBC, 24, 16 },
	{ "AES-256-CBC,", WC_CIPHER_AES_CBC, 32, 16 },
	{ "DES-EDE3-CBC,", WC_CIPHER_DES3, 24, 8 },
};

/* The cipher and its IV in hex, as the headers have them; where they end is *rest. */
static bool read_headers(
	const struct pem_block *block, EncryptedInfo *info, size_t *pad, const char **rest)
{
	const char *at = memmem(block->text, block->len, "DEK-Info: ", 10);

	if (at == NULL)
		return false;
	at += strlen("DEK-Info: ");
	for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
		size_t len = strlen(ciphers[i].name), hex = (size_t)2 * ciphers[i].iv_len;

		/* The block ends in a NUL somewhere behind it. */
		if (strncmp(at, ciphers[i].name, len) != 0 ||
			strspn(at + len, "0123456789abcdefABCDEF") != hex)
			continue;
		info->cipherType = ciphers[i].cipher;
		info->keySz = ciphers[i].key_len;
		info->ivSz = (word32)hex;
		memcpy(info->iv, at + len, hex);
		*pad = ciphers[i].iv_len;
		*rest = at + len + hex;
		return true;
	}
	return false;
}

/* Without the padding, which a wrong password makes nonsense of. */
static bool strip(struct credential *out, size_t block_len)
{
	size_t pad = out->key_len > 0 ? out->key[out->key_len - 1] : 0;

	if (pad == 0 || pad > block_len || pad >= out->key_len)
		return false;
	for (size_t i = 1; i <= pad; i++)
		if (out->key[out->key_len - i] != pad)
			return false;
	out->key_len -= pad;
	return is_key(out->key, out->key_len);
}

static int decrypt_traditional(struct credential *out, const char *path,
	const struct pem_block *block, const struct password *password, const struct why *why)
{
	EncryptedInfo info = { 0 };
	const char *rest = NULL;
	size_t pad = 0;
	bool ok;

	if (!read_headers(block, &info, &pad, &rest))
		return refuse_form(path, why);
	if (decode(out, block, rest) < 0 || out->key_len % pad != 0)
		return why_say(why, -EKEYREJECTED, "the key '%s' cannot be parsed", path);
	ok = wc_BufferKeyDecrypt(&info, out->key, (word32)out->key_len,
		     (const byte *)password->text, (int)strlen(password->text), WC_MD5) == 0 &&
	     strip(out, pad);
	explicit_bzero(&info, sizeof info);
	return ok ? 0 : refuse_password(path, password, why);
}

static int take(struct credential *out, const char *path, const struct pem_block *block,
	const struct why *why)
{
	int r = wc_KeyPemToDer((const unsigned char *)block->text, (int)block->len, out->key,
		(int)block->len, NULL);

	if (r <= 0)
		return why_say(why, -EKEYREJECTED, "the key '%s' cannot be used: %s", path,
			wolfSSL_ERR_reason_error_string((unsigned long)r));
	out->key_len = (size_t)r;
	return 0;
}

int pem_key_read(struct credential *out, const char *path, const struct pem_block *block,
	const struct password *password, const struct why *why)
{
	bool pkcs8;

	/* DER is shorter than the PEM that it was. */
	out->key = calloc(1, block->len);
	if (out->key == NULL)
		return -ENOMEM;
	out->key_len = block->len;
	pkcs8 = strcmp(block->label, "ENCRYPTED PRIVATE KEY") == 0;
	if (!pkcs8 && memmem(block->text, block->len, "Proc-Type: 4,ENCRYPTED", 22) == NULL)
		return take(out, path, block, why);
	if (password->file == NULL)
		return refuse_password(path, password, why);
	return pkcs8 ? decrypt_pkcs8(out, path, block, password, why)
		     : decrypt_traditional(out, path, block, password, why);
}
