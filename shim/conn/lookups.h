/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Look-ups that go on while the program does something else (getaddrinfo_a). Their results are the
 * program's, and may be gone once it knows of them: each is looked at once, when it is told. */
#ifndef SEAMTLS_CONN_LOOKUPS_H
#define SEAMTLS_CONN_LOOKUPS_H

#include <netdb.h>
#include <stdbool.h>

/* They are about to begin; NULL in the list is none. */
void lookups_begin(struct gaicb *const list[], int count);

/* It is done and has found something: remembers the name, if it is told for the first time. */
void lookups_found(const struct gaicb *request);

/* With the lock held by a thread that is not in the child, it could not be used there. */
void lookups_lock_for_fork(bool on);

#endif
