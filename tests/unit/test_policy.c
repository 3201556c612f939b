/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policy files: what is refused, where and with which words; what is taken, and what it means then.
 */
#include "policy_fixture.h"
#include <fcntl.h>
#include <sys/stat.h>

#define R "[rule \"r\"]\n"
#define OUT R "action = tls\ndirection = outbound\n"
#define IN R "action = tls\ndirection = inbound\ncert = a.pem\n"

static const struct {
	const char *text;
	unsigned line;
	const char *key;
	const char *part; /* of the message */
} refused[] = {
	/* lines */
	{ "[rule \"r\"\naction = tls\n", 1, NULL, "without its ']'" },
	{ "[rule \"r\"] action = pass\n", 1, NULL, "behind the section" },
	{ "what\n", 1, NULL, "neither a section nor KEY = VALUE" },
	{ "what\n" R "action = pass\n", 1, NULL, "neither a section nor KEY = VALUE" },
	{ R "action = pass\nwhat\n\nlabel = x\n", 3, NULL, "neither a section nor KEY = VALUE" },
	{ R "action = pass\n\n  = 1\n", 4, "", "unknown key" },
	{ "action = pass\n" R "action = pass\n", 1, "action", "before the first section" },
	{ R "action =\n", 2, "action", "has no value, allowed: tls, pass, deny, observe" },
	{ R "action = ; tls\n", 2, "action", "has no value" },
	{ R "action = pass\x01\n", 2, NULL, "control character" },
	{ R "action = pass\rlocal_port = 1\n", 2, NULL, "control character" },
	/* sections */
	{ "[globl]\n", 1, NULL, "did you mean 'global'" },
	{ "[frobnicate \"x\"]\n", 1, NULL,
		"unknown section [frobnicate \"x\"], allowed: [global]" },
	{ "[global \"x\"]\n", 1, NULL, "unknown section" },
	{ "[]\n", 1, NULL, "unknown section" },
	{ "[Rule \"x\"]\n", 1, NULL, "did you mean 'rule'" },
	{ "[rule web]\naction = pass\n", 1, NULL, "found [rule web], allowed: [rule \"NAME\"]" },
	{ "[rule \"\"]\naction = pass\n", 1, NULL, "allowed: [rule \"NAME\"]" },
	{ "[rule \"a\"b\"]\naction = pass\n", 1, NULL, "without its ']'" },
	{ "[rule \"a\" \"b\"]\naction = pass\n", 1, NULL, "allowed: [rule \"NAME\"]" },
	{ "[rule "
	  "\"12345678901234567890123456789012345678901234567890123456789012345\"]\naction=pass\n",
		1, NULL, "1 to 64 bytes" },
	{ "[global]\n[global]\n", 2, NULL, "[global] is already at" },
	{ R "action = pass\n" R "action = deny\n", 3, NULL, "the rule \"r\" is already at" },
	{ "[profile \"p\"]\n[profile \"p\"]\n", 2, NULL, "the profile \"p\" is already at" },
	{ R, 1, "action", "is missing" },
	/* keys */
	{ R "action = pass\nremote_prot = 1\n", 3, "remote_prot", "did you mean 'remote_port'?" },
	{ R "action = pass\nxyzzyxyzzy = 1\n", 3, "xyzzyxyzzy",
		"unknown key, allowed in [rule]: direction, local_port" },
	{ R "Action = pass\n", 2, "Action", "did you mean 'action'?" },
	{ R "action = pass\ninherit = p\n", 3, "inherit",
		"is not a key of [rule], but of [profile]" },
	{ R "action = pass\nlocked = yes\n", 3, "locked",
		"is not a key of [rule], but of [global]" },
	{ "[profile \"p\"]\naction = tls\n", 2, "action",
		"is not a key of [profile], but of [rule]" },
	{ "[global]\nverify = none\n", 2, "verify",
		"is not a key of [global], but of [profile] and [rule]" },
	{ R "action = pass\naction = tls\n", 3, "action", "given twice; the first is at" },
	{ "[global]\ndefault = pass\n[rule \"a\"]\naction = pass\nlabel = x\nlabel = x\n", 6,
		"label", "p.conf:5" },
	/* keys that this build does not do: never passed over */
	{ OUT "signature_algorithms = x\n", 4, "signature_algorithms",
		"found 'x', allowed: ecdsa_secp256r1_sha256, " },
	{ OUT "signature_algorithms = ecdsa_secp256_sha256\n", 4, "signature_algorithms",
		"did you mean 'ecdsa_secp256r1_sha256'?" },
	{ OUT "signature_algorithms = rsa_pkcs1_sha256\nmin_version = 1.3\n", 4,
		"signature_algorithms", "none of them is of TLS 1.3" },
	{ OUT "password_file = absent\n", 4, "password_file",
		"absent', and there is no such file" },
	{ OUT "cert = a.pem\npassword_file = a.pem, a.pem\n", 5, "password_file",
		"found 2 for 1 certs, allowed: one for all, or one for each" },
	{ OUT "plane = relay\n", 4, "plane", "found 'relay', allowed: auto, user, kernel" },
	{ OUT "hand_on = socket\n", 4, "hand_on", "found 'socket', allowed: auto, relay, kernel" },
	{ OUT "plane = kernle\n", 4, "plane", "did you mean 'kernel'?" },
	{ OUT "start = later\n", 4, "start", "found 'later', allowed: connection, program" },
	{ IN "start = program\naccept = both\n", 5, "start", "either the program says" },
	{ OUT "start = program\nstarttls = smtp\n", 4, "start", "either the program speaks it" },
	{ OUT "resumption = maybe\n", 4, "resumption", "found 'maybe', allowed: no, yes" },
	{ OUT "tickets = 1\n", 4, "tickets", "this rule is for outbound ones" },
	{ IN "tickets = 9\n", 5, "tickets", "found '9', allowed: 0 to 8" },
	{ IN "tickets = x\n", 5, "tickets", "found 'x', allowed: 0 to 8" },
	{ OUT "ticket_keys = a.pem\n", 4, "ticket_keys", "this rule is for outbound ones" },
	{ IN "ticket_keys = none.key\n", 5, "ticket_keys", "there is no such file" },
	{ R "action = pass\nrequire = https\n", 3, "require",
		"found 'https', allowed: nothing, tls, tls1.2, tls1.3, ssh" },
	{ R "action = pass\nrequire = nothing, tls\n", 3, "require", "goes with nothing else" },
	{ R "action = pass\nrequire = tls1.1\n", 3, "require",
		"did you mean 'tls1.2'? allowed: nothing, tls, tls1.2, tls1.3, ssh" },
	{ R "action = pass\nrequire = tls 1.2\n", 3, "require",
		"found 'tls 1.2', did you mean 'tls1.2'?" },
	{ R "action = pass\nrequire = tls1.2, nothing\n", 3, "require", "goes with nothing else" },
	{ R "action = deny\nrequire = tls1.3\n", 3, "require", "that are left alone" },
	{ R "action = pass\nrequire = tls,\n", 3, "require", "an item of the list is empty" },
	{ R "action = deny\nrequire = tls\n", 3, "require", "that are left alone" },
	{ OUT "require = tls\n", 4, "require", "that are left alone: action = pass, or observe" },
	{ "[profile \"p\"]\nrequire = tls\n", 2, "require", "is not a key of [profile]" },
	{ "[global]\nstrict = maybe\n", 2, "strict", "found 'maybe', allowed: no, yes" },
	{ OUT "cert = a.P12\n", 4, "cert", "a.P12', and there is no such file" },
	/* choices */
	{ R "action = tsl\n", 2, "action",
		"found 'tsl', did you mean 'tls'? allowed: tls, pass, deny, observe" },
	{ "[global]\ndefault = tls\n", 2, "default", "found 'tls', allowed: pass, observe, deny" },
	{ "[global]\nlocked = maybe\n", 2, "locked", "allowed: no, yes" },
	{ "[global]\naudit = maybe\n", 2, "audit", "allowed: on, off, required" },
	{ "[global]\naudit_max_size = 0\n", 2, "audit_max_size", "found '0', allowed: bytes" },
	{ "[global]\naudit_max_size = 1T\n", 2, "audit_max_size", "found '1T', allowed: bytes" },
	{ "[global]\naudit_max_size = 1MB\n", 2, "audit_max_size", "found '1MB', allowed: bytes" },
	{ "[global]\naudit_max_age = 30\n", 2, "audit_max_age", "found '30', allowed: a number" },
	{ "[global]\naudit_keep = -1d\n", 2, "audit_keep", "found '-1d', allowed: a number" },
	{ "[global]\naudit_keep = d\n", 2, "audit_keep", "found 'd', allowed: a number" },
	{ OUT "verify = name\n", 4, "verify", "allowed: full, chain, none" },
	{ OUT "min_version = 1.1\n", 4, "min_version", "allowed: 1.2, 1.3" },
	{ R "action = pass\ndirection = both\n", 3, "direction",
		"found 'both', allowed: outbound, inbound" },
	/* lists and numbers */
	{ R "action = pass\nlocal_port = 1,,2\n", 3, "local_port", "an item of the list is empty" },
	{ R "action = pass\nlocal_port = 1,\n", 3, "local_port", "an item of the list is empty" },
	{ R "action = pass\nlocal_port = 0\n", 3, "local_port", "ports from 1 to 65535" },
	{ R "action = pass\nlocal_port = 65536\n", 3, "local_port", "ports from 1 to 65535" },
	{ R "action = pass\nlocal_port = 99999999999999999999\n", 3, "local_port",
		"ports from 1 to 65535" },
	{ R "action = pass\nlocal_port = -1\n", 3, "local_port", "ports from 1 to 65535" },
	{ R "action = pass\nlocal_port = 1-\n", 3, "local_port", "ports from 1 to 65535" },
	{ R "action = pass\nlocal_port = 1-2-3\n", 3, "local_port", "ports from 1 to 65535" },
	{ R "action = pass\nlocal_port = 0x50\n", 3, "local_port", "ports from 1 to 65535" },
	{ R "action = pass\nlocal_port = https\n", 3, "local_port", "ports from 1 to 65535" },
	{ R "action = pass\nlocal_port = 9-8\n", 3, "local_port", "ends before it begins" },
	{ OUT "handshake_timeout = 0\n", 4, "handshake_timeout", "1 to 3600" },
	{ OUT "handshake_timeout = 1.5\n", 4, "handshake_timeout", "1 to 3600" },
	{ OUT "handshake_timeout = 3601\n", 4, "handshake_timeout", "1 to 3600" },
	/* addresses and names */
	{ R "action = pass\nremote_address = 10.0.0.1/8\n", 3, "remote_address",
		"the network is 10.0.0.0/8, the host 10.0.0.1/32" },
	{ R "action = pass\nremote_address = fe80::1/10\n", 3, "remote_address",
		"the network is fe80::/10" },
	{ R "action = pass\nremote_address = 10.0.0.0/33\n", 3, "remote_address", "ADDRESS/BITS" },
	{ R "action = pass\nremote_address = ::/129\n", 3, "remote_address", "ADDRESS/BITS" },
	{ R "action = pass\nremote_address = 10.0.0.0/\n", 3, "remote_address", "ADDRESS/BITS" },
	{ R "action = pass\nremote_address = 10.0.0\n", 3, "remote_address", "ADDRESS/BITS" },
	{ R "action = pass\nremote_address = 010.0.0.1\n", 3, "remote_address", "ADDRESS/BITS" },
	{ R "action = pass\nremote_address = localhost\n", 3, "remote_address", "ADDRESS/BITS" },
	{ R "action = pass\nremote_address = [::1]\n", 3, "remote_address", "ADDRESS/BITS" },
	{ R "action = pass\nremote_address = fe80::1%eth0\n", 3, "remote_address", "ADDRESS/BITS" },
	{ R "action = pass\nremote_host = a.*.b\n", 3, "remote_host",
		"only as the whole first label" },
	{ R "action = pass\nremote_host = *\n", 3, "remote_host", "only as the whole first label" },
	{ R "action = pass\nremote_host = *.*.b\n", 3, "remote_host",
		"only as the whole first label" },
	{ R "action = pass\nremote_host = a..b\n", 3, "remote_host", "host names" },
	{ R "action = pass\nremote_host = -a.b\n", 3, "remote_host", "host names" },
	{ R "action = pass\nremote_host = caf\xc3\xa9.example\n", 3, "remote_host", "xn--" },
	{ R "action = pass\nremote_host = .\n", 3, "remote_host", "host names" },
	{ R "action = pass\nremote_host = a.b/c\n", 3, "remote_host", "host names" },
	{ R "action = pass\ndirection = inbound\nremote_host = a\n", 4, "remote_host",
		"for outbound connections only" },
	{ OUT "server_name = *.example.com\n", 4, "server_name", "a host name" },
	{ OUT "server_name = a b\n", 4, "server_name", "a host name" },
	{ R "action = pass\nuser = no-such-user-here\n", 3, "user",
		"there is no user of that name" },
	{ R "action = pass\ngroup = no-such-group-here\n", 3, "group",
		"there is no group of that name" },
	{ R "action = pass\nuser = -1\n", 3, "user", "there is no user of that name" },
	{ R "action = pass\nuser = 4294967295\n", 3, "user", "there is no user of that name" },
	/* TLS settings */
	{ OUT "min_version = 1.3\nmax_version = 1.2\n", 4, "min_version", "above max_version" },
	{ OUT "ciphers = TLS_AES_128_GCM_SHA255\n", 4, "ciphers",
		"did you mean 'TLS_AES_128_GCM_SHA256'?" },
	{ OUT "ciphers = TLS_DHE_RSA_WITH_AES_128_GCM_SHA256\n", 4, "ciphers",
		"allowed: TLS_AES_128_GCM_SHA256," },
	{ OUT "ciphers = ECDHE-RSA-AES128-GCM-SHA256\n", 4, "ciphers",
		"allowed: TLS_AES_128_GCM_SHA256," },
	{ OUT "max_version = 1.2\nciphers = TLS_AES_128_GCM_SHA256\n", 5, "ciphers",
		"none of them is of TLS 1.2" },
	{ OUT "min_version = 1.3\nciphers = TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n", 5, "ciphers",
		"none of them is of TLS 1.3" },
	{ OUT "groups = secp224r1\n", 4, "groups",
		"allowed: X25519MLKEM768, x25519, secp256r1, secp384r1, secp521r1" },
	{ OUT "max_version = 1.2\ngroups = X25519MLKEM768\n", 5, "groups",
		"none of them is of TLS 1.2" },
	{ OUT "pin = sha256/AAAA\n", 4, "pin", "BASE64 of the 32 bytes" },
	{ OUT "pin = sha1/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 4, "pin",
		"BASE64 of the 32 bytes" },
	{ OUT "pin = sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", 4, "pin",
		"BASE64 of the 32 bytes" },
	{ OUT "pin = sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-=\n", 4, "pin",
		"BASE64 of the 32 bytes" },
	{ OUT "ca = missing.pem\n", 4, "ca", "missing.pem', and there is no such file" },
	{ OUT "ca = a.pem/x\n", 4, "ca", "there is no such file" },
	{ OUT "ca = fifo\n", 4, "ca", "neither a file nor a directory" },
	{ OUT "cert = subdir\n", 4, "cert", "neither a file" },
	{ OUT "cert = system\n", 4, "cert", "there is no such file" },
	{ OUT "key = a.key\n", 4, "key", "there is no cert" },
	{ OUT "cert = a.pem, b.pem\nkey = a.key\n", 5, "key", "found 1 for 2 certs" },
	/* together */
	{ R "action = tls\ndirection = inbound\n", 1, "cert",
		"an inbound rule with action = tls needs a certificate" },
	{ R "action = tls\n", 1, "cert", "or say direction = outbound" },
	{ R "action = tls\ndirection = inbound, outbound\n", 1, "cert",
		"or say direction = outbound" },
	{ IN "server_name = x\n", 5, "server_name", "for outbound connections only" },
	{ IN "verify = none\n", 5, "verify", "for outbound connections only" },
	{ IN "if_program_tls = pass\n", 5, "if_program_tls", "for outbound connections only" },
	{ IN "handshake_at = first_use\n", 5, "handshake_at", "for outbound connections only" },
	{ OUT "handshake_at = later\n", 4, "handshake_at", "connect, first_use" },
	{ OUT "starttls = x\n", 4, "starttls",
		"found 'x', allowed: smtp, imap, pop3, ldap, pgsql, nntp" },
	{ OUT "starttls =\n", 4, "starttls", "allowed: smtp, imap, pop3, ldap, pgsql, nntp" },
	{ IN "starttls = imap\naccept = both\n", 6, "accept", "which starttls does not allow" },
	{ OUT "starttls = imap\nif_program_tls = pass\n", 5, "if_program_tls",
		"which starttls does not allow" },
	{ OUT "starttls = pgsql\nhandshake_at = first_use\n", 5, "handshake_at",
		"which starttls = pgsql does not allow" },
	{ OUT "client_auth = required\n", 4, "client_auth", "for inbound connections only" },
	{ OUT "accept = both\n", 4, "accept", "for inbound connections only" },
	{ IN "client_auth = required\n", 5, "client_auth", "needs ca" },
	/* profiles */
	{ OUT "profile = p\n", 4, "profile", "there is no profile of that name" },
	{ OUT "profile = inner\n[profile \"inter\"]\n", 4, "profile", "did you mean 'inter'?" },
	{ "[profile \"p\"]\ninherit = q\n", 2, "inherit", "there is no profile of that name" },
	{ "[profile \"p\"]\ninherit = p\n", 2, "inherit", "inherits itself" },
	{ "[profile \"a\"]\ninherit = b\n[profile \"b\"]\ninherit = c\n[profile \"c\"]\ninherit = "
	  "a\n",
		6, "inherit", "inherits itself" },
	{ "[profile \"a\"]\nmin_version = 1.3\n[profile \"b\"]\ninherit = a\nmax_version = 1.2\n",
		2, "min_version", "above max_version" },
	/* includes */
	{ "", 0, NULL, "is empty" },
	{ "[global]\ninclude = missing.conf\n", 2, "include", "cannot be opened: No such file" },
	{ "[global]\ninclude = p.conf\n", 2, "include", "the policy itself" },
	{ "[global]\ninclude = link.conf\n", 2, "include", "the policy itself" },
	{ "[global]\ninclude = subdir\n", 2, "include", "is a directory" },
	{ "[global]\ninclude = fifo\n", 2, "include", "not a regular file" },
	{ "[global]\ninclude = x*y/a.conf\n", 2, "include", "in the last part of the path only" },
	{ "[global]\ninclude = nowhere/*.conf\n", 2, "include", "the directory cannot be read" },
	{ "[global]\ninclude = fine.inc\ninclude = fine.inc\n", 3, "include",
		"already included at" },
};

