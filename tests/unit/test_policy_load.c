/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a policy means once it is loaded: order, profiles, defaults, and what is told of it. */
#include "policy_fixture.h"
#include <sys/stat.h>

#define OUT "[rule \"r\"]\naction = tls\ndirection = outbound\n"

START_TEST(includes_in_place)
{
	struct policy *policy;

	ck_assert_int_eq(mkdir(in_dir("conf.d"), 0700), 0);
	put("conf.d/20.conf", "[rule \"two\"]\naction = pass\n");
	put("conf.d/10.conf", "[global]\nlocked = yes\n[rule \"one\"]\naction = tls\ndirection = "
			      "inbound\ncert = ../a.pem\n");
	put("conf.d/.hidden.conf", "nonsense\n");
	put("conf.d/30.conf.bak", "nonsense\n");
	policy = load_text("[global]\ninclude = conf.d/*.conf\ninclude = none*.conf\ndefault = "
			   "deny\n[rule \"three\"]\naction = pass\n");
	ck_assert_uint_eq(policy->rule_count, 3);
	ck_assert_str_eq(policy->rules[0].name, "one");
	ck_assert_str_eq(policy->rules[1].name, "two");
	ck_assert_str_eq(policy->rules[2].name, "three");
	ck_assert_uint_eq(policy->rules[2].index, 2);
	ck_assert_str_eq(policy->rules[0].file, in_dir("conf.d/10.conf"));
	ck_assert_uint_eq(policy->rules[0].line, 3);
	ck_assert_str_eq(policy->rules[0].tls.cert.items[0], in_dir("conf.d/../a.pem"));
	ck_assert(policy->global.locked);
	ck_assert_int_eq(policy->global.default_action, POLICY_DENY);
	policy_free(policy);
}
END_TEST

START_TEST(fills_in_defaults)
{
	struct policy *policy = load_text(OUT);
	const struct tls_settings *tls = &policy->rules[0].tls;

	ck_assert_int_eq(tls->min_version, POLICY_TLS12);
	ck_assert_int_eq(tls->max_version, POLICY_TLS13);
	ck_assert_int_eq(tls->verify, POLICY_VERIFY_FULL);
	ck_assert_int_eq(tls->client_auth, POLICY_CLIENT_NONE);
	ck_assert_int_eq(tls->truncation, POLICY_TRUNCATION_REJECT);
	ck_assert_int_eq(tls->accept, POLICY_ACCEPT_TLS);
	ck_assert_int_eq(tls->if_program_tls, POLICY_PROGRAM_WRAP);
	ck_assert_int_eq(tls->handshake_at, POLICY_AT_CONNECT);
	ck_assert_uint_eq(tls->handshake_timeout_s, 10);
	ck_assert_uint_eq(tls->ca.count, 1);
	ck_assert_str_eq(tls->ca.items[0], "system");
	ck_assert_uint_eq(tls->ciphers.count + tls->groups.count + tls->cert.count +
				  tls->key.count + tls->pin.count + tls->alpn.count,
		0);
	ck_assert_ptr_null(tls->server_name);
	ck_assert_int_eq(policy->global.default_action, POLICY_PASS);
	ck_assert_int_eq(policy->global.audit, POLICY_AUDIT_ON);
	ck_assert_ptr_null(policy->global.audit_dir);
	ck_assert(!policy->global.locked && !policy->global.strict);
	policy_free(policy);
}
END_TEST

