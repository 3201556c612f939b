/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings into a WOLFSSL_CTX, everything checked here, so that a handshake fails for the peer's
 * reasons only. */
#include "tls/context.h"
#include "tls/context_private.h"
#include "tls/handshake_private.h"
#include "tls/keylog.h"
#include "tls/rsa.h"
#include "tls/session.h"
#include "tls/staple.h"
#include "tls/suite.h"
#include "tls/verify.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CIPHER_LIST_MAX 512
#define SIGNATURE_LIST_MAX 256 /* all that there are */
#define ALPN_NAME_MAX 255      /* RFC 7301 3.1 */
#define ALPN_COUNT_MAX 32

/* Declared by a wolfSSL with OPENSSL_EXTRA only; see subprojects/packagefiles. */
int wolfSSL_CTX_set1_sigalgs_list(WOLFSSL_CTX *ctx, const char *list);

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_result;

static void init_library(void)
{
	init_result = wolfSSL_Init();
	rsa_choose(rsa_ifma());
}

/* Versions narrowed to those that the list of ciphers has a suite for. */
static int versions_find(
	const struct tls_settings *settings, bool *tls12, bool *tls13, const struct why *why)
{
	bool has12 = settings->ciphers.count == 0, has13 = has12;

	for (size_t i = 0; i < settings->ciphers.count; i++) {
		const struct tls_suite *suite = tls_suite_by_name(settings->ciphers.items[i]);

		if (suite == NULL)
			return why_say(why, -EINVAL, "the cipher '%s' is unknown or not supported",
				settings->ciphers.items[i]);
		*(suite->version == RECORD_TLS13 ? &has13 : &has12) = true;
	}
	*tls12 = has12 && settings->min_version <= POLICY_TLS12 &&
		 settings->max_version >= POLICY_TLS12;
	*tls13 = has13 && settings->min_version <= POLICY_TLS13 &&
		 settings->max_version >= POLICY_TLS13;
	if (*tls12 || *tls13)
		return 0;
	return why_say(
		why, -EINVAL, "no TLS version is left by min_version, max_version and ciphers");
}

static WOLFSSL_METHOD *method_new(enum tls_role role, bool tls12, bool tls13)
{
	if (tls12 && tls13)
		return role == TLS_CLIENT ? wolfSSLv23_client_method() : wolfSSLv23_server_method();
	if (tls13)
		return role == TLS_CLIENT ? wolfTLSv1_3_client_method()
					  : wolfTLSv1_3_server_method();
	return role == TLS_CLIENT ? wolfTLSv1_2_client_method() : wolfTLSv1_2_server_method();
}

static void list_add(char *list, const char *item)
{
	if (list[0] != '\0')
		strcat(list, ":");
	strcat(list, item);
}

/* The policy's order, or our own; of the versions that are on. Each suite once, so that the list is
 * bounded. */
static int ciphers_set(struct tls_context *context, const struct tls_settings *settings, bool tls12,
	bool tls13, const struct why *why)
{
	char list[CIPHER_LIST_MAX] = "";
	const struct tls_suite *suite;
	size_t own = settings->ciphers.count;

	for (size_t i = 0; own > 0 ? i < own : tls_suite_at(i) != NULL; i++) {
		suite = own > 0 ? tls_suite_by_name(settings->ciphers.items[i]) : tls_suite_at(i);
		if (suite == NULL || !(suite->version == RECORD_TLS13 ? tls13 : tls12) ||
			strstr(list, suite->wolfssl) != NULL)
			continue;
		list_add(list, suite->wolfssl);
		context->suites |= 1u << (suite - tls_suite_at(0));
	}
	if (wolfSSL_CTX_set_cipher_list(context->ctx, list) != WOLFSSL_SUCCESS)
		return why_say(why, -EINVAL, "the TLS library refuses the ciphers %s", list);
	return 0;
}

static int groups_set(
	struct tls_context *context, const struct policy_list *groups, const struct why *why)
{
	for (size_t i = 0; groups->count > 0 ? i < groups->count : i < TLS_GROUP_DEFAULTS; i++) {
		const struct tls_group *group =
			groups->count > 0 ? tls_group_by_name(groups->items[i]) : tls_group_at(i);

		if (group == NULL)
			return why_say(why, -EINVAL, "the group '%s' is unknown or not supported",
				groups->items[i]);
		if (context->group_count == CONTEXT_GROUPS_MAX)
			return why_say(why, -EINVAL, "more than %d groups", CONTEXT_GROUPS_MAX);
		context->groups[context->group_count++] = group->id;
	}
	if (wolfSSL_CTX_set_groups(context->ctx, context->groups, context->group_count) !=
		WOLFSSL_SUCCESS)
		return why_say(why, -EINVAL, "the TLS library refuses the groups");
	return 0;
}

