/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which certificate a client gets: the one that has its name, else a wildcard over it, else any, of
 * those whose signature it can verify. wolfSSL takes what it does with a certificate from the key
 * and cannot be told of another in the middle of a handshake; so the ClientHello is looked at
 * before wolfSSL sees it, and wolfSSL then begins with the right context.
 */
#include "tls/alert.h"
#include "tls/handshake_private.h"
#include "tls/hello.h"
#include "tls/hello_check.h"
#include "tls/name.h"
#include "tls/suite.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool lists_suite(const struct tls_context *context, const struct hello *hello)
{
	const char *kind = context->key_kind == KEY_RSA ? "_RSA_" : "_ECDSA_";
	const struct tls_suite *suite;

	for (size_t i = 0; (suite = tls_suite_at(i)) != NULL; i++)
		if (suite->version == RECORD_TLS12 && (context->suites >> i & 1) != 0 &&
			strstr(suite->name, kind) != NULL && hello_lists(hello->suites, suite->id))
			return true;
	return false;
}

/* RFC 5246 7.4.1.4.1: a client that says nothing takes SHA-1, which is what wolfSSL does not do; it
 * signs with SHA-256, as all clients of today take. */
static bool lists_signature(
	const struct tls_context *context, const struct hello *hello, bool tls13)
{
	const struct tls_signature *signature;
	bool same_kind;

	if (hello->signatures.data == NULL)
		return !tls13 && context->key_kind != KEY_ED25519;
	for (size_t i = 0; (signature = tls_signature_at(i)) != NULL; i++) {
		same_kind = signature->kind == context->key_kind ||
			    (!tls13 && key_kind_is_ec(signature->kind) &&
				    key_kind_is_ec(context->key_kind));
		if (same_kind && (signature->tls13 || !tls13) &&
			(context->signatures >> i & 1) != 0 &&
			hello_lists(hello->signatures, signature->id))
			return true;
	}
	return false;
}

static bool lists_group(const struct tls_context *context, const struct hello *hello)
{
	unsigned group = key_kind_group(context->key_kind);

	return group == 0 || hello->groups.data == NULL || hello_lists(hello->groups, group);
}

static bool is_usable(const struct tls_context *context, const struct hello *hello)
{
	bool tls13 = hello->tls13 && context->tls13;

	return lists_signature(context, hello, tls13) &&
	       (tls13 || (lists_suite(context, hello) && lists_group(context, hello)));
}

/* How near the certificate comes to what is asked for. */
static int name_rank(const struct tls_context *context, const char *name)
{
	if (name[0] == '\0')
		return 0;
	return name_equals(&context->certificate, name)    ? 2
	       : name_matches(&context->certificate, name) ? 1
							   : 0;
}

static struct tls_context *best_for(struct tls_context *first, const struct hello *hello)
{
	struct tls_context *best = NULL;
	int best_rank = -1;

	for (struct tls_context *context = first; context != NULL; context = context->next) {
		int rank = is_usable(context, hello) ? name_rank(context, hello->name) : -1;

		if (rank > best_rank) {
			best = context;
			best_rank = rank;
		}
	}
	return best != NULL ? best : first;
}

/* wolfSSL's TLS 1.3 would ask for a share of a group that the client does not have (RFC 8446 4.1.4
 * forbids it). */
static int check_groups(
	const struct tls_context *context, const struct hello *hello, const struct why *why)
{
	if (!hello->tls13 || !context->tls13 || hello->groups.data == NULL)
		return 0;
	for (int i = 0; i < context->group_count; i++)
		if (hello_lists(hello->groups, (unsigned)context->groups[i]))
			return 0;
	why_because(why, CAUSE_NOTHING_IN_COMMON);
	why_say(why, -EPROTO, "no group for the key exchange in common with the peer");
	return ALERT_HANDSHAKE_FAILURE;
}

int choose_context(struct tls_handshake *handshake)
{
	const struct why why = { handshake->result.reason, sizeof handshake->result.reason,
		&handshake->result.cause };
	struct tls_context *before = handshake->first;
	struct hello hello;
	int r = hello_take(handshake);

	if (r == -EAGAIN)
		return r;
	handshake->looking = false;
	if (r == 0)
		r = hello_parse(handshake->hello, handshake->hello_len, &hello);
	/* What is wrong with a ClientHello that cannot be parsed is wolfSSL's to say. */
	if (r == 0) {
		handshake->context = best_for(handshake->first, &hello);
		handshake->alert = hello_check(&hello, &why);
		if (handshake->alert == 0)
			handshake->alert = check_groups(handshake->context, &hello, &why);
	}
	hello_drop(handshake);
	if (handshake->alert != 0)
		return -EPROTO;
	return handshake->context != before ? handshake_begin(handshake) : 0;
}
