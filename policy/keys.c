/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of the policy language; see keys.h. */
#include "policy/keys.h"

#include <assert.h>
#include <string.h>

#define FIELD(member)                                                                              \
	.offset = offsetof(struct key_values, member),                                             \
	.size = sizeof(((struct key_values *)NULL)->member)

/* parse_choice() writes an unsigned, whatever the enum is called. */
static_assert(sizeof(enum policy_verify) == sizeof(unsigned) &&
		      sizeof(enum policy_version) == sizeof(unsigned),
	"enums are not int-sized");

const struct policy_choice choices_action[] = {
	{ "tls", POLICY_TLS, 0 },
	{ "pass", POLICY_PASS, 0 },
	{ "deny", POLICY_DENY, 0 },
	{ "observe", POLICY_OBSERVE, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_default[] = {
	{ "pass", POLICY_PASS, 0 },
	{ "observe", POLICY_OBSERVE, 0 },
	{ "deny", POLICY_DENY, 0 },
	{ NULL, 0, 0 },
};
const struct policy_choice choices_direction[] = {
	{ "outbound", POLICY_OUTBOUND, 0 },
	{ "inbound", POLICY_INBOUND, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_audit[] = {
	{ "on", POLICY_AUDIT_ON, 0 },
	{ "off", POLICY_AUDIT_OFF, 0 },
	{ "required", POLICY_AUDIT_REQUIRED, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_bool[] = {
	{ "no", 0, 0 },
	{ "yes", 1, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_version[] = {
	{ "1.2", POLICY_TLS12, 0 },
	{ "1.3", POLICY_TLS13, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_verify[] = {
	{ "full", POLICY_VERIFY_FULL, 0 },
	{ "chain", POLICY_VERIFY_CHAIN, CHOICE_RELAXES },
	{ "none", POLICY_VERIFY_NONE, CHOICE_RELAXES },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_crl_check[] = {
	{ "required", POLICY_CRL_REQUIRED, 0 },
	{ "available", POLICY_CRL_AVAILABLE, CHOICE_RELAXES },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_client_auth[] = {
	{ "none", POLICY_CLIENT_NONE, 0 },
	{ "optional", POLICY_CLIENT_OPTIONAL, 0 },
	{ "required", POLICY_CLIENT_REQUIRED, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_truncation[] = {
	{ "reject", POLICY_TRUNCATION_REJECT, 0 },
	{ "accept", POLICY_TRUNCATION_ACCEPT, CHOICE_RELAXES },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_accept[] = {
	{ "tls", POLICY_ACCEPT_TLS, 0 },
	{ "both", POLICY_ACCEPT_BOTH, CHOICE_RELAXES },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_require[] = {
	{ "nothing", 0, 0 },
	{ "tls", POLICY_REQUIRE_TLS, 0 },
	{ "tls1.2", POLICY_REQUIRE_TLS12, 0 },
	{ "tls1.3", POLICY_REQUIRE_TLS13, 0 },
	{ "ssh", POLICY_REQUIRE_SSH, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_program_tls[] = {
	{ "wrap", POLICY_PROGRAM_WRAP, 0 },
	{ "deny", POLICY_PROGRAM_DENY, 0 },
	{ "pass", POLICY_PROGRAM_PASS, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_handshake_at[] = {
	{ "connect", POLICY_AT_CONNECT, 0 },
	{ "first_use", POLICY_AT_FIRST_USE, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_starttls[] = {
	{ "smtp", POLICY_STARTTLS_SMTP, 0 },
	{ "imap", POLICY_STARTTLS_IMAP, 0 },
	{ "pop3", POLICY_STARTTLS_POP3, 0 },
	{ "ldap", POLICY_STARTTLS_LDAP, 0 },
	{ "pgsql", POLICY_STARTTLS_PGSQL, 0 },
	{ "nntp", POLICY_STARTTLS_NNTP, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_start[] = {
	{ "connection", POLICY_START_CONNECTION, 0 },
	{ "program", POLICY_START_PROGRAM, CHOICE_RELAXES },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_plane[] = {
	{ "auto", POLICY_PLANE_AUTO, 0 },
	{ "user", POLICY_PLANE_USER, 0 },
	{ "kernel", POLICY_PLANE_KERNEL, 0 },
	{ NULL, 0, 0 },
};
static const struct policy_choice choices_hand_on[] = {
	{ "auto", POLICY_HAND_ON_AUTO, 0 },
	{ "relay", POLICY_HAND_ON_RELAY, 0 },
	{ "kernel", POLICY_HAND_ON_KERNEL, CHOICE_RELAXES },
	{ NULL, 0, 0 },
};
/* The AEAD suites with forward secrecy that the record layer does. The value is the number in the
 * protocol. */
const struct policy_choice choices_cipher[] = {
	{ "TLS_AES_128_GCM_SHA256", 0x1301, CHOICE_TLS13 },
	{ "TLS_AES_256_GCM_SHA384", 0x1302, CHOICE_TLS13 },
	{ "TLS_CHACHA20_POLY1305_SHA256", 0x1303, CHOICE_TLS13 },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b, CHOICE_TLS12 },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c, CHOICE_TLS12 },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9, CHOICE_TLS12 },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f, CHOICE_TLS12 },
	{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030, CHOICE_TLS12 },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8, CHOICE_TLS12 },
	{ NULL, 0, 0 },
};
const struct policy_choice choices_group[] = {
	{ "X25519MLKEM768", 0x11ec, CHOICE_TLS13 },
	{ "x25519", 29, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "secp256r1", 23, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "P-256", 23, CHOICE_TLS12 | CHOICE_TLS13 | CHOICE_ALIAS },
	{ "secp384r1", 24, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "P-384", 24, CHOICE_TLS12 | CHOICE_TLS13 | CHOICE_ALIAS },
	{ "secp521r1", 25, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "P-521", 25, CHOICE_TLS12 | CHOICE_TLS13 | CHOICE_ALIAS },
	{ NULL, 0, 0 },
};

const struct policy_choice choices_signature[] = {
	{ "ecdsa_secp256r1_sha256", 0x0403, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "ecdsa_secp384r1_sha384", 0x0503, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "ecdsa_secp521r1_sha512", 0x0603, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "ed25519", 0x0807, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "rsa_pss_rsae_sha256", 0x0804, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "rsa_pss_rsae_sha384", 0x0805, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "rsa_pss_rsae_sha512", 0x0806, CHOICE_TLS12 | CHOICE_TLS13 },
	{ "rsa_pkcs1_sha256", 0x0401, CHOICE_TLS12 },
	{ "rsa_pkcs1_sha384", 0x0501, CHOICE_TLS12 },
	{ "rsa_pkcs1_sha512", 0x0601, CHOICE_TLS12 },
	{ NULL, 0, 0 },
};

static void print_choice(const struct policy_key *key, const void *field, struct text *out)
{
	text_add(out, "%s", choice_name(key->choices, *(const unsigned *)field));
}

/* Of those choices of which none is 0. */
static void print_choice_if_any(const struct policy_key *key, const void *field, struct text *out)
{
	if (*(const unsigned *)field != 0)
		print_choice(key, field, out);
}

static void print_choices(const struct policy_key *key, const void *field, struct text *out)
{
	unsigned values = *(const unsigned *)field;

	for (const struct policy_choice *choice = key->choices; choice->name != NULL; choice++)
		if ((choice->value & values) != 0)
			text_add(out, "%s%s", out->len > 0 ? ", " : "", choice->name);
}

static void print_bool(const struct policy_key *key, const void *field, struct text *out)
{
	text_add(out, "%s", choice_name(key->choices, *(const bool *)field));
}

static void print_number(const struct policy_key *key, const void *field, struct text *out)
{
	(void)key;
	text_add(out, "%u", *(const unsigned *)field);
}

static void print_string(const struct policy_key *key, const void *field, struct text *out)
{
	const char *text = *(char *const *)field;

	(void)key;
	if (text != NULL)
		text_add(out, "%s", text);
}

/* The conditions all begin with the text that they were read from. */
static void print_condition(const struct policy_key *key, const void *field, struct text *out)
{
	const char *text = *(const char *const *)field;

	(void)key;
	if (text != NULL)
		text_add(out, "%s", text);
}

static void print_list(const struct policy_key *key, const void *field, struct text *out)
{
	const struct policy_list *list = field;

	(void)key;
	for (size_t i = 0; i < list->count; i++)
		text_add(out, "%s%s", i > 0 ? ", " : "", list->items[i]);
}

static void print_pins(const struct policy_key *key, const void *field, struct text *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const struct policy_pins *pins = field;

	(void)key;
	for (size_t i = 0; i < pins->count; i++) {
		const uint8_t *p = pins->sha256[i];

		text_add(out, "%ssha256/", i > 0 ? ", " : "");
		for (size_t n = 0; n < 30; n += 3)
			text_add(out, "%c%c%c%c", digits[p[n] >> 2],
				digits[(p[n] & 3) << 4 | p[n + 1] >> 4],
				digits[(p[n + 1] & 15) << 2 | p[n + 2] >> 6],
				digits[p[n + 2] & 63]);
		text_add(out, "%c%c%c=", digits[p[30] >> 2], digits[(p[30] & 3) << 4 | p[31] >> 4],
			digits[(p[31] & 15) << 2]);
	}
}

/* clang-format off */
const struct policy_key policy_keys[] = {
	/* [global] */
	{ .name = "default", .where = KEY_GLOBAL, .parse = parse_choice, .choices = choices_default, .print = print_choice, FIELD(global.default_action) },
	{ .name = "audit", .where = KEY_GLOBAL, .parse = parse_choice, .choices = choices_audit, .print = print_choice, FIELD(global.audit) },
	{ .name = "audit_dir", .where = KEY_GLOBAL, .parse = parse_path, .allowed = "a directory", .print = print_string, FIELD(global.audit_dir) },
	{ .name = "audit_key", .where = KEY_GLOBAL, .parse = parse_path, .allowed = "a file of 16 to 4096 random bytes", .print = print_string, FIELD(global.audit_key) },
	{ .name = "audit_max_size", .where = KEY_GLOBAL, .parse = parse_size, .allowed = "bytes, with K, M or G behind it", FIELD(global.audit_max_size) },
	{ .name = "audit_max_age", .where = KEY_GLOBAL, .parse = parse_duration, .allowed = "a time: 12h, 1d, 2w", FIELD(global.audit_max_age_s) },
	{ .name = "audit_keep", .where = KEY_GLOBAL, .parse = parse_duration, .allowed = "a time: 12h, 1d, 2w", FIELD(global.audit_keep_s) },
	{ .name = "locked", .where = KEY_GLOBAL, .parse = parse_bool, .choices = choices_bool, .print = print_bool, FIELD(global.locked) },
	{ .name = "cover_children", .where = KEY_GLOBAL, .parse = parse_bool, .choices = choices_bool, .print = print_bool, FIELD(global.cover_children) },
	{ .name = "strict", .where = KEY_GLOBAL, .parse = parse_bool, .choices = choices_bool, .print = print_bool, FIELD(global.strict) },
	{ .name = "include", .where = KEY_GLOBAL, .parse = parse_name, .allowed = "a file, or a pattern of files", .repeats = true, FIELD(include) },

	/* what a rule asks for */
	{ .name = "direction", .where = KEY_RULE, .parse = parse_directions, .choices = choices_direction, .print = print_condition, FIELD(conditions.direction) },
	{ .name = "local_port", .where = KEY_RULE, .parse = parse_ports, .allowed = "ports", .print = print_condition, FIELD(conditions.local_port) },
	{ .name = "remote_port", .where = KEY_RULE, .parse = parse_ports, .allowed = "ports", .print = print_condition, FIELD(conditions.remote_port) },
	{ .name = "local_address", .where = KEY_RULE, .parse = parse_networks, .allowed = "networks", .print = print_condition, FIELD(conditions.local_address) },
	{ .name = "remote_address", .where = KEY_RULE, .parse = parse_networks, .allowed = "networks", .print = print_condition, FIELD(conditions.remote_address) },
	{ .name = "remote_host", .where = KEY_RULE, .role = POLICY_OUTBOUND, .parse = parse_hosts, .allowed = "names", .print = print_condition, FIELD(conditions.remote_host) },
	{ .name = "program", .where = KEY_RULE, .parse = parse_patterns, .allowed = "paths or patterns", .print = print_condition, FIELD(conditions.program) },
	{ .name = "user", .where = KEY_RULE, .parse = parse_users, .allowed = "users", .print = print_condition, FIELD(conditions.user) },
	{ .name = "group", .where = KEY_RULE, .parse = parse_groups, .allowed = "groups", .print = print_condition, FIELD(conditions.group) },
	{ .name = "label", .where = KEY_RULE, .parse = parse_patterns, .allowed = "words or patterns", .print = print_condition, FIELD(conditions.label) },

	/* what a rule does */
	{ .name = "action", .where = KEY_RULE, .parse = parse_choice, .choices = choices_action, .print = print_choice, FIELD(action) },
	{ .name = "require", .where = KEY_RULE, .parse = parse_choices, .choices = choices_require, .print = print_choices, FIELD(require) },
	{ .name = "profile", .where = KEY_RULE, .parse = parse_name, .allowed = "the name of a profile", .print = print_string, FIELD(profile) },
	{ .name = "inherit", .where = KEY_PROFILE, .parse = parse_name, .allowed = "the name of a profile", .print = print_string, FIELD(inherit) },

	/* TLS settings */
	{ .name = "min_version", .where = KEY_TLS, .parse = parse_choice, .choices = choices_version, .print = print_choice, FIELD(tls.min_version) },
	{ .name = "max_version", .where = KEY_TLS, .parse = parse_choice, .choices = choices_version, .print = print_choice, FIELD(tls.max_version) },
	{ .name = "ciphers", .where = KEY_TLS, .parse = parse_choice_list, .choices = choices_cipher, .print = print_list, FIELD(tls.ciphers) },
	{ .name = "groups", .where = KEY_TLS, .parse = parse_choice_list, .choices = choices_group, .print = print_list, FIELD(tls.groups) },
	{ .name = "signature_algorithms", .where = KEY_TLS, .parse = parse_choice_list, .choices = choices_signature, .print = print_list, FIELD(tls.signature_algorithms) },
	{ .name = "ca", .where = KEY_TLS, .parse = parse_ca, .allowed = "system, PEM files, directories", .print = print_list, FIELD(tls.ca) },
	{ .name = "crl", .where = KEY_TLS, .parse = parse_crl, .allowed = "files of revocation lists, PEM or DER, or directories", .print = print_list, FIELD(tls.crl) },
	{ .name = "crl_check", .where = KEY_TLS, .parse = parse_choice, .choices = choices_crl_check, .print = print_choice, FIELD(tls.crl_check) },
	{ .name = "pin", .where = KEY_TLS, .parse = parse_pins, .allowed = "sha256/BASE64", .print = print_pins, FIELD(tls.pin) },
	{ .name = "cert", .where = KEY_TLS, .parse = parse_files, .allowed = "PEM or PKCS#12 files, pkcs11: URIs", .print = print_list, FIELD(tls.cert) },
	{ .name = "key", .where = KEY_TLS, .parse = parse_files, .allowed = "PEM or PKCS#12 files, pkcs11: URIs", .print = print_list, FIELD(tls.key) },
	{ .name = "password_file", .where = KEY_TLS, .parse = parse_files, .allowed = "files", .print = print_list, FIELD(tls.password_file) },
	{ .name = "server_name", .where = KEY_TLS, .role = POLICY_OUTBOUND, .parse = parse_server_name, .allowed = "a name", .print = print_string, FIELD(tls.server_name) },
	{ .name = "verify", .where = KEY_TLS, .role = POLICY_OUTBOUND, .parse = parse_choice, .choices = choices_verify, .print = print_choice, FIELD(tls.verify) },
	{ .name = "client_auth", .where = KEY_TLS, .role = POLICY_INBOUND, .parse = parse_choice, .choices = choices_client_auth, .print = print_choice, FIELD(tls.client_auth) },
	{ .name = "allow_peer", .where = KEY_TLS, .parse = parse_peers, .allowed = "patterns: dns:, uri:, ip:, email:, cn:, sha256:", .print = print_list, FIELD(tls.allow_peer) },
	{ .name = "alpn", .where = KEY_TLS, .parse = parse_alpn, .allowed = "names", .print = print_list, FIELD(tls.alpn) },
	{ .name = "handshake_timeout", .where = KEY_TLS, .parse = parse_seconds, .allowed = "seconds", .print = print_number, FIELD(tls.handshake_timeout_s) },
	{ .name = "handshake_at", .where = KEY_TLS, .role = POLICY_OUTBOUND, .parse = parse_choice, .choices = choices_handshake_at, .print = print_choice, FIELD(tls.handshake_at) },
	{ .name = "truncation", .where = KEY_TLS, .parse = parse_choice, .choices = choices_truncation, .print = print_choice, FIELD(tls.truncation) },
	{ .name = "resumption", .where = KEY_TLS, .parse = parse_bool, .choices = choices_bool, .print = print_bool, FIELD(tls.resumption) },
	{ .name = "tickets", .where = KEY_TLS, .role = POLICY_INBOUND, .parse = parse_tickets, .allowed = "0 to 8", .print = print_number, FIELD(tls.tickets) },
	{ .name = "ticket_keys", .where = KEY_TLS, .role = POLICY_INBOUND, .parse = parse_one_file, .allowed = "a file", .print = print_string, FIELD(tls.ticket_keys) },
	{ .name = "accept", .where = KEY_TLS, .role = POLICY_INBOUND, .parse = parse_choice, .choices = choices_accept, .print = print_choice, FIELD(tls.accept) },
	{ .name = "if_program_tls", .where = KEY_TLS, .role = POLICY_OUTBOUND, .parse = parse_choice, .choices = choices_program_tls, .print = print_choice, FIELD(tls.if_program_tls) },
	{ .name = "starttls", .where = KEY_TLS, .parse = parse_choice, .choices = choices_starttls, .print = print_choice_if_any, FIELD(tls.starttls) },
	{ .name = "start", .where = KEY_TLS, .parse = parse_choice, .choices = choices_start, .print = print_choice, FIELD(tls.start) },
	{ .name = "ocsp_staple", .where = KEY_TLS, .role = POLICY_INBOUND, .parse = parse_files, .allowed = "files of OCSP responses in DER", .print = print_list, FIELD(tls.ocsp_staple) },
	{ .name = "must_staple", .where = KEY_TLS, .role = POLICY_OUTBOUND, .parse = parse_bool, .choices = choices_bool, .print = print_bool, FIELD(tls.must_staple) },
	{ .name = "plane", .where = KEY_TLS, .parse = parse_choice, .choices = choices_plane, .print = print_choice, FIELD(tls.plane) },
	{ .name = "hand_on", .where = KEY_TLS, .parse = parse_choice, .choices = choices_hand_on, .print = print_choice, FIELD(tls.hand_on) },
	{ .name = "keylog", .where = KEY_TLS, .parse = parse_path, .allowed = "a file", .relaxes = true, .print = print_string, FIELD(tls.keylog) },
};
/* clang-format on */
const size_t policy_key_count = sizeof(policy_keys) / sizeof(policy_keys[0]);
static_assert(sizeof(policy_keys) / sizeof(policy_keys[0]) <= KEY_MAX, "a set of keys is 64 bits");

const struct policy_key *key_find(const char *name)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if (strcmp(policy_keys[i].name, name) == 0)
			return &policy_keys[i];
	return NULL;
}

void key_print_allowed(const struct policy_key *key, struct text *out)
{
	const char *separator = "";

	if (key->choices == NULL) {
		text_add(out, "%s", key->allowed);
		return;
	}
	for (const struct policy_choice *choice = key->choices; choice->name != NULL; choice++) {
		if ((choice->flags & CHOICE_ALIAS) != 0)
			continue;
		text_add(out, "%s%s", separator, choice->name);
		separator = ", ";
	}
}

const struct policy_choice *choice_find(const struct policy_choice *choices, const char *name)
{
	for (; choices->name != NULL; choices++)
		if (text_equal_nocase(choices->name, name))
			return choices;
	return NULL;
}

const char *choice_name(const struct policy_choice *choices, unsigned value)
{
	for (; choices->name != NULL; choices++)
		if (choices->value == value)
			return choices->name;
	return "?";
}

void key_values_default(struct key_values *values)
{
	static char system_store[] = "system";
	static char *system_list[] = { system_store };

	*values = (struct key_values){
		.tls = {
			.min_version = POLICY_TLS12,
			.max_version = POLICY_TLS13,
			.ca = { .count = 1, .items = system_list },
			.handshake_timeout_s = 10,
			.resumption = true,
			.tickets = 1,
		},
	};
}
