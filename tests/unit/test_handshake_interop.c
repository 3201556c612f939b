/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handshakes and records with OpenSSL's and GnuTLS's programs, over loopback, on ports that the
 * kernel picks. */
#include "tls_pair.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 20000
#define ARGS_MAX 24

static struct pair_settings settings;

/* A program with its standard input and output on pipes. */
struct program {
	pid_t pid;
	int in, out;
};

static void teardown(void)
{
	pair_settings_clear(&settings);
}

/* In the child. The arguments are words; "@NAME" stands for the path of a file among the
 * certificates. */
static void execute(const char *command, int port)
{
	static char words[1024], number[32];
	char *args[ARGS_MAX], *rest = words;
	size_t n = 0;

	snprintf(words, sizeof words, "%s", command);
	snprintf(number, sizeof number, "%d", port);
	for (char *word; n < ARGS_MAX - 1 && (word = strsep(&rest, " ")) != NULL; n++) {
		if (word[0] == '@')
			word = strdup(pair_path(word + 1));
		else if (strcmp(word, "PORT") == 0)
			word = number;
		else if (strcmp(word, "ADDRESS") == 0) {
			word = malloc(64);
			snprintf(word, 64, "127.0.0.1:%d", port);
		}
		args[n] = word;
	}
	args[n] = NULL;
	execvp(args[0], args);
	_exit(127);
}

static struct program program_start(const char *command, int port)
{
	int in[2], out[2], null;
	struct program program;

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	program.pid = fork();
	ck_assert_int_ge(program.pid, 0);
	if (program.pid == 0) {
		null = open("/dev/null", O_WRONLY);
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(null, 2);
		execute(command, port);
	}
	close(in[0]);
	close(out[1]);
	program.in = in[1];
	program.out = out[0];
	return program;
}

static void program_stop(struct program *program)
{
	int status;

	close(program->in);
	kill(program->pid, SIGKILL);
	waitpid(program->pid, &status, 0);
	close(program->out);
}

/* Reads what the program says until `text` is in it. */
static void program_expect(struct program *program, const char *text, char *said, size_t room)
{
	size_t len = 0;

	said[0] = '\0';
	while (strstr(said, text) == NULL) {
		struct pollfd fd = { program->out, POLLIN, 0 };
		ssize_t n;

		ck_assert_msg(poll(&fd, 1, WAIT_MS) == 1, "nothing more after '%s'", said);
		n = read(program->out, said + len, room - 1 - len);
		ck_assert_msg(n > 0, "ended after '%s'", said);
		len += (size_t)n;
		said[len] = '\0';
	}
}

