/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An unmodified program that uses liburing, and does without where there is none. */
#include <liburing.h>
#include <stdio.h>

int main(void)
{
	struct io_uring ring;
	int r = io_uring_queue_init(4, &ring, 0);

	if (r == 0)
		io_uring_queue_exit(&ring);
	puts(r == 0 ? "by io_uring" : "by read and write");
	return 0;
}
