/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "peer_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOKS_MOST 20000
#define END_WAIT_MS 10000

void link_init(struct link *link, int fd, SSL *ssl)
{
	const int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*link = (struct link){ .fd = fd, .ssl = ssl, .open = ssl == NULL };
	if (ssl == NULL)
		return;
	link->in = BIO_new(BIO_s_mem());
	link->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(link->in, -1);
	SSL_set_bio(ssl, link->in, link->out);
}

void link_clear(struct link *link)
{
	if (link->ssl != NULL)
		SSL_free(link->ssl);
	if (link->fd >= 0)
		close(link->fd);
	free(link->held);
	*link = (struct link){ .fd = -1, .open = link->open, .end = link->end };
}

/* The state letter, and how often it has gone to sleep. */
static char look_at(pid_t thread, long *sleeps)
{
	char path[64], line[256], state = '?';
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	status = fopen(path, "r");
	while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "voluntary_ctxt_switches: %ld", sleeps);
	}
	if (status != NULL)
		fclose(status);
	return state;
}

bool wait_asleep(pid_t thread)
{
	const struct timespec pause = { .tv_nsec = 500000 };
	long before = -1, sleeps = 0;

	for (int looks = 0; looks < LOOKS_MOST; looks++) {
		if (look_at(thread, &sleeps) == 'S' && sleeps == before)
			return true;
		before = sleeps;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int transmit(struct link *link, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t part = link->segment != 0 && link->segment < len - done ? link->segment
									       : len - done;
		ssize_t n;

		if (link->paced_by != 0)
			wait_asleep(link->paced_by);
		n = send(link->fd, data + done, part, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR) {
			if (link->error == 0)
				link->error = errno;
			return -errno;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int flush_keeping(struct link *link, size_t keep)
{
	size_t len;
	uint8_t *sealed;
	int r;

	if (link->ssl == NULL)
		return 0;
	len = BIO_ctrl_pending(link->out);
	sealed = malloc(len + 1);
	if (sealed == NULL || (len > 0 && BIO_read(link->out, sealed, (int)len) != (int)len)) {
		free(sealed);
		return -ENOMEM;
	}
	if (keep > len)
		keep = len;
	r = transmit(link, sealed, len - keep);
	if (keep > 0) {
		link->held = realloc(link->held, link->held_len + keep);
		memcpy(link->held + link->held_len, sealed + len - keep, keep);
		link->held_len += keep;
	}
	free(sealed);
	return r;
}

int link_flush(struct link *link)
{
	return flush_keeping(link, 0);
}

int link_release(struct link *link)
{
	int r = transmit(link, link->held, link->held_len);

	link->held_len = 0;
	return r;
}

ssize_t link_write(struct link *link, const uint8_t *data, size_t len, size_t keep)
{
	int r;

	if (link->ssl == NULL && keep > 0) {
		/* A record that is not whole gives no plaintext. */
		link->held = realloc(link->held, link->held_len + len);
		memcpy(link->held + link->held_len, data, len);
		link->held_len += len;
		return (ssize_t)len;
	}
	if (link->ssl == NULL)
		r = transmit(link, data, len);
	else if (SSL_write(link->ssl, data, (int)len) != (int)len)
		r = -EPROTO;
	else
		r = flush_keeping(link, keep);
	return r < 0 ? r : (ssize_t)len;
}

/* More ciphertext. 1: some; 0: the end; -EAGAIN. */
static int pull(struct link *link, bool wait)
{
	uint8_t buf[65536];
	ssize_t n = recv(link->fd, buf, sizeof(buf), wait ? 0 : MSG_DONTWAIT);

	if (n > 0) {
		BIO_write(link->in, buf, (int)n);
		return 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	link->end = n == 0 ? LINK_TRUNCATED : LINK_RESET;
	return 0;
}

static void broken(struct link *link)
{
	unsigned long code = ERR_peek_last_error();

	link->end = LINK_BROKEN;
	fprintf(stderr, "peer: TLS: %s\n",
		code != 0 ? ERR_error_string(code, NULL) : "no reason given");
	ERR_clear_error();
}

bool link_step(struct link *link)
{
	while (!link->open && link->end == LINK_GOING) {
		int r = SSL_do_handshake(link->ssl);
		int error = r == 1 ? SSL_ERROR_NONE : SSL_get_error(link->ssl, r);

		link_flush(link);
		if (r == 1)
			link->open = true;
		else if (error != SSL_ERROR_WANT_READ)
			broken(link);
		else if (pull(link, false) == -EAGAIN)
			return false;
	}
	return link->open;
}

void link_finish(struct link *link)
{
	struct pollfd in = { .fd = link->fd, .events = POLLIN };

	while (!link_step(link) && link->end == LINK_GOING)
		poll(&in, 1, -1);
}

/* After close_notify: what TCP says. */
static enum link_end last(struct link *link)
{
	struct pollfd in = { .fd = link->fd, .events = POLLIN };
	uint8_t byte;
	ssize_t n;

	if (poll(&in, 1, END_WAIT_MS) <= 0)
		return LINK_NO_FIN;
	n = recv(link->fd, &byte, 1, 0);
	return n == 0 ? LINK_END : n < 0 ? LINK_RESET : LINK_BROKEN;
}

static ssize_t read_plain(struct link *link, uint8_t *buf, size_t len, bool wait)
{
	ssize_t n = recv(link->fd, buf, len, wait ? 0 : MSG_DONTWAIT);

	if (n > 0)
		return n;
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	link->end = n == 0 ? LINK_END : LINK_RESET;
	return 0;
}

ssize_t link_read(struct link *link, uint8_t *buf, size_t len, bool wait)
{
	if (link->end != LINK_GOING)
		return 0;
	if (link->ssl == NULL)
		return read_plain(link, buf, len, wait);
	for (;;) {
		int n = SSL_read(link->ssl, buf, (int)len), r;

		if (n > 0)
			return n;
		switch (SSL_get_error(link->ssl, n)) {
		case SSL_ERROR_ZERO_RETURN:
			link->end = last(link);
			return 0;
		case SSL_ERROR_WANT_READ:
			link_flush(link);
			r = pull(link, wait);
			if (r <= 0)
				return r;
			break;
		default:
			broken(link);
			return 0;
		}
	}
}

const char *link_end_name(const struct link *link)
{
	static const char *const names[] = {
		[LINK_GOING] = "more to come",
		[LINK_END] = "the end",
		[LINK_TRUNCATED] = "truncated",
		[LINK_RESET] = "a reset",
		[LINK_NO_FIN] = "close_notify without FIN",
		[LINK_BROKEN] = "broken TLS",
	};

	return names[link->end];
}
