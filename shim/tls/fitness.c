/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL has refused most of this before. But it looks at a CA's certificate by itself, not at
 * what is below it: so what a CA is restricted to (its extended key usage) and how strong each
 * signature and key is, is judged here.
 */
#include "tls/fitness.h"
#include "tls/alert.h"
#include "tls/signature.h"
#include <stdlib.h>

static const char *purpose_name(enum x509_purpose purpose)
{
	return purpose == X509_SERVER_AUTH ? "a TLS server" : "a TLS client";
}

/* Fills `why` with "certificate", "the CA certificate 'CN=x'" or "the trusted CA 'CN=x'", and what
 * is to be said of it. */
static int refuse(const struct chain *chain, size_t link, int alert, const char *sentence,
	const struct why *why)
{
	char *name;

	if (link == 0)
		return why_say(why, alert, "certificate %s", sentence);
	name = x509_name_text(
		link < chain->count ? chain->link[link].x509.subject : chain->anchor->issuer.name);
	why_say(why, 0, "%s '%s' %s", link < chain->count ? "the CA certificate" : "the trusted CA",
		name != NULL ? name : "", sentence);
	free(name);
	return alert;
}

static int check_dates(const struct chain *chain, size_t link, int64_t not_before,
	int64_t not_after, int64_t now, const struct why *why)
{
	char sentence[80], date[X509_DATE_LEN];
	struct why say = { sentence, sizeof sentence, NULL };

	if (now > not_after) {
		x509_date_text(not_after, date);
		why_say(&say, 0, "has expired (not after %s)", date);
	} else if (now < not_before) {
		x509_date_text(not_before, date);
		why_say(&say, 0, "is not valid yet (not before %s)", date);
	} else {
		return 0;
	}
	return refuse(chain, link, ALERT_CERTIFICATE_EXPIRED, sentence, why);
}

static int check_strength(const struct chain *chain, size_t link, const struct why *why)
{
	const struct x509 *x509 = &chain->link[link].x509;
	char sentence[160];
	struct why say = { sentence, sizeof sentence, NULL };

	if (signature_is_strong(x509->proof.algorithm, &say) &&
		signature_key_is_strong(x509->spki, &say))
		return 0;
	return refuse(chain, link, ALERT_BAD_CERTIFICATE, sentence, why);
}

static int check_purposes(const struct chain *chain, size_t link, unsigned purposes,
	enum x509_purpose purpose, const struct why *why)
{
	char sentence[160];
	struct why say = { sentence, sizeof sentence, NULL };

	if ((purposes & (purpose | X509_PURPOSE_ANY)) != 0)
		return 0;
	why_say(&say, 0, "is not acceptable: its extended key usage is not that of %s%s",
		purpose_name(purpose), link > 0 ? "'s CA" : "");
	return refuse(chain, link, ALERT_BAD_CERTIFICATE, sentence, why);
}

/* RFC 5280 6.1.4 (l): certificates between it and the peer's own, except those that a CA has made
 * for itself. */
static int check_path_len(
	const struct chain *chain, size_t link, int path_len, const struct why *why)
{
	char sentence[160];
	struct why say = { sentence, sizeof sentence, NULL };
	int below = 0;

	for (size_t i = 1; i < link; i++)
		below += !x509_bytes_equal(chain->link[i].x509.subject, chain->link[i].x509.issuer);
	if (path_len < 0 || below <= path_len)
		return 0;
	why_say(&say, 0, "is not acceptable: it allows %d CAs below it, and there are %d", path_len,
		below);
	return refuse(chain, link, ALERT_UNKNOWN_CA, sentence, why);
}

static int check_authority(const struct chain *chain, size_t link, const struct why *why)
{
	const struct x509 *x509 = &chain->link[link].x509;

	if (!x509->is_ca)
		return refuse(chain, link, ALERT_UNKNOWN_CA, "is not that of a CA", why);
	if ((x509->usage & X509_CERT_SIGN) == 0)
		return refuse(chain, link, ALERT_BAD_CERTIFICATE,
			"is not acceptable: its key usage does not allow it to sign certificates",
			why);
	return check_path_len(chain, link, x509->path_len, why);
}

static int check_link(const struct chain *chain, size_t link, enum x509_purpose purpose,
	int64_t now, const struct why *why)
{
	const struct x509 *x509 = &chain->link[link].x509;
	int alert = check_dates(chain, link, x509->not_before, x509->not_after, now, why);

	if (alert == 0 && link > 0)
		alert = check_authority(chain, link, why);
	if (alert == 0 && link == 0 && (x509->usage & X509_DIGITAL_SIGNATURE) == 0)
		alert = refuse(chain, link, ALERT_BAD_CERTIFICATE,
			"is not acceptable: its key usage does not allow signatures", why);
	if (alert == 0)
		alert = check_purposes(chain, link, x509->purposes, purpose, why);
	return alert == 0 ? check_strength(chain, link, why) : alert;
}

static int check_anchor(
	const struct chain *chain, enum x509_purpose purpose, int64_t now, const struct why *why)
{
	const struct anchor *anchor = chain->anchor;
	char sentence[160];
	struct why say = { sentence, sizeof sentence, NULL };
	int alert = check_dates(chain, chain->count, INT64_MIN, anchor->not_after, now, why);

	if (alert != 0)
		return alert;
	if (!signature_key_is_strong(anchor->issuer.spki, &say))
		return refuse(chain, chain->count, ALERT_BAD_CERTIFICATE, sentence, why);
	alert = check_path_len(chain, chain->count, anchor->path_len, why);
	return alert == 0 ? check_purposes(chain, chain->count, anchor->purposes, purpose, why)
			  : alert;
}

int fitness_check(
	const struct chain *chain, enum x509_purpose purpose, int64_t now, const struct why *why)
{
	int alert = 0;

	for (size_t i = 0; i < chain->count && alert == 0; i++)
		alert = check_link(chain, i, purpose, now, why);
	return alert == 0 ? check_anchor(chain, purpose, now, why) : alert;
}

int fitness_check_strength(const struct chain *chain, const struct why *why)
{
	int alert = 0;

	for (size_t i = 0; i < chain->count && alert == 0; i++)
		alert = check_strength(chain, i, why);
	return alert;
}
