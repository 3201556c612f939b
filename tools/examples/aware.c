/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program that knows of seamtls: a protocol of lines in which the client says when TLS starts and
 * ends, in both roles. It needs nothing but seamtls.h, and does without the library.
 *
 *     aware server PORT
 *     aware client HOST PORT LINE...
 *
 * Each LINE is sent and answered. STARTTLS and STOPTLS start and end TLS, in the middle of the
 * connection, on both sides; the rules say `start = program`. WHO is answered with what the server
 * knows of the connection, anything else with itself.
 */
#include "seamtls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MOST 2048

static int fail(const char *what)
{
	fprintf(stderr, "aware: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* --- What seamtls knows */

static const char *const states[] = { "unknown", "passthrough", "waiting", "establishing", "open",
	"closing", "failed" };

/* Texts, the NULs between them made commas. "-": there is none. */
static void ask(int sock, int name, char *out, size_t room)
{
	socklen_t len = (socklen_t)room;

	if (getsockopt(sock, SOL_SEAMTLS, name, out, &len) < 0 || len == 0) {
		snprintf(out, room, "-");
		return;
	}
	for (socklen_t i = 0; i + 1 < len; i++)
		if (out[i] == '\0')
			out[i] = ',';
}

/* All of the connection in one line. */
static void describe(int sock, char *line, size_t room)
{
	struct seamtls_info info = { 0 };
	socklen_t len = sizeof(info);
	char rule[64], name[256], cipher[64], verify[256], subject[256], san[512];

	if (getsockopt(sock, SOL_SEAMTLS, SEAMTLS_INFO, &info, &len) < 0) {
		/* The kernel has answered: seamtls is not loaded. */
		snprintf(line, room, "no seamtls: %s", strerror(errno));
		return;
	}
	ask(sock, SEAMTLS_RULE, rule, sizeof(rule));
	ask(sock, SEAMTLS_SERVER_NAME, name, sizeof(name));
	ask(sock, SEAMTLS_CIPHER, cipher, sizeof(cipher));
	ask(sock, SEAMTLS_VERIFY, verify, sizeof(verify));
	ask(sock, SEAMTLS_PEER_SUBJECT, subject, sizeof(subject));
	ask(sock, SEAMTLS_PEER_SAN, san, sizeof(san));
	snprintf(line, room,
		"conn=%016" PRIx64 " state=%s role=%s version=%04x rule=%s name=%s cipher=%s "
		"verify=%s subject=%s san=%s",
		info.connection, info.state <= SEAMTLS_FAILED ? states[info.state] : states[0],
		info.role == SEAMTLS_ROLE_CLIENT   ? "client"
		: info.role == SEAMTLS_ROLE_SERVER ? "server"
						   : "-",
		info.version, rule, name, cipher, verify, subject, san);
}

/* Blocking sockets: the handshake is done, and the peer verified, when this returns. */
static void start(int sock, const char *name)
{
	struct seamtls_start start = { 0 };

	if (name != NULL)
		snprintf(start.server_name, sizeof(start.server_name), "%s", name);
	if (setsockopt(sock, SOL_SEAMTLS, SEAMTLS_START, &start, sizeof(start)) < 0)
		fail("cannot start TLS");
}

static void stop(int sock)
{
	if (setsockopt(sock, SOL_SEAMTLS, SEAMTLS_STOP, NULL, 0) < 0)
		fail("cannot stop TLS");
}

/* --- The protocol */

/* A byte at a time: what comes behind the line may be the beginning of a handshake, which is not
 * for this program to read. */
static int read_line(int sock, char *line)
{
	size_t len = 0;

	while (len + 1 < LINE_MOST) {
		ssize_t n = read(sock, line + len, 1);

		if (n < 0)
			fail("cannot read");
		if (n == 0)
			return 0;
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
	return 1;
}

static void write_line(int sock, const char *line)
{
	char text[LINE_MOST + 1];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	if (write(sock, text, (size_t)len) != len)
		fail("cannot write");
}

static void serve(int sock)
{
	char line[LINE_MOST], answer[LINE_MOST];

	while (read_line(sock, line)) {
		snprintf(answer, sizeof(answer), "%s", line);
		if (strcmp(line, "WHO") == 0)
			describe(sock, answer, sizeof(answer));
		write_line(sock, answer);
		if (strcmp(line, "STARTTLS") == 0)
			start(sock, NULL);
		else if (strcmp(line, "STOPTLS") == 0)
			stop(sock);
	}
}

static void talk(int sock, const char *host, char **lines)
{
	char line[LINE_MOST];

	for (; *lines != NULL; lines++) {
		write_line(sock, *lines);
		if (!read_line(sock, line))
			break;
		printf("%s\n", line);
		if (strcmp(line, "STARTTLS") == 0)
			start(sock, host);
		else if (strcmp(line, "STOPTLS") == 0)
			stop(sock);
		describe(sock, line, sizeof(line));
		printf("# %s\n", line);
		fflush(stdout);
	}
}

static int run_server(const char *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 16) < 0)
		fail("cannot listen");
	for (;;) {
		int sock = accept(listener, NULL, NULL);

		if (sock < 0)
			fail("cannot accept");
		if (fork() == 0) {
			serve(sock);
			exit(EXIT_SUCCESS);
		}
		close(sock);
	}
}

static int run_client(const char *host, const char *port, char **lines)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	if (getaddrinfo(host, port, &hints, &found) != 0)
		fail("cannot find the host");
	if (connect(sock, found->ai_addr, found->ai_addrlen) < 0)
		fail("cannot connect");
	freeaddrinfo(found);
	talk(sock, host, lines);
	close(sock);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "server") == 0)
		return run_server(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "client") == 0)
		return run_client(argv[2], argv[3], argv + 4);
	fprintf(stderr, "usage: aware server PORT | aware client HOST PORT LINE...\n");
	return 2;
}
