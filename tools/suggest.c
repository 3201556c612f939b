/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an event says is taken for a condition only if it is what it should be: a name of a host, an
 * address, a path without a character that means something in a policy.
 */
#include "suggest.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_KEY_LEN 384
#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
#define PATH_CHARACTERS HOST_CHARACTERS "/+@=~"

/* "1.2.3.4:5", "[::1]:5". Whether it is one. */
static bool split_address(const char *text, char *host, size_t len, unsigned *port)
{
	const char *colon = text != NULL ? strrchr(text, ':') : NULL;
	size_t brackets = text != NULL && text[0] == '[' ? 1 : 0, host_len;
	uint8_t bytes[16];
	char *end;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return false;
	*port = (unsigned)strtoul(colon + 1, &end, 10);
	host_len = (size_t)(colon - text);
	if (*end != '\0' || *port == 0 || *port > 65535 || host_len <= 2 * brackets ||
		host_len - 2 * brackets >= len)
		return false;
	memcpy(host, text + brackets, host_len - 2 * brackets);
	host[host_len - 2 * brackets] = '\0';
	return inet_pton(brackets > 0 ? AF_INET6 : AF_INET, host, bytes) == 1;
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static bool is_host(const char *name)
{
	uint8_t bytes[16];
	size_t len = strlen(name);

	return len > 0 && len < 254 && strspn(name, HOST_CHARACTERS) == len && name[0] != '-' &&
	       name[0] != '.' && strstr(name, "..") == NULL && inet_pton(AF_INET, name, bytes) != 1;
}

static bool is_path(const char *path)
{
	return path != NULL && path[0] == '/' && strspn(path, PATH_CHARACTERS) == strlen(path);
}

/* Fills in what makes a service. Whether the event says it. */
static bool read_target(
	const struct suggest *suggest, const struct audit_event *event, struct suggest_target *out)
{
	char remote[64] = "", local[64] = "";
	unsigned remote_port = 0, local_port = 0;
	bool has_remote = split_address(event->remote, remote, sizeof remote, &remote_port);
	bool has_local = split_address(event->local, local, sizeof local, &local_port);

	memset(out, 0, sizeof *out);
	out->inbound = event->direction != NULL && strcmp(event->direction, "inbound") == 0;
	if (out->inbound ? !has_local : !has_remote)
		return false;
	if (!suggest->loopback && is_loopback(has_remote ? remote : local))
		return false;
	out->port = out->inbound ? local_port : remote_port;
	if (!out->inbound && event->server_name != NULL && is_host(event->server_name))
		strcpy(out->host, event->server_name);
	else if (!out->inbound)
		strcpy(out->address, remote);
	return true;
}

static bool same_target(const struct suggest_target *a, const struct suggest_target *b)
{
	return a->inbound == b->inbound && a->port == b->port &&
	       strcasecmp(a->host, b->host) == 0 && strcmp(a->address, b->address) == 0;
}

/* NULL: there is no room, or no memory. */
static struct suggest_target *find_target(
	struct suggest *suggest, const struct suggest_target *wanted)
{
	struct suggest_target *targets;

	for (size_t i = 0; i < suggest->target_count; i++)
		if (same_target(&suggest->targets[i], wanted))
			return &suggest->targets[i];
	if (suggest->target_count == SUGGEST_TARGETS_MAX)
		return NULL;
	targets = reallocarray(suggest->targets, suggest->target_count + 1, sizeof *targets);
	if (targets == NULL) {
		suggest->incomplete = true;
		return NULL;
	}
	suggest->targets = targets;
	targets[suggest->target_count] = *wanted;
	return &targets[suggest->target_count++];
}

static void add_program(struct suggest *suggest, struct suggest_target *target, const char *program)
{
	if (!is_path(program)) {
		target->other_programs = true;
		return;
	}
	for (size_t i = 0; i < target->program_count; i++)
		if (strcmp(target->programs[i], program) == 0)
			return;
	if (target->program_count == SUGGEST_PROGRAMS_MAX) {
		target->other_programs = true;
		return;
	}
	target->programs[target->program_count] = strdup(program);
	if (target->programs[target->program_count] == NULL)
		suggest->incomplete = true;
	else
		target->program_count++;
}

/* What names a service in the list of connections. */
static const char *target_key(const struct suggest_target *target, char *out, size_t len)
{
	snprintf(out, len, "%d %u %s %s", target->inbound, target->port, target->host,
		target->address);
	return out;
}

static struct suggest_target *target_of_key(struct suggest *suggest, const char *wanted)
{
	char key[TARGET_KEY_LEN];

	for (size_t i = 0; i < suggest->target_count; i++)
		if (strcmp(target_key(&suggest->targets[i], key, sizeof key), wanted) == 0)
			return &suggest->targets[i];
	return NULL;
}

/* The second event of a connection: it may not have been in the clear after all. */
static void take_recognised(struct suggest *suggest, const struct audit_event *event)
{
	bool own = strcmp(event->protocol, "tls") == 0 || strcmp(event->protocol, "ssh") == 0;
	struct conns_entry first;
	struct suggest_target *target;

	if (!conns_take(&suggest->alone, event->conn, &first))
		return;
	target = target_of_key(suggest, first.peer);
	conns_entry_clear(&first);
	if (target == NULL || (!own && strcmp(event->protocol, "none") != 0))
		return;
	target->count--;
	target->own += own;
}

static void take_first(struct suggest *suggest, const struct audit_event *event)
{
	struct suggest_target wanted, *target = NULL;
	char key[TARGET_KEY_LEN];

	if (read_target(suggest, event, &wanted))
		target = find_target(suggest, &wanted);
	if (target == NULL) {
		suggest->skipped++;
		return;
	}
	target->last_us = event->time_us;
	add_program(suggest, target, event->program);
	/* Another program was given it. */
	if (conns_find(&suggest->alone, event->conn) != NULL)
		return;
	target->count++;
	if (conns_add(&suggest->alone, event->conn, event->time_us,
		    target_key(target, key, sizeof key), "", "") < 0)
		suggest->incomplete = true;
}

void suggest_take(const struct audit_event *event, void *arg)
{
	struct suggest *suggest = arg;

	if (suggest->first_us == 0)
		suggest->first_us = event->time_us;
	suggest->last_us = event->time_us;
	if (event->type == AUDIT_PASS || event->type == AUDIT_OBSERVE)
		(event->protocol != NULL ? take_recognised : take_first)(suggest, event);
}

void suggest_clear(struct suggest *suggest)
{
	for (size_t i = 0; i < suggest->target_count; i++)
		for (size_t j = 0; j < suggest->targets[i].program_count; j++)
			free(suggest->targets[i].programs[j]);
	free(suggest->targets);
	conns_clear(&suggest->alone);
	suggest->targets = NULL;
	suggest->target_count = 0;
}
