/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The peer of the cases: one connection, and what a control descriptor tells it to do with it. It
 * answers each command with a line when that is done, so that a case is one program in one order.
 * "plain" is TCP; then what is about TLS does nothing. Every descriptor that connects to the path
 * gets a process of its own, so that nothing of one case reaches the next.
 *
 *   peer PATH CERT KEY CA
 */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static SSL_CTX *server_context, *client_context;
static int control;
int listener = -1;
static int version; /* of TLS; 0: plain */
static bool muted;
static int send_buffer, receive_buffer; /* for the next socket; 0: the system's */
static char groups[64];
static size_t padding;
struct link self = { .fd = -1 };
uint64_t sent, received;

void answer(const char *format, ...)
{
	char line[LINE_MOST];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	line[len++] = '\n';
	if (write(control, line, (size_t)len) != len)
		_exit(1);
}

static void answer_errno(const char *what)
{
	answer("error: %s: %s", what, strerrorname_np(errno));
}

void outcome(int r)
{
	if (r < 0)
		answer("%s", strerrorname_np(-r));
	else
		answer("ok");
}

/* --- Connections */

static size_t pad(SSL *ssl, int type, size_t len, void *arg)
{
	(void)ssl, (void)type, (void)arg;
	return len + padding <= 16384 ? padding : 0;
}

static SSL *make_ssl(SSL_CTX *context)
{
	SSL *ssl;

	if (version == 0)
		return NULL;
	ssl = SSL_new(context);
	SSL_set_min_proto_version(ssl, version);
	SSL_set_max_proto_version(ssl, version);
	SSL_set_record_padding_callback(ssl, pad);
	if (groups[0] != '\0')
		SSL_set1_groups_list(ssl, groups);
	if (context == server_context)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

static int make_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (send_buffer != 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	if (receive_buffer != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	return fd;
}

static void begin(int fd, SSL_CTX *context)
{
	size_t segment = self.segment;
	pid_t paced_by = self.paced_by;

	link_clear(&self);
	link_init(&self, fd, make_ssl(context));
	self.segment = segment;
	self.paced_by = paced_by;
	sent = received = 0;
}

void take_connection(void)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0)
		begin(fd, server_context);
}

void need_open(void)
{
	if (self.fd < 0 && listener >= 0)
		take_connection();
	if (self.fd >= 0 && !muted)
		link_finish(&self);
}

static void do_listen(const char *arg)
{
	bool v6 = strcmp(arg, "6") == 0;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in four = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *addr = v6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t len = v6 ? sizeof(six) : sizeof(four);

	if (listener >= 0)
		close(listener);
	link_clear(&self);
	listener = make_socket(v6 ? AF_INET6 : AF_INET);
	if (bind(listener, addr, len) < 0 || listen(listener, 8) < 0 ||
		getsockname(listener, addr, &len) < 0)
		answer_errno("listen");
	else
		answer("%d", ntohs(v6 ? six.sin6_port : four.sin_port));
}

/* A port that does not answer, because its queue is full. */
static void do_black_hole(const char *arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int hole = make_socket(AF_INET);

	(void)arg;
	if (bind(hole, (struct sockaddr *)&at, len) < 0 || listen(hole, 0) < 0 ||
		getsockname(hole, (struct sockaddr *)&at, &len) < 0) {
		answer_errno("black_hole");
		return;
	}
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		connect(fd, (struct sockaddr *)&at, sizeof(at));
	}
	answer("%d", ntohs(at.sin_port));
}

static void do_connect(const char *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(arg)) };
	int fd = make_socket(AF_INET);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		answer_errno("connect");
		close(fd);
		return;
	}
	begin(fd, client_context);
	if (!muted && !self.open)
		link_step(&self);
	answer("ok");
}

static void do_ready(const char *arg)
{
	(void)arg;
	need_open();
	answer(self.open ? "ok" : "error: no connection: %s", link_end_name(&self));
}

/* --- Ending */

static void say_goodbye(void)
{
	if (self.ssl == NULL || !self.open)
		return;
	SSL_shutdown(self.ssl);
	link_flush(&self);
}

static void do_half_close(const char *arg)
{
	(void)arg;
	need_open();
	say_goodbye();
	outcome(shutdown(self.fd, SHUT_WR) < 0 ? -errno : 0);
}

