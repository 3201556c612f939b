/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What has passed on a connection that is left alone, by the kernel's account: to know what the
 * library has not seen of it. */
#ifndef SEAMTLS_CONN_PASSED_H
#define SEAMTLS_CONN_PASSED_H

#include "audit/cause.h"
#include "tls/recognise.h"

#include <stdbool.h>
#include <stdint.h>

/* The bytes that programs have sent and received. TCP counts a FIN among them. False: the kernel
 * does not say. */
bool passed_count(int fd, uint64_t count[RECOGNISE_WAYS]);

/* Why bytes that have passed were not seen, as far as the process itself tells. */
enum cause passed_unseen_cause(void);

#endif
