/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of PEM blocks (RFC 7468): certificates and keys. */
#ifndef SEAMTLS_TLS_PEM_H
#define SEAMTLS_TLS_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PEM_FILE_MAX (16u << 20)

struct pem {
	char *text; /* ends in NUL */
	size_t len;
};

/* A block with its BEGIN and END lines. */
struct pem_block {
	const char *text;
	size_t len;
	const char *body; /* what is between those lines */
	size_t body_len;
	char label[32]; /* "CERTIFICATE", "EC PRIVATE KEY" ...; cut if it is longer */
};

/* Reads a regular file. 0, -EFBIG (over PEM_FILE_MAX), -EINVAL (not a regular file), or what the
 * system says. */
int pem_read(const char *path, struct pem *out);
void pem_clear(struct pem *pem); /* wipes */

/* The next block at or after *at (offset in the text, moved past it). False: no more whole ones. */
bool pem_next(const struct pem *pem, size_t *at, struct pem_block *out);

/* What the body encodes, in a buffer that the caller frees. The length; -EBADMSG: it is not
 * base64 (RFC 7468 3), or has headers before; -ENOMEM. Not for secrets: its time depends on them.
 */
ssize_t pem_decode(const struct pem_block *block, uint8_t **out);

/* Whether the block is an X.509 certificate. */
bool pem_is_certificate(const struct pem_block *block);

#endif
