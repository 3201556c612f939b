/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a peer may send to a client of ours before any key is agreed on. First byte: versions and
 * how it is delivered. */
#include "fuzz.h"
#include "tls/handshake.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 4096

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

static struct tls_context *context_for(unsigned max_version)
{
	static struct tls_context *context[2];
	struct tls_settings settings = { .min_version = POLICY_TLS12,
		.max_version = max_version ? POLICY_TLS13 : POLICY_TLS12,
		.verify = POLICY_VERIFY_NONE };
	char why[TLS_REASON_MAX];

	if (context[max_version] == NULL &&
		tls_context_new(&settings, TLS_CLIENT, &context[max_version], why, sizeof why) != 0)
		abort();
	return context[max_version];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input input = { data + 1, len - 1, 0 };
	struct tls_transport transport = { input_recv, input_send, &input };
	struct tls_handshake *handshake;
	int r = -EAGAIN;

	if (len < 1)
		return 0;
	input.chunk = (data[0] & 2) != 0 ? 1 : SIZE_MAX;
	if (tls_handshake_new(context_for(data[0] & 1), "server.test", &transport, &handshake) != 0)
		abort();
	for (int i = 0; i < STEPS_MAX && r == -EAGAIN; i++)
		r = tls_handshake_step(handshake);
	/* It ends: nobody can have guessed our key share. */
	if (r == 0 || r == -EAGAIN || strlen(tls_handshake_result(handshake)->reason) == 0)
		abort();
	tls_handshake_free(handshake);
	return 0;
}
