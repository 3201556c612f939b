/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two rings, of names and of their text, which are filled and emptied in the same order. The names
 * of a hash of the address are a list, newest first. One that was asked for again since it came
 * gets a second round in the ring when its turn to be forgotten comes; its place in the list stays.
 */
#include "conn/names_table.h"

#include "conn/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define BUCKETS (1u << 16)
/* Of an address with very many names only so many are compared, .. */
#define COMPARED_MOST 16
/* .. and so many of those in the way get their second round for one that comes. */
#define SECOND_ROUNDS_MOST 8

struct named {
	uint8_t bytes[16]; /* of the address */
	uint8_t family;
	bool again; /* asked for again */
	uint32_t text;
	uint32_t newer, older; /* in the list: index + 1, or 0 */
};

static struct table {
	uint32_t newest[BUCKETS]; /* index + 1, or 0 */
	struct named names[NAMES_TABLE_MOST];
	char text[NAMES_TABLE_TEXT_MOST];
} * table;

/* Names and bytes of text ever put in, and forgotten. */
static uint64_t names_end, names_begin, text_end, text_begin;

static bool table_map(void)
{
	int saved = errno;
	void *made;

	if (table != NULL)
		return true;
	made = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	errno = saved;
	if (made == MAP_FAILED)
		return false;
	table = made;
	return true;
}

/* Where the mapping is, nobody outside knows: addresses cannot be chosen to have the same hash. */
static uint32_t *bucket_of(uint8_t family, const uint8_t *bytes)
{
	uint64_t part[2], hash = (uintptr_t)table ^ family;

	memcpy(part, bytes, sizeof(part));
	for (int i = 0; i < 2; i++) {
		hash = (hash ^ part[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return &table->newest[(hash * UINT64_C(0xbf58476d1ce4e5b9)) >> 48 & (BUCKETS - 1)];
}

static struct named *named_at(uint32_t link)
{
	return link != 0 ? &table->names[link - 1] : NULL;
}

static uint32_t link_to(const struct named *named)
{
	return (uint32_t)(named - table->names) + 1;
}

/* The neighbours of a name in its list: what the newer one (or the list) has as the next, and what
 * the older one has before it. */
static void list_join(const struct named *of, uint32_t next, uint32_t before)
{
	struct named *newer = named_at(of->newer), *older = named_at(of->older);

	if (newer != NULL)
		newer->older = next;
	else
		*bucket_of(of->family, of->bytes) = next;
	if (older != NULL)
		older->newer = before;
}

static void list_remove(const struct named *named)
{
	list_join(named, named->older, named->newer);
}

static void list_put_first(struct named *named)
{
	uint32_t *first = bucket_of(named->family, named->bytes);
	struct named *before = named_at(*first);

	named->newer = 0;
	named->older = *first;
	if (before != NULL)
		before->newer = link_to(named);
	*first = link_to(named);
}

/* Where text of `len` bytes goes: never over the end of the ring. */
static uint64_t text_place(size_t len)
{
	uint64_t left = NAMES_TABLE_TEXT_MOST - text_end % NAMES_TABLE_TEXT_MOST;

	return len <= left ? text_end : text_end + left;
}

static bool has_room(size_t len)
{
	return names_end - names_begin < NAMES_TABLE_MOST &&
	       text_place(len) + len - text_begin <= NAMES_TABLE_TEXT_MOST;
}

/* The next place in the ring, with that text. There is room. */
static struct named *ring_add(const struct named *like, const char *text, size_t len)
{
	struct named *named = &table->names[names_end++ % NAMES_TABLE_MOST];
	uint64_t place = text_place(len);

	*named = *like;
	named->again = false;
	named->text = (uint32_t)(place % NAMES_TABLE_TEXT_MOST);
	memcpy(table->text + named->text, text, len);
	text_end = place + len;
	return named;
}

/* Takes the oldest out of the ring; `spare` it if it was asked for again. */
static void ring_forget(bool spare)
{
	struct named oldest = table->names[names_begin++ % NAMES_TABLE_MOST];
	char text[CONN_NAME_LEN];
	size_t len = strlen(table->text + oldest.text) + 1;
	uint64_t base = text_begin - text_begin % NAMES_TABLE_TEXT_MOST;

	if (oldest.text < text_begin % NAMES_TABLE_TEXT_MOST)
		base += NAMES_TABLE_TEXT_MOST;
	text_begin = base + oldest.text + len;
	if (!spare || !oldest.again) {
		list_remove(&oldest);
		return;
	}
	memcpy(text, table->text + oldest.text, len);
	if (has_room(len)) {
		const struct named *moved = ring_add(&oldest, text, len);

		list_join(moved, link_to(moved), link_to(moved));
	} else {
		list_remove(&oldest);
	}
}

static bool is_of(const struct named *named, const struct policy_address *address)
{
	return named->family == address->family &&
	       memcmp(named->bytes, address->bytes, sizeof(named->bytes)) == 0;
}

const struct named *names_table_next(const struct policy_address *address, const struct named *from)
{
	uint32_t link = 0;

	if (table != NULL)
		link = from != NULL ? from->older : *bucket_of(address->family, address->bytes);
	while (link != 0 && !is_of(named_at(link), address))
		link = named_at(link)->older;
	return named_at(link);
}

const char *named_text(const struct named *named)
{
	return table->text + named->text;
}

/* Asked again and again for the same: one place is enough. */
static struct named *find(const struct policy_address *address, const char *name)
{
	const struct named *named = NULL;

	for (int i = 0; i < COMPARED_MOST; i++) {
		named = names_table_next(address, named);
		if (named == NULL)
			break;
		if (strcmp(named_text(named), name) == 0)
			return &table->names[named - table->names];
	}
	return NULL;
}

void names_table_put(const struct policy_address *address, const char *name)
{
	struct named named = { .family = address->family };
	size_t len = strlen(name) + 1;
	struct named *known;

	if (!table_map())
		return;
	known = find(address, name);
	if (known != NULL) {
		known->again = true;
		list_remove(known);
		list_put_first(known);
		return;
	}
	memcpy(named.bytes, address->bytes, sizeof(named.bytes));
	for (int rounds = 0; !has_room(len); rounds++)
		ring_forget(rounds < SECOND_ROUNDS_MOST);
	list_put_first(ring_add(&named, name, len));
}
