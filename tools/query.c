/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses, users and programs; see query.h. */
#include "query.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 65536

static bool parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *out <= max;
}

static bool parse_host(const char *text, size_t len, struct policy_address *out)
{
	char host[INET6_ADDRSTRLEN + 1];

	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	out->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	return inet_pton(out->family, host, out->bytes) == 1;
}

bool query_parse_address(const char *text, struct policy_address *out)
{
	const char *host = text, *colon = strrchr(text, ':');
	size_t len = strlen(text);
	unsigned long port = 0;

	*out = (struct policy_address){ .family = 0 };
	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		host++;
		len = (size_t)(end - host);
		colon = end[1] == ':' ? end + 1 : NULL;
	} else if (colon != NULL && strchr(text, ':') == colon) {
		len = (size_t)(colon - text);
	} else {
		colon = NULL;
	}
	if (colon != NULL && (!parse_number(colon + 1, 65535, &port) || port == 0))
		return false;
	out->port = (uint16_t)port;
	return (len == 0 && host == text && port != 0) || parse_host(host, len, out);
}

int query_user_self(struct query_user *out)
{
	int count = getgroups(0, NULL);

	*out = (struct query_user){ .uid = geteuid(), .gid = getegid() };
	if (count < 0)
		return -errno;
	out->groups = calloc((size_t)count + 1, sizeof(*out->groups));
	if (out->groups == NULL)
		return -ENOMEM;
	count = getgroups(count, out->groups);
	if (count < 0)
		return -errno;
	out->group_count = (size_t)count;
	return 0;
}

static int find_groups(const char *name, struct query_user *user)
{
	int count = 64;

	while (count <= GROUPS_MAX) {
		int room = count;
		gid_t *groups = realloc(user->groups, (size_t)room * sizeof(*groups));

		if (groups == NULL)
			return -ENOMEM;
		user->groups = groups;
		if (getgrouplist(name, user->gid, groups, &count) >= 0) {
			user->group_count = (size_t)count;
			return 0;
		}
		count = count > room ? count : 2 * room;
	}
	return -E2BIG;
}

int query_user_find(const char *text, struct query_user *out)
{
	struct query_user user = { .groups = NULL };
	const struct passwd *entry = getpwnam(text);
	unsigned long number;
	int r = 0;

	if (entry == NULL && !parse_number(text, UINT32_MAX - 1, &number))
		return -ENOENT;
	if (entry == NULL)
		entry = getpwuid((uid_t)number);
	if (entry != NULL) {
		user.uid = entry->pw_uid;
		user.gid = entry->pw_gid;
		r = find_groups(entry->pw_name, &user);
	} else {
		user.uid = (uid_t)
			number; /* without an entry it has no groups but, by custom, its own */
		user.gid = (gid_t)number;
	}
	if (r < 0) {
		query_user_clear(&user);
		return r;
	}
	query_user_clear(out);
	*out = user;
	return 0;
}

void query_user_clear(struct query_user *user)
{
	free(user->groups);
	user->groups = NULL;
	user->group_count = 0;
}

char *query_program_path(const char *text)
{
	const char *path = getenv("PATH");
	char *found = strchr(text, '/') != NULL ? realpath(text, NULL) : NULL;

	while (found == NULL && path != NULL && *path != '\0' && strchr(text, '/') == NULL) {
		size_t len = strcspn(path, ":");
		char file[PATH_MAX];

		if (snprintf(file, sizeof file, "%.*s/%s", (int)len, path, text) <
				(int)sizeof file &&
			access(file, X_OK) == 0)
			found = realpath(file, NULL);
		path += len + (path[len] == ':');
	}
	return found != NULL ? found : strdup(text);
}