START_TEST(rule_goes_before_profile_before_inherited)
{
	struct policy *policy =
		load_text("[rule \"r\"]\naction = tls\nprofile = child\nhandshake_timeout = "
			  "3\nalpn = h2, http/1.1\n"
			  "[profile \"child\"]\ninherit = base\nverify = chain\nhandshake_timeout "
			  "= 2\nciphers = tls_aes_128_gcm_sha256\n"
			  "[profile \"base\"]\nverify = none\nhandshake_timeout = 1\ncert = "
			  "a.pem\nkey = a.key\nca = system, a.pem, .\n"
			  "groups = P-256, X25519\nserver_name = Example.COM.\ntruncation = "
			  "accept\nmin_version = 1.3\n"
			  "pin = sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\nclient_auth "
			  "= optional\n"
			  "plane = kernel\nstart = connection\nresumption = no\ntickets = "
			  "0\nif_program_tls = deny\naccept = both\nhandshake_at = first_use\n");
	const struct tls_settings *tls = &policy->rules[0].tls;

	ck_assert_uint_eq(tls->handshake_timeout_s, 3);
	ck_assert_int_eq(tls->verify, POLICY_VERIFY_CHAIN);
	ck_assert_int_eq(tls->min_version, POLICY_TLS13);
	ck_assert_str_eq(tls->ciphers.items[0], "TLS_AES_128_GCM_SHA256");
	ck_assert_uint_eq(tls->groups.count, 2);
	ck_assert_str_eq(tls->groups.items[0], "secp256r1");
	ck_assert_str_eq(tls->groups.items[1], "x25519");
	ck_assert_str_eq(tls->cert.items[0], in_dir("a.pem"));
	ck_assert_str_eq(tls->key.items[0], in_dir("a.key"));
	ck_assert_uint_eq(tls->ca.count, 3);
	ck_assert_str_eq(tls->server_name, "example.com");
	ck_assert_uint_eq(tls->alpn.count, 2);
	ck_assert_str_eq(tls->alpn.items[1], "http/1.1");
	ck_assert_uint_eq(tls->pin.count, 1);
	for (unsigned i = 0; i < POLICY_SPKI_LEN; i++)
		ck_assert_uint_eq(tls->pin.sha256[0][i], i + 1);
	ck_assert_int_eq(tls->client_auth, POLICY_CLIENT_OPTIONAL);
	ck_assert_int_eq(tls->truncation, POLICY_TRUNCATION_ACCEPT);
	ck_assert_int_eq(tls->if_program_tls, POLICY_PROGRAM_DENY);
	ck_assert_int_eq(tls->accept, POLICY_ACCEPT_BOTH);
	ck_assert_int_eq(tls->handshake_at, POLICY_AT_FIRST_USE);
	ck_assert_int_eq(tls->plane, POLICY_PLANE_KERNEL);
	ck_assert(!tls->resumption);
	ck_assert_uint_eq(tls->tickets, 0);
	policy_free(policy);
}
END_TEST

static void count_row(const char *key, const char *value, void *arg)
{
	char *text = arg;

	snprintf(text + strlen(text), 4096 - strlen(text), "%s=%s\n", key, value);
}

START_TEST(tells_settings_as_in_a_file)
{
	static const char pin[] = "sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
	struct policy *policy =
		load_text("[rule \"r\"]\naction = tls\nremote_port = 1, 5-7\nremote_host = "
			  "*.X.com\nverify = none\n"
			  "pin = sha256/AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n");
	char text[4096] = "";

	policy_conditions_each(&policy->rules[0], count_row, text);
	ck_assert_str_eq(text, "remote_port=1, 5-7\nremote_host=*.X.com\n");
	text[0] = '\0';
	policy_relaxed_each(&policy->rules[0], count_row, text);
	ck_assert_str_eq(text, "verify=none\n");
	text[0] = '\0';
	policy_settings_each(&policy->rules[0], count_row, text);
	ck_assert_ptr_nonnull(strstr(text, "min_version=1.2\nmax_version=1.3\nca=system\n"));
	ck_assert_ptr_nonnull(strstr(text, pin));
	ck_assert_ptr_null(
		strstr(text, "client_auth")); /* inbound only, and the rule asks for a name */
	policy_free(policy);
}
END_TEST

