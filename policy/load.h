/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known while a policy is being loaded: the sections as they were read. All of it is gone
 * when the policy is there. */
#ifndef SEAMTLS_POLICY_LOAD_H
#define SEAMTLS_POLICY_LOAD_H

#include "policy/arena.h"
#include "policy/errors.h"
#include "policy/index.h"
#include "policy/keys.h"
#include "policy/policy.h"
#include "policy/watch.h"
#include <sys/types.h>

#define LOAD_FILES_MAX 64
#define LOAD_DEPTH_MAX 8                 /* files that include files */
#define LOAD_BYTES_MAX ((size_t)4 << 20) /* of all files */
#define LOAD_RULES_MAX INDEX_RULES_MAX
#define LOAD_INHERIT_MAX 16 /* profiles in a row */
#define LOAD_NAME_MAX 64    /* bytes of the name of a rule or profile */

struct place {
	const char *file;
	unsigned line;
};

enum section_kind { SECTION_NONE, SECTION_GLOBAL, SECTION_PROFILE, SECTION_RULE };

struct section {
	enum section_kind kind;
	const char *name; /* "" if it was no legal one */
	uint32_t hash;    /* of the name */
	struct place place;
	uint64_t set, own;       /* which keys it has, by key_index(); own: that stand in it */
	struct place *key_place; /* of each of them */
	struct key_values *values;
	struct section *next;
};

struct policy_private {
	struct arena arena;
	struct policy_index index;
};

struct loader {
	struct policy *policy;
	struct policy_errors *errors;
	struct watch *watch; /* or NULL */
	bool failed;         /* something was refused, whether or not there was memory to say so */
	bool out_of_memory;
	struct arena scratch; /* until the policy is complete */
	struct arena *keep;   /* as long as the policy */
	struct section global;
	struct section *first,
		**last; /* profiles and rules, in the order in which they were read */
	size_t rule_count;

	size_t file_count, bytes;
	struct {
		dev_t dev;
		ino_t ino;
		struct place from; /* the include; file NULL for the first */
	} files[LOAD_FILES_MAX];
};

/* Notes what is wrong. `place` NULL: the policy as a whole. */
__attribute__((format(printf, 4, 5))) void load_error(
	struct loader *loader, const struct place *place, const char *key, const char *format, ...);
void load_no_memory(struct loader *loader);

/* Reads a file, or the text of the built-in policy, with what it includes. Errors are noted. */
void load_file(struct loader *loader, const char *path, const struct place *from, unsigned depth);
void load_text(struct loader *loader, const char *name, const char *dir, const char *text,
	size_t len, unsigned depth);

/* From sections to policy->rules, with profiles and defaults filled in. Errors are noted. */
void resolve_rules(struct loader *loader);

/* Settings that are legal one by one and make no sense together; `section` is a rule or profile
 * with everything filled in. */
void check_settings(struct loader *loader, const struct section *section);
void check_rule(struct loader *loader, const struct section *section);

#endif
