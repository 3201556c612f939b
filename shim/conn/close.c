/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The end of a connection. The last descriptor in any process says close_notify and then closes;
 * one that is not the last only closes. Control records that are still unread are taken away first,
 * since unread bytes turn FIN into a reset. What the kernel has no room for at that moment stays on
 * a descriptor of ours and goes out at the next opportunity, at exit at the latest.
 */
#include "conn/internal.h"

#include "audit/writer.h"
#include "conn/permissive.h"
#include "conn/starttls.h"
#include "guard.h"
#include "libc.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXIT_LINGER_US 2000000
/* How long a close of a blocking descriptor may wait for room for what was promised to be sent. */
#define CLOSE_WAIT_MS 1000
#define LAST_BUFFER_LEN (4 << 20)
/* What they have is lost when the stream has ended. */
#define RELAYS_MOST_US 1000000
#define LINGER_FD_LEAST 512
#define LINGERING_MOST 64

/* The thread that ends the process, or 0. */
static _Atomic pid_t ending;
static _Atomic unsigned lingering_count;

void conn_unmap(struct conn *conn)
{
	struct share *share = conn->share;

	conn->share = NULL;
	if (share != NULL && share_release(share))
		share_free(share);
}

/* Back to what conn_new() gives out. */
void conn_recycle(struct conn *conn)
{
	observe_forget(conn);
	interest_end(conn);
	tls_handshake_free(conn->handshake);
	starttls_free(conn->starttls);
	if (conn->early != NULL)
		explicit_bzero(conn->early, conn->early_len);
	free(conn->early);
	free(conn->tickets);
	tls_resumption_free(conn->resumption);
	tls_post_auth_free(conn->post_auth);
	free(conn->found);
	free(conn->start_name);
	conn_unmap(conn);
	scratch_empty();
	conn->handshake = NULL;
	conn->starttls = NULL;
	conn->upgraded = conn->byte_held = false;
	tls_context_free(conn->context);
	conn->context = NULL;
	host_release(conn->rule);
	conn->rule = NULL;
	conn->early = NULL;
	conn->early_len = 0;
	conn->tickets = NULL;
	conn->tickets_len = 0;
	conn->resumption = NULL;
	conn->post_auth = NULL;
	conn->found = NULL;
	conn->start_name = NULL;
	conn->timeout_ms = 0;
	conn->accepted = false;
	conn->deadline_us = conn->started_us = 0;
	conn->steps_seen = 0;
	atomic_store(&conn->relays_seen, 0);
	atomic_store(&conn->waits_first, false);
	conn->early_closed = conn->early_allowed = conn->connect_told = conn->out_told =
		conn->self_connected = conn->relayed = false;
	atomic_store(&conn->edge_triggered, false);
	conn->lingering = false;
	conn->local[0] = conn->remote[0] = conn->name[0] = '\0';
	atomic_store(&conn->fd, -1);
}

void conn_abandon(struct conn *conn)
{
	if (atomic_load(&conn->descriptors) == 0)
		observe_end(conn, -1);
	if (conn->share != NULL && atomic_load(&conn->descriptors) == 0) {
		driver_remove(conn);
		if (share_leave(conn->share) && conn_is_mapped(conn))
			report_close(conn,
				"the program closed the descriptor behind the library's back");
	}
	conn_unref(conn);
}

/* A number above what programs look at, or the next free one. */
static int high_copy(int fd)
{
	struct rlimit limit = { 0 };
	long least = LINGER_FD_LEAST;
	int copy;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < LINGER_FD_LEAST * 2)
		least = (long)(limit.rlim_cur / 2);
	copy = sys_fcntl(fd, F_DUPFD_CLOEXEC, least);
	return copy >= 0 ? copy : sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* The program is done with it; what it has sent is not. */
static void linger(struct conn *conn, int fd)
{
	int copy = high_copy(fd);

	if (copy < 0) {
		report_broken(conn, CAUSE_RESOURCES,
			"data was lost: no descriptor was left to send it from after the program "
			"had closed");
		return;
	}
	conn_ref(conn); /* the copy's */
	guard_lock(&conn->lock);
	atomic_store(&conn->fd, copy);
	conn->lingering = true;
	atomic_fetch_add(&lingering_count, 1);
	guard_unlock(&conn->lock);
	driver_add(conn);
}

void conn_linger_end(struct conn *conn)
{
	int fd = atomic_exchange(&conn->fd, -1);

	if (!conn->lingering || fd < 0)
		return;
	if (conn_state(conn) == CONN_OPEN)
		report_close(conn, NULL);
	driver_remove(conn);
	conn->lingering = false;
	atomic_fetch_sub(&lingering_count, 1);
	sys_close(fd);
	conn_unref(conn);
}

