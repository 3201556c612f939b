/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long a decision takes: nanoseconds per policy_decide() for 1,000 rules of one kind of
 * condition each, and of all kinds together, with connections that match the last rule or none.
 */
#include "policy/policy.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RULES 1000
#define DECISIONS 200000

static const char *const kinds[] = { "remote_port", "port ranges", "remote_address", "remote_host",
	"program", "user", "label", "everything" };

static void write_condition(FILE *file, unsigned kind, unsigned i)
{
	switch (kind) {
	case 0:
		fprintf(file, "direction = outbound\nremote_port = %u\n", 1000 + i);
		break;
	case 1:
		fprintf(file, "remote_port = %u-%u, %u-60000\n", 1000 + i, 3000 + 7 * i,
			40000 + 13 * i);
		break;
	case 2:
		fprintf(file, "remote_address = 10.%u.%u.0/24, 2001:db8:%x::/48\n", i / 256,
			i % 256, i);
		break;
	case 3:
		fprintf(file, "remote_host = *.s%u.example.com, h%u.example.org\n", i, i);
		break;
	case 4:
		fprintf(file, "program = /opt/*/bin/p%u-*\n", i);
		break;
	case 5:
		fprintf(file, "user = %u\ngroup = %u\n", i + 1, i + 7);
		break;
	case 6:
		fprintf(file, "label = job-%u*\n", i);
		break;
	default:
		write_condition(file, i % 7, i);
	}
}

static struct policy *make_policy(unsigned kind)
{
	char path[] = "/tmp/policy-match-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct policy_errors errors;
	struct policy *policy;

	for (unsigned i = 0; i < RULES; i++) {
		fprintf(file, "[rule \"%u\"]\naction = deny\n", i);
		write_condition(file, kind, i);
	}
	fclose(file);
	if (policy_load(path, &policy, &errors) < 0) {
		fprintf(stderr, "policy_match: %s\n",
			errors.count > 0 ? errors.items[0].message : "no memory");
		exit(EXIT_FAILURE);
	}
	unlink(path);
	return policy;
}

static double measure(const struct policy *policy, unsigned long *matched)
{
	static const char *const names[] = { "a.s999.example.com", "h999.example.net" };
	static const gid_t groups[] = { 4, 24, 27, 30, 46, 100, 1000, 5000 };
	struct policy_query query = {
		.direction = POLICY_OUTBOUND,
		.local = { .family = AF_INET, .bytes = { 10, 0, 0, 1 }, .port = 50000 },
		.remote = { .family = AF_INET, .bytes = { 10, 3, 231, 9 }, .port = 1999 },
		.remote_names = names,
		.remote_name_count = 2,
		.program = "/opt/thing/bin/p999-server",
		.label = "job-999-b",
		.uid = 1000,
		.gid = 1006,
		.groups = groups,
		.group_count = 8,
	};
	struct policy_decision decision;
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned i = 0; i < DECISIONS; i++) {
		query.remote.port = (uint16_t)(1999 + (i & 1) * 60000);
		policy_decide(policy, &query, &decision);
		*matched += decision.rule != NULL;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
	       DECISIONS;
}

int main(void)
{
	printf("%d rules\n%-16s %12s %10s\n", RULES, "conditions", "ns/decision", "matched");
	for (unsigned kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
		struct policy *policy = make_policy(kind);
		unsigned long matched = 0;
		double ns = measure(policy, &matched);

		printf("%-16s %12.0f %9.0f%%\n", kinds[kind], ns,
			100.0 * (double)matched / DECISIONS);
		policy_free(policy);
	}
	return EXIT_SUCCESS;
}
