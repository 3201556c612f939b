/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Look-ups of names: done by libc, and remembered, since the name that a program looked up is the
 * one its peer has to prove.
 */
#include "calls/border.h"
#include "conn/names.h"

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
