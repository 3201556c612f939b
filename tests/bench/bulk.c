/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stream one way: the client sends SIZE bytes in calls of 256 KiB, the server reads them and
 * answers with one byte. */
#include "link.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (256 * 1024)

static void send_stream(struct link *link, char *buf, size_t size)
{
	for (size_t n; size > 0; size -= n) {
		n = size < CHUNK ? size : CHUNK;
		link_write(link, buf, n);
	}
	link_end(link);
	link_read_all(link, buf, 1);
}

static void receive_stream(struct link *link, char *buf, size_t size)
{
	size_t n, got = 0;

	while ((n = link_read(link, buf, CHUNK)) > 0)
		got += n;
	if (got != size)
		errx(1, "%zu of %zu bytes arrived", got, size);
	link_write(link, "e", 1);
	link_end(link);
}

int main(int argc, char **argv)
{
	static char buf[CHUNK];
	struct link *link;
	size_t size;

	if (argc < 5)
		errx(2, "usage: bulk SIZE serve|connect PORT plain|openssl [CERT KEY|CA]");
	size = strtoull(argv[1], NULL, 10);
	memset(buf, 'x', sizeof(buf));
	link = link_open(argv + 2);
	if (link_is_server(link))
		receive_stream(link, buf, size);
	else
		send_stream(link, buf, size);
	link_finish(link);
	return EXIT_SUCCESS;
}
