/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Receiving. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* 1 */
static void sizes(void)
{
	static const size_t sizes[] = { 1, 2, 100, 4096, 16383, 16384, 16385, 100000 };
	int fd = connected();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		tell_peer_later("send %zu", sizes[i]);
		receive_all(fd, sizes[i], sizes[i]);
		hear_peer();
	}
	tell_peer("close");
	receive_to_end(fd);
	say_result("close", close(fd));
}

/* 11 */
static void end_repeats(void)
{
	int fd = connected();
	char byte;

	tell_peer("send 10");
	tell_peer("half_close");
	receive_all(fd, 10, 10);
	for (int i = 0; i < 3; i++) {
		ready_for(fd, POLLIN);
		say_result("read", read(fd, &byte, 1));
	}
}

const struct test_case cases[] = {
	CASE(1, sizes, EVERYWHERE),
	CASE(11, end_repeats, EVERYWHERE),
	END_OF_CASES,
};
