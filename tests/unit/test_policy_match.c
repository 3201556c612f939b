/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which rule a connection gets. The index has to agree with the rules looked at one by one,
 * whatever the rules and connections. */
#include "policy_fixture.h"

struct connection {
	enum policy_direction direction;
	const char *local;
	unsigned local_port;
	const char *remote;
	unsigned remote_port;
	const char *name, *program, *label;
	uid_t uid;
	gid_t gid, group; /* group: a supplementary one */
};

#define OUT POLICY_OUTBOUND
#define IN POLICY_INBOUND

/* One rule with these conditions: does it match? What must not match comes first. */
static const struct {
	const char *conditions;
	struct connection c;
	bool matches;
} rows[] = {
	{ "direction = inbound",
		{ OUT, "10.0.0.1", 5000, "10.0.0.2", 443, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "direction = outbound",
		{ IN, "10.0.0.1", 5000, "10.0.0.2", 443, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_port = 443",
		{ OUT, "10.0.0.1", 443, "10.0.0.2", 444, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_port = 10-20",
		{ OUT, "10.0.0.1", 443, "10.0.0.2", 9, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_port = 10-20",
		{ OUT, "10.0.0.1", 443, "10.0.0.2", 21, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_port = 1-65535", { IN, "10.0.0.1", 443, NULL, 0, NULL, "/bin/x", NULL, 1, 1, 1 },
		false },
	{ "remote_address = 10.0.0.0/31",
		{ OUT, "10.0.0.1", 1, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_address = 0.0.0.0/0",
		{ OUT, "10.0.0.1", 1, "2001:db8::1", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_address = ::/0",
		{ OUT, "10.0.0.1", 1, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_address = ::/0",
		{ OUT, "10.0.0.1", 1, "::ffff:10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 1, 1 },
		false },
	{ "remote_address = 0.0.0.0/0, ::/0",
		{ IN, "10.0.0.1", 1, NULL, 0, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "local_address = 127.0.0.0/8",
		{ OUT, "128.0.0.0", 1, "127.0.0.1", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_host = example.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_host = example.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, "www.example.com", "/bin/x", NULL, 1, 1, 1 },
		false },
	{ "remote_host = *.example.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, "example.com", "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_host = *.example.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, "a.b.example.com", "/bin/x", NULL, 1, 1, 1 },
		false },
	{ "remote_host = *.example.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, ".example.com", "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_host = *.example.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, "badexample.com", "/bin/x", NULL, 1, 1, 1 }, false },
	{ "remote_host = example.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, "example.com..", "/bin/x", NULL, 1, 1, 1 }, false },
	{ "program = /usr/bin/curl",
		{ OUT, NULL, 0, "10.0.0.2", 1, NULL, "/usr/bin/curl2", NULL, 1, 1, 1 }, false },
	{ "program = curl", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/usr/curl/x", NULL, 1, 1, 1 },
		false },
	{ "program = *", { OUT, NULL, 0, "10.0.0.2", 1, NULL, NULL, NULL, 1, 1, 1 }, false },
	{ "program = /opt/*/bin/?",
		{ OUT, NULL, 0, "10.0.0.2", 1, NULL, "/opt/a/bin/xy", NULL, 1, 1, 1 }, false },
	{ "program = /bin/[!a-c]x", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/bx", NULL, 1, 1, 1 },
		false },
	{ "label = prod", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "label = *", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, false },
	{ "label = prod", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", "Prod", 1, 1, 1 }, false },
	{ "user = 2", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 2, 2 }, false },
	{ "user = root", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 0, 0 }, false },
	{ "group = 2", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 2, 1, 1 }, false },
	{ "user = 1\ngroup = 2", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 1, 1 },
		false },
	{ "", { OUT, NULL, 0, "10.0.0.2", 443, NULL, NULL, NULL, 1, 1, 1 }, true },
	{ "direction = inbound, outbound",
		{ IN, "10.0.0.1", 5000, NULL, 0, NULL, "/bin/x", NULL, 1, 1, 1 }, true },
	{ "remote_port = 1, 440 - 443",
		{ OUT, NULL, 0, "10.0.0.2", 443, NULL, "/bin/x", NULL, 1, 1, 1 }, true },
	{ "remote_port = 65535", { OUT, NULL, 0, "10.0.0.2", 65535, NULL, "/bin/x", NULL, 1, 1, 1 },
		true },
	{ "local_port = 5-10, 7-8, 1-6", { IN, "::1", 8, NULL, 0, NULL, "/bin/x", NULL, 1, 1, 1 },
		true },
	{ "remote_address = 10.0.0.0/30",
		{ OUT, NULL, 0, "::ffff:10.0.0.3", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, true },
	{ "remote_address = ::ffff:10.0.0.0/104",
		{ OUT, NULL, 0, "10.200.0.3", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, true },
	{ "remote_address = 255.255.255.255",
		{ OUT, NULL, 0, "255.255.255.255", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, true },
	{ "remote_address = ::/0",
		{ OUT, NULL, 0, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, NULL, "/bin/x", NULL,
			1, 1, 1 },
		true },
	{ "remote_address = 2001:db8::/33",
		{ OUT, NULL, 0, "2001:db8:7fff::", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, true },
	{ "local_address = 0.0.0.0/0",
		{ OUT, "0.0.0.0", 0, "10.0.0.1", 1, NULL, "/bin/x", NULL, 1, 1, 1 }, true },
	{ "remote_host = EXAMPLE.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, "Example.COM.", "/bin/x", NULL, 1, 1, 1 }, true },
	{ "remote_host = example.com., x",
		{ OUT, NULL, 0, "10.0.0.2", 1, "example.com", "/bin/x", NULL, 1, 1, 1 }, true },
	{ "remote_host = *.example.com",
		{ OUT, NULL, 0, "10.0.0.2", 1, "A.Example.com", "/bin/x", NULL, 1, 1, 1 }, true },
	{ "program = curl, wget",
		{ OUT, NULL, 0, "10.0.0.2", 1, NULL, "/usr/bin/wget", NULL, 1, 1, 1 }, true },
	{ "program = /usr/*/java",
		{ OUT, NULL, 0, "10.0.0.2", 1, NULL, "/usr/lib/jvm/17/bin/java", NULL, 1, 1, 1 },
		true },
	{ "program = python3.[0-9]*",
		{ OUT, NULL, 0, "10.0.0.2", 1, NULL, "/usr/bin/python3.11", NULL, 1, 1, 1 }, true },
	{ "program = a\\*b", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/x/a*b", NULL, 1, 1, 1 }, true },
	{ "program = [x", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/x/[x", NULL, 1, 1, 1 }, true },
	{ "program = *a*a*a*a*b",
		{ OUT, NULL, 0, "10.0.0.2", 1, NULL, "/x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", NULL, 1,
			1, 1 },
		true },
	{ "label = test*, prod", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", "prod", 1, 1, 1 },
		true },
	{ "user = 7, root", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 0, 1, 1 }, true },
	{ "group = 2", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 1, 2 }, true },
	{ "group = root", { OUT, NULL, 0, "10.0.0.2", 1, NULL, "/bin/x", NULL, 1, 0, 2 }, true },
};

static struct policy_query query_of(const struct connection *c, const char **names, gid_t *groups)
{
	names[0] = c->name;
	groups[0] = c->group;
	return (struct policy_query){
		.direction = c->direction,
		.local = address_of(c->local, c->local_port),
		.remote = address_of(c->remote, c->remote_port),
		.remote_names = names,
		.remote_name_count = c->name != NULL,
		.program = c->program,
		.label = c->label,
		.uid = c->uid,
		.gid = c->gid,
		.groups = groups,
		.group_count = 1,
	};
}

START_TEST(condition_matches_or_not)
{
	const char *names[1];
	gid_t groups[1];
	struct policy_query query = query_of(&rows[_i].c, names, groups);
	struct policy_decision decision;
	struct policy *policy;
	char text[512], why[512];

	snprintf(text, sizeof text,
		"[global]\ndefault = observe\n[rule \"r\"]\naction = deny\n%s\n",
		rows[_i].conditions);
	policy = load_text(text);
	for (int round = 0; round < 2; round++) { /* the second time, memos answer */
		policy_decide(policy, &query, &decision);
		ck_assert_int_eq(decision.rule != NULL, rows[_i].matches);
		ck_assert_int_eq(decision.action, rows[_i].matches ? POLICY_DENY : POLICY_OBSERVE);
		ck_assert_ptr_eq(decision.remote_name, rows[_i].c.name);
	}
	ck_assert_int_eq(
		policy_rule_explain(&policy->rules[0], &query, why, sizeof why), rows[_i].matches);
	ck_assert_int_eq(strlen(why) == 0, rows[_i].matches);
	policy_free(policy);
}
END_TEST

/* Names that the program looked up: the newest is first, the one that matched is told. */
START_TEST(tells_the_name_that_matched)
{
	const char *names[] = { "new.example.org", "db.Example.com", "old.example.net" };
	struct policy *policy = load_text("[rule \"a\"]\naction = deny\nremote_host = x.y, "
					  "*.example.com\n[rule \"b\"]\naction = pass\n");
	struct policy_query query = {
		.direction = OUT, .remote_names = names, .remote_name_count = 3
	};
	struct policy_decision decision;

	policy_decide(policy, &query, &decision);
	ck_assert_str_eq(decision.rule->name, "a");
	ck_assert_ptr_eq(decision.remote_name, names[1]);
	query.remote_name_count = 1;
	policy_decide(policy, &query, &decision);
	ck_assert_str_eq(decision.rule->name, "b");
	ck_assert_ptr_eq(decision.remote_name, names[0]);
	policy_free(policy);
}
END_TEST

static const struct {
	const char *conditions;
	struct connection c;
	const char *why;
} reasons[] = {
	{ "remote_port = 6380, 7000-7010",
		{ OUT, NULL, 0, "10.0.0.1", 443, NULL, NULL, NULL, 1, 1, 1 },
		"remote_port is 6380, 7000-7010; the connection's is 443" },
	{ "direction = inbound", { OUT, NULL, 0, "10.0.0.1", 443, NULL, NULL, NULL, 1, 1, 1 },
		"direction is inbound; the connection's is outbound" },
	{ "remote_address = ::1",
		{ OUT, NULL, 0, "::ffff:10.0.0.1", 443, NULL, NULL, NULL, 1, 1, 1 },
		"remote_address is ::1; the connection's is 10.0.0.1" },
	{ "local_address = ::1", { OUT, NULL, 0, "::1", 443, NULL, NULL, NULL, 1, 1, 1 },
		"local_address is ::1; the connection's is not known" },
	{ "local_port = 1", { OUT, NULL, 0, "::1", 443, NULL, NULL, NULL, 1, 1, 1 },
		"local_port is 1; the connection's is not known" },
	{ "remote_host = a", { OUT, NULL, 0, "::1", 443, "b", NULL, NULL, 1, 1, 1 },
		"remote_host is a; the program looked up b" },
	{ "remote_host = a", { OUT, NULL, 0, "::1", 443, NULL, NULL, NULL, 1, 1, 1 },
		"remote_host is a; the program looked no name up for the address" },
	{ "program = a", { OUT, NULL, 0, "::1", 443, NULL, "/b", NULL, 1, 1, 1 },
		"program is a; the program is /b" },
	{ "user = root", { OUT, NULL, 0, "::1", 443, NULL, "/b", NULL, 1, 2, 3 },
		"user is root; the process has 1" },
	{ "group = root", { OUT, NULL, 0, "::1", 443, NULL, "/b", NULL, 1, 2, 3 },
		"group is root; the process has 2, 3" },
	{ "label = a", { OUT, NULL, 0, "::1", 443, NULL, "/b", NULL, 1, 2, 3 },
		"label is a; the label is not known" },
};

START_TEST(says_why_not)
{
	const char *names[1];
	gid_t groups[1];
	struct policy_query query = query_of(&reasons[_i].c, names, groups);
	struct policy *policy;
	char text[512], why[512];

	snprintf(text, sizeof text, "[rule \"r\"]\naction = deny\n%s\n", reasons[_i].conditions);
	policy = load_text(text);
	ck_assert(!policy_rule_explain(&policy->rules[0], &query, why, sizeof why));
	ck_assert_str_eq(why, reasons[_i].why);
	ck_assert(!policy_rule_explain(&policy->rules[0], &query, why, 8));
	ck_assert_uint_eq(strlen(why), 7);
	policy_free(policy);
}
END_TEST

static const struct {
	const char *rules;
	const char *local;
	unsigned port;
	uid_t uid;
	bool matters;
	const char *rule; /* the tls rule */
} listeners[] = {
	{ "[rule \"a\"]\naction=deny\ndirection=outbound\n", "0.0.0.0", 80, 1, false, NULL },
	{ "[rule \"a\"]\naction=deny\nremote_host=x\n", "0.0.0.0", 80, 1, false, NULL },
	{ "[rule \"a\"]\naction=deny\nlocal_port=81\n", "0.0.0.0", 80, 1, false, NULL },
	{ "[rule \"a\"]\naction=pass\n[rule \"b\"]\naction=deny\n", "0.0.0.0", 80, 1, false, NULL },
	{ "[rule \"a\"]\naction=deny\nlocal_address=10.0.0.1\n", "10.0.0.2", 80, 1, false, NULL },
	{ "[rule \"a\"]\naction=deny\nuser=2\n", "10.0.0.2", 80, 1, false, NULL },
	{ "[rule \"a\"]\naction=deny\n", "0.0.0.0", 80, 1, true, NULL },
	{ "[rule \"a\"]\naction=observe\nremote_address=10.0.0.0/8\nremote_port=1\n", "::", 80, 1,
		true, NULL },
	{ "[rule \"a\"]\naction=deny\nlocal_address=10.0.0.1\n", "0.0.0.0", 80, 1, true, NULL },
	{ "[rule \"a\"]\naction=deny\nlocal_port=81\n", "10.0.0.1", 0, 1, true, NULL },
	{ "[rule \"a\"]\naction=deny\nuser=2\n", "10.0.0.1", 80, 0, true, NULL },
	{ "[rule \"a\"]\naction=pass\nremote_port=1\n[rule "
	  "\"b\"]\naction=tls\ncert=a.pem\nlocal_port=80\n[rule \"c\"]\naction=tls\ncert=a.pem\n",
		"::", 80, 1, true, "b" },
	{ "[rule \"a\"]\naction=deny\nlocal_port=80\n[rule \"b\"]\naction=tls\ncert=a.pem\n",
		"::", 80, 1, true, NULL },
};

START_TEST(knows_which_listeners_matter)
{
	struct policy *policy = load_text(listeners[_i].rules);
	const struct policy_rule *rule;
	struct policy_query query = {
		.direction = IN,
		.local = address_of(listeners[_i].local, listeners[_i].port),
		.uid = listeners[_i].uid,
	};

	ck_assert_int_eq(policy_listener_matters(policy, &query, &rule), listeners[_i].matters);
	ck_assert_int_eq(policy_listener_matters(policy, &query, NULL), listeners[_i].matters);
	if (listeners[_i].rule == NULL)
		ck_assert_ptr_null(rule);
	else
		ck_assert_str_eq(rule->name, listeners[_i].rule);
	policy_free(policy);
}
END_TEST

START_TEST(built_in_policy)
{
	static const uint16_t ports[] = { 443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995,
		2083, 2484, 3269, 5061, 5349, 5671, 5986, 6513, 6514, 6697, 8443, 8883 };
	struct policy *policy = load_fine(NULL);
	struct policy_query query = { .direction = OUT, .remote = address_of("192.0.2.1", 1) };
	struct policy_decision decision;

	ck_assert_str_eq(policy->source, "built-in");
	for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
		query.remote.port = ports[i];
		policy_decide(policy, &query, &decision);
		ck_assert_int_eq(decision.action, POLICY_TLS);
		ck_assert_int_eq(decision.rule->tls.if_program_tls, POLICY_PROGRAM_PASS);
		ck_assert_int_eq(decision.rule->tls.verify, POLICY_VERIFY_FULL);
		ck_assert_str_eq(decision.rule->tls.ca.items[0], "system");
	}
	query.remote.port = 80;
	policy_decide(policy, &query, &decision);
	ck_assert_int_eq(decision.action, POLICY_OBSERVE);
	query.remote.port = 443;
	query.direction = IN;
	policy_decide(policy, &query, &decision);
	ck_assert_int_eq(decision.action, POLICY_OBSERVE);
	policy_free(policy);
}
END_TEST

int main(void)
{
	TCase *tcase = case_new("match");

	tcase_add_loop_test(tcase, condition_matches_or_not, 0, ROWS(rows));
	tcase_add_test(tcase, tells_the_name_that_matched);
	tcase_add_loop_test(tcase, says_why_not, 0, ROWS(reasons));
	tcase_add_loop_test(tcase, knows_which_listeners_matter, 0, ROWS(listeners));
	tcase_add_test(tcase, built_in_policy);
	return run_case(tcase);
}
