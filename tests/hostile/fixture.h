/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What fuzz targets share: files in memory, and settings with a certificate. */
#ifndef SEAMTLS_TESTS_FIXTURE_H
#define SEAMTLS_TESTS_FIXTURE_H

#include "policy/policy.h"
#include "tls/handshake.h"

#define FIXTURE_PATH_LEN 32

/* A file with these bytes, under a path that is good for this process. The descriptor, which the
 * caller closes. */
int fixture_file(const void *data, size_t len, char path[FIXTURE_PATH_LEN]);

/* What contexts differ by. */
#define FIXTURE_TLS12 1u    /* and no TLS 1.3 */
#define FIXTURE_VERIFIED 2u /* both sides verify, against the certificate of "ec.test" */
#define FIXTURE_RETRY 4u    /* the server wants another group than the client guesses */
#define FIXTURE_VARIANTS 8

/* Never freed: a server's with two certificates, so that there is a choice; a client's with one.
 * TLS 1.2 and 1.3, resumption, tickets. `variant`: a set of those above; 0: nobody is verified. */
struct tls_context *fixture_context(enum tls_role role, unsigned variant);

/* A handshake whose peer sends these bytes and then ends, byte by byte or all at once. It has to
 * fail, and to say why. */
void fixture_feed(struct tls_context *context, const uint8_t *data, size_t len, bool by_byte);

#endif
