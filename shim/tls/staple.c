/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL hands each response over and checks it, but cannot say what is wrong with it; so it is
 * told that all are good, and the verdict is ours. In TLS 1.3 a response comes with its
 * certificate, and before the question what we think of that; in TLS 1.2 in a message of its own,
 * afterwards. wolfSSL asks no responder of its own: for that it would have to be switched on.
 */
#include "tls/staple.h"
#include "tls/alert.h"
#include "tls/handshake_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int check(struct staple *staple, size_t sent, const struct why *why)
{
	char sentence[128];
	struct why say = { sentence, sizeof sentence, NULL };
	int alert = ocsp_check(
		staple->response[sent], &staple->subject[sent], (int64_t)time(NULL), &say);

	if (alert != 0)
		return why_say(why, alert, "the stapled OCSP response %s%s",
			sent > 0 ? "of a CA certificate " : "", sentence);
	staple->good = staple->good || sent == 0;
	return 0;
}

static int on_response(WOLFSSL *ssl, int error, byte *response, word32 len, word32 index, void *arg)
{
	struct tls_handshake *handshake = wolfSSL_GetIOReadCtx(ssl);
	struct staple *staple = &handshake->staple;
	struct why why = { handshake->result.verify, sizeof handshake->result.verify,
		&handshake->result.cause };
	uint8_t *copy;
	int alert;

	(void)error;
	(void)arg;
	if (index >= CHAIN_MAX || staple->response[index].data != NULL)
		return 0;
	copy = malloc(len > 0 ? len : 1);
	if (copy == NULL)
		return MEMORY_E;
	memcpy(copy, response, len);
	staple->response[index].data = copy;
	staple->response[index].len = len;
	if (staple->subject[index].serial.len == 0)
		return 0;
	alert = check(staple, index, &why);
	if (alert == 0)
		return 0;
	handshake_reject(handshake, alert);
	return BAD_CERTIFICATE_STATUS_ERROR;
}

int staple_context_client(struct tls_context *context, const struct why *why)
{
	if (wolfSSL_CTX_EnableOCSPStapling(context->ctx) != WOLFSSL_SUCCESS)
		return why_say(why, -ENOMEM, "%s", why_errno(-ENOMEM));
	wolfSSL_CTX_set_ocsp_status_verify_cb(context->ctx, on_response, NULL);
	return 0;
}

int staple_ask(struct tls_handshake *handshake)
{
	const struct tls_context *context = handshake->context;

	if (context->verify == POLICY_VERIFY_NONE)
		return 0;
	handshake->staple.asked = true;
	handshake->staple.needed = context->must_staple;
	return wolfSSL_UseOCSPStapling(handshake->ssl, WOLFSSL_CSR_OCSP, 0) == WOLFSSL_SUCCESS
		       ? 0
		       : -ENOMEM;
}

static struct x509_bytes keep(uint8_t **to, struct x509_bytes from)
{
	struct x509_bytes kept = { *to, from.len };

	*to = mempcpy(*to, from.data, from.len);
	return kept;
}

/* What the responses are to be about, of the chain that is trusted. */
static int note_subjects(struct staple *staple, const struct chain *chain)
{
	struct issuer issuer;
	size_t len = 0;
	uint8_t *to;

	for (size_t i = 0; i < chain->count; i++)
		if (chain_issuer(chain, i, &issuer))
			len += issuer.name.len + issuer.spki.len + chain->link[i].x509.serial.len;
	free(staple->memory);
	memset(staple->subject, 0, sizeof staple->subject);
	staple->memory = to = malloc(len > 0 ? len : 1);
	if (to == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < chain->count; i++)
		if (chain_issuer(chain, i, &issuer))
			staple->subject[chain->link[i].sent] = (struct ocsp_subject){
				.serial = keep(&to, chain->link[i].x509.serial),
				.issuer = { keep(&to, issuer.name), keep(&to, issuer.spki),
					issuer.usage },
			};
	return 0;
}

int staple_judge(struct tls_handshake *handshake, const struct chain *chain, const struct why *why)
{
	struct staple *staple = &handshake->staple;
	int alert = 0;

	if (!staple->asked)
		return 0;
	staple->needed = staple->needed || chain->link[0].x509.must_staple;
	if (note_subjects(staple, chain) < 0)
		return why_say(why, ALERT_INTERNAL_ERROR, "%s", why_errno(-ENOMEM));
	for (size_t i = 0; i < CHAIN_MAX && alert == 0; i++)
		if (staple->response[i].data != NULL && staple->subject[i].serial.len > 0)
			alert = check(staple, i, why);
	return alert;
}

int staple_end(struct tls_handshake *handshake, const struct why *why)
{
	const struct staple *staple = &handshake->staple;

	/* A session that is resumed was good when it began: there is no certificate in it. */
	if (!staple->needed || staple->good || staple->memory == NULL)
		return 0;
	return why_say(why, ALERT_BAD_STATUS_RESPONSE, "there is no stapled OCSP response, %s",
		handshake->context->must_staple ? "and must_staple asks for one"
						: "and the certificate asks for one");
}

void staple_clear(struct staple *staple)
{
	for (size_t i = 0; i < CHAIN_MAX; i++)
		free((void *)(uintptr_t)staple->response[i].data);
	free(staple->memory);
}
