/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a connection is given to a relay. The process is a copy of this one, made so that the host
 * program does not see it: by a clone that sends no signal at its end and is waited for here, whose
 * child the relay is. It gives up whatever is the host program's before it does anything
 * (relay_process.c).
 */
#include "conn/relay.h"

#include "conn/internal.h"
#include "conn/kernel.h"
#include "conn/relay_process.h"
#include "guard.h"
#include "libc.h"
#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t (*fork_bare)(void);

/* The end that this process, or vfork child, has put on a number already. */
struct placed {
	pid_t pid;
	uint64_t id; /* of the share */
	int number;
	ino_t inode;
};

/* A vfork child runs in its parent's memory, but in a thread that stands still meanwhile. */
static _Thread_local struct placed placed __attribute__((tls_model("initial-exec")));

static void __attribute__((noreturn)) become_relay(const struct relay_job *job)
{
	pid_t relay = fork_bare(), nobody = 0;

	if (relay == 0)
		relay_serve(job);
	/* Before its maker goes on, which may be about to step the handshake, or to close. */
	if (relay > 0 && job->takes_handshake)
		atomic_compare_exchange_strong(&job->conn->share->owner, &nobody, relay);
	libc.exit_now(relay > 0 ? 0 : 1);
}

/* Signals are held off: a handler of the host program has nothing to do in there. */
static int start_process(const struct relay_job *job)
{
	sigset_t all, before;
	int status = 1;
	pid_t pid;

	if (fork_bare == NULL)
		libc_find(&fork_bare, "_Fork");
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	conn_lock_all(true);
	pid = (pid_t)libc.syscall(SYS_clone, 0, 0, 0, 0, 0, 0);
	conn_lock_all(false);
	if (pid == 0)
		become_relay(job);
	if (pid > 0 && waitpid(pid, &status, __WCLONE) < 0)
		status = 0; /* somebody else has waited for it */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status == 0 ? 0 : -EAGAIN;
}

/* A handshake that this process may drive is the relay's to go on with; no step is under way. Who
 * waits for exec() to succeed leaves it to whoever comes first. */
static int start_locked(struct relay_job *job)
{
	struct share *share = job->conn->share;
	pid_t self = getpid(), owner = self;
	bool ours = atomic_compare_exchange_strong(&share->owner, &owner, 0);
	int r;

	job->takes_handshake = !job->exec && (ours || (owner == 0 && conn_may_drive(job->conn)));
	share_before_fork(share);
	r = start_process(job);
	if (r < 0) {
		share_fork_failed(share);
		if (ours)
			atomic_store(&share->owner, self);
	}
	return r;
}

static int start(struct relay_job *job)
{
	struct conn *conn = job->conn;
	int saved = errno, r;

	guard_lock(&conn->lock);
	if (conn->share != NULL) {
		job->turn = atomic_fetch_add(&conn->share->relays_begun, 1);
		r = start_locked(job);
		if (r < 0)
			atomic_fetch_add(&conn->share->relays_done, 1);
	} else {
		r = -ENOTCONN;
	}
	guard_unlock(&conn->lock);
	errno = saved;
	return r;
}

void relay_complain(const struct conn *conn)
{
	notice("the connection to %s cannot be handed on: no process can be started for it",
		conn->remote);
}

int relay_pair_start(struct conn *conn, int fd, struct relay_pair *pair, bool reads)
{
	struct relay_job job = { .conn = conn, .fd = fd, .inside = pair->inside, .reads = reads };
	int r = start(&job);

	if (r == 0) {
		sys_close(pair->inside);
		pair->inside = -1;
	}
	return r;
}

static ino_t inode_of(int fd)
{
	struct stat st;
	int saved = errno;
	int r = fstat(fd, &st);

	errno = saved;
	return r == 0 ? st.st_ino : 0;
}

