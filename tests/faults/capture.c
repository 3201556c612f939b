/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads a capture of a loopback interface (pcap) in which every TCP connection is to be protected,
 * and says where bytes are that are no TLS records, or that read like plaintext. Nothing of the
 * library or of the programs is asked: only what was on the wire.
 *
 *   capture FILE        exit status 1: something was found
 */
#include "stream.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0xa1b2c3d4u
#define ETHERNET 1
#define ETHERNET_LEN 14
#define FLOWS (1u << 16)
#define SHOWN 48

struct flow {
	uint8_t ends[36]; /* addresses and ports, of this way */
	uint32_t next;    /* sequence number */
	struct stream stream;
	bool told;
	struct early *early; /* what was captured before what comes before it */
	struct flow *older;
};

struct early {
	uint32_t sequence;
	size_t len;
	struct early *next;
	uint8_t data[];
};

static struct flow *flows[FLOWS];
static unsigned flow_count, problems;
static uint64_t bytes, records;

static struct flow *flow_of(const uint8_t ends[36], bool anew)
{
	struct flow **list, *flow;
	uint32_t hash = 5381;

	for (int i = 0; i < 36; i++)
		hash = hash * 33 + ends[i];
	list = &flows[hash % FLOWS];
	for (flow = *list; flow != NULL && !anew; flow = flow->older)
		if (memcmp(flow->ends, ends, 36) == 0)
			return flow;
	if (!anew)
		return NULL;
	flow = calloc(1, sizeof(*flow));
	if (flow == NULL)
		abort();
	memcpy(flow->ends, ends, 36);
	flow->older = *list;
	*list = flow;
	flow_count++;
	return flow;
}

static void tell(struct flow *flow, const char *what, const uint8_t *data, size_t len)
{
	if (flow->told)
		return;
	flow->told = true;
	problems++;
	printf("port %d to port %d, after %llu bytes: %s:", flow->ends[32] << 8 | flow->ends[33],
		flow->ends[34] << 8 | flow->ends[35], (unsigned long long)flow->stream.bytes, what);
	for (size_t i = 0; i < len && i < SHOWN; i++)
		printf(" %02x", data[i]);
	putchar('\n');
}

static void keep_early(struct flow *flow, uint32_t sequence, const uint8_t *data, size_t len)
{
	struct early *early = malloc(sizeof(*early) + len);

	if (early == NULL)
		abort();
	*early = (struct early){ .sequence = sequence, .len = len, .next = flow->early };
	memcpy(early->data, data, len);
	flow->early = early;
}

/* False: its turn has not come. */
static bool take_data(struct flow *flow, uint32_t sequence, const uint8_t *data, size_t len)
{
	uint32_t again = flow->next - sequence; /* sent before */
	uint64_t records_before = flow->stream.records;
	const char *problem;

	if (len > 0 && (int32_t)again < 0)
		return false;
	if (again >= len)
		return true;
	data += again;
	len -= again;
	flow->next += (uint32_t)len;
	problem = stream_feed(&flow->stream, data, len);
	records += flow->stream.records - records_before;
	bytes += len;
	if (problem != NULL)
		tell(flow, problem, data, len);
	return true;
}

static void take_early(struct flow *flow)
{
	struct early **at = &flow->early;

	while (*at != NULL) {
		struct early *early = *at;

		if (!take_data(flow, early->sequence, early->data, early->len)) {
			at = &early->next;
			continue;
		}
		*at = early->next;
		free(early);
		at = &flow->early;
	}
}

static void find_gaps(void)
{
	for (size_t i = 0; i < FLOWS; i++)
		for (struct flow *flow = flows[i]; flow != NULL; flow = flow->older)
			if (flow->early != NULL)
				tell(flow, "a gap in the capture", NULL, 0);
}

static void take_segment(uint8_t ends[36], const uint8_t *at, size_t len)
{
	const struct tcphdr *tcp = (const struct tcphdr *)at;
	size_t header = len >= sizeof(*tcp) ? (size_t)tcp->doff * 4 : 0;
	uint32_t sequence;
	struct flow *flow;

	if (header < sizeof(*tcp) || header > len)
		return;
	memcpy(ends + 32, at, 4);
	sequence = ntohl(tcp->seq) + tcp->syn;
	flow = flow_of(ends, tcp->syn);
	if (flow == NULL)
		return; /* begun before the capture */
	if (tcp->syn)
		flow->next = sequence;
	if (take_data(flow, sequence, at + header, len - header))
		take_early(flow);
	else
		keep_early(flow, sequence, at + header, len - header);
}

/* The length that IP says is 0 where a packet is larger than it could say. */
static size_t of_ip(uint16_t said, size_t header, size_t len)
{
	size_t total = ntohs(said) + header;

	return said != 0 && total < len ? total : len;
}

static void take_packet(const uint8_t *at, size_t len)
{
	uint8_t ends[36] = { 0 };
	const struct ip *ip = (const struct ip *)(at + ETHERNET_LEN);
	const struct ip6_hdr *ip6 = (const struct ip6_hdr *)(at + ETHERNET_LEN);

	if (len < ETHERNET_LEN + sizeof(*ip6))
		return;
	len -= ETHERNET_LEN;
	if (ip->ip_v == 4 && ip->ip_p == IPPROTO_TCP) {
		size_t header = (size_t)ip->ip_hl * 4;

		memcpy(ends, &ip->ip_src, 4);
		memcpy(ends + 16, &ip->ip_dst, 4);
		len = of_ip(ip->ip_len, 0, len);
		if (header < len)
			take_segment(ends, (const uint8_t *)ip + header, len - header);
	} else if (ip->ip_v == 6 && ip6->ip6_nxt == IPPROTO_TCP) {
		memcpy(ends, &ip6->ip6_src, 16);
		memcpy(ends + 16, &ip6->ip6_dst, 16);
		len = of_ip(ip6->ip6_plen, sizeof(*ip6), len);
		take_segment(ends, (const uint8_t *)(ip6 + 1), len - sizeof(*ip6));
	}
}

static int take_file(FILE *file)
{
	uint32_t head[6], packet[4];
	uint8_t *data = malloc(1 << 20);

	if (data == NULL || fread(head, sizeof(head), 1, file) != 1 || head[0] != MAGIC ||
		head[5] != ETHERNET)
		return -1;
	while (fread(packet, sizeof(packet), 1, file) == 1) {
		if (packet[2] > 1 << 20 || packet[2] != packet[3] ||
			fread(data, 1, packet[2], file) != packet[2])
			return -1;
		take_packet(data, packet[2]);
	}
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;

	if (file == NULL || take_file(file) < 0) {
		fprintf(stderr, "capture: this is no whole capture of a loopback interface\n");
		return 2;
	}
	find_gaps();
	printf("sum: flows %u, records %llu, bytes %llu, problems %u\n", flow_count,
		(unsigned long long)records, (unsigned long long)bytes, problems);
	return problems > 0 ? 1 : 0;
}