static bool has_error(const struct policy_errors *errors, const char *file, unsigned line,
	const char *key, const char *part)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct policy_error *error = &errors->items[i];
		bool key_fits = key == NULL ? error->key == NULL
					    : error->key != NULL && strcmp(error->key, key) == 0;

		if (key_fits && error->line == line && strcmp(error->file, file) == 0 &&
			strstr(error->message, part) != NULL)
			return true;
	}
	return false;
}

static void put_others(void)
{
	ck_assert_int_eq(mkdir(in_dir("subdir"), 0700), 0);
	ck_assert_int_eq(mkfifo(in_dir("fifo"), 0600), 0);
	ck_assert_int_eq(symlink("p.conf", in_dir("link.conf")), 0);
	put("fine.inc", "[rule \"included\"]\naction = pass\n");
}

START_TEST(refuses)
{
	struct policy_errors errors;
	struct policy *policy = NULL;

	put_others();
	put("p.conf", refused[_i].text);
	ck_assert_int_eq(policy_load(in_dir("p.conf"), &policy, &errors), -EINVAL);
	ck_assert_ptr_null(policy);
	ck_assert_msg(has_error(&errors, in_dir("p.conf"), refused[_i].line, refused[_i].key,
			      refused[_i].part),
		"got %s:%u: %s: %s", errors.items[0].file, errors.items[0].line,
		errors.items[0].key != NULL ? errors.items[0].key : "-", errors.items[0].message);
	policy_errors_clear(&errors);
}
END_TEST

