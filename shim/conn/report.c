/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What audit gets to know, in one place: an event is the connection's constants and the result of
 * its handshake.
 */
#include "conn/internal.h"

#include "audit/event.h"
#include "conn/kernel.h"
#include "notice.h"
#include "tls/registry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *text(const char *s)
{
	return s != NULL && s[0] != '\0' ? s : NULL;
}

static const char *version_name(uint16_t version)
{
	switch (version) {
	case RECORD_TLS12:
		return "TLSv1.2";
	case RECORD_TLS13:
		return "TLSv1.3";
	default:
		return NULL;
	}
}

static char *put_number(char *to, unsigned number)
{
	char digits[16];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return mempcpy(to, digits + at, sizeof(digits) - at);
}

/* For each connection that is accepted, so without printf(). */
static void print_ipv4(const struct policy_address *address, char *to)
{
	for (int i = 0; i < 4; i++) {
		to = put_number(to, address->bytes[i]);
		*to++ = i < 3 ? '.' : ':';
	}
	*put_number(to, address->port) = '\0';
}

void report_address(const struct policy_address *address, char text[CONN_ADDRESS_LEN])
{
	char host[INET6_ADDRSTRLEN] = "";

	text[0] = '\0';
	if (address->family == AF_INET) {
		print_ipv4(address, text);
	} else if (address->family == AF_INET6) {
		inet_ntop(address->family, address->bytes, host, sizeof(host));
		snprintf(text, CONN_ADDRESS_LEN, "[%s]:%u", host, address->port);
	}
}

static void fill_ends(struct audit_event *event, const struct conn *conn)
{
	event->rule = conn->rule != NULL ? conn->rule->name : NULL;
	event->direction = policy_direction_name(conn->accepted ? POLICY_INBOUND : POLICY_OUTBOUND);
	event->local = text(conn->local);
	event->remote = text(conn->remote);
}

static void fill_conn(struct audit_event *event, const struct conn *conn)
{
	event->conn = conn->share->id;
	fill_ends(event, conn);
	event->server_name = conn->role == TLS_CLIENT ? text(conn->name) : NULL;
	event->verify = text(conn->share->verify);
}

static void fill_peer(struct audit_event *event, const struct tls_peer *peer)
{
	event->peer_subject = text(peer->subject);
	event->peer_issuer = text(peer->issuer);
	event->peer_serial = text(peer->serial);
	event->peer_sha256 = text(peer->sha256);
	for (size_t i = 0; i < peer->san_count && i < AUDIT_SAN_MAX; i++)
		event->peer_san[event->peer_san_count++] = peer->san[i];
	if (event->peer_sha256 != NULL)
		event->peer_not_after = (uint64_t)peer->not_after;
}

static void fill_result(struct audit_event *event, const struct tls_result *result)
{
	event->version = version_name(result->version);
	event->cipher = text(result->cipher);
	event->group = text(result->group);
	event->alpn = text(result->alpn);
	if (result->server_name[0] != '\0')
		event->server_name = result->server_name;
	event->verify = text(result->verify);
	event->alert_sent = result->alert_sent;
	event->alert_received = result->alert_received;
	fill_peer(event, &result->peer);
}

void report_verify(struct conn *conn, const char *verify)
{
	char *to = conn->share->verify;

	*(char *)mempcpy(to, verify, strnlen(verify, TLS_VERIFY_MAX - 1)) = '\0';
}

static const char *plane(const struct conn *conn)
{
	if (conn->relayed)
		return "relay";
	return conn_is_by_kernel(conn) ? "kernel" : "user";
}

/* What is worth a reason although nothing went wrong. */
static const char *remark(
	const struct conn *conn, const struct tls_result *result, char *buf, size_t len)
{
	const char *keylog = conn->rule->tls.keylog;
	char lacks[128];

	if (keylog == NULL && kernel_lacks(conn, lacks, sizeof(lacks))) {
		snprintf(buf, len, "warning: plane = kernel, and %s by this library: %s",
			conn_is_by_kernel(conn) ? "one direction is still protected"
						: "the connection is still protected",
			lacks);
		return buf;
	}
	if (keylog == NULL)
		return NULL;
	if (result->keylog_error < 0)
		snprintf(buf, len, "warning: the keys could not be written to the keylog '%s': %s",
			keylog, strerrordesc_np(-result->keylog_error));
	else
		snprintf(buf, len, "warning: the keys of this connection are in the keylog '%s'",
			keylog);
	return buf;
}

