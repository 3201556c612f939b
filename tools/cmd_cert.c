/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `seamtls cert`: a CA in a directory, made when it is missing, and a certificate for each name.
 * Files appear whole or not at all, and never in the place of others unless that is asked for.
 */
#include "cert.h"
#include "command.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_DAYS 3650
#define DAYS_DEFAULT 397 /* what browsers accept at most */
#define FILE_MAX 65536

struct cert_options {
	const char *dir;
	enum cert_key_type key_type;
	enum cert_use use;
	unsigned days;
	bool force;
};

/* The files of one certificate. */
struct cert_paths {
	char pem[PATH_MAX], key[PATH_MAX];
};

static int parse_days(const char *text, unsigned *out)
{
	char *end;
	unsigned long days = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || days < 1 || days > CA_DAYS)
		return usage_error("--days: found '%s', allowed: 1 to %d", text, CA_DAYS);
	*out = (unsigned)days;
	return EXIT_SUCCESS;
}

static int check_names(int count, char **names)
{
	if (count == 0)
		return usage_error("no name is given");
	for (int i = 0; i < count; i++) {
		if (cert_name_check(names[i]) < 0)
			return usage_error("neither a host name nor an address: '%s'", names[i]);
		if (strcmp(names[i], "ca") == 0)
			return usage_error("the name 'ca' is the CA's own");
	}
	return EXIT_SUCCESS;
}

