/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL hands over what it wants to find again, and room behind it, where we put what it does not
 * know: since when the client is authenticated, and by which certificates. Each ticket has a key of
 * its own, drawn from the ticket key and 16 random bytes, so that no number of tickets wears a key
 * out that hosts share. The rule goes in as associated data: a ticket of another does not open.
 * wolfSSL itself holds the server name, ALPN and cipher suite against the ticket's.
 */
#include "tls/ticket.h"
#include "tls/handshake_private.h"
#include "tls/suite.h"
#include "tls/ticket_key.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <wolfssl/internal.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/kdf.h>

#define TAG_LEN 16
#define EXTRA_VERSION 1
#define TICKETS_LEN_MOST 12288 /* with the first data they have to fit a flight */

enum { EXTRA_PEER = 1, EXTRA_UNUSABLE = 2 };

/* The end of a ticket's text. Before it the client's certificates, before that wolfSSL's part. */
struct extra {
	uint8_t version, flags;
	uint8_t since[8]; /* of the full handshake, seconds since the epoch */
	uint8_t peer_len[2];
};

struct ticket_cipher {
	uint8_t key[32], nonce[12];
};

static void put_be(uint8_t *at, size_t len, uint64_t value)
{
	while (len > 0) {
		at[--len] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t get_be(const uint8_t *at, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[i];
	return value;
}

static int cipher_draw(const struct ticket_key *key, const uint8_t *salt, struct ticket_cipher *out)
{
	static const char info[] = "seamtls ticket";

	return wc_HKDF(WC_SHA256, key->secret, sizeof key->secret, salt, WOLFSSL_TICKET_IV_SZ,
		(const byte *)info, sizeof info - 1, (byte *)out, sizeof *out);
}

static int ticket_crypt(const struct tls_context *context, const struct ticket_key *key,
	const uint8_t *salt, bool seal, uint8_t *text, int len, uint8_t *tag)
{
	const uint8_t *aad = context->binding;
	struct ticket_cipher cipher;
	Aes aes;
	int r = cipher_draw(key, salt, &cipher);

	if (r == 0)
		r = wc_AesInit(&aes, NULL, INVALID_DEVID);
	if (r == 0) {
		r = wc_AesGcmSetKey(&aes, cipher.key, sizeof cipher.key);
		if (r == 0 && seal)
			r = wc_AesGcmEncrypt(&aes, text, text, (word32)len, cipher.nonce,
				sizeof cipher.nonce, tag, TAG_LEN, aad, BINDING_LEN);
		else if (r == 0)
			r = wc_AesGcmDecrypt(&aes, text, text, (word32)len, cipher.nonce,
				sizeof cipher.nonce, tag, TAG_LEN, aad, BINDING_LEN);
		wc_AesFree(&aes);
		explicit_bzero(&aes, sizeof aes);
	}
	explicit_bzero(&cipher, sizeof cipher);
	return r;
}

/* What there is no room for makes a ticket that is good for nothing: the client then does the whole
 * handshake, as it would without. The length with wolfSSL's part, or -ENOSPC. */
static int extra_put(const struct tls_handshake *handshake, uint8_t *text, int len, int room)
{
	const struct session_peer *peer = &handshake->peer;
	struct extra extra = { .version = EXTRA_VERSION };
	int64_t since = handshake->since_s != 0 ? handshake->since_s : (int64_t)time(NULL);
	size_t left = (size_t)(room - len);

	if (left < sizeof extra)
		return -ENOSPC;
	put_be(extra.since, sizeof extra.since, (uint64_t)since);
	if (peer->bytes != NULL && peer->len > left - sizeof extra) {
		extra.flags = EXTRA_UNUSABLE;
	} else if (peer->bytes != NULL) {
		extra.flags = EXTRA_PEER;
		put_be(extra.peer_len, sizeof extra.peer_len, peer->len);
		memcpy(text + len, peer->bytes, peer->len);
		len += (int)peer->len;
	}
	memcpy(text + len, &extra, sizeof extra);
	return len + (int)sizeof extra;
}

/* The length of wolfSSL's part; 0: the ticket does not say what is needed now. */
static int extra_take(struct tls_handshake *handshake, const uint8_t *text, size_t len)
{
	const struct tls_context *context = handshake->context;
	int64_t now = (int64_t)time(NULL), since;
	struct extra extra;
	size_t peer_len;

	if (len < sizeof extra)
		return 0;
	len -= sizeof extra;
	memcpy(&extra, text + len, sizeof extra);
	since = (int64_t)get_be(extra.since, sizeof extra.since);
	peer_len = (size_t)get_be(extra.peer_len, sizeof extra.peer_len);
	/* Another host's clock may be ahead a little. */
	if (extra.version != EXTRA_VERSION || (extra.flags & EXTRA_UNUSABLE) != 0 ||
		peer_len >= len || since <= now - TICKET_LIFETIME_S ||
		since > now + TICKET_LIFETIME_S)
		return 0;
	len -= peer_len;
	session_peer_clear(&handshake->peer);
	if ((extra.flags & EXTRA_PEER) == 0 && context->client_auth == POLICY_CLIENT_REQUIRED)
		return 0;
	if ((extra.flags & EXTRA_PEER) != 0 &&
		(!session_peer_set(&handshake->peer, text + len, peer_len) ||
			!session_peer_is_good(handshake, &handshake->peer)))
		return 0;
	handshake->since_s = since;
	return (int)len;
}

static int seal(struct tls_handshake *handshake, uint8_t *name, uint8_t *salt, uint8_t *mac,
	uint8_t *text, int len, int *room)
{
	const struct tls_context *context = handshake->context;
	struct ticket_key key;
	int r = ticket_key_newest(context->ticket_file, &key);

	if (r == 0 && getrandom(salt, WOLFSSL_TICKET_IV_SZ, 0) != WOLFSSL_TICKET_IV_SZ)
		r = -EIO;
	if (r == 0) {
		memset(mac, 0, WOLFSSL_TICKET_MAC_SZ);
		memcpy(name, key.name, sizeof key.name);
		len = extra_put(handshake, text, len, *room);
		r = len < 0 ? len : ticket_crypt(context, &key, salt, true, text, len, mac);
		*room = len;
	}
	explicit_bzero(&key, sizeof key);
	return r == 0 ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_FATAL;
}

/* Of several tickets only the first that opens is looked at, so that it is known whose identity is
 * used; again, after a HelloRetryRequest. */
static bool may_open(struct tls_handshake *handshake, const uint8_t *salt)
{
	if (!handshake->ticket_opened)
		return true;
	return memcmp(handshake->ticket_salt, salt, sizeof handshake->ticket_salt) == 0;
}

static int unseal(struct tls_handshake *handshake, const uint8_t *name, const uint8_t *salt,
	uint8_t *mac, uint8_t *text, int len, int *text_len)
{
	const struct tls_context *context = handshake->context;
	struct ticket_key key;
	bool newest = true;
	int r;

	if (!may_open(handshake, salt) ||
		ticket_key_find(context->ticket_file, name, &key, &newest) < 0)
		return WOLFSSL_TICKET_RET_REJECT;
	r = ticket_crypt(context, &key, salt, false, text, len, mac);
	explicit_bzero(&key, sizeof key);
	if (r == 0)
		*text_len = extra_take(handshake, text, (size_t)len);
	if (r != 0 || *text_len == 0)
		return WOLFSSL_TICKET_RET_REJECT;
	handshake->ticket_opened = true;
	memcpy(handshake->ticket_salt, salt, sizeof handshake->ticket_salt);
	/* TLS 1.3 always gets new ones, and takes this for a refusal. */
	return newest || wolfSSL_version(handshake->ssl) == RECORD_TLS13
		       ? WOLFSSL_TICKET_RET_OK
		       : WOLFSSL_TICKET_RET_CREATE;
}

static int on_ticket(WOLFSSL *ssl, unsigned char *name, unsigned char *salt, unsigned char *mac,
	int seals, unsigned char *text, int len, int *text_len, void *arg)
{
	struct tls_handshake *handshake = wolfSSL_GetIOReadCtx(ssl);

	(void)arg;
	return seals ? seal(handshake, name, salt, mac, text, len, text_len)
		     : unseal(handshake, name, salt, mac, text, len, text_len);
}

int ticket_set(struct tls_context *context, const struct tls_settings *settings, bool tls13,
	const struct why *why)
{
	WOLFSSL_CTX *ctx = context->ctx;
	bool on = settings->resumption && settings->tickets > 0;
	int r;

	if (!on) {
		wolfSSL_CTX_NoTicketTLSv12(ctx);
		if (tls13)
			wolfSSL_CTX_no_ticket_TLSv13(ctx);
		return 0;
	}
	r = settings->ticket_keys != NULL
		    ? ticket_file_open(settings->ticket_keys, &context->ticket_file, why)
		    : ticket_ring_prepare();
	if (r < 0)
		return r;
	context->resumes = true;
	wolfSSL_CTX_set_TicketEncCb(ctx, on_ticket);
	/* TLS 1.2: else a client whose ticket is refused gets no other. */
	wolfSSL_CTX_UseSessionTicket(ctx);
	wolfSSL_CTX_set_timeout(ctx, TICKET_LIFETIME_S);
	wolfSSL_CTX_set_TicketHint(ctx, TICKET_LIFETIME_S);
	wolfSSL_CTX_set_num_tickets(ctx, settings->tickets);
	return 0;
}

void ticket_before_read(struct tls_handshake *handshake)
{
	WOLFSSL *ssl = handshake->ssl;

	if (handshake->secrets[SECRET_SERVER_TRAFFIC].len > 0)
		ssl->session->ticketNonce.len = 0;
	if (ssl->options.serverState == SERVER_HELLO_RETRY_REQUEST_COMPLETE)
		TLSX_Remove(&ssl->extensions, TLSX_PRE_SHARED_KEY, ssl->heap);
}

/* One record of what is to be sent, opened into handshake->tickets. Its length, or -errno. */
static ssize_t keep_record(
	struct tls_handshake *handshake, struct record_key *key, const uint8_t *at, size_t len)
{
	struct record_header header;
	enum record_type type;
	size_t whole;
	ssize_t n;

	if (record_parse_header(key, at, len, &header) < 0)
		return -EPROTO;
	whole = RECORD_HEADER_LEN + (size_t)header.length;
	if (whole > len)
		return -EPROTO;
	n = record_open(key, at, whole, handshake->tickets + handshake->tickets_len, &type);
	if (n < 0 || type != RECORD_HANDSHAKE)
		return -EPROTO;
	if (handshake->tickets_len + (size_t)n <= TICKETS_LEN_MOST)
		handshake->tickets_len += (size_t)n;
	return (ssize_t)whole;
}

int ticket_keep_back(struct tls_handshake *handshake)
{
	const struct tls_suite *suite =
		tls_suite_by_id((unsigned)wolfSSL_get_current_cipher_suite(handshake->ssl));
	const struct tls_secret *secret = &handshake->secrets[SECRET_SERVER_TRAFFIC];
	struct wire *wire = &handshake->wire;
	size_t len = wire->out_end - wire->out_start;
	struct record_key key = { 0 };
	int r = 0;

	if (suite == NULL || suite->version != RECORD_TLS13 || len == 0)
		return 0;
	handshake->tickets = malloc(len);
	if (handshake->tickets == NULL) {
		/* The alert that follows has their sequence number. */
		wire->out_start = wire->out_end = 0;
		return -ENOMEM;
	}
	r = record_key_from_secret(&key, suite->aead, secret->bytes, secret->len);
	for (size_t at = 0; at < len && r >= 0;) {
		ssize_t n =
			keep_record(handshake, &key, wire->out + wire->out_start + at, len - at);

		r = n < 0 ? (int)n : 0;
		at += n > 0 ? (size_t)n : 0;
	}
	record_key_clear(&key);
	wire->out_start = wire->out_end = 0;
	return r;
}

bool ticket_identify(struct tls_handshake *handshake)
{
	if (!handshake->ticket_opened)
		return false;
	return handshake->peer.bytes == NULL || session_peer_tell(handshake);
}
