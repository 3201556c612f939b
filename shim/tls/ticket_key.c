/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/ticket_key.h"
#include "shared.h"
#include "tls/ticket_file.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#define ROTATION_S 43200
#define RING_KEYS 2 /* a lifetime is shorter than a turn */

struct ring_key {
	struct ticket_key key;
	int64_t made_s; /* 0: none */
};

struct ring {
	pthread_mutex_t lock;
	struct ring_key keys[RING_KEYS]; /* newest first */
};

static struct ring *_Atomic the_ring;

int ticket_ring_prepare(void)
{
	struct ring *none = NULL, *made;

	if (atomic_load(&the_ring) != NULL)
		return 0;
	made = shared_map(sizeof *made);
	if (made == NULL)
		return -ENOMEM;
	shared_lock_init(&made->lock);
	if (!atomic_compare_exchange_strong(&the_ring, &none, made))
		munmap(made, sizeof *made);
	return 0;
}

/* Boot time: what an operator or NTP does to the clock is nothing to a key's age. */
static int64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec + 1;
}

static int turn(struct ring *ring, int64_t now)
{
	struct ring_key made = { .made_s = now };
	int r = 0;

	if (getrandom(&made.key, sizeof made.key, 0) == sizeof made.key) {
		memmove(ring->keys + 1, ring->keys, sizeof ring->keys - sizeof ring->keys[0]);
		ring->keys[0] = made;
	} else {
		r = -EIO;
	}
	explicit_bzero(&made, sizeof made);
	return r;
}

/* With a key in it whose time has come. -EOWNERDEAD leaves a key that is half written at worst,
 * whose tickets nobody can open: it is made anew. */
static int ring_lock(struct ring *ring)
{
	int64_t now = now_s();
	int r = shared_lock(&ring->lock);

	if (r == -EOWNERDEAD)
		memset(ring->keys, 0, sizeof ring->keys);
	else if (r < 0)
		return r;
	if (ring->keys[0].made_s != 0 && now - ring->keys[0].made_s < ROTATION_S)
		return 0;
	r = turn(ring, now);
	if (r < 0)
		shared_unlock(&ring->lock);
	return r;
}

static int ring_newest(struct ring *ring, struct ticket_key *out)
{
	int r = ring_lock(ring);

	if (r < 0)
		return r;
	*out = ring->keys[0].key;
	shared_unlock(&ring->lock);
	return 0;
}

static int ring_find(struct ring *ring, const uint8_t *name, struct ticket_key *out, bool *newest)
{
	int64_t oldest = now_s() - ROTATION_S - TICKET_LIFETIME_S;
	int r = ring_lock(ring);

	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; i < RING_KEYS && r < 0; i++) {
		const struct ring_key *key = &ring->keys[i];

		if (key->made_s == 0 || key->made_s < oldest ||
			memcmp(key->key.name, name, TICKET_KEY_NAME_LEN) != 0)
			continue;
		*out = key->key;
		*newest = i == 0;
		r = 0;
	}
	shared_unlock(&ring->lock);
	return r;
}

int ticket_key_newest(struct ticket_file *file, struct ticket_key *out)
{
	struct ring *ring = atomic_load(&the_ring);

	if (file != NULL)
		return ticket_file_newest(file, out);
	return ring != NULL ? ring_newest(ring, out) : -ENOENT;
}

int ticket_key_find(
	struct ticket_file *file, const uint8_t *name, struct ticket_key *out, bool *newest)
{
	struct ring *ring = atomic_load(&the_ring);

	if (file != NULL)
		return ticket_file_find(file, name, out, newest);
	return ring != NULL ? ring_find(ring, name, out, newest) : -ENOENT;
}
