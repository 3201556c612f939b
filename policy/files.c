/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rule's settings are made from, and whether they have become others: for who keeps what was
 * made from them. */
#include "policy/keys.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 65536

/* By how they are read: those keys whose values have to be there. */
static bool names_files(const struct policy_key *key)
{
	return key->parse == parse_files || key->parse == parse_ca || key->parse == parse_crl;
}

void policy_files_each(const struct policy_rule *rule,
	void (*file)(const char *key, const char *path, void *arg), void *arg)
{
	struct key_values values = { .tls = rule->tls };

	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		const struct policy_list *list = key_field(key, &values);

		if (key->size > 0 && names_files(key))
			for (size_t j = 0; j < list->count; j++)
				file(key->name, list->items[j], arg);
	}
}

static bool same_value(const struct policy_key *key, struct key_values *a, struct key_values *b,
	char *a_buf, char *b_buf)
{
	struct text a_text, b_text;

	if (key->print == NULL)
		return memcmp(key_field(key, a), key_field(key, b), key->size) == 0;
	text_init(&a_text, a_buf, VALUE_BYTES);
	text_init(&b_text, b_buf, VALUE_BYTES);
	key->print(key, key_field(key, a), &a_text);
	key->print(key, key_field(key, b), &b_text);
	/* What does not fit cannot be told. */
	return a_text.len < VALUE_BYTES - 1 && strcmp(a_buf, b_buf) == 0;
}

bool policy_same_settings(const struct policy_rule *a, const struct policy_rule *b)
{
	struct key_values a_values = { .tls = a->tls }, b_values = { .tls = b->tls };
	char *buf = malloc((size_t)2 * VALUE_BYTES);
	bool same = buf != NULL;

	for (size_t i = 0; same && i < policy_key_count; i++)
		if (key_is_tls(&policy_keys[i]) && policy_keys[i].size > 0)
			same = same_value(
				&policy_keys[i], &a_values, &b_values, buf, buf + VALUE_BYTES);
	free(buf);
	return same;
}