/*
 * close_notify, and whatever is parked before it. Nothing comes after these bytes, so the buffer's
 * size is ours to raise: a larger one takes what the full one would not. False: they are still
 * parked.
 */
static bool send_last(struct conn *conn, int fd)
{
	int r = conn_send_close_notify(conn, fd);

	if (!share_is_parked(conn->share) || (r < 0 && r != -EAGAIN))
		return true;
	sys_setsockopt_int(fd, SOL_SOCKET, SO_SNDBUF, LAST_BUFFER_LEN);
	return conn_flush(conn, fd) != -EAGAIN;
}

/* A program that waits in its calls has no loop that could send the rest later. */
static bool wait_for_room(struct conn *conn, int fd)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	const struct timespec most = { .tv_sec = CLOSE_WAIT_MS / 1000,
		.tv_nsec = CLOSE_WAIT_MS % 1000 * 1000000L };

	if ((sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0 || sys_poll(&room, 1, &most, NULL) <= 0)
		return false;
	return conn_flush(conn, fd) != -EAGAIN;
}

/* The kernel's TLS has taken them from TCP, which knows of no unread bytes then. */
static void reset_at_close(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void conn_report_left(struct conn *conn)
{
	report_close(conn,
		conn->share->version == RECORD_TLS13 && !conn->share->kernel_rekeys
			? "handed on to a program that is not covered, which may go on with it "
			  "until "
			  "its peer changes keys (KeyUpdate): the TLS of this kernel cannot follow"
			: "handed on to a program that is not covered, which may go on with it");
}

static void finish_open(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	bool sent, unread;

	if (share->abortive) {
		report_close(conn, "reset by the program (SO_LINGER)");
		return;
	}
	/* That the peer has ended without close_notify is nothing to a program that reads no more.
	 */
	if (share->left_sight) {
		conn_report_left(conn);
		return;
	}
	share->receive_closed = true;
	unread = conn_drain(conn, fd);
	if (conn_state(conn) != CONN_OPEN) /* what was drained was its end, and reported */
		return;
	if (unread && !share->send_closed) {
		/* The byte that is held in the kernel makes TCP reset the connection, as it does
		 * when a program closes on data that it has not read. */
		if (share->kernel_receives)
			reset_at_close(fd);
		report_close(conn, "closed by the program with data unread");
		return;
	}
	sent = send_last(conn, fd);
	if (sent || wait_for_room(conn, fd))
		report_close(conn, NULL);
	else
		linger(conn, fd);
}

/*
 * What a server wrote and closed at once is still to arrive; and a client that finds nothing is to
 * find the end, for which there has to be a handshake. Not at any price: a stranger who says
 * nothing costs a descriptor until handshake_timeout.
 */
static bool ends_with_handshake(const struct conn *conn)
{
	if (conn->early_len > 0)
		return true;
	/* Before an upgrade the client has heard all that the program has said. */
	if (conn_upgrades(conn))
		return false;
	if (permissive_is_undecided(conn))
		return false;
	/* The client in the same process has been told that it is connected. */
	return (conn->role == TLS_SERVER || conn->self_connected) && atomic_load(&ending) == 0 &&
	       atomic_load(&lingering_count) < LINGERING_MOST;
}

/* Towards the peer, by the last descriptor of the last process. */
static void finish(struct conn *conn, int fd)
{
	switch (conn_state(conn)) {
	case CONN_WAITING:
		conn_end_waiting(conn);
		break;
	case CONN_OPEN:
		finish_open(conn, fd);
		break;
	case CONN_ESTABLISHING:
		if (ends_with_handshake(conn) && conn_establish(conn, fd) == -EAGAIN) {
			conn->early_closed = true;
			linger(conn, fd);
		} else if (conn_state(conn) == CONN_OPEN) {
			finish_open(conn, fd);
		} else if (conn_state(conn) == CONN_ESTABLISHING) {
			report_fail(conn, NULL, ECONNABORTED, CAUSE_PROGRAM,
				permissive_is_undecided(conn)
					? "the program closed the connection before the client had "
					  "said whether it speaks TLS"
					: "the program closed the connection during the handshake");
		}
		break;
	default:
		break;
	}
	if (!conn->lingering)
		driver_remove(conn);
}

static int another_number(struct conn *conn)
{
	for (unsigned fd = 0; fd < table_high(); fd++)
		if (table_has((int)fd, conn))
			return (int)fd;
	return -1;
}

/* The descriptor is about to be closed: whoever steps the connection from somewhere else is not to
 * do that to whatever gets the number next. */
static void retire_fd(struct conn *conn, int gone)
{
	guard_lock(&conn->lock);
	if (atomic_load(&conn->fd) == gone)
		atomic_store(&conn->fd, another_number(conn));
	guard_unlock(&conn->lock);
}

/* The handshake, if it has begun, can be taken over by a process whose copy is as far. */
static void leave_to_others(struct conn *conn, int fd)
{
	pid_t self = guard_pid();

	/* What was kept for the end of the handshake is in this process alone. */
	if (conn->early_len > 0) {
		linger(conn, fd);
		return;
	}
	atomic_compare_exchange_strong(&conn->share->owner, &self, 0);
	driver_remove(conn);
}

/* The entry is gone from the table; its reference is given back here. The descriptor itself is
 * still open. */
static void detach(struct conn *conn, int fd)
{
	interest_forget(conn, fd);
	if (atomic_load(&conn->descriptors) == 0)
		observe_end(conn, fd);
	if (atomic_load(&conn->descriptors) == 0 && conn->share == NULL)
		driver_remove(conn);
	else if (atomic_load(&conn->descriptors) == 0 && share_leave(conn->share))
		finish(conn, fd);
	else if (atomic_load(&conn->descriptors) == 0)
		leave_to_others(conn, fd);
	retire_fd(conn, fd);
	conn_unref(conn);
}

static int real_close(int fd)
{
	int saved = errno, r = libc.close(fd);

	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

int conn_close(struct conn *conn, int fd)
{
	struct conn *entry;

	(void)conn;
	/* A vfork child: the memory is the parent's, only the descriptor is its own. */
	if (host_is_visitor())
		return real_close(fd);
	entry = table_take(fd);
	if (entry != NULL)
		detach(entry, fd);
	return real_close(fd);
}

void conn_close_range(unsigned first, unsigned last, bool on_exec_only)
{
	guard_enter();
	for (unsigned fd = first; fd <= last && fd < table_high(); fd++) {
		struct conn *conn = table_get((int)fd);

		if (conn == NULL)
			continue;
		if (on_exec_only)
			conn_set_close_on_exec(conn, (int)fd, true);
		else
			conn_replaced((int)fd);
		conn_unref(conn);
	}
	guard_leave();
}

void conn_replaced(int newfd)
{
	struct conn *entry;

	if (host_is_visitor())
		return;
	guard_enter();
	entry = table_take(newfd);
	if (entry != NULL)
		detach(entry, newfd);
	guard_leave();
}

int conn_own_descriptor(void)
{
	return audit_writer_descriptor();
}

/* RFC 9293 3.3.2: CLOSED. */
bool conn_tcp_is_over(int fd)
{
	int info = sys_getsockopt_int(fd, IPPROTO_TCP, TCP_INFO); /* its first byte is the state */

	return info < 0 || (info & 0xff) == TCP_CLOSE;
}

int conn_shutdown(struct conn *conn, int fd, int how)
{
	int saved = errno, r;
	bool was_over = conn_tcp_is_over(fd);

	if (conn_state(conn) == CONN_OPEN && (how == SHUT_WR || how == SHUT_RDWR)) {
		conn_let_relays_go_first(conn, RELAYS_MOST_US);
		if (!send_last(conn, fd)) {
			/* FIN follows when what is parked has gone. */
			conn->share->fin_due = true;
			driver_add(conn);
			conn_flush(conn, fd);
			how = how == SHUT_RDWR ? SHUT_RD : -1;
		}
	} else if (conn_state(conn) == CONN_ESTABLISHING && how != SHUT_RD) {
		conn->early_closed = true;
		return 0;
	}
	if (how == SHUT_RD || how == SHUT_RDWR)
		conn->share->receive_closed = true;
	if (how < 0)
		return 0;
	r = libc.shutdown(fd, how);
	if (r < 0)
		r = -errno;
	/* A peer that has closed answers our close_notify with a reset; FIN would have gone. */
	if (r == -ENOTCONN && !was_over)
		r = 0;
	errno = saved;
	return r;
}

void conn_wait_if_ending(void)
{
	pid_t by = atomic_load_explicit(&ending, memory_order_relaxed);

	if (by == 0 || by == gettid())
		return;
	for (;;)
		pause();
}

void conn_ends_in_child(void)
{
	atomic_store(&lingering_count, 0);
	atomic_store(&ending, 0);
}

void conn_at_exit(void)
{
	struct conn *conn;
	int saved = errno;

	if (host_is_visitor())
		return;
	guard_enter();
	atomic_store(&ending, gettid());
	for (int fd = 0; (conn = table_next(&fd)) != NULL; fd++) {
		if (conn->share != NULL && atomic_load(&conn->fd) == fd && share_leave(conn->share))
			finish(conn, fd);
		observe_end(conn, fd);
		conn_unref(conn);
	}
	driver_finish(sys_monotonic_us() + EXIT_LINGER_US);
	host_audit_flush();
	guard_leave();
	errno = saved;
}
