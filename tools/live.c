/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "live.h"
#include "audit/cause.h"
#include "conn/starttls.h"
#include "live_chain.h"
#include "tls/handshake.h"
#include "when.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PART_LEN 4096

struct live {
	const struct policy_rule *rule;
	const char *host;
	int fd;
	uint64_t end_ms; /* of the step, CLOCK_MONOTONIC */
	doctor_tell *tell;
	void *arg;
	struct live_chain chain;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void begin_step(struct live *live)
{
	live->end_ms = now_us() / 1000 + (uint64_t)live->rule->tls.handshake_timeout_s * 1000;
}

/* 0; -ETIMEDOUT. */
static int wait_for(const struct live *live, short events)
{
	struct pollfd fd = { live->fd, events, 0 };
	uint64_t now = now_us() / 1000;
	int left = now < live->end_ms ? (int)(live->end_ms - now) : 0;

	return poll(&fd, 1, left) > 0 ? 0 : -ETIMEDOUT;
}

/* --- the connection --- */

static int connect_to(struct live *live, const struct addrinfo *address)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	socklen_t len = sizeof(int);
	int error = 0;

	getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV);
	live->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (live->fd < 0)
		return -errno;
	begin_step(live);
	if (connect(live->fd, address->ai_addr, address->ai_addrlen) < 0) {
		error = errno == EINPROGRESS ? -wait_for(live, POLLOUT) : errno;
		if (error == 0)
			getsockopt(live->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	if (error == 0)
		doctor_say(
			live->tell, live->arg, DOCTOR_OK, "connection", "%s port %s", host, port);
	else
		doctor_say(live->tell, live->arg, DOCTOR_WARNING, "connection", "%s port %s: %s",
			host, port, strerror(error));
	if (error == 0)
		return 0;
	close(live->fd);
	live->fd = -1;
	return -error;
}

static int connect_any(struct live *live, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int r = getaddrinfo(live->host, port, &hints, &found);

	if (r != 0) {
		doctor_say(live->tell, live->arg, DOCTOR_NO, "address",
			"'%s' is not found: %s: look at its spelling, and at /etc/resolv.conf",
			live->host, gai_strerror(r));
		return -ENOENT;
	}
	r = -ENOENT;
	for (const struct addrinfo *at = found; r < 0 && at != NULL; at = at->ai_next)
		r = connect_to(live, at);
	freeaddrinfo(found);
	if (r < 0)
		doctor_say(live->tell, live->arg, DOCTOR_NO, "connection",
			"no address takes a connection: see whether the server runs and listens on "
			"port %s, and what stands between",
			port);
	return r;
}

/* --- the upgrade --- */

static int send_pending(const struct live *live, struct starttls *starttls)
{
	const uint8_t *data;
	size_t len;

	while (data = starttls_pending(starttls, &len), len > 0) {
		ssize_t n = send(live->fd, data, len, MSG_NOSIGNAL);

		if (n > 0)
			starttls_sent(starttls, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		else if (wait_for(live, POLLOUT) < 0)
			return -ETIMEDOUT;
	}
	return 0;
}

/* Only what belongs to the dialogue is taken from the socket. */
static int hear(const struct live *live, struct starttls *starttls)
{
	uint8_t part[PART_LEN];
	int r = wait_for(live, POLLIN);
	ssize_t n = r == 0 ? recv(live->fd, part, sizeof part, MSG_PEEK) : r;

	if (r < 0)
		return r;
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	n = (ssize_t)starttls_hear(starttls, part, (size_t)n);
	return n > 0 && recv(live->fd, part, (size_t)n, 0) < 0 ? -errno : 0;
}

static int upgrade(struct live *live)
{
	struct starttls *starttls = starttls_new(live->rule->tls.starttls, false, "localhost");
	int r = starttls != NULL ? 0 : -ENOMEM;

	begin_step(live);
	while (r == 0 && (r = send_pending(live, starttls)) == 0 &&
		starttls_state(starttls) == STARTTLS_PEER)
		r = hear(live, starttls);
	if (r < 0)
		doctor_say(live->tell, live->arg, DOCTOR_NO, "starttls", "%s", strerror(-r));
	else if (starttls_state(starttls) != STARTTLS_UPGRADE)
		doctor_say(live->tell, live->arg, DOCTOR_NO, "starttls", "%s",
			starttls_reason(starttls));
	else
		doctor_say(live->tell, live->arg, DOCTOR_OK, "starttls",
			"the server has agreed to the upgrade");
	if (r < 0 || starttls_state(starttls) != STARTTLS_UPGRADE)
		doctor_say(live->tell, live->arg, DOCTOR_NOTE, "what to do", "%s",
			cause_advice(CAUSE_STARTTLS));
	if (r == 0 && starttls_state(starttls) != STARTTLS_UPGRADE)
		r = -EPROTO;
	starttls_free(starttls);
	return r;
}

/* --- the handshake --- */

static ssize_t live_recv(void *arg, void *buf, size_t len)
{
	ssize_t n = recv(((struct live *)arg)->fd, buf, len, 0);

	return n < 0 ? -errno : n;
}

static ssize_t live_send(void *arg, const void *buf, size_t len)
{
	ssize_t n = send(((struct live *)arg)->fd, buf, len, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

/* The end of what is shown, if the handshake shows no chain: nothing is verified. */
static void say_peer(const struct live *live, const struct tls_peer *peer)
{
	char when[WHEN_LEN];

	if (peer->sha256[0] == '\0')
		return;
	doctor_say(live->tell, live->arg, DOCTOR_NOTE, "certificate 1", "of %s",
		peer->subject != NULL ? peer->subject : "");
	doctor_say(live->tell, live->arg, DOCTOR_NOTE, "certificate 1", "issued by %s",
		peer->issuer != NULL ? peer->issuer : "");
	doctor_say(live->tell, live->arg, DOCTOR_NOTE, "certificate 1", "valid until %s",
		when_seconds(when, (uint64_t)peer->not_after));
	doctor_say(live->tell, live->arg, DOCTOR_NOTE, "certificate 1", "sha256 %s", peer->sha256);
}

static void say_result(const struct live *live, const struct tls_context *context,
	const struct tls_result *result, int r, uint64_t us)
{
	if (r < 0 && result->reason[0] != '\0')
		doctor_say(live->tell, live->arg, DOCTOR_NO, "handshake", "%s: %s",
			result->by_peer ? "refused by the peer" : "refused by this side",
			result->reason);
	else if (r < 0)
		doctor_say(live->tell, live->arg, DOCTOR_NO, "handshake", "%s", strerror(-r));
	else
		doctor_say(live->tell, live->arg, DOCTOR_OK, "handshake", "done in %.1f ms",
			(double)us / 1000);
	if (result->alert_received >= 0 && r < 0)
		doctor_say(live->tell, live->arg, DOCTOR_NOTE, "alert", "received %s",
			tls_alert_name(result->alert_received));
	if (result->version != 0)
		doctor_say(live->tell, live->arg, DOCTOR_NOTE, "version", "TLSv1.%d",
			result->version - RECORD_TLS12 + 2);
	if (result->cipher != NULL)
		doctor_say(
			live->tell, live->arg, DOCTOR_NOTE, "cipher suite", "%s", result->cipher);
	if (result->group != NULL)
		doctor_say(live->tell, live->arg, DOCTOR_NOTE, "group", "%s", result->group);
	if (result->alpn[0] != '\0')
		doctor_say(
			live->tell, live->arg, DOCTOR_NOTE, "protocol", "%s (ALPN)", result->alpn);
	if (live->chain.count > 0)
		live_chain_tell(&live->chain, context, live->tell, live->arg);
	else
		say_peer(live, &result->peer);
	if (result->verify[0] != '\0')
		doctor_say(live->tell, live->arg,
			r < 0                               ? DOCTOR_NOTE
			: strcmp(result->verify, "ok") == 0 ? DOCTOR_OK
							    : DOCTOR_WARNING,
			"verification", "%s", result->verify);
}

/* A handshake that stood still has no result. */
static void say_advice(const struct live *live, const struct tls_result *result, int r)
{
	enum cause cause = r == -ETIMEDOUT ? CAUSE_TIMEOUT : result->cause;

	if (cause != CAUSE_NONE)
		doctor_say(live->tell, live->arg, DOCTOR_NOTE, "what to do", "%s",
			cause_advice(cause));
}

static void shake_hands(struct live *live, struct tls_context *context)
{
	const struct tls_transport transport = { live_recv, live_send, live };
	struct tls_handshake *handshake;
	uint64_t begun = now_us();
	int r = tls_handshake_new(context, live->host, &transport, &handshake);

	if (handshake == NULL) {
		doctor_say(live->tell, live->arg, DOCTOR_NO, "handshake", "%s", strerror(-r));
		return;
	}
	tls_handshake_show_chain(handshake, live_chain_add, &live->chain);
	begin_step(live);
	while (r == 0 && (r = tls_handshake_step(handshake)) == -EAGAIN)
		r = wait_for(live, tls_handshake_events(handshake));
	say_result(live, context, tls_handshake_result(handshake), r, now_us() - begun);
	if (r < 0)
		say_advice(live, tls_handshake_result(handshake), r);
	live_chain_clear(&live->chain);
	tls_handshake_free(handshake);
}

void live_test(const struct policy_rule *rule, const char *host, const char *port,
	doctor_tell *tell, void *arg)
{
	struct live live = { rule, host, -1, 0, tell, arg, { 0 } };
	struct tls_context *context = NULL;
	char why[512];

	doctor_say(tell, arg, DOCTOR_NOTE, "rule", "\"%s\" (%s:%u)", rule->name, rule->file,
		rule->line);
	if (tls_context_new(&rule->tls, TLS_CLIENT, &context, why, sizeof why) < 0) {
		doctor_say(tell, arg, DOCTOR_NO, "settings", "%s", why);
		return;
	}
	if (connect_any(&live, port) == 0 &&
		(rule->tls.starttls == POLICY_STARTTLS_NONE || upgrade(&live) == 0))
		shake_hands(&live, context);
	if (live.fd >= 0)
		close(live.fd);
	tls_context_free(context);
}