static void do_notify(const char *arg)
{
	(void)arg;
	need_open();
	say_goodbye();
	if (self.ssl == NULL)
		shutdown(self.fd, SHUT_WR);
	answer("ok");
}

static void do_fin(const char *arg)
{
	(void)arg;
	need_open();
	outcome(shutdown(self.fd, SHUT_WR) < 0 ? -errno : 0);
}

static void do_close(const char *arg)
{
	(void)arg;
	need_open();
	say_goodbye();
	link_clear(&self);
	answer("ok");
}

static void do_abort(const char *arg)
{
	const struct linger now = { .l_onoff = 1 };

	(void)arg;
	if (self.fd < 0 && listener >= 0)
		take_connection();
	setsockopt(self.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	link_clear(&self);
	answer("ok");
}

static void do_unlisten(const char *arg)
{
	(void)arg;
	close(listener);
	listener = -1;
	answer("ok");
}

/* --- What only TLS has */

static void do_key_update(const char *arg)
{
	need_open();
	/* For a kernel that could not follow. */
	if (version == TLS1_3_VERSION && getenv("SEAMTLS_TEST_NO_KEY_UPDATES") == NULL) {
		SSL_key_update(self.ssl, strcmp(arg, "request") == 0
						 ? SSL_KEY_UPDATE_REQUESTED
						 : SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(self.ssl);
	}
	outcome(link_flush(&self));
}

static void do_ticket(const char *arg)
{
	(void)arg;
	need_open();
	if (version == TLS1_3_VERSION && SSL_is_server(self.ssl)) {
		SSL_new_session_ticket(self.ssl);
		SSL_do_handshake(self.ssl);
	}
	outcome(link_flush(&self));
}

/* HelloRequest, or a ClientHello. */
static void do_renegotiate(const char *arg)
{
	(void)arg;
	need_open();
	if (version == TLS1_2_VERSION) {
		SSL_renegotiate(self.ssl);
		SSL_do_handshake(self.ssl);
	}
	outcome(link_flush(&self));
}

static void do_padding(const char *arg)
{
	padding = strtoul(arg, NULL, 0);
	answer("ok");
}

static void do_record(const char *arg)
{
	need_open();
	if (self.ssl != NULL)
		SSL_set_max_send_fragment(self.ssl, (size_t)atoi(arg));
	answer("ok");
}

static void do_groups(const char *arg)
{
	snprintf(groups, sizeof(groups), "%s", arg);
	answer("ok");
}

/* --- How it goes about it */

static void do_mode(const char *arg)
{
	version = strcmp(arg, "1.2") == 0   ? TLS1_2_VERSION
		  : strcmp(arg, "1.3") == 0 ? TLS1_3_VERSION
					    : 0;
}

static void do_segment(const char *arg)
{
	self.segment = strtoul(arg, NULL, 0);
	answer("ok");
}

static void do_pace(const char *arg)
{
	self.paced_by = atoi(arg);
	answer("ok");
}

static void do_mute(const char *arg)
{
	muted = strcmp(arg, "off") != 0;
	answer("ok");
}

static void do_buffers(const char *arg)
{
	sscanf(arg, "%d %d", &send_buffer, &receive_buffer);
	answer("ok");
}

static void obey(char *line);

/* A command for when the program has gone to sleep in a call. */
static void do_asleep(const char *arg)
{
	char command[LINE_MOST];
	const char *space = strchr(arg, ' ');

	if (space == NULL) {
		answer("error: asleep THREAD COMMAND");
		return;
	}
	if (self.fd >= 0 && !muted)
		link_step(&self);
	if (!wait_asleep(atoi(arg))) {
		answer("error: the program did not wait");
		return;
	}
	snprintf(command, sizeof(command), "%s", space + 1);
	obey(command);
}

/* Nothing but the answer, to know that the program waits. */
static void do_nothing(const char *arg)
{
	(void)arg;
	answer("ok");
}

static void do_signal(const char *arg)
{
	int number = 0, pid = 0;

	sscanf(arg, "%d %d", &number, &pid);
	outcome(kill(pid, number) < 0 ? -errno : 0);
}

static const struct {
	const char *name;
	void (*run)(const char *arg);
} commands[] = {
	{ "abort", do_abort },
	{ "asleep", do_asleep },
	{ "black_hole", do_black_hole },
	{ "blocks", do_blocks },
	{ "both", do_both },
	{ "buffers", do_buffers },
	{ "close", do_close },
	{ "connect", do_connect },
	{ "fin", do_fin },
	{ "groups", do_groups },
	{ "half_close", do_half_close },
	{ "key_update", do_key_update },
	{ "line", do_line },
	{ "listen", do_listen },
	{ "mode", do_mode },
	{ "mute", do_mute },
	{ "nothing", do_nothing },
	{ "notify", do_notify },
	{ "pace", do_pace },
	{ "padding", do_padding },
	{ "partial", do_partial },
	{ "raw", do_raw },
	{ "read_text", do_read_text },
	{ "ready", do_ready },
	{ "record", do_record },
	{ "recv", do_recv },
	{ "renegotiate", do_renegotiate },
	{ "rest", do_rest },
	{ "runs", do_runs },
	{ "segment", do_segment },
	{ "send", do_send },
	{ "signal", do_signal },
	{ "text", do_text },
	{ "text_line", do_text_line },
	{ "text_until_end", do_text_until_end },
	{ "ticket", do_ticket },
	{ "unlisten", do_unlisten },
	{ "until_end", do_until_end },
};

static void obey(char *line)
{
	char *space = strchr(line, ' ');
	const char *arg = space != NULL ? space + 1 : "";

	if (space != NULL)
		*space = '\0';
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i].name, line) == 0) {
			commands[i].run(arg);
			return;
		}
	answer("error: no command '%s'", line);
}

