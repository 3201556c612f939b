/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What stands on the command line of `seamtls log` and others: times, events, causes, patterns,
 * addresses; one a line, of which the first byte says what it is. They are then held against
 * events.
 */
#include "fuzz.h"
#include "log_filter.h"
#include "query.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LINE_MOST 256
#define LINES_MOST 64
#define NOW_US UINT64_C(1800000000000000)

struct lines {
	char text[LINES_MOST][LINE_MOST]; /* filters point into it */
	size_t count;
};

static void check_address(const char *text)
{
	struct policy_address out;

	if (query_parse_address(text, &out) && out.family != 0 && out.family != AF_INET &&
		out.family != AF_INET6)
		abort();
}

static void check_time(const char *text, uint64_t *out)
{
	uint64_t before = *out;

	if (log_filter_time(text, NOW_US, out) != 0)
		*out = before;
}

static void take_line(struct log_filter *filter, const char *line)
{
	const char *value = line + 1;

	switch (line[0]) {
	case 's':
		check_time(value, &filter->since_us);
		break;
	case 'u':
		check_time(value, &filter->until_us);
		break;
	case 'e':
		log_filter_event(filter, value);
		break;
	case 'c':
		log_filter_cause(filter, value);
		break;
	case 'o':
		log_filter_protocol(filter, value);
		break;
	case 'a':
		log_patterns_add(&filter->applications, value);
		break;
	case 'd':
		log_filter_direction(filter, value);
		break;
	case 'r':
		log_patterns_add(&filter->rules, value);
		break;
	case 'p':
		log_patterns_add(&filter->programs, value);
		break;
	case 'n':
		log_patterns_add(&filter->peers, value);
		break;
	default:
		check_address(line);
	}
}

static void match(const struct log_filter *filter)
{
	static const struct {
		const char *rule, *program, *remote, *name, *subject;
	} events[] = { { NULL, NULL, NULL, NULL, NULL }, { "", "", "", "", "" },
		{ "web", "/usr/bin/curl", "192.0.2.1:443", "www.example", "CN=www.example" },
		{ "db*[", "curl", "[2001:db8::1]:5432", "db.example",
			"CN=aaaaaaaaaaaaaaaaaaaaaab" } };

	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		struct audit_frame frame = { .type = AUDIT_FAIL, .time_us = NOW_US };
		struct audit_event event;

		audit_event_init(&event, AUDIT_FAIL);
		event.rule = events[i].rule;
		event.program = events[i].program;
		event.remote = events[i].remote;
		event.server_name = events[i].name;
		event.peer_subject = events[i].subject;
		event.direction = i % 2 == 0 ? "inbound" : NULL;
		event.peer_san[0] = "dns:*.example";
		event.peer_san_count = i % 2;
		if (log_filter_frame(filter, &frame))
			log_filter_wants(filter, &event);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct lines lines;
	struct log_filter filter = { 0 };

	lines.count = 0;
	while (len > 0 && lines.count < LINES_MOST) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t line = end != NULL ? (size_t)(end - data) : len;
		char *text = lines.text[lines.count++];
		size_t kept = line < LINE_MOST ? line : LINE_MOST - 1;

		memcpy(text, data, kept);
		text[kept] = '\0';
		take_line(&filter, text);
		data += line;
		len -= line;
		if (len > 0)
			data++, len--;
	}
	match(&filter);
	return 0;
}
