/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/peer.h"
#include "tls/x509_digest.h"
#include <stdlib.h>
#include <string.h>

void peer_fill(struct tls_peer *peer, const struct chain_link *certificate)
{
	struct x509_bytes rest = certificate->x509.san, value;
	enum x509_san_type type;

	peer_clear(peer);
	peer->subject = x509_name_text(certificate->x509.subject);
	peer->issuer = x509_name_text(certificate->x509.issuer);
	peer->serial = x509_serial_text(certificate->x509.serial);
	peer->not_after = certificate->x509.not_after;
	x509_digest_text(certificate->der, peer->sha256);
	peer->der = malloc(certificate->der.len);
	if (peer->der != NULL) {
		memcpy(peer->der, certificate->der.data, certificate->der.len);
		peer->der_len = certificate->der.len;
	}
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
	free(peer->der);
	for (size_t i = 0; i < peer->san_count; i++)
		free(peer->san[i]);
	memset(peer, 0, sizeof *peer);
}
