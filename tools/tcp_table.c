/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tcp_table.h"
#include "tcp_bytes.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMESPACES_MAX 1024

/* The kernel's numbers of states that a connection can be in for long. */
enum { ESTABLISHED = 1, SYN_SENT, SYN_RECEIVED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT = 8, LAST_ACK };

static bool is_connection(unsigned state)
{
	return (state >= ESTABLISHED && state <= FIN_WAIT2) || state == CLOSE_WAIT ||
	       state == LAST_ACK;
}

/* "0100007F:1F90": words in the machine's order. */
static bool read_end(const char *text, size_t digits, char out[TCP_TEXT_LEN])
{
	uint32_t words[4];
	char host[INET6_ADDRSTRLEN];
	unsigned port;
	size_t count = digits / 8;
	int family = count == 1 ? AF_INET : AF_INET6;

	for (size_t i = 0; i < count; i++)
		if (sscanf(text + 8 * i, "%8x", &words[i]) != 1)
			return false;
	if (text[digits] != ':' || sscanf(text + digits + 1, "%4x", &port) != 1)
		return false;
	/* A v4-mapped address is v4, as everywhere. */
	if (count == 4 && words[0] == 0 && words[1] == 0 && words[2] == htonl(0xffff)) {
		words[0] = words[3];
		family = AF_INET;
	}
	if (inet_ntop(family, words, host, sizeof host) == NULL)
		return false;
	snprintf(out, TCP_TEXT_LEN, family == AF_INET ? "%s:%u" : "[%s]:%u", host, port);
	return true;
}

bool tcp_table_line(const char *line, struct tcp_entry *out)
{
	char local[64], remote[64];
	unsigned state;
	size_t digits;

	memset(out, 0, sizeof *out);
	if (sscanf(line, " %*[0-9]: %63s %63s %2x", local, remote, &state) != 3)
		return false;
	digits = strcspn(local, ":");
	if ((digits != 8 && digits != 32) || strcspn(remote, ":") != digits)
		return false;
	return is_connection(state) && read_end(local, digits, out->local) &&
	       read_end(remote, digits, out->remote);
}

static int add(struct tcp_table *table, const struct tcp_entry *entry)
{
	size_t room = table->room > 0 ? 2 * table->room : 256;
	struct tcp_entry *entries;

	if (table->count == table->room) {
		entries = reallocarray(table->entries, room, sizeof *entries);
		if (entries == NULL)
			return -ENOMEM;
		table->entries = entries;
		table->room = room;
	}
	table->entries[table->count++] = *entry;
	return 0;
}

static int read_file(struct tcp_table *table, const char *path)
{
	FILE *file = fopen(path, "re");
	struct tcp_entry entry;
	char line[512];
	int r = 0;

	if (file == NULL)
		return -errno;
	while (r == 0 && fgets(line, sizeof line, file) != NULL)
		if (tcp_table_line(line, &entry))
			r = add(table, &entry);
	fclose(file);
	return r;
}

static int read_namespace(struct tcp_table *table, const char *process)
{
	char path[64];
	int r;

	snprintf(path, sizeof path, "/proc/%.20s/net/tcp", process);
	r = read_file(table, path);
	snprintf(path, sizeof path, "/proc/%.20s/net/tcp6", process);
	/* A kernel without IPv6 has none. */
	return r == 0 && read_file(table, path) == -ENOMEM ? -ENOMEM : r;
}

/* The namespaces that were read. */
struct namespaces {
	size_t count;
	char names[NAMESPACES_MAX][32];
	char processes[NAMESPACES_MAX][24]; /* one of each */
};

/* Whether the process's is a new one. */
static bool is_new(struct namespaces *seen, const char *process)
{
	char path[64], name[32];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%.20s/ns/net", process);
	n = readlink(path, name, sizeof name - 1);
	if (n <= 0 || seen->count == NAMESPACES_MAX)
		return false;
	name[n] = '\0';
	for (size_t i = 0; i < seen->count; i++)
		if (strcmp(seen->names[i], name) == 0)
			return false;
	strcpy(seen->names[seen->count], name);
	snprintf(seen->processes[seen->count++], sizeof seen->processes[0], "%.20s", process);
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct tcp_entry *x = a, *y = b;
	int order = strcmp(x->local, y->local);

	return order != 0 ? order : strcmp(x->remote, y->remote);
}

int tcp_table_read(struct tcp_table *out)
{
	struct namespaces *seen = calloc(1, sizeof *seen);
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int r;

	memset(out, 0, sizeof *out);
	r = seen == NULL || proc == NULL ? -ENOMEM : 0;
	if (r == 0) {
		is_new(seen, "self");
		r = read_namespace(out, "self");
	}
	/* Those of others' processes may be hidden, or gone meanwhile. */
	while (r == 0 && (entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]) && is_new(seen, entry->d_name) &&
			read_namespace(out, entry->d_name) == -ENOMEM)
			r = -ENOMEM;
	if (proc != NULL)
		closedir(proc);
	if (out->count > 0)
		qsort(out->entries, out->count, sizeof *out->entries, compare);
	for (size_t i = 0; r == 0 && i < seen->count; i++)
		(void)tcp_bytes_read(out, seen->processes[i]);
	free(seen);
	return r;
}

void tcp_table_clear(struct tcp_table *table)
{
	free(table->entries);
	memset(table, 0, sizeof *table);
}

struct tcp_entry *tcp_table_find(
	const struct tcp_table *table, const char *local, const char *remote)
{
	struct tcp_entry key = { .data = NULL };

	if (local == NULL || remote == NULL || table->count == 0)
		return NULL;
	snprintf(key.local, sizeof key.local, "%s", local);
	snprintf(key.remote, sizeof key.remote, "%s", remote);
	return bsearch(&key, table->entries, table->count, sizeof key, compare);
}
