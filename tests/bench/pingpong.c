/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Round trips of 64 bytes: the client sends, the server sends back, COUNT times. */
#include "link.h"

#include <err.h>
#include <stdlib.h>

#define MESSAGE 64

int main(int argc, char **argv)
{
	char buf[MESSAGE] = { 0 };
	struct link *link;
	size_t count;

	if (argc < 5)
		errx(2, "usage: pingpong COUNT serve|connect PORT plain|openssl [CERT KEY|CA]");
	count = strtoull(argv[1], NULL, 10);
	link = link_open(argv + 2);
	for (; count > 0; count--) {
		if (!link_is_server(link))
			link_write(link, buf, sizeof(buf));
		link_read_all(link, buf, sizeof(buf));
		if (link_is_server(link))
			link_write(link, buf, sizeof(buf));
	}
	link_finish(link);
	return EXIT_SUCCESS;
}
