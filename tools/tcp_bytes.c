/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One dump a family over a socket of sock_diag(7), which stays in the namespace it was made in. */
#include "tcp_bytes.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_LEN 65536

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 about;
};

static int ask(int fd, int family)
{
	const struct question question = {
		.head = { .nlmsg_len = sizeof question,
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.about = { .sdiag_family = (uint8_t)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = 1 << (INET_DIAG_INFO - 1),
			.idiag_states = UINT32_MAX },
	};
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	return sendto(fd, &question, sizeof question, 0, (const struct sockaddr *)&kernel,
		       sizeof kernel) < 0
		       ? -errno
		       : 0;
}

/* As the audit has it: a v4-mapped address is v4. */
static void end_text(int family, const __be32 *address, __be16 port, char out[TCP_TEXT_LEN])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (family == AF_INET6 && address[0] == 0 && address[1] == 0 &&
		address[2] == htonl(0xffff)) {
		family = AF_INET;
		address += 3;
	}
	inet_ntop(family, address, host, sizeof host);
	snprintf(out, TCP_TEXT_LEN, family == AF_INET ? "%s:%u" : "[%s]:%u", host, ntohs(port));
}

static void take_info(struct tcp_entry *entry, const void *data, size_t len)
{
	struct tcp_info info = { 0 };

	/* Older kernels count less. */
	if (len < offsetof(struct tcp_info, tcpi_bytes_retrans) + sizeof info.tcpi_bytes_retrans)
		return;
	memcpy(&info, data, len < sizeof info ? len : sizeof info);
	entry->counted = true;
	entry->bytes_in = info.tcpi_bytes_received;
	entry->bytes_out = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
}

static void take(const struct tcp_table *table, const struct nlmsghdr *head)
{
	const struct inet_diag_msg *message = NLMSG_DATA(head);
	char local[TCP_TEXT_LEN], remote[TCP_TEXT_LEN];
	struct tcp_entry *entry;
	size_t len;

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof *message))
		return;
	end_text(message->idiag_family, message->id.idiag_src, message->id.idiag_sport, local);
	end_text(message->idiag_family, message->id.idiag_dst, message->id.idiag_dport, remote);
	entry = tcp_table_find(table, local, remote);
	if (entry == NULL)
		return;
	len = head->nlmsg_len - NLMSG_LENGTH(sizeof *message);
	for (const struct rtattr *attribute = (const struct rtattr *)(message + 1);
		RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if (attribute->rta_type == INET_DIAG_INFO)
			take_info(entry, RTA_DATA(attribute), RTA_PAYLOAD(attribute));
}

/* 1: there is more to come; 0: that was all; -errno. */
static int take_answer(const struct tcp_table *table, const void *answer, size_t len)
{
	for (const struct nlmsghdr *head = answer; NLMSG_OK(head, len);
		head = NLMSG_NEXT(head, len)) {
		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			take(table, head);
	}
	return 1;
}

static int dump(const struct tcp_table *table, int fd, int family)
{
	static _Alignas(struct nlmsghdr) char answer[ANSWER_LEN];
	int r = ask(fd, family);

	if (r < 0)
		return r;
	do {
		ssize_t n = recv(fd, answer, sizeof answer, 0);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		r = take_answer(table, answer, (size_t)n);
	} while (r > 0);
	return r;
}

/* A socket in the namespace of a process; -errno. */
static int open_in(const char *process)
{
	char path[64];
	int own = -1, theirs = -1, fd = -1, r = 0;

	if (strcmp(process, "self") == 0) {
		fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		return fd < 0 ? -errno : fd;
	}
	snprintf(path, sizeof path, "/proc/%.20s/ns/net", process);
	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWNET) < 0)
		r = -errno;
	if (r == 0) {
		fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		r = fd < 0 ? -errno : fd;
		if (setns(own, CLONE_NEWNET) < 0 && fd >= 0) {
			close(fd);
			r = -EIO;
		}
	}
	if (own >= 0)
		close(own);
	if (theirs >= 0)
		close(theirs);
	return r;
}

int tcp_bytes_read(const struct tcp_table *table, const char *process)
{
	int fd = open_in(process), r;

	if (fd < 0)
		return fd;
	r = dump(table, fd, AF_INET);
	if (r == 0)
		r = dump(table, fd, AF_INET6);
	close(fd);
	return r;
}
