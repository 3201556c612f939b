/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "totals.h"
#include "cause.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_RULE "(no rule)"

const char *totals_by_name(enum totals_by by)
{
	static const char *const names[TOTALS_BYS] = {
		[TOTALS_RULE] = "rule",
		[TOTALS_PROGRAM] = "program",
		[TOTALS_PEER] = "peer",
		[TOTALS_VERSION] = "version",
		[TOTALS_CIPHER] = "cipher",
		[TOTALS_GROUP] = "group",
		[TOTALS_RESUMPTION] = "resumption",
		[TOTALS_VERIFY] = "verify",
		[TOTALS_PLANE] = "plane",
		[TOTALS_CAUSE] = "cause",
		[TOTALS_RELAXED] = "relaxed",
	};

	return names[by];
}

static bool is_inbound(const struct audit_event *event)
{
	return event->direction != NULL && strcmp(event->direction, "inbound") == 0;
}

const char *totals_peer(const struct audit_event *event, char *buf, size_t len)
{
	const char *remote = event->remote != NULL ? event->remote : "";
	const char *port = strrchr(remote, ':');
	int address = port != NULL ? (int)(port - remote) : (int)strlen(remote);

	if (is_inbound(event) || event->server_name == NULL)
		snprintf(buf, len, "%.*s%s", address, remote,
			is_inbound(event) || port == NULL ? "" : port);
	else
		snprintf(buf, len, "%s%s", event->server_name, port != NULL ? port : "");
	return buf;
}

static void add(struct totals *totals, enum totals_by by, const char *name, enum tally_what what,
	uint64_t count)
{
	if (name != NULL && tally_add(&totals->by[by], name, what, count) < 0)
		totals->incomplete = true;
}

/* What is known of every connection. */
static void add_all(struct totals *totals, const struct audit_event *event, enum tally_what what,
	uint64_t count)
{
	char peer[TOTALS_PEER_LEN];

	totals->count[what] += count;
	add(totals, TOTALS_RULE, event->rule != NULL ? event->rule : NO_RULE, what, count);
	add(totals, TOTALS_PROGRAM, event->program, what, count);
	totals_peer(event, peer, sizeof peer);
	add(totals, TOTALS_PEER, peer[0] != '\0' ? peer : NULL, what, count);
}

static void add_relaxed(struct totals *totals, const struct audit_event *event, const char *setting)
{
	char name[512];

	snprintf(name, sizeof name, "%s\n%s", setting, event->rule != NULL ? event->rule : "");
	add(totals, TOTALS_RELAXED, name, TALLY_PROTECTED, 1);
}

/* What the connection went without, as the event itself says. */
static void take_relaxed(struct totals *totals, const struct audit_event *event)
{
	static const struct {
		const char *text, *setting;
		bool outbound; /* there only: a client without a certificate is no relaxation */
	} verdicts[] = {
		{ "none", "verify = none", true },
		{ "chain", "verify = chain", true },
		{ "pin", "verify = none, with pin", true },
	};
	const char *verify = event->verify != NULL ? event->verify : "";
	const char *reason = event->reason != NULL ? event->reason : "";

	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
		if (strncmp(verify, verdicts[i].text, strlen(verdicts[i].text)) == 0 &&
			(!verdicts[i].outbound || !is_inbound(event)))
			add_relaxed(totals, event, verdicts[i].setting);
	if (strstr(verify, "revocation unknown") != NULL)
		add_relaxed(totals, event, "crl_check = available");
	if (strncmp(reason, "warning: the keys", 17) == 0)
		add_relaxed(totals, event, "keylog");
	if (event->version != NULL && strcmp(event->version, "TLSv1.2") == 0)
		add_relaxed(totals, event, "TLS 1.2");
}

