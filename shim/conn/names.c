/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is worth remembering, and how the table of names is asked. */
#include "conn/names.h"

#include "conn/internal.h"
#include "conn/names_table.h"

#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static void from_v6(const struct in6_addr *in, struct policy_address *out)
{
	if (IN6_IS_ADDR_V4MAPPED(in)) {
		out->family = AF_INET;
		memcpy(out->bytes, in->s6_addr + 12, 4);
	} else {
		out->family = AF_INET6;
		memcpy(out->bytes, in->s6_addr, 16);
	}
}

int address_from_sockaddr(const struct sockaddr *addr, socklen_t len, struct policy_address *out)
{
	memset(out, 0, sizeof(*out));
	if (addr->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		out->family = AF_INET;
		out->port = ntohs(in.sin_port);
		memcpy(out->bytes, &in.sin_addr, 4);
		return 0;
	}
	if (addr->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6) - sizeof(uint32_t)) {
		struct sockaddr_in6 in6 = { 0 };

		memcpy(&in6, addr, len < sizeof(in6) ? len : sizeof(in6));
		from_v6(&in6.sin6_addr, out);
		out->port = ntohs(in6.sin6_port);
		return 0;
	}
	return -EAFNOSUPPORT;
}

static bool is_address(const char *name)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, name, bytes) == 1 || strchr(name, ':') != NULL;
}

static bool worth_learning(const char *name)
{
	return name != NULL && name[0] != '\0' && strlen(name) < CONN_NAME_LEN && !is_address(name);
}

void names_learn(const char *name, const struct addrinfo *list)
{
	struct policy_address address;

	if (!worth_learning(name))
		return;
	guard_lock(&table_lock);
	for (; list != NULL; list = list->ai_next)
		if (list->ai_addr != NULL &&
			address_from_sockaddr(list->ai_addr, list->ai_addrlen, &address) == 0) {
			names_table_put(&address, name);
		}
	guard_unlock(&table_lock);
}

void names_learn_host(const char *name, const struct hostent *host)
{
	if (!worth_learning(name) || host == NULL)
		return;
	guard_lock(&table_lock);
	for (char **at = host->h_addr_list; *at != NULL; at++) {
		struct policy_address address = { 0 };

		if (host->h_addrtype == AF_INET6) {
			struct in6_addr in6;

			memcpy(&in6, *at, sizeof(in6));
			from_v6(&in6, &address);
		} else {
			address.family = AF_INET;
			memcpy(address.bytes, *at, 4);
		}
		names_table_put(&address, name);
	}
	guard_unlock(&table_lock);
}

static bool is_listed(const char **names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

size_t names_find(const struct policy_address *address, const char **out, size_t most, char *memory,
	size_t memory_len)
{
	const struct named *known = NULL;
	size_t count = 0, used = 0;

	guard_lock(&table_lock);
	while (count < most && (known = names_table_next(address, known)) != NULL) {
		const char *name = named_text(known);
		size_t len = strlen(name) + 1;

		if (is_listed(out, count, name))
			continue;
		if (used + len > memory_len)
			break;
		memcpy(memory + used, name, len);
		out[count++] = memory + used;
		used += len;
	}
	guard_unlock(&table_lock);
	return count;
}

void names_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&table_lock);
	else
		guard_unlock(&table_lock);
}