START_TEST(refuses_nothing_else)
{
	struct policy_errors errors;
	struct policy *policy;

	/* Seven mistakes in two files: each is told once, in reading order, and what is right is
	 * not. */
	put("inc.conf", "[profile \"i\"]\nverify = nope\n");
	put("p.conf", "[global]\ninclude = inc.conf\ndefault = x\n[rule \"a\"]\naction = "
		      "pass\nlocal_port = 0\nnope = 1\n"
		      "[rule \"b\"]\ncert = a.pem\n[rule \"c\"]\naction = tls\ndirection = "
		      "outbound\nprofile = z\n[rule \"a\"]\naction = pass\n");
	ck_assert_int_eq(policy_load(in_dir("p.conf"), &policy, &errors), -EINVAL);
	ck_assert_uint_eq(errors.count, 7);
	ck_assert(has_error(&errors, in_dir("inc.conf"), 2, "verify", "found 'nope'"));
	ck_assert(has_error(&errors, in_dir("p.conf"), 8, "action", "is missing"));
	ck_assert(has_error(&errors, in_dir("p.conf"), 14, NULL, "p.conf:4"));
	for (size_t i = 2; i < errors.count; i++)
		ck_assert_uint_le(errors.items[i - 1].line, errors.items[i].line);
	policy_errors_clear(&errors);
}
END_TEST