static int put_onto(int from, int to, bool close_on_exec)
{
	int saved = errno;
	int r = libc.dup3(from, to, close_on_exec ? O_CLOEXEC : 0);

	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

/* Nobody else has the connection: everything of this process goes through the relay from here on,
 * which has its part in the share. */
static int replace_all(struct conn *conn, const struct relay_pair *pair)
{
	int r = 0;

	conn_ref(conn);
	for (int number = 0; (unsigned)number < table_high(); number++) {
		bool close_on_exec = !table_kept_on_exec(number);
		struct conn *entry;

		if (!table_has(number, conn))
			continue;
		entry = table_take(number);
		if (entry != NULL)
			conn_unref(entry);
		r = put_onto(pair->outside, number, close_on_exec);
	}
	driver_remove(conn);
	share_leave(conn->share);
	conn_unref(conn);
	return r < 0 ? r : 0;
}

static int new_end(struct conn *conn, int fd, bool alone, bool reads, struct relay_pair *pair)
{
	int r = relay_pair_new(conn, fd, pair);

	if (r < 0)
		return r;
	r = relay_pair_start(conn, fd, pair, alone || reads);
	if (r < 0)
		relay_pair_close(pair);
	return r;
}

/* An end that is there already. -EBADF: there is none. */
static int place_again(struct conn *conn, int to)
{
	if (placed.pid != getpid() || placed.id != conn->share->id ||
		placed.inode != inode_of(placed.number))
		return -EBADF;
	if (to == STDIN_FILENO)
		atomic_store(&conn->share->relay_reads, true);
	return put_onto(placed.number, to, false);
}

static int place_new(struct conn *conn, int fd, int to)
{
	bool alone = !host_is_visitor() && !share_has_others(conn->share);
	struct relay_pair pair;
	int r = new_end(conn, fd, alone, to == STDIN_FILENO || to > STDERR_FILENO, &pair);

	if (r < 0)
		return r;
	if (alone) {
		r = replace_all(conn, &pair);
	} else {
		placed = (struct placed){ getpid(), conn->share->id, to, inode_of(pair.outside) };
		if (table_has(to, conn))
			conn_replaced(to);
	}
	if (r == 0)
		r = put_onto(pair.outside, to, false);
	relay_pair_close(&pair);
	return r;
}

/* A socket of the kernel's TLS is what anybody may have. */
static int place_itself(struct conn *conn, int fd, int to)
{
	int r = fd != to ? put_onto(fd, to, false) : to;

	if (r < 0)
		return r;
	if (!host_is_visitor() && !table_has(to, conn))
		conn_duplicated(conn, fd, to, false);
	sys_fcntl(to, F_SETFD, 0);
	return to;
}

int relay_onto(struct conn *conn, int fd, int to, enum departure departure)
{
	int r;

	if (kernel_leave(conn, fd, departure))
		return place_itself(conn, fd, to);
	r = place_again(conn, to);
	if (r == -EBADF)
		r = place_new(conn, fd, to);
	if (r < 0 && kernel_leave(conn, fd, DEPARTS_ANYHOW))
		return place_itself(conn, fd, to);
	if (r < 0)
		relay_complain(conn);
	return r;
}

int relay_in_place(struct conn *conn, int fd)
{
	struct relay_pair pair;
	int r = new_end(conn, fd, true, true, &pair);

	if (r < 0) {
		relay_complain(conn);
		return r;
	}
	r = replace_all(conn, &pair);
	relay_pair_close(&pair);
	return r;
}

/* --- exec() */

int relay_watch_exec(struct conn *conn, int fd)
{
	struct relay_job job = { .conn = conn, .fd = fd, .exec = true, .host = getpid() };
	int ends[2], saved = errno, r;

	r = pipe2(ends, O_CLOEXEC | O_NONBLOCK);
	errno = saved;
	if (r < 0)
		return -1;
	job.inside = ends[0];
	r = start(&job);
	sys_close(ends[0]);
	if (r < 0) {
		relay_complain(conn);
		sys_close(ends[1]);
	}
	return r < 0 ? -1 : ends[1];
}

void relay_exec_failed(int watch)
{
	int saved = errno;

	libc.write(watch, "", 1);
	libc.close(watch);
	errno = saved;
}
