/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The order in which the files of a directory were made, by all processes of a user: each says
 * which one was the last before it, so that one that is taken away is missed. Nothing is allocated.
 */
#ifndef SEAMTLS_AUDIT_ORDER_H
#define SEAMTLS_AUDIT_ORDER_H

#include "audit/chain.h"

/* Where a user's last one is noted, in the directory. */
#define AUDIT_ORDER_BEGIN ".seamtls-"
#define AUDIT_ORDER_END ".last"

/*
 * Notes `name` as the last file of the directory, and gives back which one was that before; "":
 * none. False: it could not be noted, since another process holds it or nothing may be written
 * there; then the order has a gap.
 */
bool audit_order_take(const char *dir, const char *name, char before[AUDIT_NAME_MAX]);

#endif