static void take_open(struct totals *totals, const struct audit_event *event)
{
	char peer[TOTALS_PEER_LEN];

	add_all(totals, event, TALLY_PROTECTED, 1);
	add(totals, TOTALS_VERSION, event->version, TALLY_PROTECTED, 1);
	add(totals, TOTALS_CIPHER, event->cipher, TALLY_PROTECTED, 1);
	add(totals, TOTALS_GROUP, event->group, TALLY_PROTECTED, 1);
	add(totals, TOTALS_VERIFY, event->verify, TALLY_PROTECTED, 1);
	add(totals, TOTALS_PLANE, event->plane, TALLY_PROTECTED, 1);
	if (event->resumed >= 0)
		add(totals, TOTALS_RESUMPTION, event->resumed > 0 ? "resumed" : "full",
			TALLY_PROTECTED, 1);
	if (event->handshake_us != AUDIT_ABSENT)
		latency_add(&totals->handshake, event->handshake_us);
	take_relaxed(totals, event);
	timeline_add(&totals->timeline, event->time_us, TIMELINE_PROTECTED);
	/* A client is known by its name rather than by where it comes from. */
	totals_peer(event, peer, sizeof peer);
	if (certs_add(&totals->certs, event,
		    is_inbound(event) && event->peer_subject != NULL ? event->peer_subject : peer) <
		0)
		totals->incomplete = true;
}

static void take_fail(struct totals *totals, const struct audit_event *event)
{
	const char *cause = cause_of(event);

	if (cause_is_probe(cause)) {
		totals->probes++;
		return;
	}
	add_all(totals, event, TALLY_FAILED, 1);
	add(totals, TOTALS_CAUSE, cause, TALLY_FAILED, 1);
	timeline_add(&totals->timeline, event->time_us, TIMELINE_FAILED);
}

/* One that counted as in the clear has turned out to be something else. */
static void move_all(struct totals *totals, const struct audit_event *event,
	const struct conns_entry *first, enum tally_what to, enum timeline_what when)
{
	totals->count[TALLY_CLEAR]--;
	totals->count[to]++;
	tally_move(&totals->by[TOTALS_RULE], event->rule != NULL ? event->rule : NO_RULE,
		TALLY_CLEAR, to);
	if (event->program != NULL)
		tally_move(&totals->by[TOTALS_PROGRAM], event->program, TALLY_CLEAR, to);
	tally_move(&totals->by[TOTALS_PEER], first->peer, TALLY_CLEAR, to);
	timeline_move(&totals->timeline, first->time_us, TIMELINE_CLEAR, when);
}

static void take_own_tls(struct totals *totals, const struct audit_event *event)
{
	char name[32];

	add(totals, TOTALS_VERSION, event->version, TALLY_OWN_TLS, 1);
	add(totals, TOTALS_CIPHER, event->cipher, TALLY_OWN_TLS, 1);
	add(totals, TOTALS_GROUP, event->group, TALLY_OWN_TLS, 1);
	if (event->resumed >= 0)
		add(totals, TOTALS_RESUMPTION, event->resumed > 0 ? "resumed" : "full",
			TALLY_OWN_TLS, 1);
	/* RFC 8996, RFC 7568 */
	if (event->version == NULL || strcmp(event->version, "TLSv1.2") == 0 ||
		strcmp(event->version, "TLSv1.3") == 0)
		return;
	snprintf(name, sizeof name, "own %s", event->version);
	add_relaxed(totals, event, name);
}

/* The second event of a connection that is left alone: how it is protected, if it is. */
static void take_recognised(struct totals *totals, const struct audit_event *event)
{
	static const struct {
		const char *protocol;
		enum tally_what what;
		enum timeline_what when;
	} kinds[] = {
		{ "tls", TALLY_OWN_TLS, TIMELINE_OWN },
		{ "ssh", TALLY_SSH, TIMELINE_OWN },
		{ "none", TALLY_IDLE, TIMELINE_WHATS },
	};
	struct conns_entry first;

	if (!conns_take(&totals->alone, event->conn, &first))
		return;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(event->protocol, kinds[i].protocol) == 0)
			move_all(totals, event, &first, kinds[i].what, kinds[i].when);
	conns_entry_clear(&first);
	if (strcmp(event->protocol, "tls") == 0)
		take_own_tls(totals, event);
}