static ssize_t socket_recv(void *arg, void *buf, size_t len)
{
	ssize_t n = recv(*(int *)arg, buf, len, MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

static ssize_t socket_send(void *arg, const void *buf, size_t len)
{
	ssize_t n = send(*(int *)arg, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

static int run(struct tls_handshake *handshake, int fd)
{
	int r;

	while ((r = tls_handshake_step(handshake)) == -EAGAIN) {
		struct pollfd wait = { fd, tls_handshake_events(handshake), 0 };

		ck_assert_int_ne(wait.events, 0);
		ck_assert_int_eq(poll(&wait, 1, WAIT_MS), 1);
	}
	return r;
}

static void read_exactly(int fd, uint8_t *buf, size_t len)
{
	struct timeval limit = { WAIT_MS / 1000, 0 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	ck_assert_int_eq(recv(fd, buf, len, MSG_WAITALL), (ssize_t)len);
}

/* The next record of application data; tickets are passed over. */
static size_t read_data(int fd, struct record_key *key, uint8_t *out)
{
	uint8_t record[RECORD_MAX_LEN];
	struct record_header header;
	enum record_type type;
	ssize_t n;

	for (int i = 0; i < 8; i++) {
		read_exactly(fd, record, RECORD_HEADER_LEN);
		ck_assert_int_eq(record_parse_header(key, record, RECORD_HEADER_LEN, &header), 0);
		read_exactly(fd, record + RECORD_HEADER_LEN, header.length);
		n = record_open(key, record, RECORD_HEADER_LEN + (size_t)header.length, out, &type);
		ck_assert_int_ge(n, 0);
		if (type == RECORD_APPLICATION_DATA && n > 0)
			return (size_t)n;
		ck_assert_int_ne(type, RECORD_ALERT);
	}
	ck_abort_msg("no data");
}

static void write_data(int fd, struct record_key *key, const char *text)
{
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	uint8_t record[256];
	ssize_t n = record_seal(key, RECORD_APPLICATION_DATA, &iov, 0, iov.iov_len, record);

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(send(fd, record, (size_t)n, MSG_NOSIGNAL), n);
}

static struct tls_handshake *handshake_new(
	enum tls_role role, int *fd, struct tls_context **context)
{
	struct tls_transport transport = { socket_recv, socket_send, fd };
	struct tls_handshake *handshake;
	char why[TLS_REASON_MAX];

	ck_assert_int_eq(tls_context_new(&settings.tls, role, context, why, sizeof why), 0);
	ck_assert_int_eq(tls_handshake_new(*context, role == TLS_CLIENT ? "server.test" : NULL,
				 &transport, &handshake),
		0);
	return handshake;
}

static int connect_to(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static const struct {
	const char *options, *cipher, *group, *client_cert;
	int want;
	const char *why;
} client_case[] = {
	{ "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "x25519", NULL,
		0, "" },
	{ "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "x25519", NULL,
		0, "" },
	{ "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256",
		"x25519", NULL, 0, "" },
	{ "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", NULL, NULL, 0, "" },
	{ "-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", NULL, NULL, 0, "" },
	{ "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305",
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", NULL, NULL, 0, "" },
	{ "-groups P-384", NULL, "secp384r1", NULL, 0, "" }, /* a HelloRetryRequest */
	{ "-no_middlebox", NULL, "x25519", NULL, 0, "" },
	{ "-num_tickets 5", NULL, "x25519", NULL, 0, "" },
	{ "-tls1_3 -Verify 3 -verify_return_error -CAfile @ca.pem", NULL, NULL, "client", 0, "" },
	{ "-tls1_2 -Verify 3 -verify_return_error -CAfile @ca.pem", NULL, NULL, "rsa-client", 0,
		"" },
	{ "-tls1_2 -Verify 3 -verify_return_error -CAfile @ca.pem", NULL, NULL, NULL, -EKEYREJECTED,
		"alert handshake_failure: it asks for a client certificate" },
	{ "-tls1_2 -Verify 3 -verify_return_error -CAfile @other-ca.pem", NULL, NULL, "client",
		-EKEYREJECTED, "alert unknown_ca" },
	{ "-tls1_2 -cipher ECDHE-ECDSA-AES256-SHA", NULL, NULL, NULL, -EPROTO,
		"alert handshake_failure" },
	{ "-tls1_1 -cipher DEFAULT@SECLEVEL=0", NULL, NULL, NULL, -EPROTO,
		"no TLS version in common" },
	{ "-groups P-521", NULL, NULL, NULL, -EPROTO, "alert handshake_failure" },
};

/* s_server turns each line round. */
START_TEST(openssl_serves)
{
	char command[512], said[4096];
	struct tls_context *context;
	struct tls_handshake *handshake;
	const struct tls_result *result;
	struct record_key send_key, receive_key;
	uint8_t data[RECORD_MAX_LEN];
	struct program program;
	size_t n = 0;
	int fd, r;

	pair_settings_init(&settings, client_case[_i].client_cert);
	snprintf(command, sizeof command,
		"openssl s_server -accept 127.0.0.1:0 -cert @server.pem -key @server.key -rev %s",
		client_case[_i].options);
	program = program_start(command, 0);
	program_expect(&program, "ACCEPT 127.0.0.1:", said, sizeof said);
	fd = connect_to(atoi(strstr(said, "ACCEPT 127.0.0.1:") + 17));
	handshake = handshake_new(TLS_CLIENT, &fd, &context);
	r = run(handshake, fd);
	result = tls_handshake_result(handshake);
	ck_assert_msg(r == client_case[_i].want, "%d: %s", r, result->reason);
	if (r == 0) {
		ck_assert_str_eq(result->verify, "ok");
		if (client_case[_i].cipher != NULL)
			ck_assert_str_eq(result->cipher, client_case[_i].cipher);
		if (client_case[_i].group != NULL)
			ck_assert_str_eq(result->group, client_case[_i].group);
		ck_assert_int_eq(tls_handshake_keys(handshake, &send_key, &receive_key), 0);
		write_data(fd, &send_key, "abc");
		write_data(fd, &send_key, "def\n");
		while (n < 7)
			n += read_data(fd, &receive_key, data + n);
		ck_assert_mem_eq(data, "fedcba\n", 7);
	} else {
		ck_assert_msg(
			strstr(result->reason, client_case[_i].why) != NULL, "%s", result->reason);
	}
	tls_handshake_free(handshake);
	tls_context_free(context);
	close(fd);
	program_stop(&program);
}
END_TEST

#define S_CLIENT                                                                                   \
	"openssl s_client -connect ADDRESS -servername server.test -CAfile @ca.pem "               \
	"-verify_return_error -quiet "
#define GNUTLS_CLI                                                                                 \
	"gnutls-cli --x509cafile @ca.pem --sni-hostname server.test --verify-hostname "            \
	"server.test --port PORT 127.0.0.1 "

static const struct {
	const char *command, *cipher, *group;
	enum policy_client_auth auth;
	int want;
	const char *why;
} server_case[] = {
	{ S_CLIENT "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256",
		"x25519", POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384",
		"x25519", POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256",
		"TLS_CHACHA20_POLY1305_SHA256", "x25519", POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", NULL, POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", NULL, POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305",
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", NULL, POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_3 -sigalgs RSA-PSS+SHA256", NULL, NULL, POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_2 -sigalgs RSA-PSS+SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", NULL,
		POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_2 -sigalgs RSA+SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", NULL,
		POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-groups P-521:P-384", NULL, "secp384r1", POLICY_CLIENT_NONE, 0,
		"" }, /* a HelloRetryRequest */
	{ S_CLIENT "-no_middlebox", NULL, "x25519", POLICY_CLIENT_NONE, 0, "" },
	{ S_CLIENT "-tls1_3 -cert @client.pem -key @client.key", NULL, NULL, POLICY_CLIENT_REQUIRED,
		0, "" },
	{ S_CLIENT "-tls1_2 -cert @client.pem -key @client.key", NULL, NULL, POLICY_CLIENT_REQUIRED,
		0, "" },
	{ S_CLIENT "-tls1_2 -cert @rsa-client.pem -key @rsa-client.key", NULL, NULL,
		POLICY_CLIENT_REQUIRED, 0, "" },
	{ S_CLIENT "-tls1_3 -cert @stranger.pem -key @stranger.key", NULL, NULL,
		POLICY_CLIENT_REQUIRED, -EKEYREJECTED, "unable to find the issuer" },
	{ S_CLIENT "-tls1_3", NULL, NULL, POLICY_CLIENT_REQUIRED, -EKEYREJECTED,
		"the peer sent no certificate" },
	{ S_CLIENT "-tls1_2", NULL, NULL, POLICY_CLIENT_REQUIRED, -EKEYREJECTED,
		"the peer sent no certificate" },
	{ S_CLIENT "-tls1_2 -cipher ECDHE-ECDSA-AES256-SHA", NULL, NULL, POLICY_CLIENT_NONE,
		-EPROTO, "no cipher suite" },
	{ S_CLIENT "-tls1_1 -cipher DEFAULT@SECLEVEL=0", NULL, NULL, POLICY_CLIENT_NONE, -EPROTO,
		"no TLS version in common" },
	{ "openssl s_client -connect ADDRESS -verify_return_error -quiet -CAfile @other-ca.pem",
		NULL, NULL, POLICY_CLIENT_NONE, -EKEYREJECTED, "alert unknown_ca" },
	{ GNUTLS_CLI "--priority NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL, NULL, POLICY_CLIENT_NONE, 0,
		"" },
	{ GNUTLS_CLI "--priority NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL, NULL, POLICY_CLIENT_NONE, 0,
		"" },
	{ GNUTLS_CLI "--priority NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305",
		"TLS_CHACHA20_POLY1305_SHA256", NULL, POLICY_CLIENT_NONE, 0, "" },
	{ GNUTLS_CLI "--priority NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", NULL, POLICY_CLIENT_NONE, 0, "" },
	{ GNUTLS_CLI "--x509certfile @client.pem --x509keyfile @client.key", NULL, NULL,
		POLICY_CLIENT_REQUIRED, 0, "" },
};

static int listen_on(int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void check_dialogue(struct tls_handshake *handshake, int fd, struct program *program)
{
	struct record_key send_key, receive_key;
	uint8_t data[RECORD_MAX_LEN];
	char said[8192];
	size_t n = 0;

	ck_assert_int_eq(tls_handshake_keys(handshake, &send_key, &receive_key), 0);
	ck_assert_int_eq(write(program->in, "hello\n", 6), 6);
	while (n < 6)
		n += read_data(fd, &receive_key, data + n);
	ck_assert_mem_eq(data, "hello\n", 6);
	write_data(fd, &send_key, "wor");
	write_data(fd, &send_key, "ld!\n");
	program_expect(program, "world!\n", said, sizeof said);
}

START_TEST(openssl_and_gnutls_connect)
{
	struct tls_context *context;
	struct tls_handshake *handshake;
	const struct tls_result *result;
	struct program program;
	int listener, fd, port, r;

	pair_settings_init(&settings, "server");
	pair_list_add(&settings, &settings.tls.cert, pair_path("rsa-server.pem"));
	pair_list_add(&settings, &settings.tls.key, pair_path("rsa-server.key"));
	settings.tls.client_auth = server_case[_i].auth;
	listener = listen_on(&port);
	program = program_start(server_case[_i].command, port);
	fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	handshake = handshake_new(TLS_SERVER, &fd, &context);
	r = run(handshake, fd);
	result = tls_handshake_result(handshake);
	ck_assert_msg(r == server_case[_i].want, "%d: %s", r, result->reason);
	if (r == 0) {
		if (server_case[_i].cipher != NULL)
			ck_assert_str_eq(result->cipher, server_case[_i].cipher);
		if (server_case[_i].group != NULL)
			ck_assert_str_eq(result->group, server_case[_i].group);
		ck_assert_str_eq(result->server_name, "server.test");
		check_dialogue(handshake, fd, &program);
	} else {
		ck_assert_msg(
			strstr(result->reason, server_case[_i].why) != NULL, "%s", result->reason);
	}
	tls_handshake_free(handshake);
	tls_context_free(context);
	close(fd);
	close(listener);
	program_stop(&program);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake_interop");
	TCase *tcase = tcase_create("handshake_interop");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(tcase, openssl_serves, 0, sizeof client_case / sizeof client_case[0]);
	tcase_add_loop_test(
		tcase, openssl_and_gnutls_connect, 0, sizeof server_case / sizeof server_case[0]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
