/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each direction is handed over as soon as it is at a record boundary and nothing of it is kept
 * here: at once after the handshake, most often. What the program wrote before the handshake's end
 * is still ours to send. A refusal leaves the direction with us, whatever the other's fate is.
 */
#include "conn/kernel.h"

#include "conn/internal.h"
#include "conn/kernel_key.h"
#include "conn/outlet.h"
#include "guard.h"
#include "notice.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool is_asked_for(const struct conn *conn)
{
	/* What may leave TLS again must not enter the kernel's, which cannot be left. */
	return conn->rule->tls.plane == POLICY_PLANE_KERNEL && !conn_is_controlled(conn);
}

/*
 * Whoever is not covered finds EIO where the peer ends, and its own end is none of TLS's; but it
 * has a TCP socket, and there is no process in between. So with `auto` a program that is covered,
 * or that nobody knows, gets a relay's end, which ends as TCP does; and so do libc's own streams.
 */
static bool is_wanted(const struct policy_rule *rule, enum departure departure)
{
	switch (rule->tls.hand_on) {
	case POLICY_HAND_ON_RELAY:
		return false;
	case POLICY_HAND_ON_KERNEL:
		return true;
	case POLICY_HAND_ON_AUTO:
		break;
	}
	return rule->tls.plane != POLICY_PLANE_USER && departure != DEPARTS_TO_COVERED;
}

/* A client's first reads would be refused by the kernel, for the tickets (RFC 8446 4.6.1) that its
 * server sends before data. */
static bool may_leave(const struct conn *conn, enum departure departure)
{
	const struct share *share = conn->share;

	if (conn_state(conn) != CONN_OPEN || conn_is_controlled(conn) ||
		!is_wanted(conn->rule, departure))
		return false;
	return conn->role == TLS_SERVER || share->version == RECORD_TLS12 ||
	       atomic_load(&share->data_seen);
}

/* Whoever asks for the kernel's TLS by name has it loaded, if he may; else what is there will do.
 */
static bool is_by_name(const struct policy_rule *rule)
{
	return rule->tls.plane == POLICY_PLANE_KERNEL || rule->tls.hand_on == POLICY_HAND_ON_KERNEL;
}

static struct kernel_ability ability_for(const struct conn *conn)
{
	const struct record_key *key = &conn->share->send_key;

	return kernel_ability(key->version, (enum record_aead)key->aead, is_by_name(conn->rule));
}

static void try_all(const struct policy_rule *rule)
{
	for (int aead = RECORD_AES_128_GCM; aead <= RECORD_CHACHA20_POLY1305; aead++) {
		if (rule->tls.min_version == POLICY_TLS12)
			kernel_ability(RECORD_TLS12, (enum record_aead)aead, is_by_name(rule));
		if (rule->tls.max_version == POLICY_TLS13)
			kernel_ability(RECORD_TLS13, (enum record_aead)aead, is_by_name(rule));
	}
}

static void try_if_by_name(const struct policy_rule *rule)
{
	if (is_by_name(rule))
		try_all(rule);
}

static void try_if_wanted(const struct policy_rule *rule)
{
	if (is_by_name(rule) || is_wanted(rule, DEPARTS_ANYHOW))
		try_all(rule);
}

void kernel_prepare(bool last_chance)
{
	static _Atomic bool prepared;

	if (!last_chance && (atomic_load(&prepared) || atomic_exchange(&prepared, true)))
		return;
	guard_enter();
	host_each_rule(last_chance ? try_if_wanted : try_if_by_name);
	guard_leave();
}

void kernel_plan(struct conn *conn)
{
	struct share *share = conn->share;
	struct kernel_ability ability;

	if (!is_asked_for(conn))
		return;
	ability = ability_for(conn);
	share->kernel_rekeys = ability.rekeys;
	/* The kernel's records are as long as any (RFC 6066 4). */
	share->kernel_send_due = ability.sends && share->send_key.plaintext_most == 0;
	share->kernel_receive_due = ability.receives;
}

static bool take_receive_locked(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	int r = share_lock(&share->receive_lock);

	if (r == 0 && !share->kernel_receives) {
		share->kernel_receive_due = true;
		kernel_take_receive(conn, fd);
		share->kernel_receive_due =
			conn->rule->tls.plane == POLICY_PLANE_KERNEL && share->kernel_receive_due;
	}
	if (r == 0 || r == -EOWNERDEAD)
		share_unlock(&share->receive_lock);
	return share->kernel_receives;
}

static bool take_send_locked(struct conn *conn, int fd)
{
	struct share *share = conn->share;

	if (outlet_lock(conn) < 0)
		return false;
	if (!share->kernel_sends && outlet_flush(share, fd) == 0) {
		share->kernel_send_due = share->send_key.plaintext_most == 0;
		kernel_take_send(conn, fd);
		share->kernel_send_due =
			conn->rule->tls.plane == POLICY_PLANE_KERNEL && share->kernel_send_due;
	}
	share_unlock(&share->send_lock);
	return share->kernel_sends;
}