/* What is given and wrong is not missing as well. */
START_TEST(refuses_once)
{
	struct policy_errors errors;
	struct policy *policy;

	put("p.conf", R "action = tls\ndirection = inbound\ncert = missing.pem\nkey = a.key\n");
	ck_assert_int_eq(policy_load(in_dir("p.conf"), &policy, &errors), -EINVAL);
	ck_assert_uint_eq(errors.count, 1);
	policy_errors_clear(&errors);
}
END_TEST

START_TEST(messages_are_printable_and_bounded)
{
	static char many[400 * 1024];
	struct policy_errors errors;
	struct policy *policy;
	size_t len = 0;

	for (unsigned i = 0; i < 10000; i++)
		len += (size_t)sprintf(many + len, "[rule \"%u\"]\nnope\ttabs = x\n", i);
	put("p.conf", many);
	ck_assert_int_eq(policy_load(in_dir("p.conf"), &policy, &errors), -EINVAL);
	ck_assert_uint_eq(errors.count, 101);
	ck_assert_ptr_nonnull(strstr(errors.items[100].message, "more errors"));
	for (size_t i = 0; i < errors.count; i++)
		for (const char *p = errors.items[i].message; *p != '\0'; p++)
			ck_assert_int_ge((unsigned char)*p, ' ');
	policy_errors_clear(&errors);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	unsigned line;
	const char *part; /* NULL: fine */
} raw[] = {
	{ "[global]\0\n", 10, 1, "NUL byte" },
	{ "\xff\xfe[\0g\0", 6, 1, "NUL byte" },
	{ "\x7f"
	  "ELF\2\1\1",
		7, 1, "control character" },
	{ "[global]\n\x1b[31m", 14, 2, "control character" },
	{ "[global]\r\ndefault = deny\r\n", 26, 0, NULL },
	{ "\xef\xbb\xbf[global]\ndefault = deny\n", 27, 0, NULL },
	{ "[global]\ndefault = deny", 23, 0, NULL },
	{ "[global]\n\tdefault = deny   ; why\n", 33, 0, NULL },
	{ "[global] # x\ndefault=deny # why\n; x\n# y\n", 40, 0, NULL },
	{ "[global]\ndefault:deny\n", 22, 0, NULL },
};

