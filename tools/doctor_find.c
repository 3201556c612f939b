/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signs of what stands in the way or goes past the library, in libraries' names and in files. */
#include "doctor_find.h"
#include "elf_scan.h"
#include <stdio.h>
#include <string.h>

#define IO_URING                                                                                   \
	"it may use io_uring, where its bytes go past the library, in the clear, whatever rules "  \
	"and require say: strict = yes in [global] keeps it from that"

/* Libraries that matter, by how their names begin. */
static const struct {
	const char *begins, *what, *meaning;
} libraries[] = {
	{ "libssl.so", "own TLS", "it can speak TLS itself, by OpenSSL" },
	{ "libgnutls.so", "own TLS", "it can speak TLS itself, by GnuTLS" },
	{ "libssl3.so", "own TLS", "it can speak TLS itself, by NSS" },
	{ "libmbedtls.so", "own TLS", "it can speak TLS itself, by Mbed TLS" },
	{ "libwolfssl.so", "own TLS", "it can speak TLS itself, by wolfSSL" },
	{ "libs2n.so", "own TLS", "it can speak TLS itself, by s2n" },
	{ "liburing.so", "io_uring", IO_URING },
	{ "libseccomp.so", "seccomp", "it limits its system calls: test it under the library" },
};
#define LIBRARIES (sizeof libraries / sizeof libraries[0])

_Static_assert(LIBRARIES <= FINDINGS_LIBRARIES_MAX, "all can be told");

void find_library(struct findings *findings, const char *path)
{
	const char *name = doctor_base_name(path);
	char detail[512];

	for (size_t i = 0; i < LIBRARIES; i++) {
		if (findings->told[i] ||
			strncmp(name, libraries[i].begins, strlen(libraries[i].begins)) != 0)
			continue;
		findings->told[i] = true;
		snprintf(detail, sizeof detail, "%s (%.200s)", libraries[i].meaning, name);
		findings->tell(
			strcmp(libraries[i].what, "io_uring") == 0 ? DOCTOR_WARNING : DOCTOR_NOTE,
			libraries[i].what, detail, findings->arg);
	}
}

/* --- what is in the files --- */

/* What makes one look: names of libraries that are asked for while the program runs. */
enum { LOADS_OPENSSL, LOADS_GNUTLS, LOADS_NSS, NAMESPACE, CIPHER, WORDS };
static const char *const words[WORDS + 1] = { "libssl.so", "libgnutls.so", "libssl3.so", "dlmopen",
	"TLS_AES_128_GCM_SHA256", NULL };

/* libc's parts are where system calls belong, and TLS libraries speak TLS. */
static bool is_left_out(const char *name)
{
	static const char *const begins[] = { "libc.so", "libc-", "ld-linux", "libpthread",
		"librt.", "libdl.", "libresolv", "libnss_", "libm.", "libcrypto.so",
		"libseamtls.so" };

	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	for (size_t i = 0; i < LIBRARIES; i++)
		if (strncmp(name, libraries[i].begins, strlen(libraries[i].begins)) == 0)
			return true;
	return false;
}

static void say_calls(
	const struct findings *findings, const struct elf_scan *scan, const char *name)
{
	char names[256] = "";

	for (size_t i = 0; i < scan->call_count; i++)
		snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s",
			i > 0 ? ", " : "", scan->calls[i]);
	doctor_say(findings->tell, findings->arg, DOCTOR_WARNING, "system calls",
		"it may make some without libc, which go past the library, in the clear: %s (in "
		"%.128s): watch it with strace -k -e trace=%%net",
		names, name);
}

void find_contents(struct findings *findings, int fd, const char *name, bool program)
{
	static const size_t loads[] = { LOADS_OPENSSL, LOADS_GNUTLS, LOADS_NSS };
	struct elf_scan scan = { .call_count = 0 };

	if (is_left_out(name) || elf_scan(fd, words, &scan) < 0)
		return;
	if (scan.call_count > 0)
		say_calls(findings, &scan, name);
	if (scan.io_uring)
		doctor_say(findings->tell, findings->arg, DOCTOR_WARNING, "io_uring",
			IO_URING " (in %.128s)", name);
	if (scan.words[NAMESPACE])
		doctor_say(findings->tell, findings->arg, DOCTOR_NOTE, "namespaces",
			"it may load code with dlmopen, which is refused under a policy, since "
			"that "
			"gets a libc of its own (in %.128s)",
			name);
	for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
		for (size_t j = 0; scan.words[loads[i]] && j < LIBRARIES; j++)
			if (!findings->told[j] &&
				strcmp(libraries[j].begins, words[loads[i]]) == 0) {
				findings->told[j] = true;
				doctor_say(findings->tell, findings->arg, DOCTOR_NOTE, "own TLS",
					"%s (%s, which %.128s may load)", libraries[j].meaning,
					words[loads[i]], name);
			}
	findings->speaks_tls = findings->speaks_tls || (program && scan.words[CIPHER]);
}

void find_end(struct findings *findings)
{
	for (size_t i = 0; i < LIBRARIES; i++)
		if (findings->told[i] && strcmp(libraries[i].what, "own TLS") == 0)
			findings->speaks_tls = false;
	if (findings->speaks_tls)
		doctor_say(findings->tell, findings->arg, DOCTOR_NOTE, "own TLS",
			"it names TLS 1.3's cipher suites, so it may speak TLS itself, by what is "
			"linked "
			"into it");
}
