/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection for measuring, see link.h. The plain one makes the calls that any program makes:
 * send and recv. */
#include "link.h"

#include <arpa/inet.h>
#include <err.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct link {
	int fd;
	bool server;
	SSL *ssl; /* NULL: plain */
	struct timespec begun;
	double cpu_before;
};

static double cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double wall_seconds_since(const struct timespec *begun)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begun->tv_sec) + (double)(now.tv_nsec - begun->tv_nsec) / 1e9;
}

static int accept_one(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	if (listener < 0)
		err(1, "socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "bind");
	if (listen(listener, 1) < 0)
		err(1, "listen");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	close(listener);
	return fd;
}

static int connect_to(const char *port)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	int fd, r = getaddrinfo("localhost", port, &hints, &found);

	if (r != 0)
		errx(1, "getaddrinfo: %s", gai_strerror(r));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		err(1, "connect");
	freeaddrinfo(found);
	return fd;
}

static void tls_failed(const char *what)
{
	ERR_print_errors_fp(stderr);
	errx(1, "%s failed", what);
}

static SSL *tls_start(struct link *link, char **file)
{
	SSL_CTX *context = SSL_CTX_new(link->server ? TLS_server_method() : TLS_client_method());
	SSL *ssl;

	if (context == NULL)
		tls_failed("SSL_CTX_new");
	/* The suite that seamtls prefers, so that two record layers are compared and not two
	 * ciphers. */
	SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	if (link->server) {
		if (SSL_CTX_use_certificate_chain_file(context, file[0]) != 1 ||
			SSL_CTX_use_PrivateKey_file(context, file[1], SSL_FILETYPE_PEM) != 1)
			tls_failed("loading the certificate");
	} else {
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
		if (SSL_CTX_load_verify_locations(context, file[0], NULL) != 1)
			tls_failed("loading the CA");
	}
	ssl = SSL_new(context);
	SSL_CTX_free(context);
	if (ssl == NULL || SSL_set_fd(ssl, link->fd) != 1 || SSL_set1_host(ssl, "localhost") != 1)
		tls_failed("SSL_new");
	if ((link->server ? SSL_accept(ssl) : SSL_connect(ssl)) != 1)
		tls_failed("the handshake");
	return ssl;
}

struct link *link_open(char **arg)
{
	struct link *link = calloc(1, sizeof(*link));
	int one = 1;

	if (link == NULL)
		err(1, "calloc");
	link->server = strcmp(arg[0], "serve") == 0;
	link->fd = link->server ? accept_one(arg[1]) : connect_to(arg[1]);
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (strcmp(arg[2], "openssl") == 0)
		link->ssl = tls_start(link, arg + 3);
	/* One byte each way: the handshake is over, whoever does it. */
	if (link->server) {
		link_read_all(link, &(char){ 0 }, 1);
		link_write(link, "s", 1);
	} else {
		link_write(link, "c", 1);
		link_read_all(link, &(char){ 0 }, 1);
	}
	link->cpu_before = cpu_seconds();
	clock_gettime(CLOCK_MONOTONIC, &link->begun);
	return link;
}

bool link_is_server(const struct link *link)
{
	return link->server;
}

void link_write(struct link *link, const void *buf, size_t len)
{
	const char *at = buf;

	while (len > 0) {
		ssize_t n = link->ssl ? SSL_write(link->ssl, at, (int)len)
				      : send(link->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			err(1, "writing");
		at += n;
		len -= (size_t)n;
	}
}

size_t link_read(struct link *link, void *buf, size_t len)
{
	ssize_t n = link->ssl ? SSL_read(link->ssl, buf, (int)len) : recv(link->fd, buf, len, 0);

	if (n < 0 || (n == 0 && link->ssl && SSL_get_error(link->ssl, 0) != SSL_ERROR_ZERO_RETURN))
		err(1, "reading");
	return (size_t)n;
}

void link_read_all(struct link *link, void *buf, size_t len)
{
	char *at = buf;

	while (len > 0) {
		size_t n = link_read(link, at, len);

		if (n == 0)
			errx(1, "the stream ended early");
		at += n;
		len -= n;
	}
}

void link_end(struct link *link)
{
	if (link->ssl)
		SSL_shutdown(link->ssl);
	else
		shutdown(link->fd, SHUT_WR);
}

void link_finish(struct link *link)
{
	double wall = wall_seconds_since(&link->begun), cpu = cpu_seconds() - link->cpu_before;

	SSL_free(link->ssl);
	close(link->fd);
	free(link);
	printf("%.6f %.6f\n", wall, cpu);
}
