/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slots that are searched one by one, in a table apart from what they hold, so that looking for one
 * touches little memory. */
#include "tls/session_cache.h"
#include "shared.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define SLOTS 256
#define SLOTS_A_KEY 8

struct slot {
	uint8_t key[SESSION_KEY_LEN];
	int64_t until_s;
	uint64_t used; /* of the cache's counter; 0: the slot is free */
	uint32_t len;
	bool once;
};

struct cache {
	pthread_mutex_t lock;
	uint64_t counter;
	struct slot slots[SLOTS];
	_Alignas(4096) uint8_t data[SLOTS][SESSION_LEN_MOST];
};

static struct cache *_Atomic the_cache;

int session_cache_prepare(void)
{
	struct cache *none = NULL, *made;

	if (atomic_load(&the_cache) != NULL)
		return 0;
	made = shared_map(sizeof *made);
	if (made == NULL)
		return -ENOMEM;
	shared_lock_init(&made->lock);
	if (!atomic_compare_exchange_strong(&the_cache, &none, made))
		munmap(made, sizeof *made);
	return 0;
}

/* Of what a process that was killed in here left, nothing is to be trusted. */
static struct cache *cache_lock(void)
{
	struct cache *cache = atomic_load(&the_cache);
	int r = cache != NULL ? shared_lock(&cache->lock) : -ENOENT;

	if (r == -EOWNERDEAD)
		explicit_bzero(cache->slots, sizeof cache->slots);
	return r == 0 || r == -EOWNERDEAD ? cache : NULL;
}

static void slot_clear(struct cache *cache, struct slot *slot)
{
	explicit_bzero(cache->data[slot - cache->slots],
		slot->len < SESSION_LEN_MOST ? slot->len : SESSION_LEN_MOST);
	explicit_bzero(slot, sizeof *slot);
}

static bool has_key(const struct slot *slot, const uint8_t *key)
{
	return slot->used != 0 && memcmp(slot->key, key, SESSION_KEY_LEN) == 0;
}

/* Where the next one goes: in place of one of the same key if those are as many as there may be,
 * else where it is free, or ended, or used least recently. */
static struct slot *place_for(struct cache *cache, const uint8_t *key, size_t most, int64_t now)
{
	struct slot *same = NULL, *any = &cache->slots[0];
	size_t count = 0;

	for (struct slot *slot = cache->slots; slot < cache->slots + SLOTS; slot++) {
		if (slot->used != 0 && slot->until_s <= now)
			slot_clear(cache, slot);
		if (slot->used < any->used)
			any = slot;
		if (!has_key(slot, key))
			continue;
		count++;
		if (same == NULL || slot->used < same->used)
			same = slot;
	}
	return count >= most ? same : any;
}

void session_cache_put(const uint8_t key[SESSION_KEY_LEN], const void *data, size_t len,
	int64_t until_s, bool once)
{
	int64_t now = (int64_t)time(NULL);
	struct cache *cache;
	struct slot *slot;

	if (len > SESSION_LEN_MOST || until_s <= now)
		return;
	cache = cache_lock();
	if (cache == NULL)
		return;
	slot = place_for(cache, key, once ? SLOTS_A_KEY : 1, now);
	slot_clear(cache, slot);
	memcpy(slot->key, key, SESSION_KEY_LEN);
	memcpy(cache->data[slot - cache->slots], data, len);
	slot->len = (uint32_t)len;
	slot->until_s = until_s;
	slot->once = once;
	slot->used = ++cache->counter;
	shared_unlock(&cache->lock);
}

size_t session_cache_take(const uint8_t key[SESSION_KEY_LEN], void *out)
{
	int64_t now = (int64_t)time(NULL);
	struct cache *cache = cache_lock();
	struct slot *latest = NULL;
	size_t len = 0;

	if (cache == NULL)
		return 0;
	for (struct slot *slot = cache->slots; slot < cache->slots + SLOTS; slot++)
		if (has_key(slot, key) && slot->until_s > now &&
			(latest == NULL || slot->used > latest->used))
			latest = slot;
	/* A process that has given up its privileges shares the memory with one that has not. */
	if (latest != NULL && latest->len <= SESSION_LEN_MOST) {
		len = latest->len;
		memcpy(out, cache->data[latest - cache->slots], len);
		latest->used = ++cache->counter;
		if (latest->once)
			slot_clear(cache, latest);
	}
	shared_unlock(&cache->lock);
	return len;
}

void session_cache_drop(const uint8_t key[SESSION_KEY_LEN])
{
	struct cache *cache = cache_lock();

	if (cache == NULL)
		return;
	for (struct slot *slot = cache->slots; slot < cache->slots + SLOTS; slot++)
		if (has_key(slot, key))
			slot_clear(cache, slot);
	shared_unlock(&cache->lock);
}
