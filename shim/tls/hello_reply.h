/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is wrong with a ServerHello, beside the ClientHello that it answers, and wolfSSL would take.
 * Pure; the input is hostile. */
#ifndef SEAMTLS_TLS_HELLO_REPLY_H
#define SEAMTLS_TLS_HELLO_REPLY_H

#include "why.h"
#include "x509.h"

/* Both are messages with their heads. 0, also for what is no ServerHello or cannot be parsed; or
 * the alert that it is refused with, and the reason in *why. */
int hello_reply_check(struct x509_bytes hello, struct x509_bytes reply, const struct why *why);

#endif