/* By the policy at once, or for what it went on to say. */
static void take_deny(struct totals *totals, const struct audit_event *event)
{
	struct conns_entry first;

	if (!conns_take(&totals->alone, event->conn, &first)) {
		add_all(totals, event, TALLY_DENIED, 1);
		return;
	}
	move_all(totals, event, &first, TALLY_DENIED, TIMELINE_WHATS);
	conns_entry_clear(&first);
}

/* A connection that another program has handed on (inetd) is one: this program's from now on. */
static bool is_handed_on(struct totals *totals, const struct audit_event *event)
{
	struct conns_entry *first = conns_find(&totals->alone, event->conn);
	const char *program = event->program != NULL ? event->program : "";
	const char *rule = event->rule != NULL ? event->rule : NO_RULE;

	if (first == NULL)
		return false;
	if (event->program != NULL)
		tally_give(&totals->by[TOTALS_PROGRAM], first->program, program, TALLY_CLEAR);
	tally_give(&totals->by[TOTALS_RULE], first->rule, rule, TALLY_CLEAR);
	if (conns_give(first, program, rule) < 0)
		totals->incomplete = true;
	return true;
}

static void take_clear(struct totals *totals, const struct audit_event *event)
{
	char peer[TOTALS_PEER_LEN];

	if (is_handed_on(totals, event))
		return;
	add_all(totals, event, TALLY_CLEAR, 1);
	totals_peer(event, peer, sizeof peer);
	if (conns_add(&totals->alone, event->conn, event->time_us, peer,
		    event->program != NULL ? event->program : "",
		    event->rule != NULL ? event->rule : NO_RULE) < 0)
		totals->incomplete = true;
	if (event->reason != NULL && strstr(event->reason, "'accept = both'") != NULL)
		add_relaxed(totals, event, "accept = both");
	timeline_add(&totals->timeline, event->time_us, TIMELINE_CLEAR);
}

static void take_close(struct totals *totals, const struct audit_event *event)
{
	const char *cause = cause_of(event);

	if (cause != NULL) {
		add(totals, TOTALS_CAUSE, cause, TALLY_FAILED, 1);
		totals->broken++;
	}
	if (event->bytes_in != AUDIT_ABSENT)
		add_all(totals, event, TALLY_BYTES_IN, event->bytes_in);
	if (event->bytes_out != AUDIT_ABSENT)
		add_all(totals, event, TALLY_BYTES_OUT, event->bytes_out);
}

void totals_take(const struct audit_event *event, void *arg)
{
	struct totals *totals = arg;

	if (totals->events++ == 0 || event->time_us < totals->first_us)
		totals->first_us = event->time_us;
	if (event->time_us > totals->last_us)
		totals->last_us = event->time_us;
	if (event->type == AUDIT_OPEN)
		take_open(totals, event);
	else if (event->type == AUDIT_FAIL)
		take_fail(totals, event);
	else if (event->type == AUDIT_CLOSE)
		take_close(totals, event);
	else if (event->type == AUDIT_PASS || event->type == AUDIT_OBSERVE)
		(event->protocol != NULL ? take_recognised : take_clear)(totals, event);
	else if (event->type == AUDIT_DENY)
		take_deny(totals, event);
	else if (event->type == AUDIT_LOST && event->lost != AUDIT_ABSENT)
		totals->lost += event->lost;
}

void totals_clear(struct totals *totals)
{
	for (int by = 0; by < TOTALS_BYS; by++)
		tally_clear(&totals->by[by]);
	certs_clear(&totals->certs);
	conns_clear(&totals->alone);
}
