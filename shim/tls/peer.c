/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/peer.h"
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/hash.h>

static void put_digest(struct x509_bytes der, char *out)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[WC_SHA256_DIGEST_SIZE];

	if (wc_Sha256Hash(der.data, (word32)der.len, digest) != 0)
		return;
	for (size_t i = 0; i < sizeof digest; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[2 * sizeof digest] = '\0';
}

void peer_fill(struct tls_peer *peer, const struct chain_link *certificate)
{
	struct x509_bytes rest = certificate->x509.san, value;
	enum x509_san_type type;

	peer_clear(peer);
	peer->subject = x509_name_text(certificate->x509.subject);
	peer->issuer = x509_name_text(certificate->x509.issuer);
	peer->serial = x509_serial_text(certificate->x509.serial);
	peer->not_after = certificate->x509.not_after;
	put_digest(certificate->der, peer->sha256);
	while (peer->san_count < TLS_SAN_MAX && x509_san_next(&rest, &type, &value)) {
		peer->san[peer->san_count] = x509_san_text(type, value);
		if (peer->san[peer->san_count] == NULL)
			return;
		peer->san_count++;
	}
}

void peer_clear(struct tls_peer *peer)
{
	free(peer->subject);
	free(peer->issuer);
	free(peer->serial);
	for (size_t i = 0; i < peer->san_count; i++)
		free(peer->san[i]);
	memset(peer, 0, sizeof *peer);
}
