/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The index has to agree with the rules looked at one by one, whatever the rules and connections,
 * whoever asks. */
#include "policy_fixture.h"
#include <pthread.h>

#define OUT POLICY_OUTBOUND
#define IN POLICY_INBOUND

static uint32_t seed;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static const char *const programs[] = { "/usr/bin/curl", "/usr/bin/wget", "/opt/x/bin/wget",
	"/bin/[", "/usr/sbin/nginx", "/a", "/b", "/c" };
static const char *const program_patterns[] = { "curl", "*", "/usr/*", "/usr/bin/?get", "[", "w*t",
	"/opt/x/bin/wget" };
static const char *const hosts[] = { "a.example.com", "b.example.com", "example.com",
	"c.b.example.com", "A.EXAMPLE.com.", "x", "" };
static const char *const host_patterns[] = { "*.example.com", "a.example.com", "example.com",
	"*.b.example.com", "x", "*.x" };
static const char *const labels[] = { "prod", "test", "test2", "p" };
static const char *const label_patterns[] = { "prod", "test*", "?", "*" };
static const char *const networks[] = { "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/31", "10.0.0.2",
	"::/0", "::ffff:10.0.0.0/126", "2001:db8::/63", "2001:db8::1", "8000::/1" };
static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "11.0.0.0", "::ffff:10.0.0.1",
	"2001:db8:0:1::", "2001:db8:0:2::", "2001:db8::1", "::", "ffff::1", "0.0.0.0",
	"255.255.255.255" };

#define PICK(table) (table)[any((uint32_t)(sizeof(table) / sizeof((table)[0])))]

static size_t add_ports(char *text, const char *key)
{
	size_t len = (size_t)sprintf(text, "%s = ", key);
	unsigned count = 1 + any(3);

	for (unsigned i = 0; i < count; i++) {
		unsigned low = any(9) > 0 ? 1 + any(20) : 65530;
		unsigned high = any(9) > 0 ? low + any(5) : 65535;

		len += (size_t)sprintf(text + len, "%s%u-%u", i > 0 ? ", " : "", low, high);
	}
	return len + (size_t)sprintf(text + len, "\n");
}

/* One in `rarity` rules has each condition, so that there are catch-alls and impossible ones. */
static size_t add_rule(char *text, unsigned number, unsigned rarity)
{
	size_t len = (size_t)sprintf(
		text, "[rule \"%u\"]\naction = %s\n", number, any(2) ? "deny" : "pass");

	if (any(rarity) == 0)
		len += (size_t)sprintf(
			text + len, "direction = %s\n", any(2) ? "outbound" : "inbound, outbound");
	if (any(rarity) == 0)
		len += add_ports(text + len, "local_port");
	if (any(rarity) == 0)
		len += add_ports(text + len, "remote_port");
	if (any(rarity) == 0)
		len += (size_t)sprintf(
			text + len, "local_address = %s, %s\n", PICK(networks), PICK(networks));
	if (any(rarity) == 0)
		len += (size_t)sprintf(
			text + len, "remote_address = %s, %s\n", PICK(networks), PICK(networks));
	if (any(rarity) == 0 && any(2) == 0)
		len += (size_t)sprintf(text + len, "remote_host = %s, %s\n", PICK(host_patterns),
			PICK(host_patterns));
	if (any(rarity) == 0)
		len += (size_t)sprintf(text + len, "program = %s, %s\n", PICK(program_patterns),
			PICK(program_patterns));
	if (any(rarity) == 0)
		len += (size_t)sprintf(text + len, "user = %u, %u\n", any(4), any(4));
	if (any(rarity) == 0)
		len += (size_t)sprintf(text + len, "group = %u, %u\n", any(4), 2 + any(4));
	if (any(rarity) == 0)
		len += (size_t)sprintf(text + len, "label = %s\n", PICK(label_patterns));
	return len;
}

static void random_query(struct policy_query *query, const char **names, gid_t *groups)
{
	*query = (struct policy_query){
		.direction = any(2) ? OUT : IN,
		.local = address_of(
			any(8) ? PICK(addresses) : NULL, any(8) ? any(30) : 65520 + any(16)),
		.remote = address_of(
			any(8) ? PICK(addresses) : NULL, any(8) ? any(30) : 65520 + any(16)),
		.remote_names = names,
		.remote_name_count = any(4),
		.program = any(8) ? PICK(programs) : NULL,
		.label = any(3) ? PICK(labels) : NULL,
		.uid = any(5),
		.gid = any(5),
		.groups = groups,
		.group_count = any(4),
	};
	for (unsigned i = 0; i < 4; i++) {
		names[i] = PICK(hosts);
		groups[i] = any(8);
	}
}

static void check_query(const struct policy *policy, const struct policy_query *query)
{
	const struct policy_rule *expected = NULL;
	struct policy_decision decision;
	char why[1024];

	for (size_t i = 0; expected == NULL && i < policy->rule_count; i++)
		if (policy_rule_explain(&policy->rules[i], query, why, sizeof why))
			expected = &policy->rules[i];
	policy_decide(policy, query, &decision);
	ck_assert_msg(decision.rule == expected, "seed %u: rule %s instead of %s", seed,
		decision.rule != NULL ? decision.rule->name : "-",
		expected != NULL ? expected->name : "-");
	ck_assert_int_eq(decision.action,
		expected != NULL ? expected->action : policy->global.default_action);
}

START_TEST(index_agrees)
{
	static const unsigned counts[] = { 0, 1, 2, 63, 64, 65, 130, 300 };
	unsigned count = counts[_i % 8], rarity = 1 + (unsigned)_i % 5;
	char *text = malloc((count + 1) * 1024);
	struct policy *policy;
	size_t len = (size_t)sprintf(text, "[global]\n");

	seed = (uint32_t)_i * 7919 + 1;
	for (unsigned i = 0; i < count; i++)
		len += add_rule(text + len, i, rarity);
	put_bytes("p.conf", text, len);
	free(text);
	policy = load_fine("p.conf");
	ck_assert_uint_eq(policy->rule_count, count);
	for (unsigned i = 0; i < 500; i++) {
		struct policy_query query;
		const char *names[4];
		gid_t groups[4];

		random_query(&query, names, groups);
		check_query(policy, &query);
	}
	policy_free(policy);
}
END_TEST

static const struct policy *shared;

static void *ask(void *arg)
{
	static const char *const own[] = { "/usr/bin/curl", "/usr/bin/wget", "/a", "/b", "/c", "/d",
		"/e" };
	struct policy_query query = { .direction = OUT };
	struct policy_decision decision;
	bool fine = true;

	(void)arg;
	for (unsigned i = 0; i < 20000; i++) {
		query.program = own[i % 7];
		policy_decide(shared, &query, &decision);
		fine = fine && strcmp(decision.rule->name, i % 7 == 0 ? "curl" : "rest") == 0;
	}
	return fine ? (void *)shared : NULL;
}

/* Whoever is first writes a memo; everybody gets the right answer all the time. */
START_TEST(threads_may_ask)
{
	struct policy *policy = load_text(
		"[rule \"curl\"]\naction = deny\nprogram = c*l\n[rule \"rest\"]\naction = pass\n");
	pthread_t threads[4];
	void *fine;

	shared = policy;
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, NULL), 0);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &fine), 0);
		ck_assert_ptr_nonnull(fine);
	}
	policy_free(policy);
}
END_TEST

int main(void)
{
	TCase *tcase = case_new("index");

	tcase_add_loop_test(tcase, index_agrees, 0, 40);
	tcase_add_test(tcase, threads_may_ask);
	return run_case(tcase);
}