START_TEST(reads_bytes)
{
	struct policy_errors errors;
	struct policy *policy;
	int r;

	put_bytes("p.conf", raw[_i].bytes, raw[_i].len);
	r = policy_load(in_dir("p.conf"), &policy, &errors);
	ck_assert_int_eq(r, raw[_i].part != NULL ? -EINVAL : 0);
	if (r == 0)
		ck_assert_int_eq(policy->global.default_action, POLICY_DENY);
	else
		ck_assert(has_error(&errors, in_dir("p.conf"), raw[_i].line, NULL, raw[_i].part));
	policy_errors_clear(&errors);
	policy_free(policy);
}
END_TEST

static void refuse_path(const char *name, const char *part)
{
	struct policy_errors errors;
	struct policy *policy;

	ck_assert_int_eq(policy_load(in_dir(name), &policy, &errors), -EINVAL);
	ck_assert_uint_eq(errors.count, 1);
	ck_assert_msg(strstr(errors.items[0].message, part) != NULL, "%s", errors.items[0].message);
	policy_errors_clear(&errors);
}

START_TEST(refuses_what_is_no_file)
{
	char *big = malloc(1100000);

	put_others();
	refuse_path("missing", "No such file");
	refuse_path("subdir", "is a directory");
	refuse_path("fifo", "not a regular file");
	memset(big, '\n', 1100000);
	put_bytes("big", big, 1100000);
	refuse_path("big", "longer than 1 MiB");
	memset(big, '#', 9000);
	put_bytes("long", big, 9000);
	refuse_path("long", "longer than 8000 bytes");
	free(big);
}
END_TEST