void report_open(struct conn *conn, const struct tls_result *result)
{
	char words[PATH_MAX + 128];
	struct audit_event event;

	audit_event_init(&event, AUDIT_OPEN);
	fill_conn(&event, conn);
	fill_result(&event, result);
	/* A client that was not asked for a certificate has none to be verified. */
	if (conn->role == TLS_SERVER && conn->rule->tls.client_auth == POLICY_CLIENT_NONE)
		event.verify = NULL;
	if (event.verify != NULL)
		report_verify(conn, event.verify);
	event.resumed = result->resumed;
	event.reason = remark(conn, result, words, sizeof(words));
	event.plane = plane(conn);
	event.handshake_us = sys_monotonic_us() - conn->started_us;
	notice_debug(1, "open: %s -> %s, rule '%s', %s %s", conn->local, conn->remote,
		conn->rule->name, event.version != NULL ? event.version : "?",
		event.cipher != NULL ? event.cipher : "?");
	if (host_audit(&event) < 0)
		conn_fail_for(conn, EACCES, CAUSE_AUDIT,
			"policy requires an audit, and the event could not be written");
}

void report_fail(struct conn *conn, const struct tls_result *result, int error, enum cause cause,
	const char *reason)
{
	char words[TLS_REASON_MAX + 64];
	struct audit_event event;

	audit_event_init(&event, AUDIT_FAIL);
	fill_conn(&event, conn);
	if (result != NULL)
		fill_result(&event, result);
	/* Without a result there was no handshake to speak of: the refusal is ours, and the reason
	 * says so itself. */
	if (result != NULL)
		snprintf(words, sizeof(words), "%s: %s",
			result->by_peer ? "refused by the peer" : "refused by this side", reason);
	else
		snprintf(words, sizeof(words), "%s", reason);
	event.reason = words;
	event.cause = cause_name(cause);
	notice_debug(1, "fail: %s -> %s, rule '%s': %s (%s)", conn->local, conn->remote,
		conn->rule->name, words, strerror(error));
	host_audit(&event);
}

void report_close(struct conn *conn, const char *reason)
{
	report_broken(conn, CAUSE_NONE, reason);
}

void report_broken(struct conn *conn, enum cause cause, const char *reason)
{
	const struct share *share = conn->share;
	struct audit_event event;

	audit_event_init(&event, AUDIT_CLOSE);
	fill_conn(&event, conn);
	event.plane = plane(conn);
	event.bytes_in = atomic_load(&share->bytes_in);
	event.bytes_out = atomic_load(&share->bytes_out);
	event.duration_us = sys_monotonic_us() - share->created_us;
	event.reason = reason;
	event.cause = cause_name(cause);
	event.alert_sent = share->alert_sent;
	event.alert_received = share->alert_received;
	notice_debug(2, "close: %s -> %s, %llu bytes in, %llu out", conn->local, conn->remote,
		(unsigned long long)event.bytes_in, (unsigned long long)event.bytes_out);
	host_audit(&event);
}

int report_decision(int type, const struct policy_query *query,
	const struct policy_decision *decision, const char *reason, const uint64_t *id)
{
	char local[CONN_ADDRESS_LEN], remote[CONN_ADDRESS_LEN];
	struct audit_event event;

	audit_event_init(&event, type);
	report_address(&query->local, local);
	report_address(&query->remote, remote);
	event.conn = id != NULL ? *id : host_new_id();
	event.rule = decision->rule != NULL ? decision->rule->name : NULL;
	event.direction = policy_direction_name(query->direction);
	event.local = text(local);
	event.remote = text(remote);
	event.server_name = decision->remote_name;
	event.reason = reason;
	/* What is to be protected is denied when what it needs cannot be used. */
	if (type == AUDIT_DENY)
		event.cause = cause_name(decision->action == POLICY_TLS ? CAUSE_KEY : CAUSE_POLICY);
	notice_debug(1, "%s: %s -> %s, %s%s%s", audit_type_name((enum audit_type)type), local,
		remote, decision->rule != NULL ? "rule '" : "[global] default",
		decision->rule != NULL ? decision->rule->name : "",
		decision->rule != NULL ? "'" : "");
	return host_audit(&event) < 0 ? -EACCES : 0;
}