/* Both directions, now. */
static bool take_both(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	struct kernel_ability ability = ability_for(conn);

	share->kernel_rekeys = ability.rekeys;
	return ability.sends && ability.receives && take_receive_locked(conn, fd) &&
	       take_send_locked(conn, fd);
}

bool kernel_leave(struct conn *conn, int fd, enum departure departure)
{
	struct share *share = conn->share;

	if (!may_leave(conn, departure))
		return false;
	if (share->left_sight)
		return true;
	if (!take_both(conn, fd))
		return false;
	share->left_sight = true;
	notice_debug(1, "handed on: %s -> %s, the socket itself, with the kernel's TLS",
		conn->local, conn->remote);
	return true;
}

bool kernel_lacks(const struct conn *conn, char *out, size_t room)
{
	const struct share *share = conn->share;
	struct kernel_ability ability;

	if (conn->rule->tls.plane != POLICY_PLANE_KERNEL)
		return false;
	if ((share->kernel_sends || share->kernel_send_due) &&
		(share->kernel_receives || share->kernel_receive_due))
		return false;
	ability = ability_for(conn);
	if (conn_is_controlled(conn))
		snprintf(out, room, "the program may end TLS (start = program)");
	else if (share->send_key.plaintext_most != 0)
		snprintf(out, room, "the peer takes short records only");
	else if (ability.error != 0)
		kernel_ability_lacks(&ability, (enum record_aead)share->send_key.aead, out, room);
	else
		snprintf(out, room, "the kernel did not take this connection over");
	return true;
}

/* What the kernel has of a key is nobody else's to know; without the next ones to make, even less.
 */
static void forget(struct record_key *key, bool rekeys)
{
	record_key_forget(key);
	explicit_bzero(key->key, sizeof(key->key));
	explicit_bzero(key->iv, sizeof(key->iv));
	if (!rekeys)
		explicit_bzero(key->secret, sizeof(key->secret));
}

static int hand_over(int fd, enum kernel_direction direction, struct record_key *key, bool rekeys)
{
	int r = kernel_attach(fd);

	if (r == 0)
		r = kernel_set_key(fd, direction, key);
	if (r == 0)
		forget(key, rekeys);
	return r;
}

uint64_t kernel_stream_end(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	int queued;

	/* In this order: what is acknowledged in between makes the sum too small, not too large. */
	sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	queued = sys_unsent(fd);
	return info.tcpi_bytes_acked + (uint64_t)(queued > 0 ? queued : 0);
}

void kernel_take_send(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	int r;

	if (!share->kernel_send_due || share->tail.len > 0 || share->owed || share->send_closed ||
		share->key_update_due)
		return;
	share->kernel_send_due = false;
	share->kernel_from_seq = share->send_key.seq;
	share->kernel_from_byte = kernel_stream_end(fd);
	share->kernel_in = 0;
	r = hand_over(fd, KERNEL_SENDS, &share->send_key, share->kernel_rekeys);
	share->kernel_sends = r == 0;
	notice_debug(2, "kernel: %s -> %s: what is sent: %s", conn->local, conn->remote,
		r == 0 ? "the kernel's" : strerrordesc_np(-r));
}

void kernel_take_receive(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	int r;

	if (!share->kernel_receive_due || share->partial.len > 0 || share->plaintext.len > 0 ||
		share->held || share->eof || share->message_len > 0 || share->message_skip > 0 ||
		conn_may_ask(conn))
		return;
	share->kernel_receive_due = false;
	r = hand_over(fd, KERNEL_RECEIVES, &share->receive_key, share->kernel_rekeys);
	share->kernel_receives = r == 0;
	conn_sync_low_water(conn, fd, false);
	notice_debug(2, "kernel: %s -> %s: what is received: %s", conn->local, conn->remote,
		r == 0 ? "the kernel's" : strerrordesc_np(-r));
}

static int rekey(
	struct share *share, int fd, enum kernel_direction direction, struct record_key *key)
{
	int r = share->kernel_rekeys ? kernel_set_key(fd, direction, key) : -EOPNOTSUPP;

	forget(key, share->kernel_rekeys);
	return r == -EBUSY ? -EOPNOTSUPP : r;
}

int kernel_rekey_send(struct share *share, int fd)
{
	uint64_t seq = share->kernel_from_seq;

	/* The numbers begin anew. */
	kernel_send_seq(fd, &seq);
	share->kernel_from_byte +=
		(seq - share->kernel_from_seq) * record_overhead(&share->send_key);
	share->kernel_from_seq = 0;
	return rekey(share, fd, KERNEL_SENDS, &share->send_key);
}

int kernel_rekey_receive(struct share *share, int fd)
{
	return rekey(share, fd, KERNEL_RECEIVES, &share->receive_key);
}
