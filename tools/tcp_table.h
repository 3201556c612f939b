/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The TCP connections that the kernel has now, in all network namespaces that /proc shows: for
 * `ps`, which knows from the audit log what they are.
 */
#ifndef SEAMTLS_TOOLS_TCP_TABLE_H
#define SEAMTLS_TOOLS_TCP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_TEXT_LEN 64

struct tcp_entry {
	char local[TCP_TEXT_LEN], remote[TCP_TEXT_LEN]; /* address:port as the audit has them */
	bool counted; /* the kernel has told the bytes (tcp_bytes.h) */
	uint64_t bytes_in, bytes_out;
	void *data; /* the caller's; NULL at first */
};

struct tcp_table {
	struct tcp_entry *entries;
	size_t count, room;
};

/* 0; -errno: this namespace's could not be read. Other namespaces' bytes are known to root only. */
int tcp_table_read(struct tcp_table *out);
void tcp_table_clear(struct tcp_table *table);

/* NULL: there is no such connection. */
struct tcp_entry *tcp_table_find(
	const struct tcp_table *table, const char *local, const char *remote);

/* One line of /proc/net/tcp or tcp6. Whether it is a connection, not a listener or what is left of
 * one. */
bool tcp_table_line(const char *line, struct tcp_entry *out);

#endif
