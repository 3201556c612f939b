/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_filter.h"
#include "cause.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_US 1000000

/* --- when --- */

/* `count` digits and what stands behind them ('\0': nothing in particular). */
static int take_number(const char **text, int count, char after, int *out)
{
	*out = 0;
	for (; count > 0; count--) {
		if (!isdigit((unsigned char)**text))
			return -EINVAL;
		*out = *out * 10 + (*(*text)++ - '0');
	}
	if (after == '\0')
		return 0;
	return *(*text)++ == after ? 0 : -EINVAL;
}

/* ".123456", any number of digits, or nothing. */
static int take_fraction(const char **text, uint64_t *us)
{
	uint64_t unit = SECOND_US;

	*us = 0;
	if (**text != '.')
		return 0;
	if (!isdigit((unsigned char)*++*text))
		return -EINVAL;
	for (; isdigit((unsigned char)**text); ++*text) {
		unit /= 10;
		*us += unit * (uint64_t)(**text - '0');
	}
	return 0;
}

/* "Z" or "+02:00", to the end of the text. */
static int take_zone(const char *text, int *seconds)
{
	int sign = *text == '-' ? -1 : 1, hours, minutes;

	*seconds = 0;
	if (toupper((unsigned char)*text) == 'Z')
		return text[1] == '\0' ? 0 : -EINVAL;
	if (*text != '+' && *text != '-')
		return -EINVAL;
	text++;
	if (take_number(&text, 2, ':', &hours) < 0 || take_number(&text, 2, '\0', &minutes) < 0)
		return -EINVAL;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return *text == '\0' && hours < 24 && minutes < 60 ? 0 : -EINVAL;
}

/* RFC 3339; a blank instead of the T, as its 5.6 allows. */
static int parse_instant(const char *text, uint64_t *out)
{
	struct tm tm = { 0 }, given;
	uint64_t fraction;
	int zone;
	time_t seconds;

	if (take_number(&text, 4, '-', &tm.tm_year) < 0 ||
		take_number(&text, 2, '-', &tm.tm_mon) < 0 ||
		take_number(&text, 2, '\0', &tm.tm_mday) < 0 || strchr("Tt ", *text) == NULL)
		return -EINVAL;
	if (*text++ == '\0' || take_number(&text, 2, ':', &tm.tm_hour) < 0 ||
		take_number(&text, 2, ':', &tm.tm_min) < 0 ||
		take_number(&text, 2, '\0', &tm.tm_sec) < 0)
		return -EINVAL;
	if (take_fraction(&text, &fraction) < 0 || take_zone(text, &zone) < 0)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	given = tm;
	seconds = timegm(&tm) - zone;
	/* timegm() makes March of February 30th; second 60 is allowed. */
	if (given.tm_mon != tm.tm_mon && given.tm_sec != 60)
		return -EINVAL;
	if (given.tm_hour > 23 || given.tm_min > 59 || given.tm_sec > 60 || given.tm_mday < 1)
		return -EINVAL;
	*out = seconds < 0 ? 0 : (uint64_t)seconds * SECOND_US + fraction;
	return 0;
}

/* "10m": so long ago. */
static int parse_ago(const char *text, uint64_t now_us, uint64_t *out)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	uint64_t count = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		count = count * 10 + (uint64_t)(*text - '0');
		if (count > 1000000000)
			return -EINVAL;
	}
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (*text == units[i].unit && text[1] == '\0') {
			uint64_t ago = count * units[i].seconds * SECOND_US;

			*out = ago < now_us ? now_us - ago : 0;
			return 0;
		}
	}
	return -EINVAL;
}

int log_filter_time(const char *text, uint64_t now_us, uint64_t *out)
{
	return parse_ago(text, now_us, out) == 0 ? 0 : parse_instant(text, out);
}

/* --- what --- */

static int add_type(struct log_filter *filter, const char *name, size_t len)
{
	for (int type = AUDIT_OPEN; type <= AUDIT_LOST; type++) {
		const char *known = audit_type_name((enum audit_type)type);

		if (strlen(known) == len && strncmp(known, name, len) == 0) {
			filter->types |= 1u << type;
			return 0;
		}
	}
	return -EINVAL;
}

/* What protects a connection that is left alone, as the library calls it. */
static int protocol_named(const char *name, size_t len)
{
	static const char *const names[] = { "tls", "ssh", "clear", "none", "unknown" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0)
			return (int)i;
	return -EINVAL;
}

/* "fail,deny" */
int log_filter_event(struct log_filter *filter, const char *text)
{
	for (;; text++) {
		size_t len = strcspn(text, ",");
		int r = add_type(filter, text, len);

		text += len;
		if (r < 0 || *text == '\0')
			return r;
	}
}

/* "name,chain" */
int log_filter_cause(struct log_filter *filter, const char *text)
{
	char name[32];

	_Static_assert(CAUSE_COUNT <= 32, "the causes fit into the filter");
	for (;; text++) {
		size_t len = strcspn(text, ",");
		enum cause cause;

		snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, text);
		cause = cause_named(name);
		if (cause == CAUSE_NONE)
			return -EINVAL;
		filter->causes |= UINT32_C(1) << cause;
		text += len;
		if (*text == '\0')
			return 0;
	}
}

