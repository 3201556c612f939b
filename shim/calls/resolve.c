/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Look-ups of names: done by libc, and remembered, since the name that a program looked up is the
 * one its peer has to prove.
 */
#include "calls/border.h"
#include "conn/lookups.h"
#include "conn/names.h"
#include <stdint.h>

SEAM_EXPORT int getaddrinfo(
	const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	int r = libc.getaddrinfo(node, service, hints, out);

	if (r == 0)
		names_learn(node, *out);
	return r;
}

SEAM_EXPORT struct hostent *gethostbyname(const char *name)
{
	struct hostent *host = libc.gethostbyname(name);

	names_learn_host(name, host);
	return host;
}

SEAM_EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	struct hostent *host = libc.gethostbyname2(name, family);

	names_learn_host(name, host);
	return host;
}

SEAM_EXPORT int gethostbyname_r(const char *name, struct hostent *host, char *buf, size_t len,
	struct hostent **out, int *error)
{
	int r = libc.gethostbyname_r(name, host, buf, len, out, error);

	if (r == 0)
		names_learn_host(name, *out);
	return r;
}

SEAM_EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *host, char *buf,
	size_t len, struct hostent **out, int *error)
{
	int r = libc.gethostbyname2_r(name, family, host, buf, len, out, error);

	if (r == 0)
		names_learn_host(name, *out);
	return r;
}

SEAM_EXPORT int getaddrinfo_a(
	int mode, struct gaicb *list[], int count, struct sigevent *notification)
{
	int r;

	if (list != NULL)
		lookups_begin(list, count);
	r = libc.getaddrinfo_a(mode, list, count, notification);
	for (int i = 0; list != NULL && mode == GAI_WAIT && r == 0 && i < count; i++)
		if (list[i] != NULL && libc.gai_error(list[i]) == 0)
			lookups_found(list[i]);
	return r;
}

SEAM_EXPORT int gai_error(struct gaicb *request)
{
	int r = libc.gai_error(request);

	if (r == 0)
		lookups_found(request);
	return r;
}

SEAM_EXPORT int gai_suspend(
	const struct gaicb *const list[], int count, const struct timespec *timeout)
{
	int r = libc.gai_suspend(list, count, timeout);

	for (int i = 0; list != NULL && i < count; i++)
		if (list[i] != NULL && libc.gai_error((struct gaicb *)(uintptr_t)list[i]) == 0)
			lookups_found(list[i]);
	return r;
}
