/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfCrypt's curve25519.c, which refuses a peer's public key whose top bit is set, and so half of the keys of a peer that draws 32
 * random bytes. RFC 7748 5 wants the bit ignored: it is cleared in what is checked and in what is imported.
 */
#define wc_curve25519_check_public check_masked
#define wc_curve25519_import_public_ex import_masked
#include "wolfcrypt/src/curve25519.c"
#undef wc_curve25519_check_public
#undef wc_curve25519_import_public_ex

int wc_curve25519_check_public(const byte *pub, word32 pubSz, int endian);
int wc_curve25519_import_public_ex(const byte *in, word32 inLen, curve25519_key *key, int endian);

/* Gives `key` itself if it is none of 32 bytes: that is for the caller's function to refuse. */
static const byte *masked(const byte *key, word32 len, int endian, byte out[CURVE25519_KEYSIZE])
{
	if (key == NULL || len != CURVE25519_KEYSIZE)
		return key;
	memcpy(out, key, CURVE25519_KEYSIZE);
	out[endian == EC25519_LITTLE_ENDIAN ? CURVE25519_KEYSIZE - 1 : 0] &= 0x7f;
	return out;
}

int wc_curve25519_check_public(const byte *pub, word32 pubSz, int endian)
{
	byte out[CURVE25519_KEYSIZE];

	return check_masked(masked(pub, pubSz, endian, out), pubSz, endian);
}

int wc_curve25519_import_public_ex(const byte *in, word32 inLen, curve25519_key *key, int endian)
{
	byte out[CURVE25519_KEYSIZE];

	return import_masked(masked(in, inLen, endian, out), inLen, key, endian);
}
