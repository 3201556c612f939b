/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Descriptors that a message passes on. */
#ifndef SEAMTLS_CALLS_RIGHTS_H
#define SEAMTLS_CALLS_RIGHTS_H

#include "calls/border.h"

/* Whether a protected connection is among them. */
bool rights_pass_mapped(const struct msghdr *msg);
/* sendmsg() of such a message: the receiver gets ends of relays. */
ssize_t rights_send(int fd, const struct msghdr *msg, int flags);

#endif