int context_list_copy(struct policy_list *to, const struct policy_list *from)
{
	*to = (struct policy_list){ 0, NULL };
	if (from->count == 0)
		return 0;
	to->items = calloc(from->count, sizeof *to->items);
	while (to->items != NULL && to->count < from->count &&
		(to->items[to->count] = strdup(from->items[to->count])) != NULL)
		to->count++;
	return to->count == from->count ? 0 : -ENOMEM;
}

void context_list_clear(struct policy_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

/* wolfSSL's own list is what the keys that it knows can sign, without SHA-1. */
static int signatures_set(
	struct tls_context *context, const struct policy_list *names, const struct why *why)
{
	char list[SIGNATURE_LIST_MAX] = "";

	context->signatures = names->count > 0 ? 0 : UINT32_MAX;
	for (size_t i = 0; i < names->count; i++) {
		const struct tls_signature *signature = tls_signature_by_name(names->items[i]);
		uint32_t bit;

		if (signature == NULL)
			return why_say(why, -EINVAL,
				"the signature algorithm '%s' is unknown or not supported",
				names->items[i]);
		bit = 1u << (signature - tls_signature_at(0));
		if ((context->signatures & bit) != 0)
			continue;
		context->signatures |= bit;
		list_add(list, signature->wolfssl);
	}
	if (names->count > 0 &&
		wolfSSL_CTX_set1_sigalgs_list(context->ctx, list) != WOLFSSL_SUCCESS)
		return why_say(
			why, -EINVAL, "the TLS library refuses the signature algorithms %s", list);
	return 0;
}

static int alpn_copy(
	struct tls_context *context, const struct policy_list *alpn, const struct why *why)
{
	if (alpn->count == 0)
		return 0;
	if (alpn->count > ALPN_COUNT_MAX)
		return why_say(why, -EINVAL, "more than %d names in alpn", ALPN_COUNT_MAX);
	context->alpn = calloc(alpn->count, sizeof *context->alpn);
	for (size_t i = 0; context->alpn != NULL && i < alpn->count; i++) {
		size_t len = strlen(alpn->items[i]);

		/* The comma is wolfSSL's separator. */
		if (len == 0 || len > ALPN_NAME_MAX || strchr(alpn->items[i], ',') != NULL)
			return why_say(
				why, -EINVAL, "'%s' cannot be a name in alpn", alpn->items[i]);
		context->alpn[i] = strdup(alpn->items[i]);
		if (context->alpn[i] == NULL)
			return -ENOMEM;
		context->alpn_count++;
	}
	return context->alpn != NULL ? 0 : -ENOMEM;
}

static int settings_copy(
	struct tls_context *context, const struct tls_settings *settings, const struct why *why)
{
	context->verify = settings->verify;
	context->client_auth = settings->client_auth;
	context->must_staple = settings->must_staple;
	if (settings->server_name != NULL &&
		(context->server_name = strdup(settings->server_name)) == NULL)
		return -ENOMEM;
	if (context_list_copy(&context->allow_peer, &settings->allow_peer) < 0)
		return -ENOMEM;
	if (settings->keylog != NULL) {
		int r = keylog_check(settings->keylog, why);

		if (r < 0)
			return r;
		context->keylog = strdup(settings->keylog);
		if (context->keylog == NULL)
			return -ENOMEM;
	}
	if (settings->pin.count > 0) {
		context->pins = calloc(settings->pin.count, sizeof *context->pins);
		if (context->pins == NULL)
			return -ENOMEM;
		memcpy(context->pins, settings->pin.sha256,
			settings->pin.count * sizeof *context->pins);
		context->pin_count = settings->pin.count;
	}
	return alpn_copy(context, &settings->alpn, why);
}

static int trust_set(
	struct tls_context *context, const struct tls_settings *settings, const struct why *why)
{
	bool asks = context->role == TLS_CLIENT ? context->verify != POLICY_VERIFY_NONE
						: context->client_auth != POLICY_CLIENT_NONE;
	int mode = asks ? WOLFSSL_VERIFY_PEER : WOLFSSL_VERIFY_NONE;
	int r = 0;

	if (asks && context->role == TLS_SERVER && context->client_auth == POLICY_CLIENT_REQUIRED)
		mode |= WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	wolfSSL_CTX_set_verify(context->ctx, mode, verify_certificate);
	if (context->role == TLS_CLIENT)
		r = staple_context_client(context, why);
	else
		r = staple_context_server(context, &settings->ocsp_staple, why);
	if (r < 0 || !asks)
		return r;
	if (settings->ca.count == 0)
		return why_say(why, -EINVAL, "certificates are to be verified, but ca is empty");
	context->revocation.check = settings->crl_check;
	r = trust_load(context, &settings->ca, why);
	return r == 0 ? revocation_load(&context->revocation, &settings->crl, why) : r;
}

/* Every setting of the library whose default is not what is wanted here. */
static int options_set(struct tls_context *context, bool tls12, bool tls13, const struct why *why)
{
	WOLFSSL_CTX *ctx = context->ctx;
	int ok = !tls12 || !tls13 ||
		 wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS;

	/* Without grouping each message is a send of its own, which Nagle's algorithm makes wait
	 * for the peer's delayed ACK. */
	ok &= wolfSSL_CTX_set_group_messages(ctx) == WOLFSSL_SUCCESS;
	wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
	/* RFC 8446 2.2: without (EC)DHE a resumed session has no forward secrecy. */
	ok &= !tls13 || wolfSSL_CTX_only_dhe_psk(ctx) == 0;
	wolfSSL_CTX_set_servername_callback(ctx, handshake_on_client_hello);
	return ok ? 0 : why_say(why, -EINVAL, "the TLS library refuses its settings");
}

static int context_fill(struct tls_context *context, const struct tls_settings *settings,
	size_t index, const struct why *why)
{
	bool tls12 = false, tls13 = false;
	int r = versions_find(settings, &tls12, &tls13, why);

	if (r < 0)
		return r;
	context->tls12 = tls12;
	context->tls13 = tls13;
	context->ctx = wolfSSL_CTX_new(method_new(context->role, tls12, tls13));
	if (context->ctx == NULL)
		return -ENOMEM;
	r = options_set(context, tls12, tls13, why);
	if (r == 0)
		r = settings_copy(context, settings, why);
	if (r == 0)
		r = session_set(context, settings, tls13, why);
	if (r == 0)
		r = identity_load(context, settings, index, why);
	if (r == 0 && context->role == TLS_CLIENT && tls13 && context->chain != NULL)
		context->authenticates_later =
			wolfSSL_CTX_allow_post_handshake_auth(context->ctx) == 0;
	if (r == 0)
		r = ciphers_set(context, settings, tls12, tls13, why);
	if (r == 0)
		r = groups_set(context, &settings->groups, why);
	if (r == 0)
		r = signatures_set(context, &settings->signature_algorithms, why);
	return r == 0 ? trust_set(context, settings, why) : r;
}

static int context_new(const struct tls_settings *settings, enum tls_role role, size_t index,
	struct tls_context **out, const struct why *why)
{
	struct tls_context *context = calloc(1, sizeof *context);

	if (context == NULL)
		return -ENOMEM;
	context->role = role;
	atomic_init(&context->refs, 1);
	*out = context;
	return context_fill(context, settings, index, why);
}

int tls_context_new(const struct tls_settings *settings, enum tls_role role,
	struct tls_context **out, char *why_buf, size_t why_len)
{
	struct why why = { why_buf, why_len, NULL };
	struct tls_context *first = NULL, **last = &first;
	size_t count = identity_count(settings, role);
	int r = 0;

	*out = NULL;
	why_say(&why, 0, "%s", why_errno(-ENOMEM));
	pthread_once(&init_once, init_library);
	if (init_result != WOLFSSL_SUCCESS)
		return why_say(&why, -EIO, "the TLS library cannot be initialised: %s",
			wolfSSL_ERR_reason_error_string((unsigned long)init_result));
	for (size_t i = 0; i < count && r == 0; i++) {
		r = context_new(settings, role, i, last, &why);
		if (*last != NULL)
			last = &(*last)->next;
	}
	if (r < 0) {
		tls_context_free(first);
		return r;
	}
	if (role == TLS_SERVER)
		staple_warn_of_strangers(first, &settings->ocsp_staple);
	*out = first;
	return 0;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
	return context;
}

void tls_context_free(struct tls_context *context)
{
	if (context == NULL ||
		atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) > 1)
		return;
	while (context != NULL) {
		struct tls_context *next = context->next;

		if (context->ctx != NULL)
			wolfSSL_CTX_free(context->ctx);
		for (size_t i = 0; i < context->alpn_count; i++)
			free(context->alpn[i]);
		free(context->alpn);
		context_list_clear(&context->allow_peer);
		anchors_clear(&context->anchors);
		revocation_clear(&context->revocation);
		pem_clear(&context->response);
		free(context->pins);
		free(context->server_name);
		free(context->keylog);
		ticket_file_close(context->ticket_file);
		free(context->chain);
		free(context);
		context = next;
	}
}

bool tls_context_knows(const struct tls_context *context, const uint8_t *name, size_t len)
{
	return anchors_next(&context->anchors, NULL, (struct x509_bytes){ name, len }) != NULL;
}

const char *tls_context_warning(const struct tls_context *context)
{
	while (context->warning[0] == '\0' && context->next != NULL)
		context = context->next;
	return context->warning;
}

int tls_context_days_left(const struct tls_context *context)
{
	int64_t not_after = INT64_MAX, days;

	for (; context != NULL; context = context->next)
		if (context->chain != NULL && context->not_after < not_after)
			not_after = context->not_after;
	if (not_after == INT64_MAX)
		return INT_MAX;
	/* Rounded down: on the last day 0, as soon as it is over -1. */
	days = not_after - (int64_t)time(NULL);
	days = days >= 0 ? days / 86400 : -1 - (-days - 1) / 86400;
	return days > INT_MAX ? INT_MAX : days < INT_MIN ? INT_MIN : (int)days;
}
