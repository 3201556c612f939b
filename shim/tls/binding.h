/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a session belongs to, as a digest: with anything else it cannot be resumed. */
#ifndef SEAMTLS_TLS_BINDING_H
#define SEAMTLS_TLS_BINDING_H

#include "policy/policy.h"

#define BINDING_LEN 32

struct tls_context;

void binding_add(uint8_t binding[BINDING_LEN], const void *data, size_t len);
/* The contents of files, those in directories in any order. What cannot be read is left out: it is
 * not in use either. */
void binding_add_files(uint8_t binding[BINDING_LEN], const struct policy_list *paths);

#endif
