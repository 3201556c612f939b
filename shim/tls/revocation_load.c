/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files with revocation lists. In a directory, what is no list is passed over; but a list that
 * cannot be used is an error wherever it is, since without it certificates would pass that it may
 * name.
 */
#include "tls/pem.h"
#include "tls/revocation.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#define FILES_MAX 4096

/* 0; -EBADMSG: this is no list; -ENOTSUP, -ENOMEM: with the reason. */
static int add(struct revocation *revocation, const void *der, size_t len, const char *path,
	const struct why *why)
{
	size_t size = revocation->size > 0 ? revocation->size * 2 : 4;
	uint8_t *copy = malloc(len > 0 ? len : 1);
	const char *what;
	int r;

	if (revocation->count == revocation->size) {
		struct crl *lists = reallocarray(revocation->lists, size, sizeof *lists);

		if (lists == NULL) {
			free(copy);
			return -ENOMEM;
		}
		revocation->lists = lists;
		revocation->size = size;
	}
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, der, len);
	r = crl_init(&revocation->lists[revocation->count], copy, len, &what);
	if (r == -ENOTSUP)
		return why_say(why, r,
			"the revocation list in '%s' is %s: a whole one, signed by the CA itself, "
			"is "
			"needed",
			path, what);
	revocation->count += r == 0;
	return r;
}

static int add_block(struct revocation *revocation, const struct pem_block *block, const char *path,
	const struct why *why)
{
	uint8_t *der;
	ssize_t len = pem_decode(block, &der);
	int r = len < 0 ? (int)len : add(revocation, der, (size_t)len, path, why);

	free(der);
	if (r == -EBADMSG)
		return why_say(why, -EINVAL, "a revocation list in '%s' cannot be parsed", path);
	return r;
}

/* What pem_next() does not see: a list without its end, or behind a NUL. */
static bool is_cut(const struct pem *pem, size_t at)
{
	static const char begin[] = "-----BEGIN X509 CRL";

	return memmem(pem->text + at, pem->len - at, begin, sizeof begin - 1) != NULL;
}

/* As "ca.crl", and as openssl rehash calls it, "9d66eef0.r0". */
static bool is_called_list(const char *path)
{
	const char *end = strrchr(path, '.');

	if (end == NULL)
		return false;
	return strcmp(end, ".crl") == 0 ||
	       (end[1] == 'r' && end[2] != '\0' &&
		       strspn(end + 2, "0123456789") == strlen(end + 2));
}

/* 0 also if there is none in it. */
static int load_file(struct revocation *revocation, const char *path, const struct why *why)
{
	struct pem_block block;
	bool blocks = false;
	struct pem pem;
	size_t at = 0;
	int r = pem_read(path, &pem);

	if (r < 0)
		return why_say(
			why, r, "cannot read the revocation list '%s': %s", path, why_errno(r));
	while (r == 0 && pem_next(&pem, &at, &block)) {
		blocks = true;
		if (strcmp(block.label, "X509 CRL") == 0)
			r = add_block(revocation, &block, path, why);
	}
	if (r == 0 && is_cut(&pem, at)) {
		r = why_say(why, -EINVAL, "a revocation list in '%s' is cut short", path);
	} else if (!blocks) {
		r = add(revocation, pem.text, pem.len, path, why);
		r = r == -EBADMSG ? 0 : r;
	}
	pem_clear(&pem);
	return r;
}

static int say_unreadable(const char *path, int r, const struct why *why)
{
	return why_say(why, r, "cannot read the directory '%s' of revocation lists: %s", path,
		why_errno(r));
}

static int load_entry(
	struct revocation *revocation, const char *dir, const char *name, const struct why *why)
{
	size_t before = revocation->count;
	char file[PATH_MAX];
	struct stat st;
	int r;

	if (snprintf(file, sizeof file, "%s/%s", dir, name) >= (int)sizeof file)
		return say_unreadable(dir, -ENAMETOOLONG, why);
	/* Of a link to nothing, load_file() says so if it is to be a list. */
	if ((stat(file, &st) != 0 ? !is_called_list(name) : !S_ISREG(st.st_mode)))
		return 0;
	r = load_file(revocation, file, why);
	if (r == 0 && revocation->count == before && is_called_list(name))
		return why_say(why, -EINVAL,
			"no revocation list in '%s', as it is called: PEM or DER is expected",
			file);
	return r;
}

static int load_directory(struct revocation *revocation, const char *path, const struct why *why)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int files = 0, r = 0;

	if (dir == NULL)
		return say_unreadable(path, -errno, why);
	while (r == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		r = files++ < FILES_MAX ? load_entry(revocation, path, entry->d_name, why)
					: say_unreadable(path, -E2BIG, why);
	}
	if (r == 0 && errno != 0)
		r = say_unreadable(path, -errno, why);
	closedir(dir);
	return r;
}

int revocation_load(
	struct revocation *revocation, const struct policy_list *paths, const struct why *why)
{
	for (size_t i = 0; i < paths->count; i++) {
		const char *path = paths->items[i];
		size_t before = revocation->count;
		struct stat st;
		bool directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
		int r = directory ? load_directory(revocation, path, why)
				  : load_file(revocation, path, why);

		if (r < 0)
			return r;
		if (revocation->count == before)
			return why_say(why, -EINVAL,
				"no revocation list in %s'%s': PEM or DER is expected",
				directory ? "the directory " : "", path);
	}
	return 0;
}

void revocation_clear(struct revocation *revocation)
{
	for (size_t i = 0; i < revocation->count; i++)
		crl_clear(&revocation->lists[i]);
	free(revocation->lists);
	revocation->lists = NULL;
	revocation->count = 0;
}
