/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/context_private.h"
#include "tls/credential.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TEXT_LEN (PATH_MAX + 128)

struct teller {
	void (*tell)(const char *text, void *arg);
	void *arg;
};

static void warn_of_date(
	const struct tls_context *context, const char *cert, const struct teller *teller)
{
	int64_t left = context->not_after - (int64_t)time(NULL);
	char text[TEXT_LEN], date[X509_DATE_LEN];

	if (left >= (int64_t)TLS_DAYS_WARNED * 86400)
		return;
	x509_date_text(context->not_after, date);
	if (left < 0)
		snprintf(text, sizeof text,
			"the certificate '%s' has expired: a certificate in it is not valid after "
			"%s",
			cert, date);
	else
		snprintf(text, sizeof text, "the certificate '%s' expires in %d days, on %s", cert,
			(int)(left / 86400), date);
	teller->tell(text, teller->arg);
}

static void warn_of_readers(const char *what, const char *path, const struct teller *teller)
{
	char text[TEXT_LEN];
	struct stat st;

	if (stat(path, &st) != 0 || (st.st_mode & S_IROTH) == 0)
		return;
	snprintf(text, sizeof text, "every user of this machine can read the %s in '%s'", what,
		path);
	teller->tell(text, teller->arg);
}

void tls_context_warn(const struct tls_context *context, const struct tls_settings *settings,
	void (*tell)(const char *text, void *arg), void *arg)
{
	struct teller teller = { tell, arg };

	/* In the order of the settings. */
	for (size_t i = 0; context != NULL && context->chain != NULL;
		i++, context = context->next) {
		struct credential_source source;

		identity_source(settings, i, &source);
		warn_of_date(context, source.cert, &teller);
		/* Without a password to keep it closed. */
		if (pkcs11_uri_is(source.key))
			continue;
		if (source.password_file == NULL)
			warn_of_readers("key", source.key, &teller);
		else
			warn_of_readers("password", source.password_file, &teller);
	}
}
