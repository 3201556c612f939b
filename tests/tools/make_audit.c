/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * make_audit FILE: appends the events on standard input to an audit file, making it if it is not
 * there. A line is an event: its type, then KEY=VALUE, all separated by blanks; %XX in a value is
 * that byte. The keys are the members of struct audit_event.
 */
#include "audit/format.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { STRING, NUMBER, SMALL, UNSIGNED, NAME };

static const struct {
	const char *key;
	enum kind kind;
	size_t offset;
} keys[] = {
	{ "time_us", NUMBER, offsetof(struct audit_event, time_us) },
	{ "conn", NUMBER, offsetof(struct audit_event, conn) },
	{ "pid", SMALL, offsetof(struct audit_event, pid) },
	{ "uid", UNSIGNED, offsetof(struct audit_event, uid) },
	{ "program", STRING, offsetof(struct audit_event, program) },
	{ "label", STRING, offsetof(struct audit_event, label) },
	{ "rule", STRING, offsetof(struct audit_event, rule) },
	{ "direction", STRING, offsetof(struct audit_event, direction) },
	{ "local", STRING, offsetof(struct audit_event, local) },
	{ "remote", STRING, offsetof(struct audit_event, remote) },
	{ "server_name", STRING, offsetof(struct audit_event, server_name) },
	{ "protocol", STRING, offsetof(struct audit_event, protocol) },
	{ "application", STRING, offsetof(struct audit_event, application) },
	{ "offered_version", STRING, offsetof(struct audit_event, offered_version) },
	{ "ja4", STRING, offsetof(struct audit_event, ja4) },
	{ "version", STRING, offsetof(struct audit_event, version) },
	{ "cipher", STRING, offsetof(struct audit_event, cipher) },
	{ "group", STRING, offsetof(struct audit_event, group) },
	{ "alpn", STRING, offsetof(struct audit_event, alpn) },
	{ "resumed", SMALL, offsetof(struct audit_event, resumed) },
	{ "verify", STRING, offsetof(struct audit_event, verify) },
	{ "peer_subject", STRING, offsetof(struct audit_event, peer_subject) },
	{ "peer_issuer", STRING, offsetof(struct audit_event, peer_issuer) },
	{ "peer_serial", STRING, offsetof(struct audit_event, peer_serial) },
	{ "peer_sha256", STRING, offsetof(struct audit_event, peer_sha256) },
	{ "peer_san", NAME, 0 },
	{ "peer_not_after", NUMBER, offsetof(struct audit_event, peer_not_after) },
	{ "plane", STRING, offsetof(struct audit_event, plane) },
	{ "handshake_us", NUMBER, offsetof(struct audit_event, handshake_us) },
	{ "bytes_in", NUMBER, offsetof(struct audit_event, bytes_in) },
	{ "bytes_out", NUMBER, offsetof(struct audit_event, bytes_out) },
	{ "duration_us", NUMBER, offsetof(struct audit_event, duration_us) },
	{ "reason", STRING, offsetof(struct audit_event, reason) },
	{ "cause", STRING, offsetof(struct audit_event, cause) },
	{ "alert_sent", SMALL, offsetof(struct audit_event, alert_sent) },
	{ "alert_received", SMALL, offsetof(struct audit_event, alert_received) },
	{ "lost", NUMBER, offsetof(struct audit_event, lost) },
};

static void give_up(const char *what)
{
	fprintf(stderr, "make_audit: %s\n", what);
	exit(EXIT_FAILURE);
}

static enum audit_type type_named(const char *name)
{
	for (int type = AUDIT_FILE; type <= AUDIT_LOST; type++)
		if (strcmp(audit_type_name((enum audit_type)type), name) == 0)
			return (enum audit_type)type;
	give_up(name);
	return AUDIT_FILE;
}

static void decode_percent(char *text)
{
	char *out = text;

	for (; *text != '\0'; text++) {
		char code[3] = "";

		if (*text == '%') {
			memcpy(code, text + 1, 2);
			*out++ = (char)strtoul(code, NULL, 16);
			text += 2;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

static void set_key(struct audit_event *event, const char *key, char *value)
{
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		void *at = (char *)event + keys[i].offset;

		if (strcmp(keys[i].key, key) != 0)
			continue;
		decode_percent(value);
		if (keys[i].kind == STRING)
			*(const char **)at = value;
		else if (keys[i].kind == NUMBER)
			*(uint64_t *)at = strtoull(value, NULL, 0);
		else if (keys[i].kind == SMALL)
			*(int *)at = atoi(value);
		else if (keys[i].kind == UNSIGNED)
			*(unsigned *)at = (unsigned)strtoul(value, NULL, 0);
		else if (event->peer_san_count < AUDIT_SAN_MAX)
			event->peer_san[event->peer_san_count++] = value;
		return;
	}
	give_up(key);
}

static size_t encode_line(char *line, uint8_t out[AUDIT_RECORD_MAX])
{
	struct audit_event event;
	char *word = strtok(line, " \n");

	audit_event_init(&event, type_named(word));
	while ((word = strtok(NULL, " \n")) != NULL) {
		char *value = strchr(word, '=');

		if (value == NULL)
			give_up(word);
		*value++ = '\0';
		set_key(&event, word, value);
	}
	return audit_encode(&event, out);
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_WRONLY | O_APPEND | O_CREAT, 0640) : -1;
	uint8_t record[AUDIT_RECORD_MAX];
	char *line = NULL;
	size_t room = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		give_up("cannot open the file");
	if (st.st_size == 0 && write(fd, AUDIT_MAGIC, AUDIT_MAGIC_LEN) < 0)
		give_up("cannot write");
	while (getline(&line, &room, stdin) > 0) {
		size_t len = encode_line(line, record);

		if (write(fd, record, len) != (ssize_t)len)
			give_up("cannot write");
	}
	free(line);
	return EXIT_SUCCESS;
}
