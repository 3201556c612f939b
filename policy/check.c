/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings that are legal one by one, and cannot work, or would not do what they look like,
 * together. */
#include "policy/load.h"

#include <stddef.h>
#include <string.h>

static bool has_key(uint64_t set, const char *name)
{
	return (set >> key_index(key_find(name)) & 1) != 0;
}

/* Where a setting comes from: the section itself, or the profile that gave it. */
static const struct place *key_origin(const struct section *section, const char *name)
{
	return has_key(section->set, name) ? &section->key_place[key_index(key_find(name))]
					   : &section->place;
}

/* Whether something in the list is of use in the versions that are left. */
static bool list_serves(const struct policy_list *list, const struct policy_choice *choices,
	const struct tls_settings *tls)
{
	unsigned versions = 0;

	if (tls->min_version <= POLICY_TLS12)
		versions |= CHOICE_TLS12;
	if (tls->max_version >= POLICY_TLS13)
		versions |= CHOICE_TLS13;
	for (size_t i = 0; i < list->count; i++)
		if ((choice_find(choices, list->items[i])->flags & versions) != 0)
			return true;
	return list->count == 0;
}

/* The upgrade is the library's to begin, and nobody goes on without it. */
static void check_starttls(struct loader *loader, const struct section *section)
{
	const struct tls_settings *tls = &section->values->tls;

	if (tls->starttls == POLICY_STARTTLS_NONE)
		return;
	if (tls->accept == POLICY_ACCEPT_BOTH)
		load_error(loader, key_origin(section, "accept"), "accept",
			"found 'both', which starttls does not allow: nobody goes on without TLS");
	if (tls->if_program_tls == POLICY_PROGRAM_PASS)
		load_error(loader, key_origin(section, "if_program_tls"), "if_program_tls",
			"found 'pass', which starttls does not allow: the upgrade comes before the "
			"program's first bytes");
	/* It may be a request of its own, which is answered once there is TLS. */
	if (tls->starttls == POLICY_STARTTLS_PGSQL && tls->handshake_at == POLICY_AT_FIRST_USE)
		load_error(loader, key_origin(section, "handshake_at"), "handshake_at",
			"found 'first_use', which starttls = pgsql does not allow: the upgrade "
			"comes before the program's first bytes");
}

/* Who says when TLS starts. */
static void check_start(struct loader *loader, const struct section *section)
{
	const struct tls_settings *tls = &section->values->tls;

	if (tls->start == POLICY_START_PROGRAM && tls->accept == POLICY_ACCEPT_BOTH)
		load_error(loader, key_origin(section, "start"), "start",
			"is program, and accept is both: either the program says whether there is "
			"TLS, or the client");
	if (tls->start == POLICY_START_PROGRAM && tls->starttls != POLICY_STARTTLS_NONE)
		load_error(loader, key_origin(section, "start"), "start",
			"is program, and there is a starttls: either the program speaks it, or the "
			"library");
}

void check_settings(struct loader *loader, const struct section *section)
{
	const struct tls_settings *tls = &section->values->tls;
	const char *version = tls->max_version == POLICY_TLS12 ? "1.2" : "1.3";

	if (tls->min_version > tls->max_version) {
		load_error(loader, key_origin(section, "min_version"), "min_version",
			"is above max_version, which is 1.2");
		return;
	}
	check_starttls(loader, section);
	if (tls->must_staple && tls->verify == POLICY_VERIFY_NONE)
		load_error(loader, key_origin(section, "must_staple"), "must_staple",
			"needs verify = full, or chain: nothing is asked of a peer that is not "
			"verified");
	if (tls->crl_check != POLICY_CRL_REQUIRED && tls->crl.count == 0)
		load_error(loader, key_origin(section, "crl_check"), "crl_check",
			"needs crl: there are no revocation lists to go by");
	check_start(loader, section);
	if (!list_serves(&tls->ciphers, choices_cipher, tls))
		load_error(loader, key_origin(section, "ciphers"), "ciphers",
			"none of them is of TLS %s, and no other version is allowed", version);
	if (!list_serves(&tls->signature_algorithms, choices_signature, tls))
		load_error(loader, key_origin(section, "signature_algorithms"),
			"signature_algorithms",
			"none of them is of TLS %s, and no other version is allowed", version);
	if (!list_serves(&tls->groups, choices_group, tls))
		load_error(loader, key_origin(section, "groups"), "groups",
			"none of them is of TLS %s, and no other version is allowed", version);
}

