/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A policy: text -> rules -> decision. Knows neither sockets nor TLS libraries; linked by the
 * library and by the tools. Everything here is immutable after policy_load(), so any thread may
 * read it without a lock.
 */
#ifndef SEAMTLS_POLICY_POLICY_H
#define SEAMTLS_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum policy_direction { POLICY_OUTBOUND = 1, POLICY_INBOUND = 2 };
enum policy_action { POLICY_PASS, POLICY_TLS, POLICY_DENY, POLICY_OBSERVE };
enum policy_audit { POLICY_AUDIT_ON, POLICY_AUDIT_OFF, POLICY_AUDIT_REQUIRED };
enum policy_version { POLICY_TLS12 = 0x0303, POLICY_TLS13 = 0x0304 };
enum policy_verify { POLICY_VERIFY_FULL, POLICY_VERIFY_CHAIN, POLICY_VERIFY_NONE };
enum policy_client_auth { POLICY_CLIENT_NONE, POLICY_CLIENT_OPTIONAL, POLICY_CLIENT_REQUIRED };
enum policy_crl_check { POLICY_CRL_REQUIRED, POLICY_CRL_AVAILABLE };
enum policy_truncation { POLICY_TRUNCATION_REJECT, POLICY_TRUNCATION_ACCEPT };
enum policy_accept { POLICY_ACCEPT_TLS, POLICY_ACCEPT_BOTH };
enum policy_starttls {
	POLICY_STARTTLS_NONE,
	POLICY_STARTTLS_SMTP,
	POLICY_STARTTLS_IMAP,
	POLICY_STARTTLS_POP3,
	POLICY_STARTTLS_LDAP,
	POLICY_STARTTLS_PGSQL,
	POLICY_STARTTLS_NNTP,
};
enum policy_program_tls { POLICY_PROGRAM_WRAP, POLICY_PROGRAM_DENY, POLICY_PROGRAM_PASS };
enum policy_start { POLICY_START_CONNECTION, POLICY_START_PROGRAM };
enum policy_plane { POLICY_PLANE_AUTO, POLICY_PLANE_USER, POLICY_PLANE_KERNEL };
enum policy_hand_on { POLICY_HAND_ON_AUTO, POLICY_HAND_ON_RELAY, POLICY_HAND_ON_KERNEL };
enum policy_require {
	POLICY_REQUIRE_TLS = 1, /* of any version */
	POLICY_REQUIRE_SSH = 2,
	POLICY_REQUIRE_TLS12 = 4, /* this or a later one */
	POLICY_REQUIRE_TLS13 = 8
};
enum policy_handshake_at { POLICY_AT_CONNECT, POLICY_AT_FIRST_USE };

#define POLICY_SPKI_LEN 32 /* SHA-256 */

/* A list of strings; items[count] is not there. Empty: {0, NULL}. */
struct policy_list {
	size_t count;
	char **items;
};

struct policy_pins {
	size_t count;
	uint8_t (*sha256)[POLICY_SPKI_LEN]; /* of the DER SubjectPublicKeyInfo */
};

/* The effective TLS settings of a rule: profile, inherited profiles and the rule's own keys,
 * defaults filled in. */