/* -1: go on; else what the command is to return at once. */
static int parse_options(int argc, char **argv, struct cert_options *out)
{
	static const struct option options[] = {
		{ "directory", required_argument, NULL, 'd' },
		{ "rsa", no_argument, NULL, 'r' },
		{ "client", no_argument, NULL, 'c' },
		{ "days", required_argument, NULL, 'n' },
		{ "force", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*out = (struct cert_options){ ".", CERT_ECDSA, CERT_SERVER, DAYS_DEFAULT, false };
	while ((c = getopt_long(argc, argv, "d:h", options, NULL)) != -1) {
		if (c == 'd')
			out->dir = optarg;
		else if (c == 'r')
			out->key_type = CERT_RSA;
		else if (c == 'c')
			out->use = CERT_CLIENT;
		else if (c == 'f')
			out->force = true;
		else if (c != 'n')
			return c == 'h' ? usage_help() : usage_hint();
		else if (parse_days(optarg, &out->days) != EXIT_SUCCESS)
			return EXIT_USAGE;
	}
	return check_names(argc - optind, argv + optind) == EXIT_SUCCESS ? -1 : EXIT_USAGE;
}

/* A wildcard's file has no '*', which a shell would expand. */
static int make_paths(const char *dir, const char *name, struct cert_paths *out)
{
	const char *prefix = name[0] == '*' ? "_wildcard" : "";
	const char *rest = name[0] == '*' ? name + 1 : name;
	int n = snprintf(out->pem, sizeof out->pem, "%s/%s%s.pem", dir, prefix, rest);
	int m = snprintf(out->key, sizeof out->key, "%s/%s%s.key", dir, prefix, rest);

	if (n < 0 || m < 0 || (size_t)n >= sizeof out->pem || (size_t)m >= sizeof out->key)
		return fail(ENAMETOOLONG, "cannot write '%s/%s.pem'", dir, name);
	return EXIT_SUCCESS;
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

/* Puts a whole file into place under its name, which has a '/'. 0 or -errno; -EEXIST unless
 * `force`. */
static int put_file(const char *path, const char *text, mode_t mode, bool force)
{
	char temporary[PATH_MAX + 16];
	int dir_len = (int)(strrchr(path, '/') - path);
	int fd, r;

	snprintf(temporary, sizeof temporary, "%.*s/.seamtls-XXXXXX", dir_len, path);
	fd = mkostemp(
		temporary, O_CLOEXEC); /* 0600 from the start: a key is never readable by others */
	if (fd < 0)
		return -errno;
	r = write_all(fd, text);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	close(fd);
	if (r == 0 && (force ? rename(temporary, path) : link(temporary, path)) < 0)
		r = -errno;
	if (r < 0 || !force)
		unlink(temporary);
	return r;
}

static int put_pair(const struct cert_paths *paths, const char *pem, const char *key, bool force)
{
	int r = put_file(paths->key, key, 0600, force);

	if (r < 0)
		return fail(r, "cannot write '%s'", paths->key);
	r = put_file(paths->pem, pem, 0644, force);
	if (r < 0)
		return fail(r, "cannot write '%s'", paths->pem);
	printf("%s\n%s\n", paths->pem, paths->key);
	return EXIT_SUCCESS;
}

/* Makes a key and its certificate, and writes both. */
static int issue(const struct cert_request *request, const struct cert_options *options,
	const struct cert_issuer *issuer, const struct cert_paths *paths)
{
	struct cert_key *key = NULL;
	char *pem = NULL, *key_pem = NULL;
	int r = cert_key_new(options->key_type, &key);

	if (r == 0)
		r = cert_make(request, key, issuer, &pem);
	if (r == 0)
		r = cert_key_text(key, &key_pem);
	if (r == 0)
		r = put_pair(paths, pem, key_pem, options->force);
	else if (r == -EKEYREJECTED)
		r = fail(0,
			"the CA in '%s' cannot sign '%s': expired, or ca.pem and ca.key do not "
			"belong together",
			options->dir, request->name);
	else
		r = fail(r, "cannot make a certificate for '%s'", request->name);
	cert_text_free(key_pem);
	cert_text_free(pem);
	cert_key_free(key);
	return r;
}

/* 0 and *text (cert_text_free()) or -errno. */
static int read_file(const char *path, char **text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = -1;
	int r = 0;

	if (fd < 0)
		return -errno;
	*text = calloc(1, FILE_MAX + 1);
	if (*text != NULL)
		n = read(fd, *text, FILE_MAX);
	if (n < 0)
		r = *text == NULL ? -ENOMEM : -errno;
	if (r < 0) {
		cert_text_free(*text);
		*text = NULL;
	}
	close(fd);
	return r;
}

static int load_authority(const struct cert_paths *paths, struct cert_key **key, char **pem)
{
	char *key_pem = NULL;
	int r = read_file(paths->pem, pem);

	if (r < 0)
		return fail(r, "cannot read '%s'", paths->pem);
	r = read_file(paths->key, &key_pem);
	if (r < 0)
		return fail(r, "cannot read '%s'", paths->key);
	r = cert_key_parse(key_pem, key);
	cert_text_free(key_pem);
	if (r < 0)
		return fail(r == -EINVAL ? 0 : r, "'%s' is not an unencrypted ECDSA or RSA key",
			paths->key);
	return EXIT_SUCCESS;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* The CA of the directory, made with it if need be. */
static int open_authority(const struct cert_options *options, struct cert_key **key, char **pem)
{
	const struct cert_request request = { "seamtls local CA", CERT_CA, CA_DAYS };
	struct cert_options own = *options;
	struct cert_paths paths;
	int r = make_paths(options->dir, "ca", &paths);

	own.force = false; /* the certificates that it has signed would all be void */
	if (r != EXIT_SUCCESS)
		return r;
	if (mkdir(options->dir, 0755) < 0 && errno != EEXIST)
		return fail(errno, "cannot make the directory '%s'", options->dir);
	if (!exists(paths.pem) && !exists(paths.key))
		r = issue(&request, &own, NULL, &paths);
	return r == EXIT_SUCCESS ? load_authority(&paths, key, pem) : r;
}

/* Looks at all names before the first is written, so that a refusal leaves things as they are. */
static int check_targets(const struct cert_options *options, char **names)
{
	struct cert_paths paths;

	for (; *names != NULL; names++) {
		if (make_paths(options->dir, *names, &paths) != EXIT_SUCCESS)
			return EXIT_FAILURE;
		if (!options->force && (exists(paths.pem) || exists(paths.key)))
			return fail(0, "'%s' is there already; --force replaces it",
				exists(paths.pem) ? paths.pem : paths.key);
	}
	return EXIT_SUCCESS;
}

int cmd_cert(int argc, char **argv)
{
	struct cert_options options;
	struct cert_issuer issuer = { NULL, NULL };
	struct cert_paths paths;
	char *authority = NULL;
	int r = parse_options(argc, argv, &options);

	if (r >= 0)
		return r;
	r = check_targets(&options, argv + optind);
	if (r == EXIT_SUCCESS)
		r = open_authority(&options, &issuer.key, &authority);
	issuer.pem = authority;
	for (char **name = argv + optind; r == EXIT_SUCCESS && *name != NULL; name++) {
		const struct cert_request request = { *name, options.use, options.days };

		make_paths(options.dir, *name, &paths);
		r = issue(&request, &options, &issuer, &paths);
	}
	cert_key_free(issuer.key);
	cert_text_free(authority);
	return r;
}
