/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a server may send to a client of ours after the handshake, in records that are good: first
 * byte 0, the body of a ticket, which is then offered to it; else a request for the client's
 * certificate, after that many KeyUpdates.
 */
#include "fixture.h"
#include "fuzz.h"
#include "tls/post_auth.h"
#include "tls/record.h"
#include "tls/resumption.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 64
#define QUEUE_LEN 65536
#define UPDATES_MOST 4
#define PORT 443

struct queue {
	uint8_t bytes[QUEUE_LEN];
	size_t head, tail;
};

struct end {
	struct queue *in, *out;
};

static ssize_t end_recv(void *arg, void *buf, size_t len)
{
	struct queue *in = ((struct end *)arg)->in;

	if (in->head == in->tail)
		return -EAGAIN;
	if (len > in->tail - in->head)
		len = in->tail - in->head;
	memcpy(buf, in->bytes + in->head, len);
	in->head += len;
	return (ssize_t)len;
}

static ssize_t end_send(void *arg, const void *buf, size_t len)
{
	struct queue *out = ((struct end *)arg)->out;

	if (len > sizeof out->bytes - out->tail)
		abort();
	memcpy(out->bytes + out->tail, buf, len);
	out->tail += len;
	return (ssize_t)len;
}

static struct tls_handshake *make(enum tls_role role, struct end *end)
{
	const struct tls_transport transport = { end_recv, end_send, end };
	struct tls_handshake *handshake;

	if (tls_handshake_new(fixture_context(role, 0), "ec.test", &transport, &handshake) != 0)
		abort();
	if (role == TLS_CLIENT)
		tls_handshake_resume(handshake, "ec.test", PORT);
	return handshake;
}

/* A client and a server as far as they come. */
static struct tls_handshake *meet(int *result)
{
	static struct queue to_client, to_server;
	struct end client_end = { &to_client, &to_server }, server_end = { &to_server, &to_client };
	struct tls_handshake *client, *server;
	int server_result = -EAGAIN;

	to_client.head = to_client.tail = to_server.head = to_server.tail = 0;
	client = make(TLS_CLIENT, &client_end);
	server = make(TLS_SERVER, &server_end);
	*result = -EAGAIN;
	for (int i = 0; i < STEPS_MAX && (*result == -EAGAIN || server_result == -EAGAIN); i++) {
		*result = tls_handshake_step(client);
		server_result = tls_handshake_step(server);
	}
	tls_handshake_free(server);
	return client;
}

static void ticket(struct tls_handshake *client, const uint8_t *data, size_t len)
{
	struct tls_resumption *resumption = tls_handshake_resumption(client);
	int r;

	if (resumption == NULL)
		abort();
	tls_resumption_ticket(resumption, data, len);
	tls_resumption_free(resumption);
	tls_handshake_free(client);
	/* The server does not know it, and does the whole handshake. */
	client = meet(&r);
	if (r != 0 || tls_handshake_result(client)->resumed)
		abort();
	tls_handshake_free(client);
}

static void request(struct tls_handshake *client, const uint8_t *data, size_t len, uint32_t updates)
{
	struct tls_post_auth *auth = tls_handshake_post_auth(client);
	uint8_t *answer = NULL;
	size_t answer_len = 0;

	if (auth == NULL)
		abort();
	for (int i = 0; i < 2; i++) {
		if (tls_post_auth_answer(auth, data, len, updates, &answer, &answer_len) == 0 &&
			answer_len == 0)
			abort();
		free(answer);
		answer = NULL;
	}
	tls_post_auth_free(auth);
	tls_handshake_free(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tls_handshake *client;
	int r;

	if (len < 2 || len > RECORD_MAX_PLAINTEXT)
		return 0;
	client = meet(&r);
	if (r != 0)
		abort();
	if (data[0] == 0)
		ticket(client, data + 1, len - 1);
	else
		request(client, data + 1, len - 1, data[0] % UPDATES_MOST);
	return 0;
}
