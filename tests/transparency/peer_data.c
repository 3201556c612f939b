/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "peer.h"

#include "pattern.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* --- Sending */

static ssize_t send_pattern(size_t len, size_t keep)
{
	uint8_t buf[CHUNK];
	size_t done = 0;

	need_open();
	while (done < len) {
		size_t part = len - done < CHUNK ? len - done : CHUNK;
		ssize_t n;

		pattern_fill(buf, part, sent);
		n = link_write(&self, buf, part, keep);
		if (n < 0)
			return n;
		done += part;
		sent += part;
	}
	return 0;
}

void do_send(const char *arg)
{
	outcome((int)send_pattern(strtoul(arg, NULL, 0), 0));
}

void do_text(const char *arg)
{
	ssize_t n;

	need_open();
	n = link_write(&self, (const uint8_t *)arg, strlen(arg), 0);
	outcome(n < 0 ? (int)n : 0);
}

void do_text_line(const char *arg)
{
	char line[LINE_MOST + 1];

	snprintf(line, sizeof(line), "%s\n", arg);
	do_text(line);
}

/* The end of a line of text. */
void do_line(const char *arg)
{
	(void)arg;
	do_text("\n");
}

/* All of a record but its last bytes. */
void do_partial(const char *arg)
{
	unsigned long len = 0, keep = 1;

	sscanf(arg, "%lu %lu", &len, &keep);
	outcome((int)send_pattern(len, keep));
}

void do_rest(const char *arg)
{
	(void)arg;
	outcome(link_release(&self));
}

/* Bytes below TLS. */
void do_raw(const char *arg)
{
	if (self.fd < 0 && listener >= 0)
		take_connection();
	outcome(send(self.fd, arg, strlen(arg), MSG_NOSIGNAL) < 0 ? -errno : 0);
}

/* --- Receiving */

static bool check_received(const uint8_t *buf, size_t len)
{
	size_t good = pattern_match(buf, len, received);

	received += good;
	return good == len;
}

void do_recv(const char *arg)
{
	size_t len = strtoul(arg, NULL, 0), done = 0;
	uint8_t buf[CHUNK];

	need_open();
	while (done < len) {
		ssize_t n = link_read(&self, buf, len - done < CHUNK ? len - done : CHUNK, true);

		if (n <= 0) {
			answer("%zu bytes, then %s", done, link_end_name(&self));
			return;
		}
		if (!check_received(buf, (size_t)n)) {
			answer("error: byte %lu is not what was to be sent",
				(unsigned long)received);
			return;
		}
		done += (size_t)n;
	}
	answer("%zu bytes", done);
}

void do_until_end(const char *arg)
{
	uint8_t buf[CHUNK];
	size_t done = 0;
	ssize_t n;

	(void)arg;
	need_open();
	while ((n = link_read(&self, buf, sizeof(buf), true)) > 0) {
		if (!check_received(buf, (size_t)n)) {
			answer("error: byte %lu is not what was to be sent",
				(unsigned long)received);
			return;
		}
		done += (size_t)n;
	}
	answer("%zu bytes, then %s", done, link_end_name(&self));
}

/* Text of that length, as it is. */
void do_read_text(const char *arg)
{
	size_t len = strtoul(arg, NULL, 0), done = 0;
	uint8_t buf[LINE_MOST];

	need_open();
	while (done < len && len < sizeof(buf)) {
		ssize_t n = link_read(&self, buf + done, len - done, true);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done == len)
		answer("'%.*s'", (int)done, (char *)buf);
	else
		answer("'%.*s', then %s", (int)done, (char *)buf, link_end_name(&self));
}

void do_text_until_end(const char *arg)
{
	uint8_t buf[LINE_MOST / 2];
	size_t done = 0;
	ssize_t n;

	(void)arg;
	need_open();
	while (done < sizeof(buf) &&
		(n = link_read(&self, buf + done, sizeof(buf) - done, true)) > 0)
		done += (size_t)n;
	answer("'%.*s', then %s", (int)done, (char *)buf, link_end_name(&self));
}

/* Bytes in runs of 5000 of the same letter: who wrote at once with another was not torn. */
void do_runs(const char *arg)
{
	size_t len = strtoul(arg, NULL, 0), done = 0;
	uint8_t buf[5000], run = 0;

	need_open();
	while (done < len) {
		size_t at = done % sizeof(buf);
		ssize_t n = link_read(&self, buf, sizeof(buf) - at, true);

		if (n <= 0)
			break;
		if (at == 0)
			run = buf[0];
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != run) {
				answer("error: torn in byte %zu", done + (size_t)i);
				return;
			}
		done += (size_t)n;
	}
	answer("%zu bytes", done);
}

/*
 * To the end: bytes that are letters of their writers, in blocks of one length: "A 3, B 4, then the
 * end". A block into which another writer's bytes came is an error.
 */
void do_blocks(const char *arg)
{
	size_t counts[256] = { 0 }, block = 1, run = 0;
	char line[LINE_MOST / 2] = "";
	uint8_t buf[CHUNK];
	int last = -1;
	ssize_t n;

	sscanf(arg, "%zu", &block);
	need_open();
	while ((n = link_read(&self, buf, sizeof(buf), true)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != last && run % block != 0) {
				answer("error: %c after %zu bytes of %c", buf[i], run, last);
				return;
			}
			run = buf[i] == last ? run + 1 : 1;
			last = buf[i];
			counts[buf[i]]++;
		}
	for (int i = 0; i < 256; i++)
		if (counts[i] > 0)
			snprintf(line + strlen(line), sizeof(line) - strlen(line), "%c %zu, ", i,
				counts[i] / block);
	answer("%sthen %s", line, link_end_name(&self));
}

/* Sends and receives at once. */
void do_both(const char *arg)
{
	unsigned long out = 0, in = 0, out_done = 0, in_done = 0;
	uint8_t buf[CHUNK];

	sscanf(arg, "%lu %lu", &out, &in);
	need_open();
	while (out_done < out || in_done < in) {
		struct pollfd pfd = { .fd = self.fd,
			.events = (short)((out_done < out ? POLLOUT : 0) | POLLIN) };
		ssize_t n = in_done < in ? link_read(&self, buf, sizeof(buf), false) : -EAGAIN;

		if (n == 0) {
			answer("%lu bytes, then %s", in_done, link_end_name(&self));
			return;
		}
		if (n > 0) {
			if (!check_received(buf, (size_t)n)) {
				answer("error: byte %lu is not what was to be sent",
					(unsigned long)received);
				return;
			}
			in_done += (unsigned long)n;
			continue;
		}
		poll(&pfd, 1, -1);
		if ((pfd.revents & POLLOUT) != 0 && out_done < out) {
			size_t part = out - out_done < 4096 ? out - out_done : 4096;

			if (send_pattern(part, 0) < 0) {
				answer("%lu bytes sent, then an error", out_done);
				return;
			}
			out_done += part;
		}
	}
	answer("%lu bytes", in_done);
}