/* A line of control, and meanwhile the handshake, which waits for nobody's command. */
static bool next_line(char *line, size_t room)
{
	static char got[LINE_MOST];
	static size_t have;
	char *end;

	while ((end = memchr(got, '\n', have)) == NULL) {
		bool steps = self.fd >= 0 && !self.open && self.end == LINK_GOING;
		struct pollfd fds[2] = { { .fd = control, .events = POLLIN },
			{ .fd = muted         ? -1
				: steps       ? self.fd
				: self.fd < 0 ? listener
					      : -1,
				.events = POLLIN } };

		if (poll(fds, 2, -1) < 0)
			return false;
		if (fds[1].revents != 0 && steps)
			link_step(&self);
		else if (fds[1].revents != 0)
			take_connection();
		if (fds[0].revents != 0) {
			ssize_t n = read(control, got + have, sizeof(got) - have);

			if (n <= 0)
				return false;
			have += (size_t)n;
		}
	}
	snprintf(line, room, "%.*s", (int)(end - got), got);
	have -= (size_t)(end + 1 - got);
	memmove(got, end + 1, have);
	return true;
}

static void serve(void)
{
	char line[LINE_MOST];

	while (next_line(line, sizeof(line)))
		obey(line);
	link_clear(&self);
}

static SSL_CTX *make_context(const SSL_METHOD *method, char **argv)
{
	SSL_CTX *context = SSL_CTX_new(method);

	SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
	SSL_CTX_clear_options(context, SSL_OP_NO_RENEGOTIATION);
	if (SSL_CTX_use_certificate_chain_file(context, argv[2]) != 1 ||
		SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_load_verify_locations(context, argv[4], NULL) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	return context;
}

int main(int argc, char **argv)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 5)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGCHLD, SIG_IGN);
	server_context = make_context(TLS_server_method(), argv);
	client_context = make_context(TLS_client_method(), argv);
	SSL_CTX_set_verify(client_context, SSL_VERIFY_PEER, NULL);
	/* The path is there when it can be connected to. */
	snprintf(path.sun_path, sizeof(path.sun_path), "%s.new", argv[1]);
	if (bind(door, (struct sockaddr *)&path, sizeof(path)) < 0 || listen(door, 64) < 0 ||
		rename(path.sun_path, argv[1]) < 0) {
		perror("peer: listen");
		return 1;
	}
	for (;;) {
		control = accept(door, NULL, NULL);
		if (control >= 0 && fork() == 0) {
			close(door);
			serve();
			_exit(0);
		}
		if (control >= 0)
			close(control);
	}
}
