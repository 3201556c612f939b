/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether this machine's kernel has TLS, for `plane = kernel`: tried, on a connection over
 * loopback. */
#include "conn/kernel_info.h"
#include "doctor.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ULPS "/proc/sys/net/ipv4/tcp_available_ulp"
#define LINE_LEN 4096

/* False: the file is not there, or no line of it has the word. */
static bool file_has(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	char line[LINE_LEN];
	bool found = false;

	while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
		found = strstr(line, word) != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

static bool can_be_loaded(void)
{
	struct utsname name;
	char path[sizeof name.release + 64];

	if (uname(&name) < 0)
		return false;
	snprintf(path, sizeof path, "/lib/modules/%s/modules.dep", name.release);
	return file_has(path, "/tls/tls.ko");
}

/* A connection whose other end nobody accepts. */
static bool connect_pair(int listener, int fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	return bind(listener, (struct sockaddr *)&at, len) == 0 && listen(listener, 1) == 0 &&
	       getsockname(listener, (struct sockaddr *)&at, &len) == 0 &&
	       connect(fd, (struct sockaddr *)&at, len) == 0;
}

struct ability {
	bool sends, receives, rekeys;
};

static bool set_key(int fd, int direction, const struct record_key *key)
{
	union kernel_info info;

	return setsockopt(fd, SOL_TLS, direction, &info, (socklen_t)kernel_info_fill(key, &info)) ==
	       0;
}

static void try_on(int fd, uint16_t version, enum record_aead aead, struct ability *out)
{
	const struct record_key key = { .version = version, .aead = (uint8_t)aead };

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") < 0)
		return;
	out->sends = set_key(fd, TLS_TX, &key);
	out->receives = set_key(fd, TLS_RX, &key);
	out->rekeys = version == RECORD_TLS13 && out->sends && set_key(fd, TLS_TX, &key);
}

static struct ability try(uint16_t version, enum record_aead aead)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ability ability = { false, false, false };

	if (listener >= 0 && fd >= 0 && connect_pair(listener, fd))
		try_on(fd, version, aead, &ability);
	if (fd >= 0)
		close(fd);
	if (listener >= 0)
		close(listener);
	return ability;
}

/* "TLS 1.2 and 1.3 with AES-128-GCM, ...", of what goes both ways. */
static enum doctor_verdict describe(char *out, size_t len)
{
	static const char *const names[] = { "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305" };
	static const uint16_t versions[] = { RECORD_TLS12, RECORD_TLS13 };
	size_t at = 0, lacks = 0;
	bool rekeys = false;

	for (size_t v = 0; v < 2; v++) {
		at += (size_t)snprintf(
			out + at, len - at, "%sTLS 1.%zu:", v > 0 ? "; " : "", v + 2);
		for (int aead = RECORD_AES_128_GCM; aead <= RECORD_CHACHA20_POLY1305; aead++) {
			struct ability ability = try(versions[v], (enum record_aead)aead);
			const char *how = ability.sends && ability.receives ? ""
					  : ability.sends                   ? " (sends only)"
					  : ability.receives                ? " (receives only)"
									    : " not";

			lacks += how[0] != '\0';
			rekeys |= ability.rekeys;
			at += (size_t)snprintf(out + at, len - at, " %s%s%s", names[aead], how,
				aead < RECORD_CHACHA20_POLY1305 ? "," : "");
		}
	}
	snprintf(out + at, len - at, "%s%s",
		lacks > 0 ? "; what is missing stays with the library (modprobe chacha20poly1305, "
			    "gcm)"
			  : "",
		rekeys ? "; keys can be changed"
		       : "; keys cannot be changed before Linux 6.14: a peer that does (KeyUpdate) "
			 "ends a connection of TLS 1.3");
	return lacks > 0 || !rekeys ? DOCTOR_NOTE : DOCTOR_OK;
}

void doctor_kernel(doctor_tell *tell, void *arg)
{
	char text[512];
	enum doctor_verdict verdict = DOCTOR_NOTE;

	if (file_has(ULPS, "tls"))
		verdict = describe(text, sizeof text);
	else if (can_be_loaded())
		snprintf(text, sizeof text,
			"the module is there and not loaded (modprobe tls): until then all "
			"connections stay with the library");
	else
		snprintf(text, sizeof text,
			"this kernel has none: all connections stay with the library");
	tell(verdict, "kernel TLS", text, arg);
}