START_TEST(bounds_includes)
{
	char name[32], text[64];

	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "%u.conf", i);
		snprintf(text, sizeof text, "[global]\ninclude = %u.conf\n", i + 1);
		put(name, text);
	}
	refuse_path("0.conf", "more than 8 deep");
	for (unsigned i = 0; i < 70; i++) {
		snprintf(name, sizeof name, "%02u.many", i);
		put(name, "");
	}
	put("many", "[global]\ninclude = *.many\n");
	refuse_path("many", "more than 64 files");
}
END_TEST

START_TEST(bounds_rules)
{
	static char text[4200 * 40];
	size_t len = 0;

	for (unsigned i = 0; i < 4097; i++)
		len += (size_t)sprintf(text + len, "[rule \"%u\"]\naction = pass\n", i);
	put("many", text);
	refuse_path("many", "more than 4096 rules");
}
END_TEST

int main(void)
{
	TCase *tcase = case_new("refused");

	tcase_add_loop_test(tcase, refuses, 0, ROWS(refused));
	tcase_add_test(tcase, refuses_nothing_else);
	tcase_add_test(tcase, refuses_once);
	tcase_add_test(tcase, messages_are_printable_and_bounded);
	tcase_add_loop_test(tcase, reads_bytes, 0, ROWS(raw));
	tcase_add_test(tcase, refuses_what_is_no_file);
	tcase_add_test(tcase, bounds_includes);
	tcase_add_test(tcase, bounds_rules);
	return run_case(tcase);
}