/* --- What protects a connection that is left alone */

static const char *reason_of(
	const struct recognition *found, enum cause cause, char *buf, size_t len)
{
	const char *banner = found->banner[RECOGNISE_RECEIVED];
	const char *before = found->application != NULL ? found->application : "";

	if (found->protocol == RECOGNISED_SSH)
		return text(banner[0] != '\0' ? banner : found->banner[RECOGNISE_SENT]);
	if (found->protocol == RECOGNISED_UNKNOWN)
		return text(cause_meaning(cause));
	if (found->protocol == RECOGNISED_CLEAR && found->suite != 0)
		return "the cipher suite that the program's own TLS has agreed on encrypts nothing";
	if (found->protocol != RECOGNISED_TLS || !found->upgraded)
		return NULL;
	snprintf(buf, len, "upgraded to TLS by the program%s%s", before[0] != '\0' ? ", from " : "",
		before);
	return buf;
}

static void fill_recognised(struct audit_event *event, const struct recognition *found)
{
	event->protocol = recognised_name(found->protocol);
	event->application = found->application;
	event->offered_version = registry_version(found->offered);
	event->version = registry_version(found->version);
	event->alpn = text(found->alpn);
	event->ja4 = text(found->ja4);
	event->resumed = found->resumed;
	event->alert_sent = found->alert[RECOGNISE_SENT];
	event->alert_received = found->alert[RECOGNISE_RECEIVED];
	if (found->server_name[0] != '\0')
		event->server_name = found->server_name;
	fill_peer(event, &found->peer);
}

void report_recognised(const struct conn *conn, int type, uint64_t id,
	const struct recognition *found, enum cause cause)
{
	char suite[REGISTRY_NUMBER_LEN], group[REGISTRY_NUMBER_LEN], words[64];
	struct audit_event event;

	audit_event_init(&event, type);
	event.conn = id;
	fill_ends(&event, conn);
	event.server_name = text(conn->name);
	fill_recognised(&event, found);
	if (found->suite != 0)
		event.cipher = registry_suite(found->suite, suite);
	if (found->group != 0)
		event.group = registry_group(found->group, group);
	event.reason = reason_of(found, cause, words, sizeof(words));
	event.cause = cause_name(cause);
	notice_debug(1, "%s: %s -> %s, protocol %s", audit_type_name((enum audit_type)type),
		conn->local, conn->remote, event.protocol);
	host_audit(&event);
}

int report_alone(struct conn *conn, int type, const char *reason, const struct recognition *found)
{
	char suite[REGISTRY_NUMBER_LEN];
	struct audit_event event;

	audit_event_init(&event, type);
	fill_conn(&event, conn);
	if (type == AUDIT_DENY)
		event.cause = cause_name(CAUSE_UNPROTECTED);
	if (found != NULL) {
		event.protocol = recognised_name(found->protocol);
		event.application = found->application;
		event.version = registry_version(found->version);
	}
	/* What begins like TLS and does not go on like it. */
	if (found != NULL && found->protocol == RECOGNISED_TLS && found->version == 0)
		event.protocol = recognised_name(RECOGNISED_CLEAR);
	if (found != NULL && found->suite != 0)
		event.cipher = registry_suite(found->suite, suite);
	event.reason = reason;
	notice_debug(1, "%s: %s -> %s, rule '%s'%s%s", audit_type_name((enum audit_type)type),
		conn->local, conn->remote, conn->rule->name, reason != NULL ? ": " : "",
		reason != NULL ? reason : "");
	return host_audit(&event) < 0 ? -EACCES : 0;
}
