/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client's side of session.h. */
#ifndef SEAMTLS_TLS_SESSION_CLIENT_H
#define SEAMTLS_TLS_SESSION_CLIENT_H

#include "session.h"

int session_client_set(struct tls_context *context, const struct tls_settings *settings);
/* The session that was offered was resumed: the server is who it was then. False: none was. */
bool session_client_identify(struct tls_handshake *handshake);
/* TLS 1.2: the session into the cache; TLS 1.3: what it takes to make them. 0 or -ENOMEM. */
int session_client_keep(struct tls_handshake *handshake);

#endif
