/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A slot for each value of some bits of the key, which are random. It is used by one thread at a
 * time: who finds it taken expands the key for himself, as does everybody if there is no memory.
 */
#include "tls/gcm_keys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS 64 /* a power of two */

struct gcm_slot {
	_Alignas(GCM_KEY_ALIGNMENT) struct gcm_key_data data;
	uint8_t key[32];
	uint8_t aead;
	bool full;
	_Atomic bool taken;
};

static _Atomic(struct gcm_slot *) slots;

static struct gcm_slot *slots_map(void)
{
	int saved = errno;
	struct gcm_slot *made = mmap(NULL, SLOTS * sizeof(*made), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			*before = NULL;

	if (made == MAP_FAILED) {
		errno = saved;
		return NULL;
	}
	madvise(made, SLOTS * sizeof(*made), MADV_DONTDUMP);
	/* Also for the slots that other threads have at the moment of a fork(). */
	madvise(made, SLOTS * sizeof(*made), MADV_WIPEONFORK);
	errno = saved;
	if (atomic_compare_exchange_strong(&slots, &before, made))
		return made;
	munmap(made, SLOTS * sizeof(*made));
	return before;
}

static size_t key_len(const struct record_key *key)
{
	return key->aead == RECORD_AES_256_GCM ? 32 : 16;
}

static struct gcm_slot *slot_of(struct gcm_slot *from, const struct record_key *key)
{
	return &from[key->key[0] % SLOTS];
}

/* Eight bytes of a key by way of a register for numbers, which others need soon. What memcmp() and
 * memcpy() leave in registers for vectors can stay there for long, and is in core dumps. */
static uint64_t word_of(const uint8_t *key)
{
	uint64_t word;

	memcpy(&word, key, sizeof(word));
	__asm__("" : "+r"(word));
	return word;
}

static bool holds(const struct gcm_slot *slot, const struct record_key *key)
{
	uint64_t difference = 0;

	if (!slot->full || slot->aead != key->aead)
		return false;
	for (size_t at = 0; at < key_len(key); at += sizeof(uint64_t))
		difference |= word_of(slot->key + at) ^ word_of(key->key + at);
	return difference == 0;
}

static void expand(const struct record_key *key, struct gcm_key_data *out)
{
	if (key->aead == RECORD_AES_256_GCM) {
		aes_keyexp_256_enc_avx2(key->key, out->expanded_keys);
		aes_gcm_precomp_256_vaes_avx512(out);
	} else {
		aes_keyexp_128_enc_avx2(key->key, out->expanded_keys);
		aes_gcm_precomp_128_vaes_avx512(out);
	}
}

static void fill(struct gcm_slot *slot, const struct record_key *key)
{
	expand(key, &slot->data);
	for (size_t at = 0; at < key_len(key); at += sizeof(uint64_t)) {
		uint64_t word = word_of(key->key + at);

		memcpy(slot->key + at, &word, sizeof(word));
	}
	slot->aead = key->aead;
	slot->full = true;
}

static bool take(struct gcm_slot *slot)
{
	return !atomic_exchange_explicit(&slot->taken, true, memory_order_acquire);
}

static void give(struct gcm_slot *slot)
{
	atomic_store_explicit(&slot->taken, false, memory_order_release);
}

void gcm_key_take(const struct record_key *key, struct gcm_key *out)
{
	struct gcm_slot *all = atomic_load_explicit(&slots, memory_order_acquire);

	if (all == NULL)
		all = slots_map();
	out->slot = all != NULL ? slot_of(all, key) : NULL;
	if (out->slot == NULL || !take(out->slot)) {
		out->slot = NULL;
		out->data = &out->own;
		expand(key, &out->own);
		return;
	}
	if (!holds(out->slot, key))
		fill(out->slot, key);
	out->data = &out->slot->data;
}

void gcm_key_give(struct gcm_key *from)
{
	if (from->slot != NULL)
		give(from->slot);
	else
		explicit_bzero(&from->own, sizeof(from->own));
}

void gcm_key_forget(const struct record_key *key)
{
	struct gcm_slot *all = atomic_load_explicit(&slots, memory_order_acquire);
	struct gcm_slot *slot = all != NULL ? slot_of(all, key) : NULL;

	if (slot == NULL || !take(slot))
		return;
	if (holds(slot, key)) {
		explicit_bzero(&slot->data, sizeof(slot->data));
		explicit_bzero(slot->key, sizeof(slot->key));
		slot->full = false;
	}
	give(slot);
}
