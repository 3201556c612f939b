/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is wrong with a ClientHello that wolfSSL would take, or would refuse with another alert than
 * is due. Pure; the input is hostile. */
#ifndef SEAMTLS_TLS_HELLO_CHECK_H
#define SEAMTLS_TLS_HELLO_CHECK_H

#include "hello.h"
#include "why.h"

/* 0; or the alert that it is refused with, and the reason in *why. */
int hello_check(const struct hello *hello, const struct why *why);

#endif
