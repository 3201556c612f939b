/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stream one way: the client sends SIZE bytes in calls of CHUNK bytes, the server reads them in
 * such calls and answers with one byte. */
#include "link.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MOST (1024 * 1024)

static void send_stream(struct link *link, char *buf, size_t size, size_t chunk)
{
	for (size_t n; size > 0; size -= n) {
		n = size < chunk ? size : chunk;
		link_write(link, buf, n);
	}
	link_end(link);
	link_read_all(link, buf, 1);
}

static void receive_stream(struct link *link, char *buf, size_t size, size_t chunk)
{
	size_t n, got = 0;

	while ((n = link_read(link, buf, chunk)) > 0)
		got += n;
	if (got != size)
		errx(1, "%zu of %zu bytes arrived", got, size);
	link_write(link, "e", 1);
	link_end(link);
}

int main(int argc, char **argv)
{
	static char buf[CHUNK_MOST];
	struct link *link;
	size_t size, chunk;

	if (argc < 6)
		errx(2, "usage: bulk SIZE CHUNK serve|connect PORT plain|openssl [CERT KEY|CA]");
	size = strtoull(argv[1], NULL, 10);
	chunk = strtoull(argv[2], NULL, 10);
	if (chunk == 0 || chunk > CHUNK_MOST)
		errx(2, "CHUNK is at most %d", CHUNK_MOST);
	memset(buf, 'x', sizeof(buf));
	link = link_open(argv + 3);
	if (link_is_server(link))
		receive_stream(link, buf, size, chunk);
	else
		send_stream(link, buf, size, chunk);
	link_finish(link);
	return EXIT_SUCCESS;
}
