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
	"MIIBfjCCASSgAwIBAgIUNomlYokc6Q0x/uLXkE94LoXB+uowCgYIKoZIzj0EAwIw\n"
	"EjEQMA4GA1UEAwwHY2EudGVzdDAgFw0yNDAxMDEwMDAwMDBaGA8yMTIyMDcyNjAw\n"
	"MDAwMFowEjEQMA4GA1UEAwwHZWMudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
	"A0IABBqKFb0Mc4FVlCnlF1BniwgdkJQFnuxoWp5hr0oQkepM6a/jZYbGcjywK5Js\n"
	"WQBhAhixWZrYYL64dLk66MCkE0ajVjBUMBIGA1UdEQQLMAmCB2VjLnRlc3QwHQYD\n"
	"VR0OBBYEFDbp7hxEzeP00PE5Fx+CzcZLx6vfMB8GA1UdIwQYMBaAFH4Szmnu2LuI\n"
	"stPidq78qK+OI7J3MAoGCCqGSM49BAMCA0gAMEUCIQDBB2lY1HGj+A5ivQ5DoRNG\n"
	"dHS9/VS6h/AJcsL2tZ7+DAIgE0I594iA2fUDD7EJG1jXEbMp6RpR7xXwssj5IeI4\n"
	"M/A=\n"
	"-----END CERTIFICATE-----\n"
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpqCFKi8UQlKnIkY0\n"
	"/zP7QMQQxoghAjODqjh/pBCjqrWhRANCAAQaihW9DHOBVZQp5RdQZ4sIHZCUBZ7s\n"
	"aFqeYa9KEJHqTOmv42WGxnI8sCuSbFkAYQIYsVma2GC+uHS5OujApBNG\n"
	"-----END PRIVATE KEY-----\n";
static const char ec_ca[] = "-----BEGIN CERTIFICATE-----\n"
			    "MIIBezCCASGgAwIBAgIUTbJb/eFsmOnkgYtag28bZH8Jx6wwCgYIKoZIzj0EAwIw\n"
			    "EjEQMA4GA1UEAwwHY2EudGVzdDAgFw0yNDAxMDEwMDAwMDBaGA8yMTIzMTIwODAw\n"
			    "MDAwMFowEjEQMA4GA1UEAwwHY2EudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
			    "A0IABMyUy4HxwrS5jWYRLK1rSO1bgyIdHfjftdUHy5r3j65g3VDLfVHzvNwWnlJW\n"
			    "aNWckjipL58uUcnf+p9RcYAPcECjUzBRMB0GA1UdDgQWBBR+Es5p7ti7iLLT4nau\n"
			    "/KivjiOydzAfBgNVHSMEGDAWgBR+Es5p7ti7iLLT4nau/KivjiOydzAPBgNVHRMB\n"
			    "Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIBD7BmzCezyhCFZ/toI8LeTj1aPF\n"
			    "F2zuvUosebKX7CDyAiEAi/nFdtDQo5yLaQ+YdmxB6CKrwqgf6/UkqcecDnLJrOA=\n"
			    "-----END CERTIFICATE-----\n";
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

/* The lists of settings, as policy would have made them. */
struct lists {
	char *files[2], *ca[1], *groups[2], *alpn[1];
};

static void fill_settings(
	enum tls_role role, unsigned variant, struct lists *lists, struct tls_settings *settings)
{
	size_t count = role == TLS_SERVER ? 2 : 1;
	bool other = role == TLS_SERVER && (variant & FIXTURE_RETRY) != 0;

	*settings = (struct tls_settings){ .min_version = POLICY_TLS12,
		.max_version = (variant & FIXTURE_TLS12) != 0 ? POLICY_TLS12 : POLICY_TLS13,
		.cert = { count, lists->files },
		.key = { count, lists->files },
		.groups = { other ? 1 : 2, lists->groups + other },
		.alpn = { 1, lists->alpn },
		.verify = POLICY_VERIFY_NONE,
		.resumption = true,
		.tickets = 1 };
	if ((variant & FIXTURE_VERIFIED) == 0)
		return;
	settings->ca = (struct policy_list){ 1, lists->ca };
	settings->verify = POLICY_VERIFY_FULL;
	settings->client_auth = POLICY_CLIENT_REQUIRED;
}

static struct tls_context *context_new(enum tls_role role, unsigned variant)
{
	char ec[FIXTURE_PATH_LEN], ed[FIXTURE_PATH_LEN], ca[FIXTURE_PATH_LEN];
	char x25519[] = "x25519", p256[] = "secp256r1", h2[] = "h2";
	struct lists lists = { { ec, ed }, { ca }, { x25519, p256 }, { h2 } };
	int fds[] = { fixture_file(ec_identity, sizeof ec_identity - 1, ec),
		fixture_file(ed_identity, sizeof ed_identity - 1, ed),
		fixture_file(ec_ca, sizeof ec_ca - 1, ca) };
	struct tls_settings settings;
	struct tls_context *context;
	char why[TLS_REASON_MAX];

	fill_settings(role, variant, &lists, &settings);
	if (tls_context_new(&settings, role, &context, why, sizeof why) != 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		close(fds[i]);
	return context;
}

struct tls_context *fixture_context(enum tls_role role, unsigned variant)
{
	static struct tls_context *contexts[TLS_SERVER + 1][FIXTURE_VARIANTS];

	if (contexts[role][variant] == NULL)
		contexts[role][variant] = context_new(role, variant);
	return contexts[role][variant];
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
