/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The order of a migration: servers learn TLS and still take clients without it; then clients speak
 * it; then servers insist. A client that insists on TLS before its server has it would be cut off,
 * so that the permissive stage has rules for clients that only observe.
 */
#include "suggest.h"
#include "when.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Ports whose protocol has its own upgrade. */
static const struct {
	unsigned port;
	const char *protocol;
} upgrades[] = {
	{ 25, "smtp" },
	{ 587, "smtp" },
	{ 143, "imap" },
	{ 110, "pop3" },
	{ 389, "ldap" },
	{ 5432, "pgsql" },
	{ 119, "nntp" },
};

/* Ports where programs speak TLS themselves, so that it most likely is none in the clear. */
static const unsigned tls_ports[] = { 443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5061,
	5671, 6514, 6697, 8443, 8883 };

static const char *upgrade_of(const struct suggest_target *target)
{
	for (size_t i = 0; i < sizeof upgrades / sizeof upgrades[0]; i++)
		if (upgrades[i].port == target->port)
			return upgrades[i].protocol;
	return NULL;
}

static bool speaks_tls_itself(const struct suggest_target *target)
{
	for (size_t i = 0; i < sizeof tls_ports / sizeof tls_ports[0]; i++)
		if (tls_ports[i] == target->port)
			return true;
	return false;
}

static int compare_counts(const void *a, const void *b)
{
	const struct suggest_target *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	if (x->inbound != y->inbound)
		return x->inbound ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return strcmp(x->inbound ? "" : x->host, y->inbound ? "" : y->host);
}

static void print_key(FILE *out, const char *key, const char *value)
{
	fprintf(out, "%-14s = %s\n", key, value);
}

static void print_programs(const struct suggest_target *target, FILE *out)
{
	/* A condition that leaves some of them out would leave them in the clear. */
	if (target->other_programs || target->program_count == 0)
		return;
	fprintf(out, "%-14s = ", "program");
	for (size_t i = 0; i < target->program_count; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : "", target->programs[i]);
	putc('\n', out);
}

static void print_conditions(const struct suggest_target *target, FILE *out)
{
	char port[8];

	snprintf(port, sizeof port, "%u", target->port);
	print_key(out, "direction", target->inbound ? "inbound" : "outbound");
	if (target->host[0] != '\0')
		print_key(out, "remote_host", target->host);
	if (target->address[0] != '\0')
		print_key(out, "remote_address", target->address);
	print_key(out, target->inbound ? "local_port" : "remote_port", port);
	print_programs(target, out);
}

static void print_server(
	const struct suggest *suggest, const struct suggest_target *target, FILE *out)
{
	const char *upgrade = upgrade_of(target);

	if (!suggest->enforce && upgrade != NULL) {
		fputs("# Clients without TLS would be refused, once this says 'action = tls' and\n"
		      "# 'starttls'; so it is for the last stage.\n",
			out);
		print_key(out, "action", "observe");
		return;
	}
	if (suggest->cert == NULL) {
		fputs("# For 'action = tls' it needs a certificate: --cert=FILE --key=FILE\n", out);
		print_key(out, "action", "observe");
		return;
	}
	print_key(out, "action", "tls");
	if (upgrade != NULL)
		print_key(out, "starttls", upgrade);
	print_key(out, "cert", suggest->cert);
	print_key(out, "key", suggest->key);
	if (!suggest->enforce)
		fputs("accept         = both       # still takes clients without TLS, and audits "
		      "them\n",
			out);
}

static void print_client(
	const struct suggest *suggest, const struct suggest_target *target, FILE *out)
{
	const char *upgrade = upgrade_of(target);

	if (!suggest->enforce) {
		fputs("action         = observe    # tls, as soon as the server speaks it\n", out);
		return;
	}
	print_key(out, "action", "tls");
	if (upgrade != NULL)
		print_key(out, "starttls", upgrade);
	print_key(out, "ca", suggest->ca);
	if (target->host[0] == '\0')
		fputs("# The program looked no name up, so the certificate has to have the "
		      "address; or:\n"
		      "# server_name  = the name in it\n",
			out);
	if (target->own > 0)
		fputs("if_program_tls = pass       # some speak TLS by themselves here\n", out);
	else if (speaks_tls_itself(target) && upgrade == NULL)
		fputs("if_program_tls = pass       # most programs speak TLS by themselves here\n",
			out);
}

