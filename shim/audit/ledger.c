/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/ledger.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LOCK_WAIT_S 2

struct ledger {
	pthread_mutex_t lock;
	dev_t dev;
	ino_t ino; /* of the file whose chain this is */
	uint64_t number;
	struct audit_link link; /* of the last record */
	/* The record that is being written: where, how long, and its link; len 0: none. */
	off_t pending_at;
	_Atomic size_t pending_len;
	struct audit_link pending_link;
	_Atomic unsigned users; /* processes */
};

static struct ledger *_Atomic ledgers;
static atomic_uint next_ledger;

static void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

int ledger_init(void)
{
	const size_t len = LEDGER_COUNT * sizeof(struct ledger);
	struct ledger *made, *none = NULL;

	if (atomic_load(&ledgers) != NULL)
		return 0;
	made = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return -ENOMEM;
	for (size_t i = 0; i < LEDGER_COUNT; i++)
		lock_init(&made[i].lock);
	if (!atomic_compare_exchange_strong(&ledgers, &none, made))
		munmap(made, len);
	return 0;
}

void ledger_after_fork(void)
{
	atomic_store(&ledgers, NULL);
	atomic_store(&next_ledger, 0);
}

/* What the last owner was killed at. */
static void recover(struct ledger *ledger, const struct audit_file *file)
{
	size_t len = atomic_load(&ledger->pending_len);
	off_t size;

	if (len == 0 || ledger->dev != file->dev || ledger->ino != file->ino ||
		audit_file_check(file, &size) != 0)
		return;
	if (size >= ledger->pending_at + (off_t)len) {
		ledger->link = ledger->pending_link;
		ledger->number++;
	} else if (size > ledger->pending_at) {
		audit_file_cut(file, ledger->pending_at);
	}
	atomic_store(&ledger->pending_len, 0);
}

/* 0; -ETIMEDOUT; -EINVAL: the lock is unusable. */
static int lock(struct ledger *ledger, const struct audit_file *file)
{
	struct timespec end;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += LOCK_WAIT_S;
	r = pthread_mutex_clocklock(&ledger->lock, CLOCK_MONOTONIC, &end);
	if (r == EOWNERDEAD) {
		pthread_mutex_consistent(&ledger->lock);
		r = 0;
	}
	/* A child of vfork() has its parent's thread id, and was killed with the lock: the parent,
	 * which waited for it, cannot have it. */
	if (r == EDEADLK)
		r = 0;
	if (r == 0)
		recover(ledger, file);
	return -r;
}

static void unlock(struct ledger *ledger)
{
	pthread_mutex_unlock(&ledger->lock);
}

struct ledger *ledger_new(const struct audit_file *file)
{
	struct ledger *all, *ledger;

	if (ledger_init() < 0)
		return NULL;
	all = atomic_load(&ledgers);
	ledger = &all[atomic_fetch_add(&next_ledger, 1) % LEDGER_COUNT];
	if (lock(ledger, file) < 0)
		return NULL;
	ledger->dev = file->dev;
	ledger->ino = file->ino;
	ledger->number = 0;
	memset(&ledger->link, 0, sizeof ledger->link);
	atomic_store(&ledger->pending_len, 0);
	atomic_store(&ledger->users, 0);
	unlock(ledger);
	return ledger;
}

/* With the lock. `len` bytes at `data`, of which the record is the end. */
static int append(struct ledger *ledger, const struct audit_file *file, off_t size,
	const uint8_t *data, size_t len, const struct audit_link *link)
{
	int r;

	ledger->pending_at = size;
	ledger->pending_link = *link;
	atomic_store(&ledger->pending_len, len);
	r = audit_file_append(file, size, data, len);
	if (r == 0) {
		ledger->link = *link;
		ledger->number++;
	} else if (r == -ENOSPC) {
		audit_file_cut(file, size);
	}
	atomic_store(&ledger->pending_len, 0);
	return r;
}

/* With the lock. 0 and *size; -EBADF; -ESTALE. */
static int check(const struct ledger *ledger, const struct audit_file *file, off_t *size)
{
	if (ledger->dev != file->dev || ledger->ino != file->ino)
		return -ESTALE;
	return audit_file_check(file, size);
}

int ledger_append(struct ledger *ledger, const struct audit_file *file, const struct audit_key *key,
	uint8_t record[AUDIT_RECORD_MAX], size_t len, uint64_t most)
{
	struct audit_link link;
	off_t size;
	int r = lock(ledger, file);

	if (r < 0)
		return r;
	r = check(ledger, file, &size);
	if (r == 0 && ledger->number == 0)
		r = -ENODATA;
	if (r == 0) {
		link = ledger->link;
		len = audit_chain_add(record, len, key, NULL, ledger->number, &link);
		if (most > 0 && (uint64_t)size + len > most)
			r = -EFBIG;
	}
	if (r == 0)
		r = append(ledger, file, size, record, len, &link);
	unlock(ledger);
	return r;
}

int ledger_begin(struct ledger *ledger, const struct audit_file *file, const struct audit_key *key,
	const struct audit_chain_head *head, const uint8_t *record, size_t len)
{
	uint8_t buf[AUDIT_MAGIC_LEN + AUDIT_RECORD_MAX];
	struct audit_link link = { { 0 } };
	off_t size;
	int r = lock(ledger, file);

	if (r < 0)
		return r;
	r = check(ledger, file, &size);
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): bytes, no string */
	memcpy(buf, AUDIT_MAGIC, AUDIT_MAGIC_LEN);
	memcpy(buf + AUDIT_MAGIC_LEN, record, len);
	len = audit_chain_add(buf + AUDIT_MAGIC_LEN, len, key, head, 0, &link);
	if (r == 0 && ledger->number == 0)
		r = append(ledger, file, size, buf, AUDIT_MAGIC_LEN + len, &link);
	unlock(ledger);
	return r;
}

void ledger_join(struct ledger *ledger)
{
	atomic_fetch_add(&ledger->users, 1);
}

bool ledger_leave(struct ledger *ledger)
{
	unsigned users = atomic_load(&ledger->users);

	while (users > 0 && !atomic_compare_exchange_weak(&ledger->users, &users, users - 1))
		;
	return users <= 1;
}

int ledger_link(struct ledger *ledger, const struct audit_file *file, struct audit_link *out)
{
	int r = lock(ledger, file);

	if (r < 0)
		return r;
	r = ledger->dev == file->dev && ledger->ino == file->ino ? 0 : -ESTALE;
	*out = ledger->link;
	unlock(ledger);
	return r;
}
