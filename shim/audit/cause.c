/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/cause.h"
#include <stddef.h>
#include <string.h>

static const struct {
	const char *name, *meaning, *advice;
} causes[CAUSE_COUNT] = {
	[CAUSE_NONE] = { NULL, "", "" },
	[CAUSE_NAME] = { "name", "the certificate is for another name",
		"set server_name to a name that is in it, or have it issued for this one" },
	[CAUSE_CHAIN] = { "chain",
		"no trusted CA issued the certificate, or one on the way may not",
		"add the CA that issued it to ca, or have the peer send its whole chain "
		"(seamtls doctor --live shows what it sends)" },
	[CAUSE_EXPIRED] = { "expired", "the certificate is not valid now",
		"have it renewed, and look at the clocks of both hosts" },
	[CAUSE_REVOKED] = { "revoked", "the certificate is revoked, or nothing says that it is not",
		"have the peer use a new certificate; if it has one, renew the lists in crl or the "
		"stapled response" },
	[CAUSE_NOT_ALLOWED] = { "not_allowed",
		"the certificate is good, but neither allow_peer nor pin names it",
		"name the peer in allow_peer, or its key in pin, if it is to be let in" },
	[CAUSE_NO_CERTIFICATE] = { "no_certificate",
		"the peer showed no certificate, and one is required",
		"give the peer a certificate, or say client_auth = optional" },
	[CAUSE_NOTHING_IN_COMMON] = { "nothing_in_common",
		"no version, cipher suite, group or protocol is common to both",
		"compare min_version, max_version, ciphers, groups, signature_algorithms and alpn "
		"with what the peer has" },
	[CAUSE_CERTIFICATE_REFUSED] = { "certificate_refused",
		"the peer does not accept our certificate, or misses one",
		"set cert and key to what the peer trusts; its own log says what it holds against "
		"it" },
	[CAUSE_ALERT] = { "alert", "the peer ended the connection with another alert",
		"see what the peer's own log says at this time" },
	[CAUSE_PLAINTEXT] = { "plaintext", "the peer does not speak TLS",
		"look at the port; set starttls if the protocol has an upgrade, or accept = both "
		"while clients still have to move" },
	[CAUSE_TIMEOUT] = { "timeout", "the peer did not finish the handshake in time",
		"see whether the peer speaks TLS there, and how busy it is; handshake_timeout can "
		"be raised" },
	[CAUSE_TRUNCATED] = { "truncated",
		"the peer ended without close_notify: data may be missing",
		"set truncation = accept, if this peer always ends like that" },
	[CAUSE_RESET] = { "reset", "the peer or the network broke the connection",
		"see what the peer's own log says, and what stands between" },
	[CAUSE_CLOSED] = { "closed", "the peer closed the connection during the handshake",
		"see what the peer's own log says at this time" },
	[CAUSE_PROBE] = { "probe", "a client came and went without a word",
		"nothing: it was a port scan or a health check" },
	[CAUSE_TAMPERED] = { "tampered",
		"a record or message is malformed, or was changed on the way",
		"look for what changes data on the way; if there is nothing, the peer's TLS is at "
		"fault" },
	[CAUSE_KEY] = { "key", "the certificates, keys or lists that policy names cannot be used",
		"seamtls check says what is wrong with which file" },
	[CAUSE_POLICY] = { "policy", "policy does not allow the connection",
		"seamtls explain says which rule it is; change that if the connection is to be "
		"allowed" },
	[CAUSE_UNPROTECTED] = { "unprotected",
		"policy wants the program to protect the connection itself, and it does not",
		"have the program and its peer speak what the rule requires, or let the rule "
		"protect the connection with action = tls" },
	[CAUSE_AUDIT] = { "audit", "the audit cannot be written, and policy requires it",
		"make room in audit_dir, and let the program write there" },
	[CAUSE_STARTTLS] = { "starttls", "the upgrade to TLS was not agreed on",
		"see whether the peer offers the upgrade, and whether starttls names its "
		"protocol" },
	[CAUSE_PROGRAM] = { "program", "the program itself ended the connection or was killed",
		"see what the program's own log says at this time" },
	[CAUSE_LIMIT] = { "limit", "a limit of TLS is reached",
		"allow TLS 1.3, which changes keys by itself" },
	[CAUSE_RESOURCES] = { "resources", "there was no memory, or no room, for it",
		"raise the limits of the program, or the memory of its host" },
	[CAUSE_STREAM] = { "stream",
		"bytes have passed inside of libc's own streams, where they are not seen",
		"look at the peer's side, or have the rule protect the connection with action = "
		"tls" },
	[CAUSE_AIO] = { "aio", "bytes have passed by asynchronous I/O, where they are not seen",
		"look at the peer's side, or have the rule protect the connection with action = "
		"tls: then asynchronous I/O is refused" },
	[CAUSE_IO_URING] = { "io_uring", "the program uses io_uring, where bytes are not seen",
		"say strict = yes in [global]: then the program falls back to calls that are "
		"seen" },
	[CAUSE_UNSEEN] = { "unseen", "bytes have passed that the library did not see",
		"see what seamtls doctor says of the program: it may make system calls without "
		"libc, or another program has begun the connection" },
	[CAUSE_TOO_SHORT] = { "too_short", "the connection ended after too few bytes to tell",
		"nothing, if it does not happen often: the connection was broken off at its "
		"beginning" },
	[CAUSE_OTHER] = { "other", "the reason in seamtls log says what is known",
		"see the reason" },
};

const char *cause_name(enum cause cause)
{
	return (unsigned)cause < CAUSE_COUNT ? causes[cause].name : NULL;
}

const char *cause_meaning(enum cause cause)
{
	return (unsigned)cause < CAUSE_COUNT ? causes[cause].meaning : "";
}

const char *cause_advice(enum cause cause)
{
	return (unsigned)cause < CAUSE_COUNT ? causes[cause].advice : "";
}

enum cause cause_named(const char *name)
{
	for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++)
		if (strcmp(causes[i].name, name) == 0)
			return (enum cause)i;
	return CAUSE_NONE;
}
