/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How many bytes the kernel has carried for each TCP connection: it counts anyway (tcp(7), struct
 * tcp_info), and tells everybody, so that no program has to be asked or looked into. What TLS adds
 * is among them.
 */
#ifndef SEAMTLS_TOOLS_TCP_BYTES_H
#define SEAMTLS_TOOLS_TCP_BYTES_H

#include "tcp_table.h"

/*
 * Fills in bytes_in and bytes_out of the table's connections of a network namespace. `process`: one
 * of its processes, as /proc has it; "self" for our own. 0; -errno: it cannot be asked, and the
 * table is as it was.
 */
int tcp_bytes_read(const struct tcp_table *table, const char *process);

#endif