static const struct {
	const char *text;
	int shadow; /* index of the rule that takes what the last would, -1: none */
} shadows[] = {
	{ "[rule \"a\"]\naction=deny\n[rule \"b\"]\naction=pass\nlocal_port=1\n", 0 },
	{ "[rule \"a\"]\naction=deny\ndirection=outbound\n[rule "
	  "\"b\"]\naction=pass\nlocal_port=1\n",
		-1 },
	{ "[rule \"a\"]\naction=deny\ndirection=outbound, inbound\n[rule "
	  "\"b\"]\naction=pass\nlocal_port=1\n",
		0 },
	{ "[rule \"a\"]\naction=deny\nlocal_port=1-10\n[rule \"b\"]\naction=pass\nlocal_port=2, "
	  "3-5\nlabel=x\n",
		0 },
	{ "[rule \"a\"]\naction=deny\nlocal_port=1-10\n[rule \"b\"]\naction=pass\nlocal_port=2, "
	  "3-11\n",
		-1 },
	{ "[rule \"a\"]\naction=deny\nremote_address=10.0.0.0/8\n[rule "
	  "\"b\"]\naction=pass\nremote_address=10.1.0.0/16\n",
		0 },
	{ "[rule \"a\"]\naction=deny\nremote_address=10.1.0.0/16\n[rule "
	  "\"b\"]\naction=pass\nremote_address=10.0.0.0/8\n",
		-1 },
	{ "[rule \"a\"]\naction=deny\nremote_address=::/0\n[rule "
	  "\"b\"]\naction=pass\nremote_address=10.0.0.0/8\n",
		-1 },
	{ "[rule \"a\"]\naction=deny\nremote_host=*.x.com\n[rule "
	  "\"b\"]\naction=pass\nremote_host=a.x.com\n",
		0 },
	{ "[rule \"a\"]\naction=deny\nremote_host=*.x.com\n[rule "
	  "\"b\"]\naction=pass\nremote_host=a.b.x.com\n",
		-1 },
	{ "[rule \"a\"]\naction=deny\nlabel=x*\n[rule \"b\"]\naction=pass\nlabel=y\n[rule "
	  "\"c\"]\naction=pass\nlabel=x*\nuser=0\n",
		0 },
	{ "[rule \"a\"]\naction=deny\nuser=1\n[rule \"b\"]\naction=pass\nuser=1,0\n", -1 },
};

START_TEST(finds_shadows)
{
	struct policy *policy = load_text(shadows[_i].text);
	const struct policy_rule *shadow =
		policy_rule_shadow(policy, &policy->rules[policy->rule_count - 1]);

	ck_assert_int_eq(shadow == NULL ? -1 : (int)shadow->index, shadows[_i].shadow);
	policy_free(policy);
}
END_TEST

START_TEST(finds_policies)
{
	struct policy_places places = { .config_home = dir };
	char *path;

	ck_assert_int_eq(mkdir(in_dir("seamtls"), 0700), 0);
	put("seamtls/here.conf", "");
	ck_assert_int_eq(policy_find("here", &places, &path), 0);
	ck_assert_str_eq(path, in_dir("seamtls/here.conf"));
	free(path);
	ck_assert_int_eq(policy_find("not-here", &places, &path), -ENOENT);
	ck_assert_int_eq(policy_find("", &places, &path), -ENOENT);
	ck_assert_ptr_null(path);
	ck_assert_int_eq(policy_find("./x/y", &places, &path), 0);
	ck_assert_str_eq(path, "./x/y");
	free(path);
	ck_assert_int_eq(policy_find("x.conf", &places, &path), 0);
	ck_assert_str_eq(path, "x.conf");
	free(path);
	places = (struct policy_places){ "relative", dir };
	ck_assert_int_eq(policy_find("here", &places, &path), -ENOENT);
	places.config_home = NULL;
	ck_assert_int_eq(mkdir(in_dir(".config"), 0700), 0);
	ck_assert_int_eq(symlink("../seamtls", in_dir(".config/seamtls")), 0);
	ck_assert_int_eq(policy_find("here", &places, &path), 0);
	ck_assert_str_eq(path, in_dir(".config/seamtls/here.conf"));
	free(path);
}
END_TEST

START_TEST(relative_policy)
{
	struct policy_errors errors;
	struct policy *policy;

	put("p.conf", OUT "ca = a.pem\n");
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(policy_load("p.conf", &policy, &errors), 0);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_str_eq(policy->source, in_dir("p.conf"));
	ck_assert_str_eq(policy->rules[0].tls.ca.items[0], in_dir("a.pem"));
	policy_free(policy);
}
END_TEST

int main(void)
{
	TCase *tcase = case_new("load");

	tcase_add_test(tcase, includes_in_place);
	tcase_add_test(tcase, fills_in_defaults);
	tcase_add_test(tcase, rule_goes_before_profile_before_inherited);
	tcase_add_test(tcase, tells_settings_as_in_a_file);
	tcase_add_loop_test(tcase, finds_shadows, 0, ROWS(shadows));
	tcase_add_test(tcase, finds_policies);
	tcase_add_test(tcase, relative_policy);
	return run_case(tcase);
}
