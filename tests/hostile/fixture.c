/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fixture.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEPS_MAX 4096

/* Certificates and keys that are good for nothing but this. */
static const char ec_identity[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBjjCCATWgAwIBAgIUXj5j84W8t2qtzHMtP2z+RjqMfFwwCgYIKoZIzj0EAwIw\n"
	"EjEQMA4GA1UEAwwHZWMudGVzdDAgFw0yNjExMjQyMTIzMjdaGA8yMTI2MTAzMTIx\n"
	"MjMyN1owEjEQMA4GA1UEAwwHZWMudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
	"A0IABHgTiHOS10C5w/LDijnQ4j2jmlkpL4jTlQbuIyKbqMefd0zptu1DZe/bAiKX\n"
	"7ASREhnBYkkgLjei6gt8k7PFGmSjZzBlMB0GA1UdDgQWBBTJlwt2fMmRWJfonKOV\n"
	"6L5LCgmI/TAfBgNVHSMEGDAWgBTJlwt2fMmRWJfonKOV6L5LCgmI/TAPBgNVHRMB\n"
	"Af8EBTADAQH/MBIGA1UdEQQLMAmCB2VjLnRlc3QwCgYIKoZIzj0EAwIDRwAwRAIg\n"
	"B3yu31uuppaeyBUIDWZVPclkx3Jer+TT6ohc2B9sEuICIAWdZuAholzdwmFgknYf\n"
	"XrIp5B1Ua/lUef0wd9L+eZAv\n"
	"-----END CERTIFICATE-----\n"
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbtDPr7k9w5SoiMeR\n"
	"4OPPvrvLy5Y3pq6d5HkirHQFcUGhRANCAAR4E4hzktdAucPyw4o50OI9o5pZKS+I\n"
	"05UG7iMim6jHn3dM6bbtQ2Xv2wIil+wEkRIZwWJJIC43ouoLfJOzxRpk\n"
	"-----END PRIVATE KEY-----\n";
static const char ed_identity[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBTzCCAQGgAwIBAgIUNKkYLVaX0RhBNm+F82QcTMY9fXgwBQYDK2VwMBIxEDAO\n"
	"BgNVBAMMB2VkLnRlc3QwIBcNMjYxMTI0MjEyMzI3WhgPMjEyNjEwMzEyMTIzMjda\n"
	"MBIxEDAOBgNVBAMMB2VkLnRlc3QwKjAFBgMrZXADIQA9YiiDUrGJriLR/zUApE06\n"
	"ehAjJoB4cJVXldnRYuJGmKNnMGUwHQYDVR0OBBYEFO8cekp5XtBgxkbtfKTnGm8b\n"
	"fUmvMB8GA1UdIwQYMBaAFO8cekp5XtBgxkbtfKTnGm8bfUmvMA8GA1UdEwEB/wQF\n"
	"MAMBAf8wEgYDVR0RBAswCYIHZWQudGVzdDAFBgMrZXADQQBOMg9XjhMyath8UxV2\n"
	"8848hSR1lZdsaVUjQzIRM9UFYLR/65oBbaNjDU4WqX6zHU6OExzYTdG5rkehQqhc\n"
	"iwAM\n"
	"-----END CERTIFICATE-----\n"
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIPhyZ25tiTIxVfDpTJ09LM+hrNv4krY7gTorNbxEJ+pJ\n"
	"-----END PRIVATE KEY-----\n";

int fixture_file(const void *data, size_t len, char path[FIXTURE_PATH_LEN])
{
	int fd = memfd_create("fixture", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	snprintf(path, FIXTURE_PATH_LEN, "/proc/self/fd/%d", fd);
	return fd;
}

static struct tls_context *context_new(enum tls_role role)
{
	char ec[FIXTURE_PATH_LEN], ed[FIXTURE_PATH_LEN], x25519[] = "X25519", h2[] = "h2";
	char *files[] = { ec, ed }, *groups[] = { x25519 }, *alpn[] = { h2 };
	size_t count = role == TLS_SERVER ? 2 : 1;
	struct tls_settings settings = { .min_version = POLICY_TLS12,
		.max_version = POLICY_TLS13,
		.cert = { count, files },
		.key = { count, files },
		.groups = { 1, groups },
		.alpn = { 1, alpn },
		.verify = POLICY_VERIFY_NONE,
		.resumption = true,
		.tickets = 1 };
	int fds[] = { fixture_file(ec_identity, sizeof ec_identity - 1, ec),
		fixture_file(ed_identity, sizeof ed_identity - 1, ed) };
	struct tls_context *context;
	char why[TLS_REASON_MAX];

	if (tls_context_new(&settings, role, &context, why, sizeof why) != 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	close(fds[0]);
	close(fds[1]);
	return context;
}

struct tls_context *fixture_context(enum tls_role role)
{
	static struct tls_context *contexts[TLS_SERVER + 1];

	if (contexts[role] == NULL)
		contexts[role] = context_new(role);
	return contexts[role];
}

struct input {
	const uint8_t *data;
	size_t len, chunk;
};

static ssize_t input_recv(void *arg, void *buf, size_t len)
{
	struct input *input = arg;

	if (len > input->chunk)
		len = input->chunk;
	if (len > input->len)
		len = input->len;
	memcpy(buf, input->data, len);
	input->data += len;
	input->len -= len;
	return (ssize_t)len;
}

static ssize_t input_send(void *arg, const void *buf, size_t len)
{
	(void)arg;
	(void)buf;
	return (ssize_t)len;
}

void fixture_feed(struct tls_context *context, const uint8_t *data, size_t len, bool by_byte)
{
	struct input input = { data, len, by_byte ? 1 : SIZE_MAX };
	const struct tls_transport transport = { input_recv, input_send, &input };
	struct tls_handshake *handshake;
	int r = -EAGAIN;

	if (tls_handshake_new(context, "server.test", &transport, &handshake) != 0)
		abort();
	for (int i = 0; i < STEPS_MAX && r == -EAGAIN; i++)
		r = tls_handshake_step(handshake);
	/* It ends: nobody can have guessed our key share. */
	if (r == 0 || r == -EAGAIN || strlen(tls_handshake_result(handshake)->reason) == 0)
		abort();
	tls_handshake_free(handshake);
}
