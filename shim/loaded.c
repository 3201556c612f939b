/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The loader's list of objects (link.h), and of each the hash table of its dynamic symbols, which
 * the GNU toolchain calls DT_GNU_HASH: a Bloom filter, buckets, and chains of hash values beside
 * the symbols, of which the last has its lowest bit set.
 */
#include "loaded.h"

#include "libc.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All within the object's own tables. */
struct tables {
	const ElfW(Sym) * symbols;
	const char *names;
	const uint32_t *hash;
};

BEFORE_SANITIZERS static bool same(const char *one, const char *other)
{
	while (*one != '\0' && *one == *other) {
		one++;
		other++;
	}
	return *one == *other;
}

BEFORE_SANITIZERS static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name != '\0'; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* The loader has made addresses of the offsets in the dynamic section, where it may write to it
 * (not in the kernel's own object). */
BEFORE_SANITIZERS static const void *address(const struct link_map *object, ElfW(Addr) value)
{
	return (const void *)(value < object->l_addr ? object->l_addr + value : value);
}

BEFORE_SANITIZERS static bool tables_of(const struct link_map *object, struct tables *out)
{
	*out = (struct tables){ NULL, NULL, NULL };
	for (const ElfW(Dyn) *at = object->l_ld; at->d_tag != DT_NULL; at++) {
		if (at->d_tag == DT_SYMTAB)
			out->symbols = address(object, at->d_un.d_ptr);
		else if (at->d_tag == DT_STRTAB)
			out->names = address(object, at->d_un.d_ptr);
		else if (at->d_tag == DT_GNU_HASH)
			out->hash = address(object, at->d_un.d_ptr);
	}
	return out->symbols != NULL && out->names != NULL && out->hash != NULL;
}

BEFORE_SANITIZERS static const ElfW(Sym) * symbol_of(const struct tables *tables, const char *name)
{
	uint32_t bucket_count = tables->hash[0], first = tables->hash[1], words = tables->hash[2];
	const uint32_t *buckets =
		tables->hash + 4 + words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
	const uint32_t *chain = buckets + bucket_count;
	uint32_t hash = hash_of(name), i = bucket_count != 0 ? buckets[hash % bucket_count] : 0;

	for (; i >= first && i != 0; i++) {
		const ElfW(Sym) *symbol = &tables->symbols[i];

		if ((chain[i - first] | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
			(symbol->st_info & 15) == STT_FUNC &&
			same(tables->names + symbol->st_name, name))
			return symbol;
		if ((chain[i - first] & 1) != 0)
			break;
	}
	return NULL;
}

BEFORE_SANITIZERS void *loaded_find(const char *name)
{
	bool after = false;

	for (const struct link_map *at = _r_debug.r_map; at != NULL; at = at->l_next) {
		const ElfW(Sym) *symbol = NULL;
		struct tables tables;

		if (after && tables_of(at, &tables))
			symbol = symbol_of(&tables, name);
		if (symbol != NULL)
			return (void *)(at->l_addr + symbol->st_value);
		after |= at->l_ld == _DYNAMIC;
	}
	return NULL;
}
