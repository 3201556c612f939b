/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keys as the kernel's TLS takes them (Documentation/networking/tls.rst), and whether this kernel
 * takes any.
 */
#ifndef SEAMTLS_CONN_KERNEL_KEY_H
#define SEAMTLS_CONN_KERNEL_KEY_H

#include "tls/record.h"

#include <stdbool.h>
#include <stddef.h>

enum kernel_direction { KERNEL_SENDS, KERNEL_RECEIVES };

/* TLS is put on top of TCP, which until it has keys goes on as before. 0 or -errno. */
int kernel_attach(int fd);
/* TLS is there already. */
bool kernel_is_attached(int fd);
/* The kernel goes on with the record that `key` is at. 0; -EBUSY: it has a key already, and cannot
 * change it; or -errno: nothing has changed. */
int kernel_set_key(int fd, enum kernel_direction direction, const struct record_key *key);
/* The number of the next record that is sent. -errno: it is not to be had. */
int kernel_send_seq(int fd, uint64_t *out);

/* What this kernel does with a version and an AEAD. Tried once in a process, on a connection over
 * loopback that the program does not see. `load`: its modules may be loaded for that. */
struct kernel_ability {
	bool sends, receives;
	bool rekeys; /* keys can be changed (Linux 6.14) */
	bool attaches;
	int error; /* of what failed: -errno; 0: nothing has */
};
struct kernel_ability kernel_ability(uint16_t version, enum record_aead aead, bool load);
/* What is missing, in words. */
void kernel_ability_lacks(
	const struct kernel_ability *ability, enum record_aead aead, char *out, size_t room);

#endif
