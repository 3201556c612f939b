/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client of TLS 1.3 keeps of its handshake, to make sessions of the tickets that the server
 * sends later. Some hundred bytes and the server's certificate. */
#ifndef SEAMTLS_TLS_RESUMPTION_H
#define SEAMTLS_TLS_RESUMPTION_H

#include <stddef.h>
#include <stdint.h>

struct tls_resumption;

/* The body of a NewSessionTicket (RFC 8446 4.6.1). What is malformed or of no use is passed over.
 */
void tls_resumption_ticket(struct tls_resumption *resumption, const uint8_t *body, size_t len);
void tls_resumption_free(struct tls_resumption *resumption); /* wipes */

#endif
