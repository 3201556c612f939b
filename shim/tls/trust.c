/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Trust anchors. Certificates are loaded one by one: a bundle may hold some that have expired or
 * are of a kind that is not supported, and less trust is not an error. But an entry of the policy
 * that gives none at all is: it is not what was meant.
 */
#include "tls/trust.h"
#include "tls/context_private.h"
#include "tls/pem.h"
#include "tls/x509.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRUST_FILES_MAX 4096

/* Where the distributions keep the bundle that their tools maintain; the first that is there. */
static const char *const system_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

struct trust_count {
	size_t loaded, refused;
	int error; /* wolfSSL's, of the first that was refused */
};

/* 0, wolfSSL's error, or -ENOMEM. What wolfSSL does not take is no anchor. */
static int load_certificate(struct tls_context *context, const struct pem_block *block)
{
	uint8_t *der;
	ssize_t len = pem_decode(block, &der);
	struct x509 x509;
	int r = 0;

	if (len == -ENOMEM)
		return -ENOMEM;
	if (len < 0 || x509_parse(der, (size_t)len, &x509) < 0)
		r = ASN_PARSE_E;
	if (r == 0) {
		r = wolfSSL_CTX_load_verify_buffer(
			context->ctx, der, (long)len, WOLFSSL_FILETYPE_ASN1);
		r = r == WOLFSSL_SUCCESS ? anchors_add(&context->anchors, &x509) : r;
	}
	free(der);
	return r;
}

static int load_file(struct tls_context *context, const char *path, struct trust_count *count)
{
	struct pem_block block;
	struct pem pem;
	size_t at = 0;
	int r = pem_read(path, &pem);

	if (r < 0)
		return r;
	while (pem_next(&pem, &at, &block)) {
		if (!pem_is_certificate(&block))
			continue;
		r = load_certificate(context, &block);
		if (r == -ENOMEM)
			break;
		if (r == 0) {
			count->loaded++;
		} else if (count->refused++ == 0) {
			count->error = r;
		}
	}
	pem_clear(&pem);
	return r == -ENOMEM ? r : 0;
}

/* Every file in it; what is no certificate or cannot be read is passed over. */
static int load_directory(struct tls_context *context, const char *path, struct trust_count *count)
{
	char file[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(path);
	int files = 0;

	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL && files < TRUST_FILES_MAX) {
		int n = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);

		if (entry->d_name[0] == '.' || n >= (int)sizeof file)
			continue;
		files++;
		if (load_file(context, file, count) < 0)
			count->refused++;
	}
	closedir(dir);
	return 0;
}

static int load_path(struct tls_context *context, const char *path, const struct why *why)
{
	struct trust_count count = { 0, 0, 0 };
	struct stat st;
	bool directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	int r = directory ? load_directory(context, path, &count)
			  : load_file(context, path, &count);

	if (r < 0)
		return why_say(why, r, "cannot read the CA %s '%s': %s",
			directory ? "directory" : "file", path, why_errno(r));
	if (count.loaded > 0)
		return 0;
	if (count.error == 0)
		return why_say(why, -EINVAL, "no certificate in the CA %s '%s': PEM is expected",
			directory ? "directory" : "file", path);
	return why_say(why, -EINVAL, "no usable certificate in the CA %s '%s': %s",
		directory ? "directory" : "file", path,
		wolfSSL_ERR_reason_error_string((unsigned long)count.error));
}

const char *trust_system_bundle(void)
{
	for (size_t i = 0; i < sizeof system_bundles / sizeof system_bundles[0]; i++) {
		struct stat st;

		if (stat(system_bundles[i], &st) == 0)
			return system_bundles[i];
	}
	return NULL;
}

static int load_system(struct tls_context *context, const struct why *why)
{
	const char *bundle = trust_system_bundle();

	if (bundle != NULL)
		return load_path(context, bundle, why);
	return why_say(why, -ENOENT,
		"the system has no CA certificates ('%s' and the like): install the package "
		"ca-certificates, or set ca",
		system_bundles[0]);
}

int trust_load(struct tls_context *context, const struct policy_list *ca, const struct why *why)
{
	int r = 0;

	for (size_t i = 0; i < ca->count && r == 0; i++)
		r = strcmp(ca->items[i], "system") == 0 ? load_system(context, why)
							: load_path(context, ca->items[i], why);
	return r;
}
