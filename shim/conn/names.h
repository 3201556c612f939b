/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The names that the program looked up, by address: what its peers are called. Bounded; the oldest
 * are forgotten first.
 */
#ifndef SEAMTLS_CONN_NAMES_H
#define SEAMTLS_CONN_NAMES_H

#include <netdb.h>
#include <stddef.h>
#include <sys/socket.h>

struct policy_address;

/* `name` was found to be at the addresses of the list. Names that are addresses themselves are not
 * remembered. */
void names_learn(const char *name, const struct addrinfo *list);
void names_learn_host(const char *name, const struct hostent *host);

/*
 * The names of an address, newest first. Up to `most` pointers in out, into `memory`. Returns how
 * many. Declared in internal.h.
 */

/* Converts; v4-mapped becomes v4. 0, or -EAFNOSUPPORT: neither IPv4 nor IPv6. */
int address_from_sockaddr(const struct sockaddr *addr, socklen_t len, struct policy_address *out);

#endif