struct tls_settings {
	enum policy_version min_version, max_version;
	struct policy_list
		ciphers; /* IANA names, in order of preference; empty: the library's default */
	struct policy_list
		groups; /* IANA names (x25519, secp256r1, X25519MLKEM768 ...), canonical spelling */
	struct policy_list signature_algorithms; /* IANA names; empty: the library's default */
	struct policy_list ca;  /* "system", or absolute paths of PEM files or directories */
	struct policy_list crl; /* absolute paths of files (PEM or DER) or directories */
	enum policy_crl_check crl_check;
	struct policy_list ocsp_staple; /* absolute paths of responses, DER */
	bool must_staple;
	struct policy_list cert; /* absolute paths, PEM */
	struct policy_list
		key; /* one for each cert, or empty: the key is in the certificate's file */
	struct policy_list password_file; /* one for all, one for each cert, or empty */
	struct policy_pins pin;
	char *server_name; /* NULL: the name the program looked up */
	enum policy_verify verify;
	enum policy_client_auth client_auth;
	/* patterns, any of: "dns:a.b", "dns:*.b" (one label), "uri:..." and "cn:..." (* is a run of
	 * characters but '/'), "ip:ADDRESS", "ip:ADDRESS/BITS", "email:a@b", "email:*@b",
	 * "sha256:" and 64 digits; in one spelling */
	struct policy_list allow_peer;
	struct policy_list alpn;
	unsigned handshake_timeout_s;
	enum policy_truncation truncation;
	enum policy_accept accept;
	enum policy_program_tls if_program_tls;
	enum policy_handshake_at handshake_at;
	enum policy_starttls starttls;
	enum policy_start start;
	enum policy_plane plane;
	enum policy_hand_on hand_on;
	char *keylog; /* NULL: none */
	bool resumption;
	unsigned tickets;  /* inbound: how many a TLS 1.3 client gets; 0: none of either version */
	char *ticket_keys; /* inbound: absolute path; NULL: keys of our own making */
};

/* A rule after loading. The conditions are private to the policy. */
struct policy_rule {
	const char *name; /* as in [rule "name"] */
	const char *file; /* where it stands */
	unsigned line;
	enum policy_action action;
	unsigned require; /* enum policy_require, any of: of what is left alone. 0: nothing */
	struct tls_settings tls; /* meaningful if action is POLICY_TLS */
	unsigned index; /* 0.., dense over the policy: key for caches of what is made from the rule
			 */
	struct policy_conditions *conditions;
	const struct policy *policy; /* whose rule it is */
};

/* An IPv4 or IPv6 address; v4-mapped ones are stored as v4. */
struct policy_address {
	uint8_t family; /* AF_INET or AF_INET6; 0: not known */
	uint8_t bytes[16];
	uint16_t port; /* host byte order; 0: not known */
};

/* What is known of a connection (or, with direction POLICY_INBOUND and family 0 in remote, of a
 * listening socket). */
struct policy_query {
	enum policy_direction direction;
	struct policy_address local, remote;
	const char *const
		*remote_names; /* the names that the program looked up for remote, newest first */
	size_t remote_name_count;
	const char *program; /* absolute path of the executable */
	const char *label;   /* SEAMTLS_LABEL, or NULL */
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary */
	size_t group_count;
};

struct policy_decision {
	enum policy_action action;
	const struct policy_rule *rule; /* NULL: no rule matched, action is [global] default */
	const char *remote_name; /* the name of the query that matched remote_host, else the newest,
				    else NULL */
};

struct policy_global {
	enum policy_action default_action;
	enum policy_audit audit;
	char *audit_dir;         /* NULL: the built-in place, see audit_default_dir() */
	char *audit_key;         /* a file; NULL: none */
	uint64_t audit_max_size; /* bytes of a file; 0: any number */
	uint64_t audit_max_age_s, audit_keep_s; /* 0: for ever */
	bool locked;
	bool strict;
	bool cover_children; /* programs with an environment built anew are covered too */
};

struct policy {
	struct policy_global global;
	const char *source; /* path of the main file, or "built-in" */
	size_t rule_count;
	struct policy_rule *rules; /* in file order, includes in place */
	bool asks_who; /* some rule has a condition of users or groups; else queries need none */
	void *owner;   /* of who has loaded it, to be found from a rule; NULL at first */
	struct policy_private *private;
};

/* One finding in a policy file. All of a file are reported in one go. */
struct policy_error {
	char *file;
	unsigned line; /* 0: the file as a whole */
	char *key;     /* or NULL */
	char *message; /* "found 'tsl', allowed: tls, pass, deny, observe" */
};

struct policy_errors {
	size_t count;
	struct policy_error *items;
};

/*
 * Reads the policy in `path` (NULL: the built-in default policy). 0 and *out, to be freed with
 * policy_free(); -EINVAL and *errors with at least one item, *out NULL; -ENOMEM. *errors is always
 * to be cleared. Paths in a policy are taken relative to the file they stand in. Opens and reads
 * files, and asks the user database if rules have names of users or groups: to be called where that
 * is possible. Not by two threads at a time.
 */
