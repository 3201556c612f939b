/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A list that has expired still says who was revoked when it was made, but not that nobody was
 * since. So it can refuse, and not acquit. Nothing is fetched: what is in the files is all there
 * is.
 */
#include "tls/revocation.h"
#include "tls/alert.h"
#include "tls/signature.h"
#include <stdlib.h>

static const char *const reasons[] = { NULL, "key compromise", "CA compromise",
	"affiliation changed", "superseded", "cessation of operation", "on hold", NULL, NULL,
	"privilege withdrawn", "AA compromise" };

static int say_revoked(const struct chain *chain, size_t link, const struct crl_entry *entry,
	const struct why *why)
{
	const struct x509 *x509 = &chain->link[link].x509;
	char *serial = x509_serial_text(x509->serial);
	char *name = link > 0 ? x509_name_text(x509->subject) : NULL;
	const char *reason =
		entry->reason >= 0 && entry->reason < (int)(sizeof reasons / sizeof *reasons)
			? reasons[entry->reason]
			: NULL;
	char date[X509_DATE_LEN];

	x509_date_text(entry->when, date);
	why_say(why, 0, "%s%s%s is revoked: serial number %s, on %s%s%s%s",
		link == 0 ? "certificate" : "the CA certificate '", name != NULL ? name : "",
		link == 0 ? "" : "'", serial != NULL ? serial : "", date,
		reason != NULL ? " (" : "", reason != NULL ? reason : "",
		reason != NULL ? ")" : "");
	free(serial);
	free(name);
	return ALERT_CERTIFICATE_REVOKED;
}

/* Why there is nothing to be had about a certificate: the best list that there was, NULL if none.
 */
static int say_unknown(
	const struct issuer *issuer, const struct crl *best, int64_t now, const struct why *why)
{
	char date[X509_DATE_LEN], sentence[160];
	struct why say = { sentence, sizeof sentence, NULL };
	char *name = x509_name_text(issuer->name);
	const char *of = name != NULL ? name : "";

	if (best == NULL) {
		why_say(why, 0, "there is no revocation list of '%s' in crl", of);
	} else if ((issuer->usage & X509_CRL_SIGN) == 0) {
		why_say(why, 0, "the key usage of '%s' does not allow it to sign revocation lists",
			of);
	} else if (!signature_is_strong(best->proof.algorithm, &say)) {
		why_say(why, 0, "the revocation list of '%s' %s", of, sentence);
	} else if (now > best->next_update) {
		x509_date_text(best->next_update, date);
		why_say(why, 0, "the revocation list of '%s' has expired on %s", of, date);
	} else if (now < best->this_update) {
		x509_date_text(best->this_update, date);
		why_say(why, 0, "the revocation list of '%s' is not valid before %s", of, date);
	} else {
		why_say(why, 0, "the revocation list of '%s' is not signed by it", of);
	}
	free(name);
	return ALERT_CERTIFICATE_UNKNOWN;
}

static int check_link(const struct revocation *revocation, const struct chain *chain, size_t link,
	int64_t now, bool *unknown, const struct why *why)
{
	const struct x509 *x509 = &chain->link[link].x509;
	const struct crl *best = NULL;
	struct crl_entry entry;
	struct issuer issuer;
	bool known = false;

	if (!chain_issuer(chain, link, &issuer))
		return why_say(why, ALERT_INTERNAL_ERROR, "the issuer is not known");
	for (size_t i = 0; i < revocation->count; i++) {
		struct crl *crl = &revocation->lists[i];

		if (!crl_covers(crl, x509))
			continue;
		if (best == NULL || crl->next_update > best->next_update)
			best = crl;
		if (!crl_is_signed_by(crl, &issuer))
			continue;
		if (crl_find(crl, x509->serial, &entry))
			return say_revoked(chain, link, &entry, why);
		/* There are lists if they count. */
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		known = known || (now <= crl->next_update && now >= crl->this_update);
	}
	if (known)
		return 0;
	*unknown = true;
	return revocation->check == POLICY_CRL_AVAILABLE ? 0 : say_unknown(&issuer, best, now, why);
}

int revocation_check(const struct revocation *revocation, const struct chain *chain, int64_t now,
	bool *unknown, const struct why *why)
{
	int alert = 0;

	*unknown = false;
	for (size_t i = 0; i < chain->count && revocation->count > 0 && alert == 0; i++)
		alert = check_link(revocation, chain, i, now, unknown, why);
	return alert;
}
