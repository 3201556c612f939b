/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client that loads a server, over plain TCP or with OpenSSL's TLS:
 *   clients connect COUNT PORT HOW   COUNT connections one after the other, a request on each
 *   clients resume COUNT PORT HOW    the same, each with the session of the one before
 *   clients ask COUNT PORT HOW       COUNT requests on one connection
 *   clients spread COUNT PORT HOW CONNECTIONS
 *                                    COUNT requests on so many connections, in turn
 *   clients hold COUNT PORT HOW      COUNT connections with a request on each, held open until its
 *                                    standard input ends
 * HOW is plain, 1.2 or 1.3. A request and how the answer to it ends come from the environment:
 * BENCH_REQUEST, BENCH_ANSWER_END. Prints how many connections were resumed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	int fd;
	SSL *ssl; /* NULL: plain */
};

static SSL_CTX *context;    /* NULL: plain */
static SSL_SESSION *ticket; /* the last that came */
static const char *request, *answer_end;

static int take_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = session;
	return 1;
}

static void make_context(const char *how)
{
	int version = strcmp(how, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;

	if (strcmp(how, "plain") == 0)
		return;
	context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(context, version);
	SSL_CTX_set_max_proto_version(context, version);
	SSL_CTX_set1_groups_list(context, "X25519:P-256");
	SSL_CTX_set_session_cache_mode(
		context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(context, take_ticket);
}

static struct client client_open(uint16_t port, bool resumes)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct client client = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
	int one = 1;

	if (client.fd < 0 || connect(client.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "connect");
	setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (context == NULL)
		return client;
	client.ssl = SSL_new(context);
	SSL_set_fd(client.ssl, client.fd);
	SSL_set_tlsext_host_name(client.ssl, "localhost");
	if (resumes && ticket != NULL)
		SSL_set_session(client.ssl, ticket);
	if (SSL_connect(client.ssl) != 1) {
		ERR_print_errors_fp(stderr);
		errx(1, "the handshake failed");
	}
	return client;
}

static int client_read(const struct client *client, char *buf, int len)
{
	return client->ssl != NULL ? SSL_read(client->ssl, buf, len)
				   : (int)recv(client->fd, buf, (size_t)len, 0);
}

/* One request and its answer. */
static void client_ask(const struct client *client)
{
	static char buf[65536];
	size_t end_len = strlen(answer_end), have = 0;
	int len = (int)strlen(request), n;

	n = client->ssl != NULL ? SSL_write(client->ssl, request, len)
				: (int)send(client->fd, request, (size_t)len, MSG_NOSIGNAL);
	if (n != len)
		err(1, "writing");
	while (have < end_len || memcmp(buf + have - end_len, answer_end, end_len) != 0) {
		n = client_read(client, buf + have, (int)(sizeof(buf) - have));
		if (n <= 0)
			errx(1, "the connection ended in an answer");
		have += (size_t)n;
		if (have > sizeof(buf) / 2) {
			memmove(buf, buf + have - end_len, end_len);
			have = end_len;
		}
	}
}

static void client_close(struct client *client)
{
	if (client->ssl != NULL)
		SSL_shutdown(client->ssl);
	SSL_free(client->ssl);
	close(client->fd);
}

static unsigned connect_many(unsigned long count, uint16_t port, bool resumes)
{
	unsigned resumed = 0;

	for (; count > 0; count--) {
		struct client client = client_open(port, resumes);

		client_ask(&client);
		resumed += client.ssl != NULL && SSL_session_reused(client.ssl);
		client_close(&client);
	}
	return resumed;
}

static void ask_many(unsigned long count, uint16_t port)
{
	struct client client = client_open(port, false);

	for (; count > 0; count--)
		client_ask(&client);
	client_close(&client);
}

static void allow_many(unsigned long count)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ count + 64, count + 64 });
	if (context != NULL)
		SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

static void spread_many(unsigned long count, uint16_t port, unsigned long connections)
{
	struct client *client = calloc(connections, sizeof(*client));

	if (client == NULL || connections == 0)
		errx(1, "so many connections cannot be had");
	allow_many(connections);
	for (unsigned long i = 0; i < connections; i++)
		client[i] = client_open(port, false);
	/* The first one brings tickets. */
	for (unsigned long i = 0; i < connections; i++)
		client_ask(&client[i]);
	printf("ready\n");
	fflush(stdout);
	if (getchar() == EOF)
		errx(1, "standard input ended");
	for (unsigned long i = 0; i < count; i++)
		client_ask(&client[i % connections]);
	/* Closing them is no part of it. */
	printf("done\n");
	fflush(stdout);
	getchar();
	free(client);
}

static void hold_many(unsigned long count, uint16_t port)
{
	struct client client;
	char end;

	allow_many(count);
	for (unsigned long i = 0; i < count; i++) {
		client = client_open(port, false);
		client_ask(&client);
	}
	printf("held\n");
	fflush(stdout);
	if (read(STDIN_FILENO, &end, 1) < 0)
		err(1, "standard input");
}

int main(int argc, char **argv)
{
	unsigned resumed = 0;
	unsigned long count;
	uint16_t port;

	request = getenv("BENCH_REQUEST");
	answer_end = getenv("BENCH_ANSWER_END");
	if (argc < 5 || argc > 6 || request == NULL || answer_end == NULL)
		errx(2, "usage: clients connect|resume|ask|hold|spread COUNT PORT plain|1.2|1.3 "
			"[CONNECTIONS]");
	count = strtoul(argv[2], NULL, 10);
	port = (uint16_t)strtoul(argv[3], NULL, 10);
	make_context(argv[4]);
	if (strcmp(argv[1], "ask") == 0)
		ask_many(count, port);
	else if (strcmp(argv[1], "spread") == 0)
		spread_many(count, port, argc > 5 ? strtoul(argv[5], NULL, 10) : 1);
	else if (strcmp(argv[1], "hold") == 0)
		hold_many(count, port);
	else
		resumed = connect_many(count, port, strcmp(argv[1], "resume") == 0);
	printf("%u\n", resumed);
	return EXIT_SUCCESS;
}