static void print_target(
	const struct suggest *suggest, const struct suggest_target *target, FILE *out)
{
	char when[WHEN_LEN];

	if (target->count == 0)
		return;
	fprintf(out, "\n# %" PRIu64 " connection%s in the clear, the last at %s.\n", target->count,
		target->count == 1 ? "" : "s",
		when_seconds(when, target->last_us / WHEN_SECOND_US));
	if (target->own > 0)
		fprintf(out, "# %" PRIu64 " more had TLS or SSH of the program's own.\n",
			target->own);
	if (target->inbound && speaks_tls_itself(target)) {
		fprintf(out,
			"# No rule for the server at port %u: it most likely speaks TLS by "
			"itself.\n",
			target->port);
		return;
	}
	if (target->inbound)
		fprintf(out, "[rule \"server at port %u\"]\n", target->port);
	else
		fprintf(out, "[rule \"to %s port %u\"]\n",
			target->host[0] != '\0' ? target->host : target->address, target->port);
	print_conditions(target, out);
	if (target->inbound)
		print_server(suggest, target, out);
	else
		print_client(suggest, target, out);
}

static void print_head(const struct suggest *suggest, FILE *out)
{
	char first[WHEN_LEN], last[WHEN_LEN];
	uint64_t own = 0;

	if (suggest->last_us == 0) {
		fputs("# The audit log has no events. Run the programs under a policy with "
		      "'default = "
		      "observe' in [global]\n# first (seamtls run -p POLICY PROGRAM), so that "
		      "there is "
		      "something to go by.\n",
			out);
		return;
	}
	fprintf(out, "# From the audit log of %s to %s.\n",
		when_seconds(first, suggest->first_us / WHEN_SECOND_US),
		when_seconds(last, suggest->last_us / WHEN_SECOND_US));
	if (suggest->enforce)
		fputs("# Last stage: clients and servers insist on TLS. Once nothing is left in "
		      "the clear,\n"
		      "# 'default = deny' keeps it so.\n",
			out);
	else
		fputs("# Permissive stage: servers speak TLS and still take clients without it; "
		      "clients go on as\n"
		      "# before. When servers have this, use 'seamtls suggest --stage enforce' for "
		      "their clients,\n"
		      "# and when no client is left in the clear (seamtls log --event pass), for "
		      "the servers.\n",
			out);
	if (suggest->skipped > 0)
		fprintf(out,
			"# Left out: %" PRIu64 " connections within this host (see --loopback), "
			"without an address, or to too\n"
			"# many places.\n",
			suggest->skipped);
	for (size_t i = 0; i < suggest->target_count; i++)
		own += suggest->targets[i].own;
	if (own > 0)
		fprintf(out,
			"# Not in the clear: %" PRIu64
			" connections with TLS or SSH of the programs' own.\n",
			own);
	fputs("\n[global]\ndefault        = observe\n", out);
}

static bool any_in_the_clear(const struct suggest *suggest)
{
	for (size_t i = 0; i < suggest->target_count; i++)
		if (suggest->targets[i].count > 0)
			return true;
	return false;
}

void suggest_print(struct suggest *suggest, FILE *out)
{
	print_head(suggest, out);
	if (!any_in_the_clear(suggest))
		fputs("\n# Nothing was in the clear.\n", out);
	else
		qsort(suggest->targets, suggest->target_count, sizeof suggest->targets[0],
			compare_counts);
	for (size_t i = 0; i < suggest->target_count; i++)
		print_target(suggest, &suggest->targets[i], out);
}