static void check_roles(struct loader *loader, const struct section *section, unsigned directions)
{
	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];

		if ((section->own >> i & 1) != 0 && key->role != 0 && (key->role & directions) == 0)
			load_error(loader, &section->key_place[i], key->name,
				"means something for %s connections only, and this rule is for %s "
				"ones",
				choice_name(choices_direction, key->role),
				choice_name(choices_direction, directions));
	}
}

static void check_credentials(
	struct loader *loader, const struct section *section, unsigned directions)
{
	const struct tls_settings *tls = &section->values->tls;
	bool has_cert = has_key(section->set, "cert");

	if (tls->key.count > 0 && !has_cert)
		load_error(loader, key_origin(section, "key"), "key",
			"there is no cert that it belongs to");
	else if (tls->key.count > 0 && tls->cert.count > 0 && tls->key.count != tls->cert.count)
		load_error(loader, key_origin(section, "key"), "key",
			"found %zu for %zu certs, allowed: one for each, or none if the files of "
			"the certs hold them",
			tls->key.count, tls->cert.count);
	if (tls->password_file.count > 1 && tls->password_file.count != tls->cert.count)
		load_error(loader, key_origin(section, "password_file"), "password_file",
			"found %zu for %zu certs, allowed: one for all, or one for each",
			tls->password_file.count, tls->cert.count);
	if ((directions & POLICY_INBOUND) == 0)
		return;
	if (!has_cert && (directions & POLICY_OUTBOUND) == 0)
		load_error(loader, &section->place, "cert",
			"is missing: an inbound rule with action = tls needs a certificate");
	else if (!has_cert)
		load_error(loader, &section->place, "cert",
			"is missing: the rule can match inbound connections, which need a "
			"certificate; or say direction = outbound");
	if (tls->client_auth != POLICY_CLIENT_NONE && !has_key(section->set, "ca"))
		load_error(loader, key_origin(section, "client_auth"), "client_auth",
			"needs ca: whose clients are to be trusted (ca = system would be "
			"anybody's)");
}

/* Only a digest says something of a certificate that nobody vouches for. */
static bool needs_vouching(const struct policy_list *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (strncmp(patterns->items[i], "sha256:", 7) != 0)
			return true;
	return false;
}

static void check_peers(struct loader *loader, const struct section *section, unsigned directions)
{
	const struct tls_settings *tls = &section->values->tls;

	if (tls->allow_peer.count == 0)
		return;
	if ((directions & POLICY_INBOUND) != 0 && tls->client_auth == POLICY_CLIENT_NONE)
		load_error(loader, key_origin(section, "allow_peer"), "allow_peer",
			"needs client_auth = required, or optional: clients are not asked for a "
			"certificate otherwise");
	if ((directions & POLICY_OUTBOUND) != 0 && tls->verify == POLICY_VERIFY_NONE &&
		needs_vouching(&tls->allow_peer))
		load_error(loader, key_origin(section, "allow_peer"), "allow_peer",
			"needs verify = full, or chain: the names in a certificate that is not "
			"verified prove nothing (only sha256: would)");
}

void check_rule(struct loader *loader, const struct section *section)
{
	unsigned directions = conditions_directions(&section->values->conditions);

	check_roles(loader, section, directions);
	if (!has_key(section->own, "action"))
		load_error(loader, &section->place, "action",
			"is missing: the rule \"%s\" needs one, allowed: tls, pass, deny, observe",
			section->name);
	else if (section->values->require != 0 && section->values->action != POLICY_PASS &&
		 section->values->action != POLICY_OBSERVE)
		load_error(loader, key_origin(section, "require"), "require",
			"is for connections that are left alone: action = pass, or observe");
	else if (section->values->action == POLICY_TLS) {
		check_credentials(loader, section, directions);
		check_peers(loader, section, directions);
	}
}