int policy_load(const char *path, struct policy **out, struct policy_errors *errors);
/* The same; `files` gets what was read, and what would have to change for another result. */
struct watch;
int policy_load_watching(
	const char *path, struct watch *files, struct policy **out, struct policy_errors *errors);
void policy_free(struct policy *policy);
void policy_errors_clear(struct policy_errors *errors);

/* Where a user's own files are, as the environment says; NULL: not set. Relative paths are ignored
 * (XDG base directory specification). */
struct policy_places {
	const char *config_home; /* XDG_CONFIG_HOME */
	const char *home;        /* HOME */
};

/*
 * Where the policy is: SEAMTLS_POLICY's value `setting` (a path, or a bare NAME looked up as
 * DESIGN 2.1 says), or NULL for the environment's default. 0 and *out (malloc'ed; NULL: the
 * built-in default applies); -ENOENT: a name that is found nowhere, or "". A path is not looked at:
 * policy_load() says what is wrong with it. -ENOMEM. /etc/seamtls/policy.conf with `locked = yes`
 * wins over `setting`: the caller checks global.locked after policy_load() of policy_locked_path().
 */
int policy_find(const char *setting, const struct policy_places *places, char **out);

/* Whether SEAMTLS_POLICY's value is a path, and not a NAME. Who writes web.conf means a file, not
 * web.conf.conf. */
bool policy_is_path(const char *setting);

/* A file that cannot be looked at counts as there: loading it will say why it cannot be used. */
bool policy_is_there(const char *path);

/* The system's policy file, whether it is there or not. */
const char *policy_locked_path(void);

/* The text of the built-in default policy, as `seamtls policy default` prints it. */
const char *policy_default_text(void);

/* Decides. Never fails, never allocates, takes no lock. Under a microsecond with 1,000 rules. */
void policy_decide(
	const struct policy *policy, const struct policy_query *query, struct policy_decision *out);

/*
 * Whether some inbound rule that does not just pass, or else the default action, could decide over
 * what a socket accepts that listens at query->local (remote ignored). `rule` gets the first such
 * tls rule, for loading its credentials early; may be NULL.
 */
bool policy_listener_matters(const struct policy *policy, const struct policy_query *query,
	const struct policy_rule **rule);

/*
 * Why `rule` does not match `query`: a sentence for `seamtls explain` ("remote_port is 6380,
 * 7000-7010; the connection's is 443") in buf, or "" if it matches. Returns whether it matches.
 */
bool policy_rule_explain(
	const struct policy_rule *rule, const struct policy_query *query, char *buf, size_t len);

/*
 * The effective settings of a rule in policy-file spelling, one call a key that applies: for
 * `explain` and `check`.
 */
void policy_settings_each(const struct policy_rule *rule,
	void (*row)(const char *key, const char *value, void *arg), void *arg);

/* As policy_settings_each(): the conditions of a rule, and those of its settings that give up what
 * the default protects. */
void policy_conditions_each(const struct policy_rule *rule,
	void (*row)(const char *key, const char *value, void *arg), void *arg);
void policy_relaxed_each(const struct policy_rule *rule,
	void (*row)(const char *key, const char *value, void *arg), void *arg);

/* The files and directories that the settings of a rule name, and "system" for the system's CAs. */
void policy_files_each(const struct policy_rule *rule,
	void (*file)(const char *key, const char *path, void *arg), void *arg);

/* Whether the TLS settings of two rules are the same. false also if there is no memory to tell. */
bool policy_same_settings(const struct policy_rule *a, const struct policy_rule *b);

/* The directions, as bits of enum policy_direction, in which a rule can match. */
unsigned policy_rule_directions(const struct policy_rule *rule);

/* An earlier rule that takes every connection that `rule` could match, so that `rule` is never
 * used; NULL: none is known. */
const struct policy_rule *policy_rule_shadow(
	const struct policy *policy, const struct policy_rule *rule);

/* Names as the policy file spells them: "tls", "pass", ... */
const char *policy_action_name(enum policy_action action);
const char *policy_direction_name(enum policy_direction direction);

#endif
