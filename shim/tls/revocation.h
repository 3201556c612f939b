/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The revocation lists of a context, and what they say of a chain. */
#ifndef SEAMTLS_TLS_REVOCATION_H
#define SEAMTLS_TLS_REVOCATION_H

#include "chain.h"
#include "crl.h"
#include "policy/policy.h"
#include "why.h"

struct revocation {
	struct crl *lists;
	size_t count, size;
	enum policy_crl_check check;
};

/* Reads what `crl` names: files and directories, PEM and DER. 0, or -errno with the reason. */
int revocation_load(
	struct revocation *revocation, const struct policy_list *paths, const struct why *why);
void revocation_clear(struct revocation *revocation);

/*
 * Looks up every certificate on the way to the anchor. 0; or an alert's description, and `why` says
 * which is revoked, or whose list is missing or has expired. *unknown: that was the case, and the
 * policy lets it pass.
 */
int revocation_check(const struct revocation *revocation, const struct chain *chain, int64_t now,
	bool *unknown, const struct why *why);

#endif
