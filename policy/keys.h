/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of the policy language, a row each. What a row says is all there is to a key. */
#ifndef SEAMTLS_POLICY_KEYS_H
#define SEAMTLS_POLICY_KEYS_H

#include "policy/conditions.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/text.h"

enum key_where { KEY_GLOBAL = 1, KEY_PROFILE = 2, KEY_RULE = 4, KEY_TLS = KEY_PROFILE | KEY_RULE };

enum choice_flag {
	CHOICE_RELAXES = 1, /* gives up something that the default protects */
	CHOICE_ALIAS = 2,   /* another spelling of the choice before it */
	CHOICE_TLS12 = 4,   /* a suite or group that is of use in this version */
	CHOICE_TLS13 = 8,
};

struct policy_choice {
	const char *name; /* NULL ends the list */
	unsigned value;
	unsigned flags; /* enum choice_flag */
};

/* Everything that the keys of one section can set. Rows point into it. */
struct key_values {
	struct policy_global global;
	char *include;
	char *inherit;
	char *profile;
	unsigned action;
	unsigned require;
	struct policy_conditions conditions;
	struct tls_settings tls;
};

struct policy_key {
	const char *name;
	unsigned where; /* enum key_where */
	unsigned role;  /* enum policy_direction: the only direction in which it means something; 0:
			   both */
	int (*parse)(struct parse *parse, const char *text,
		void *out);                  /* NULL: not supported by this build */
	const struct policy_choice *choices; /* if it has any */
	const char *allowed;                 /* if it has no choices */
	bool repeats;                        /* may be given more than once in a section */
	bool relaxes;                        /* any value gives up what the default protects */
	size_t offset, size;                 /* in struct key_values; size 0: nothing is kept */
	void (*print)(const struct policy_key *key, const void *field,
		struct text *out); /* as in a file; nothing: unset */
};

/* All rows, in the order in which they are documented. */
#define KEY_MAX 64
extern const struct policy_key policy_keys[];
extern const size_t policy_key_count;

/* NULL: there is no such key at all. */
const struct policy_key *key_find(const char *name);
static inline size_t key_index(const struct policy_key *key)
{
	return (size_t)(key - policy_keys);
}
static inline void *key_field(const struct policy_key *key, struct key_values *values)
{
	return (char *)values + key->offset;
}
/* Whether the key is one of struct tls_settings. */
static inline bool key_is_tls(const struct policy_key *key)
{
	return (key->where & KEY_PROFILE) != 0 && (key->where & KEY_RULE) != 0;
}

/* What a value of the key may be: "tls, pass, deny, observe". */
void key_print_allowed(const struct policy_key *key, struct text *out);

/* The choice of that name; NULL: none. */
const struct policy_choice *choice_find(const struct policy_choice *choices, const char *name);
/* The first name of a value; "?" if it has none. */
const char *choice_name(const struct policy_choice *choices, unsigned value);

extern const struct policy_choice choices_action[], choices_direction[], choices_cipher[],
	choices_group[], choices_signature[];

/* What a profile that sets nothing means. */
void key_values_default(struct key_values *values);

#endif
