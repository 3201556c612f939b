/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tcp_sieve.h"
#include "audit/format.h"
#include <string.h>

/* FNV-1a */
#define BASIS UINT32_C(2166136261)
#define PRIME UINT32_C(16777619)

static uint32_t hash(uint32_t so_far, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		so_far = (so_far ^ bytes[i]) * PRIME;
	return so_far;
}

static size_t place(uint32_t hashed)
{
	return (hashed ^ hashed >> 16) % TCP_SIEVE_BITS;
}

void tcp_sieve_fill(struct tcp_sieve *sieve, const struct tcp_table *table)
{
	memset(sieve, 0, sizeof *sieve);
	for (size_t i = 0; i < table->count; i++) {
		const struct tcp_entry *entry = &table->entries[i];
		uint32_t hashed = hash(BASIS, (const uint8_t *)entry->local, strlen(entry->local));
		size_t at =
			place(hash(hashed, (const uint8_t *)entry->remote, strlen(entry->remote)));

		sieve->bits[at / 64] |= UINT64_C(1) << at % 64;
	}
}

/* Addresses have no bytes that a record spells otherwise; and local stands before remote. */
bool tcp_sieve_passes(const uint8_t *record, size_t len, const void *arg)
{
	const struct tcp_sieve *sieve = arg;
	struct audit_field field = { .next = NULL };
	uint32_t hashed = BASIS;
	size_t at;

	while (audit_field_next(record, len, &field) > 0 && field.tag <= AUDIT_TAG_REMOTE)
		if (field.tag == AUDIT_TAG_LOCAL || field.tag == AUDIT_TAG_REMOTE)
			hashed = hash(hashed, field.value, (size_t)(field.next - field.value));
	at = place(hashed);
	return (sieve->bits[at / 64] & UINT64_C(1) << at % 64) != 0;
}
