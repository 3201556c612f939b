/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FNV-1a, 64 bits: tells apart what was not made to deceive it. */
#ifndef SEAMTLS_POLICY_HASH_H
#define SEAMTLS_POLICY_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 14695981039346656037U

static inline uint64_t hash_add(uint64_t hash, const void *data, size_t len)
{
	for (const uint8_t *at = data; len > 0; len--)
		hash = (hash ^ *at++) * 1099511628211U;
	return hash;
}

#endif
