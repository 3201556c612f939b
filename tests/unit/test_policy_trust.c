/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys that say which peers are trusted: what is refused, and what is made of what is not. */
#include "policy_fixture.h"

#define R "[rule \"r\"]\n"
#define OUT R "action = tls\ndirection = outbound\n"
#define IN R "action = tls\ndirection = inbound\ncert = a.pem\n"
#define DIGEST "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"

static const struct {
	const char *text;
	unsigned line;
	const char *key, *part;
} refused[] = {
	{ OUT "allow_peer = example.com\n", 4, "allow_peer",
		"allowed: patterns that begin with dns:, uri:, ip:, email:, cn: or sha256:" },
	{ OUT "allow_peer = DNS:example.com\n", 4, "allow_peer", "patterns that begin with" },
	{ OUT "allow_peer = dns:a, b\n", 4, "allow_peer", "found 'b'" },
	{ OUT "allow_peer = dns:\n", 4, "allow_peer", "something to match" },
	{ OUT "allow_peer = dns:*\n", 4, "allow_peer", "allowed: a host name" },
	{ OUT "allow_peer = dns:a.*.b\n", 4, "allow_peer", "allowed: a host name" },
	{ OUT "allow_peer = dns:w*.b\n", 4, "allow_peer", "allowed: a host name" },
	{ OUT "allow_peer = dns:10.0.0.1/8\n", 4, "allow_peer", "allowed: a host name" },
	{ OUT "allow_peer = uri:example\n", 4, "allow_peer", "a whole URI" },
	{ OUT "allow_peer = uri:*\n", 4, "allow_peer", "a whole URI" },
	{ OUT "allow_peer = uri:spiffe://*/web\n", 4, "allow_peer", "'*' only in the path" },
	{ OUT "allow_peer = uri:spiffe://a*\n", 4, "allow_peer", "'*' only in the path" },
	{ OUT "allow_peer = uri:*://a/b\n", 4, "allow_peer", "'*' only in the path" },
	{ OUT "allow_peer = ip:10.0.0\n", 4, "allow_peer", "IPv4 and IPv6 addresses" },
	{ OUT "allow_peer = ip:10.0.0.1/8\n", 4, "allow_peer", "the network is 10.0.0.0/8" },
	{ OUT "allow_peer = ip:localhost\n", 4, "allow_peer", "IPv4 and IPv6 addresses" },
	{ OUT "allow_peer = email:example.com\n", 4, "allow_peer", "an address, or *@" },
	{ OUT "allow_peer = email:a*@example.com\n", 4, "allow_peer", "an address, or *@" },
	{ OUT "allow_peer = email:a@\n", 4, "allow_peer", "an address, or *@" },
	{ OUT "allow_peer = sha256:00\n", 4, "allow_peer", "64 hexadecimal digits" },
	{ OUT "allow_peer = sha256:" DIGEST "0\n", 4, "allow_peer", "64 hexadecimal digits" },
	{ OUT "allow_peer = sha256:g" DIGEST "\n", 4, "allow_peer", "64 hexadecimal digits" },
	{ OUT "allow_peer = spki:" DIGEST "\n", 4, "allow_peer", "patterns that begin with" },
	{ OUT "verify = none\nallow_peer = dns:a\n", 5, "allow_peer", "needs verify = full" },
	{ IN "allow_peer = dns:a\n", 5, "allow_peer", "needs client_auth = required" },
	{ OUT "ocsp_staple = a.pem\n", 4, "ocsp_staple", "for inbound connections only" },
	{ IN "ocsp_staple = missing\n", 5, "ocsp_staple", "there is no such file" },
	{ IN "must_staple = yes\n", 5, "must_staple", "for outbound connections only" },
	{ OUT "must_staple = maybe\n", 4, "must_staple", "allowed: no, yes" },
	{ OUT "verify = none\nmust_staple = yes\n", 5, "must_staple", "needs verify = full" },
	{ OUT "crl = missing.crl\n", 4, "crl", "missing.crl', and there is no such file" },
	{ OUT "crl = system\n", 4, "crl", "there is no such file" },
	{ OUT "crl =\n", 4, "crl", "has no value, allowed: files of revocation lists" },
	{ OUT "crl = a.pem\ncrl_check = maybe\n", 5, "crl_check", "allowed: required, available" },
	{ OUT "crl_check = available\n", 4, "crl_check", "needs crl" },
	{ "[profile \"p\"]\nallow_peer = dns:a\n" IN "profile = p\n", 2, "allow_peer",
		"needs client_auth = required" },
};

START_TEST(refuses)
{
	struct policy_errors errors;
	struct policy *policy = NULL;
	const struct policy_error *first;

	put("p.conf", refused[_i].text);
	ck_assert_int_eq(policy_load(in_dir("p.conf"), &policy, &errors), -EINVAL);
	ck_assert_uint_eq(errors.count, 1);
	first = &errors.items[0];
	ck_assert_msg(first->line == refused[_i].line && first->key != NULL &&
			      strcmp(first->key, refused[_i].key) == 0 &&
			      strstr(first->message, refused[_i].part) != NULL,
		"%u: %s: %s", first->line, first->key, first->message);
	policy_errors_clear(&errors);
}
END_TEST

static void add_row(const char *key, const char *value, void *arg)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s=%s\n", key, value);
}

static const struct {
	const char *text, *want;
} taken[] = {
	{ OUT "allow_peer = dns:*.Example.COM., dns:a\n", "allow_peer=dns:*.example.com, dns:a\n" },
	{ OUT "allow_peer = uri:spiffe://Example.org/ns/*/sa/web\n",
		"allow_peer=uri:spiffe://Example.org/ns/*/sa/web\n" },
	{ OUT "allow_peer = ip:10.0.0.0/8, ip:::1, ip:::ffff:1.2.3.4\n",
		"allow_peer=ip:10.0.0.0/8, ip:::1, ip:1.2.3.4\n" },
	{ OUT "allow_peer = email:*@Example.com, email:Me@Example.com\n",
		"allow_peer=email:*@example.com, email:Me@example.com\n" },
	{ OUT "allow_peer = cn:client one\n", "allow_peer=cn:client one\n" },
	{ OUT "verify = none\nallow_peer = sha256:" DIGEST "\n",
		"allow_peer=sha256:"
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n" },
	{ OUT "allow_peer = "
	      "sha256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99"
	      ":aa:bb:cc:dd:ee:ff\n",
		"allow_peer=sha256:"
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n" },
	{ OUT "must_staple = yes\n", "\nmust_staple=yes\n" },
	{ IN "ocsp_staple = /etc/passwd\n", "\nocsp_staple=/etc/passwd\n" },
	{ OUT "crl = /etc, a.pem\ncrl_check = available\n", "\ncrl_check=available\n" },
	{ OUT "crl = /etc\n", "\ncrl=/etc\ncrl_check=required\n" },
	{ IN "ca = a.pem\nclient_auth = optional\nallow_peer = dns:a\n", "allow_peer=dns:a\n" },
};

START_TEST(takes)
{
	struct policy *policy = load_text(taken[_i].text);
	char text[4096] = "";

	policy_settings_each(&policy->rules[0], add_row, text);
	ck_assert_msg(strstr(text, taken[_i].want) != NULL, "%s", text);
	policy_free(policy);
}
END_TEST

int main(void)
{
	TCase *tcase = case_new("policy_trust");

	tcase_add_loop_test(tcase, refuses, 0, ROWS(refused));
	tcase_add_loop_test(tcase, takes, 0, ROWS(taken));
	return run_case(tcase);
}
