/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server's part: a response out of a file, sent along to whoever asks for as long as it is
 * good. One that is not is worse than none: clients refuse it. */
#include "tls/context_private.h"
#include "tls/der.h"
#include "tls/pem.h"
#include "tls/staple.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RESPONSE_MAX 65000 /* it has to fit into an extension (RFC 8446 4.4.2) */

/* The own certificate and, if it is in the chain, its issuer's key. */
static bool own_subject(const struct tls_context *context, struct ocsp_subject *out)
{
	struct x509_bytes rest = { context->chain, context->chain_len };
	struct der_item item;
	struct x509 own, above;

	if (!der_next(&rest, &item) || x509_parse(item.whole.data, item.whole.len, &own) < 0)
		return false;
	*out = (struct ocsp_subject){ own.serial, { own.issuer, { NULL, 0 }, 0 } };
	while (der_next(&rest, &item))
		if (x509_parse(item.whole.data, item.whole.len, &above) == 0 &&
			x509_bytes_equal(above.subject, own.issuer))
			out->issuer.spki = above.spki;
	return true;
}

static int check(const struct tls_context *context, const struct pem *file, const struct why *why)
{
	struct x509_bytes response = { (const uint8_t *)file->text, file->len };
	struct ocsp_subject subject;

	if (!own_subject(context, &subject))
		return why_say(why, -EINVAL, "there is no certificate for it");
	return ocsp_check(response, &subject, (int64_t)time(NULL), why);
}

static int on_request(WOLFSSL *ssl, void *arg)
{
	const struct tls_context *context = arg;
	char nothing[1];
	struct why why = { nothing, sizeof nothing, NULL };
	unsigned char *copy;

	/* It was good when it was read. */
	if (check(context, &context->response, &why) != 0)
		return WOLFSSL_OCSP_STATUS_CB_NOACK;
	copy = wolfSSL_Malloc(context->response.len);
	if (copy == NULL)
		return WOLFSSL_OCSP_STATUS_CB_NOACK;
	memcpy(copy, context->response.text, context->response.len);
	wolfSSL_set_tlsext_status_ocsp_resp(ssl, copy, (int)context->response.len);
	return WOLFSSL_OCSP_STATUS_CB_OK;
}

static int serve(struct tls_context *context, const struct why *why)
{
	if (wolfSSL_CTX_set_tlsext_status_cb(context->ctx, on_request) == WOLFSSL_SUCCESS &&
		wolfSSL_CTX_set_tlsext_status_arg(context->ctx, context) == WOLFSSL_SUCCESS)
		return 0;
	return why_say(why, -ENOMEM, "%s", why_errno(-ENOMEM));
}

static int load(struct tls_context *context, const char *path, const struct why *why)
{
	struct why warning = { context->warning, sizeof context->warning, NULL };
	struct ocsp_subject subject;
	char sentence[128];
	struct why say = { sentence, sizeof sentence, NULL };
	struct pem file;
	int r = pem_read(path, &file);

	if (r < 0)
		return why_say(
			why, r, "cannot read the OCSP response '%s': %s", path, why_errno(r));
	r = file.len > RESPONSE_MAX ? why_say(&say, -EFBIG, "is too large")
				    : check(context, &file, &say);
	if (r == 0) {
		context->response = file;
		return serve(context, why);
	}
	/* It may be another certificate's. */
	if (!own_subject(context, &subject) ||
		!ocsp_is_of_another(
			(struct x509_bytes){ (const uint8_t *)file.text, file.len }, &subject))
		why_say(&warning, 0, "the OCSP response '%s' is not stapled: it %s", path,
			sentence);
	pem_clear(&file);
	return 0;
}

int staple_context_server(
	struct tls_context *context, const struct policy_list *files, const struct why *why)
{
	int r = 0;

	for (size_t i = 0; i < files->count && r == 0 && context->response.text == NULL; i++)
		r = load(context, files->items[i], why);
	if (context->response.text != NULL)
		context->warning[0] = '\0';
	return r;
}

static bool is_anybodys(const struct tls_context *context, const struct pem *file)
{
	struct x509_bytes response = { (const uint8_t *)file->text, file->len };
	struct ocsp_subject subject;

	for (; context != NULL; context = context->next)
		if (own_subject(context, &subject) && !ocsp_is_of_another(response, &subject))
			return true;
	return false;
}

void staple_warn_of_strangers(struct tls_context *first, const struct policy_list *files)
{
	struct why warning = { first->warning, sizeof first->warning, NULL };
	struct pem file;

	for (size_t i = 0; i < files->count; i++) {
		if (pem_read(files->items[i], &file) < 0)
			continue;
		if (!is_anybodys(first, &file))
			why_say(&warning, 0,
				"the OCSP response '%s' is not stapled: it is not about a "
				"certificate of the rule",
				files->items[i]);
		pem_clear(&file);
	}
}
