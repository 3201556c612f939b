/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Trust anchors. Certificates are loaded one by one: a bundle may hold some that have expired or
 * are of a kind that is not supported, and less trust is not an error. But an entry of the policy
 * that gives none at all is: it is not what was meant.
 */
#include "tls/context_private.h"
#include "tls/pem.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
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

static int load_file(WOLFSSL_CTX *ctx, const char *path, struct trust_count *count)
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
		r = wolfSSL_CTX_load_verify_buffer(ctx, (const unsigned char *)block.text,
			(long)block.len, WOLFSSL_FILETYPE_PEM);
		if (r == WOLFSSL_SUCCESS) {
			count->loaded++;
		} else if (count->refused++ == 0) {
			count->error = r;
		}
	}
	pem_clear(&pem);
	return 0;
}

/* Every file in it; what is no certificate or cannot be read is passed over. */
static int load_directory(WOLFSSL_CTX *ctx, const char *path, struct trust_count *count)
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
		if (load_file(ctx, file, count) < 0)
			count->refused++;
	}
	closedir(dir);
	return 0;
}

static int load_path(WOLFSSL_CTX *ctx, const char *path, const struct why *why)
{
	struct trust_count count = { 0, 0, 0 };
	struct stat st;
	bool directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	int r = directory ? load_directory(ctx, path, &count) : load_file(ctx, path, &count);

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

static int load_system(WOLFSSL_CTX *ctx, const struct why *why)
{
	for (size_t i = 0; i < sizeof system_bundles / sizeof system_bundles[0]; i++) {
		struct stat st;

		if (stat(system_bundles[i], &st) == 0)
			return load_path(ctx, system_bundles[i], why);
	}
	return why_say(why, -ENOENT,
		"the system has no CA certificates ('%s' and the like): install the package "
		"ca-certificates, or set ca",
		system_bundles[0]);
}

int trust_load(struct tls_context *context, const struct policy_list *ca, const struct why *why)
{
	int r = 0;

	for (size_t i = 0; i < ca->count && r == 0; i++)
		r = strcmp(ca->items[i], "system") == 0
			    ? load_system(context->ctx, why)
			    : load_path(context->ctx, ca->items[i], why);
	return r;
}
