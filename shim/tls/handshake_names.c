/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a handshake says and hears of names: the server's (RFC 6066 3) and the application
 * protocol's (RFC 7301). */
#include "tls/handshake_private.h"
#include "tls/name.h"
#include <errno.h>
#include <string.h>

/* `list` is comma-separated. */
static bool list_has(const char *list, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	for (const char *end, *at = list; at < list + len; at = end + 1) {
		end = memchr(at, ',', (size_t)(list + len - at));
		if (end == NULL)
			end = list + len;
		if ((size_t)(end - at) == name_len && memcmp(at, name, name_len) == 0)
			return true;
	}
	return false;
}

static int use_alpn(struct tls_handshake *handshake, const char *name)
{
	/* wolfSSL takes a char * and does not write to it. */
	return wolfSSL_UseALPN(handshake->ssl, (char *)(uintptr_t)name, (word32)strlen(name),
		       WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS
		       ? 0
		       : -ENOMEM;
}

/*
 * RFC 7301 3.2: the server chooses. wolfSSL would take the client's order, so it is told of one
 * name only: our first that the client has too. If there is none, of one that does not match: it
 * then refuses with no_application_protocol.
 */
int handshake_on_client_hello(WOLFSSL *ssl, int *alert, void *arg)
{
	struct tls_handshake *handshake = wolfSSL_GetIOReadCtx(ssl);
	const struct tls_context *context = handshake->context;
	const char *choice = context->alpn_count > 0 ? context->alpn[0] : NULL;
	char *list = NULL;
	word16 len = 0;

	(void)alert;
	(void)arg;
	/* After a HelloRetryRequest it is set already. */
	if (choice == NULL || handshake->result.alpn[0] != '\0' ||
		wolfSSL_ALPN_GetPeerProtocol(ssl, &list, &len) != WOLFSSL_SUCCESS)
		return 0;
	for (size_t i = 0; i < context->alpn_count; i++)
		if (list_has(list, len, context->alpn[i])) {
			choice = context->alpn[i];
			break;
		}
	wolfSSL_ALPN_FreePeerProtocol(ssl, &list);
	strcpy(handshake->result.alpn, choice);
	return use_alpn(handshake, choice) == 0 ? 0 : fatal_return;
}

int handshake_send_name(struct tls_handshake *handshake, const char *name)
{
	uint8_t address[16];
	size_t len;

	if (name == NULL || name_parse_address(name, address) > 0 || !name_is_host(name))
		return 0;
	/* RFC 6066 3: without the dot of an absolute name. */
	len = strlen(name);
	len -= name[len - 1] == '.';
	memcpy(handshake->result.server_name, name, len);
	handshake->result.server_name[len] = '\0';
	return wolfSSL_UseSNI(handshake->ssl, WOLFSSL_SNI_HOST_NAME, name, (unsigned short)len) ==
			       WOLFSSL_SUCCESS
		       ? 0
		       : -ENOMEM;
}

static int set_server_name(struct tls_handshake *handshake, const char *name)
{
	const struct tls_context *context = handshake->context;
	struct why why = { handshake->result.reason, sizeof handshake->result.reason,
		&handshake->result.cause };

	if (context->server_name != NULL)
		name = context->server_name;
	if (context->verify == POLICY_VERIFY_FULL) {
		if (name == NULL || name[0] == '\0') {
			why_because(&why, CAUSE_NAME);
			return why_say(&why, -EKEYREJECTED,
				"no name is known to verify the peer's certificate against: set "
				"server_name in the rule");
		}
		handshake->name = strdup(name);
		if (handshake->name == NULL)
			return -ENOMEM;
	}
	return handshake_send_name(handshake, name);
}

int handshake_set_names(struct tls_handshake *handshake, const char *name)
{
	int r = set_server_name(handshake, name);

	/* wolfSSL puts the names of each call before the ones it has. */
	for (size_t i = handshake->context->alpn_count; i > 0 && r == 0; i--)
		r = use_alpn(handshake, handshake->context->alpn[i - 1]);
	return r;
}

void handshake_note_names(struct tls_handshake *handshake)
{
	struct tls_result *result = &handshake->result;
	char *alpn = NULL;
	void *name = NULL;
	word16 len = 0;

	result->alpn[0] = '\0';
	if (wolfSSL_ALPN_GetProtocol(handshake->ssl, &alpn, &len) == WOLFSSL_SUCCESS &&
		len < sizeof result->alpn) {
		memcpy(result->alpn, alpn, len);
		result->alpn[len] = '\0';
	}
	if (handshake->context->role == TLS_CLIENT)
		return;
	len = wolfSSL_SNI_GetRequest(handshake->ssl, WOLFSSL_SNI_HOST_NAME, &name);
	if (len == 0 || len >= sizeof result->server_name)
		return;
	memcpy(result->server_name, name, len);
	result->server_name[len] = '\0';
	/* It is the client's word: what is no host name is not repeated. */
	if (!name_is_host(result->server_name))
		result->server_name[0] = '\0';
}