/* "tls,ssh" */
int log_filter_protocol(struct log_filter *filter, const char *text)
{
	for (;; text++) {
		size_t len = strcspn(text, ",");
		int protocol = protocol_named(text, len);

		if (protocol < 0)
			return protocol;
		filter->protocols |= 1u << protocol;
		text += len;
		if (*text == '\0')
			return 0;
	}
}

int log_filter_direction(struct log_filter *filter, const char *text)
{
	if (strcmp(text, "inbound") != 0 && strcmp(text, "outbound") != 0)
		return -EINVAL;
	filter->direction = text;
	return 0;
}

int log_patterns_add(struct log_patterns *patterns, const char *text)
{
	if (patterns->count == LOG_FILTER_MAX)
		return -E2BIG;
	patterns->items[patterns->count++] = text;
	return 0;
}

/* --- who --- */

struct address {
	int family;
	uint8_t bytes[16];
	char port[8]; /* "": none was given */
};

/* "1.2.3.4", "1.2.3.4:5", "::1", "[::1]", "[::1]:5" */
static int parse_address(const char *text, struct address *out)
{
	char host[64];
	const char *port = strrchr(text, ':');
	size_t len = strlen(text);

	if (text[0] == '[') {
		port = strchr(text++, ']');
		if (port == NULL)
			return -EINVAL;
		len = (size_t)(port++ - text);
		port = *port == ':' ? port : NULL;
	} else if (port != NULL && strchr(text, ':') == port) {
		len = (size_t)(port - text);
	} else {
		port = NULL;
	}
	if (len >= sizeof host || (port != NULL && strlen(port + 1) >= sizeof out->port))
		return -EINVAL;
	memset(out, 0, sizeof *out);
	memcpy(host, text, len);
	host[len] = '\0';
	if (port != NULL)
		strcpy(out->port, port + 1);
	out->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	return inet_pton(out->family, host, out->bytes) == 1 ? 0 : -EINVAL;
}

static bool address_matches(const char *pattern, const char *remote)
{
	struct address want, got;

	if (remote == NULL || parse_address(pattern, &want) < 0 || parse_address(remote, &got) < 0)
		return false;
	return want.family == got.family && memcmp(want.bytes, got.bytes, sizeof got.bytes) == 0 &&
	       (want.port[0] == '\0' || strcmp(want.port, got.port) == 0);
}

static bool matches_peer(const char *pattern, const struct audit_event *event)
{
	if (event->server_name != NULL && fnmatch(pattern, event->server_name, FNM_CASEFOLD) == 0)
		return true;
	return address_matches(pattern, event->remote);
}

static bool matches_rule(const char *pattern, const struct audit_event *event)
{
	return event->rule != NULL && fnmatch(pattern, event->rule, 0) == 0;
}

/* A pattern without a slash is for the last part of the path. */
static bool matches_program(const char *pattern, const struct audit_event *event)
{
	const char *name = event->program;

	if (name != NULL && strchr(pattern, '/') == NULL && strrchr(name, '/') != NULL)
		name = strrchr(name, '/') + 1;
	return name != NULL && fnmatch(pattern, name, 0) == 0;
}

static bool matches_cause(const struct log_filter *filter, const struct audit_event *event)
{
	const char *cause = cause_of(event);

	return cause != NULL && (filter->causes & UINT32_C(1) << cause_named(cause)) != 0;
}

static bool matches_protocol(const struct log_filter *filter, const struct audit_event *event)
{
	int protocol = event->protocol != NULL
			       ? protocol_named(event->protocol, strlen(event->protocol))
			       : -EINVAL;

	return protocol >= 0 && (filter->protocols & 1u << protocol) != 0;
}

static bool matches_application(const char *pattern, const struct audit_event *event)
{
	return event->application != NULL && fnmatch(pattern, event->application, 0) == 0;
}

static bool matches_any(const struct log_patterns *patterns, const struct audit_event *event,
	bool (*matches)(const char *pattern, const struct audit_event *event))
{
	for (size_t i = 0; i < patterns->count; i++)
		if (matches(patterns->items[i], event))
			return true;
	return patterns->count == 0;
}

bool log_filter_frame(const struct log_filter *filter, const struct audit_frame *frame)
{
	return frame->time_us >= filter->since_us &&
	       (filter->until_us == 0 || frame->time_us < filter->until_us) &&
	       (filter->types == 0 || (filter->types & 1u << frame->type) != 0);
}

bool log_filter_wants(const struct log_filter *filter, const struct audit_event *event)
{
	if (filter->direction != NULL &&
		(event->direction == NULL || strcmp(filter->direction, event->direction) != 0))
		return false;
	if (filter->causes != 0 && !matches_cause(filter, event))
		return false;
	if (filter->protocols != 0 && !matches_protocol(filter, event))
		return false;
	return matches_any(&filter->rules, event, matches_rule) &&
	       matches_any(&filter->applications, event, matches_application) &&
	       matches_any(&filter->programs, event, matches_program) &&
	       matches_any(&filter->peers, event, matches_peer);
}
