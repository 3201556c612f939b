/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a certificate is one of those that allow_peer lets in. */
#ifndef SEAMTLS_TLS_ALLOW_H
#define SEAMTLS_TLS_ALLOW_H

#include "chain.h"
#include "policy/policy.h"

/* `patterns` as policy spells them (policy.h). */
bool allow_matches(const struct policy_list *patterns, const struct chain_link *certificate);

/* Whether the text is one of the pattern's: '*' is one character or more, but no '/'. */
bool allow_text_matches(const char *pattern, struct x509_bytes text);

#endif
