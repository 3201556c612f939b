/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/found.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct found {
	struct {
		uint32_t at, len;
	} item[FOUND_COUNT];
	uint8_t bytes[];
};

/* Fills, or only measures. */
struct packer {
	struct found *found; /* NULL: measures */
	size_t used;
};

static void put(struct packer *packer, enum found_item item, const void *data, size_t len)
{
	if (packer->found != NULL && len > 0) {
		if (packer->found->item[item].len == 0)
			packer->found->item[item].at = (uint32_t)packer->used;
		packer->found->item[item].len += (uint32_t)len;
		memcpy(packer->found->bytes + packer->used, data, len);
	}
	packer->used += len;
}

static void put_text(struct packer *packer, enum found_item item, const char *text)
{
	if (text != NULL && text[0] != '\0')
		put(packer, item, text, strlen(text) + 1);
}

static void pack_peer(struct packer *packer, const struct tls_peer *peer)
{
	put_text(packer, FOUND_PEER_SUBJECT, peer->subject);
	put_text(packer, FOUND_PEER_ISSUER, peer->issuer);
	put_text(packer, FOUND_PEER_SERIAL, peer->serial);
	put_text(packer, FOUND_PEER_SHA256, peer->sha256);
	for (size_t i = 0; i < peer->san_count; i++)
		put_text(packer, FOUND_PEER_SAN, peer->san[i]);
	put(packer, FOUND_PEER_CERTIFICATE, peer->der, peer->der_len);
}

static void pack(struct packer *packer, const struct tls_result *result, const char *reason)
{
	put_text(packer, FOUND_REASON, reason);
	if (result == NULL)
		return;
	put_text(packer, FOUND_SERVER_NAME, result->server_name);
	put_text(packer, FOUND_ALPN, result->alpn);
	put_text(packer, FOUND_CIPHER, result->cipher);
	put_text(packer, FOUND_GROUP, result->group);
	put_text(packer, FOUND_VERIFY, result->verify);
	pack_peer(packer, &result->peer);
}

struct found *found_new(const struct tls_result *result, const char *reason)
{
	struct packer packer = { 0 };

	pack(&packer, result, reason);
	packer.found = calloc(1, sizeof(*packer.found) + packer.used);
	if (packer.found == NULL)
		return NULL;
	packer.used = 0;
	pack(&packer, result, reason);
	return packer.found;
}

const void *found_get(const struct found *found, enum found_item item, size_t *len)
{
	*len = found->item[item].len;
	return found->bytes + found->item[item].at;
}
