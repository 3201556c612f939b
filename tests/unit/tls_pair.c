/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX 2000000

static char certs[] = "/tmp/seamtls-certs-XXXXXX";
static pid_t owner;

static int run(const char *program, const char *arg1, const char *arg2)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execlp(program, program, arg1, arg2, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static void remove_certs(void)
{
	if (getpid() == owner)
		run("rm", "-rf", certs);
}

void pair_make_more(const char *script)
{
	if (run(script, certs, NULL) != 0) {
		fprintf(stderr, "%s failed\n", script);
		exit(EXIT_FAILURE);
	}
}

void pair_make_certs(void)
{
	if (mkdtemp(certs) == NULL) {
		perror("mkdtemp");
		exit(EXIT_FAILURE);
	}
	owner = getpid();
	atexit(remove_certs);
	pair_make_more("./make_certs.sh");
}

const char *pair_path(const char *name)
{
	static char path[8][PATH_MAX];
	static unsigned next;
	char *at = path[next++ % 8];

	snprintf(at, PATH_MAX, "%s/%s", certs, name);
	return at;
}

void pair_list_add(struct pair_settings *settings, struct policy_list *list, const char *item)
{
	struct policy_list *lists[] = { &settings->tls.ciphers, &settings->tls.groups,
		&settings->tls.ca, &settings->tls.cert, &settings->tls.key, &settings->tls.alpn,
		&settings->tls.signature_algorithms, &settings->tls.crl, &settings->tls.allow_peer,
		&settings->tls.ocsp_staple, &settings->tls.password_file };
	size_t which = 0;

	while (lists[which] != list)
		which++;
	ck_assert_uint_lt(list->count, PAIR_ITEMS_MAX);
	list->items = settings->items[which];
	list->items[list->count++] = strdup(item);
}

void pair_list_clear(struct policy_list *list)
{
	while (list->count > 0) {
		free(list->items[--list->count]);
		list->items[list->count] = NULL;
	}
}

void pair_settings_init(struct pair_settings *settings, const char *cert)
{
	char name[64];

	memset(settings, 0, sizeof *settings);
	settings->tls.min_version = POLICY_TLS12;
	settings->tls.max_version = POLICY_TLS13;
	settings->tls.handshake_timeout_s = 10;
	pair_list_add(settings, &settings->tls.ca, pair_path("ca.pem"));
	if (cert == NULL)
		return;
	snprintf(name, sizeof name, "%s.pem", cert);
	pair_list_add(settings, &settings->tls.cert, pair_path(name));
	snprintf(name, sizeof name, "%s.key", cert);
	pair_list_add(settings, &settings->tls.key, pair_path(name));
}

void pair_settings_clear(struct pair_settings *settings)
{
	for (size_t i = 0; i < PAIR_LISTS; i++)
		for (size_t j = 0; j < PAIR_ITEMS_MAX; j++)
			free(settings->items[i][j]);
	memset(settings, 0, sizeof *settings);
}

void pair_pin(struct pair_settings *settings, const char *pin_file)
{
	FILE *file = fopen(pair_path(pin_file), "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(settings->pin[0], 1, POLICY_SPKI_LEN, file), POLICY_SPKI_LEN);
	fclose(file);
	settings->tls.pin.count = 1;
	settings->tls.pin.sha256 = settings->pin;
}

static bool stutters(struct pair_end *end)
{
	return end->stutter > 0 && ++end->calls % end->stutter == 0;
}

ssize_t pair_recv(void *arg, void *buf, size_t len)
{
	struct pair_end *end = arg;
	struct pair_queue *in = end->in;
	size_t tail = in->cut > 0 && in->tail > in->cut ? in->cut : in->tail;
	size_t n = tail - in->head;

	if (n == 0 && (in->closed || tail < in->tail || (in->cut > 0 && tail == in->cut)))
		return in->error;
	if (n == 0 || stutters(end))
		return -EAGAIN;
	if (n > len)
		n = len;
	if (end->chunk > 0 && n > end->chunk)
		n = end->chunk;
	memcpy(buf, in->bytes + in->head, n);
	in->head += n;
	return (ssize_t)n;
}

static ssize_t pair_peek(void *arg, void *buf, size_t len)
{
	struct pair_end *end = arg;
	ssize_t n = pair_recv(arg, buf, len);

	if (n > 0)
		end->in->head -= (size_t)n;
	return n;
}

static ssize_t pair_skip(void *arg, void *buf, size_t len)
{
	struct pair_end *end = arg;

	(void)buf;
	ck_assert_uint_le(len, end->in->tail - end->in->head);
	end->in->head += len;
	return (ssize_t)len;
}

ssize_t pair_send(void *arg, const void *buf, size_t len)
{
	struct pair_end *end = arg;
	struct pair_queue *out = end->out;
	size_t n = PAIR_QUEUE_SIZE - out->tail;

	if (stutters(end))
		return -EAGAIN;
	ck_assert_uint_gt(n, 0);
	if (n > len)
		n = len;
	if (end->chunk > 0 && n > end->chunk)
		n = end->chunk;
	memcpy(out->bytes + out->tail, buf, n);
	out->tail += n;
	return (ssize_t)n;
}

static struct tls_context *context_new(const struct pair_settings *settings, enum tls_role role)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX] = "";
	int r = tls_context_new(&settings->tls, role, &context, why, sizeof why);

	ck_assert_msg(r == 0, "no context: %d, %s", r, why);
	return context;
}

const struct tls_peek pair_peeks = { pair_peek, pair_skip };

struct pair *pair_new(
	const struct pair_settings *client, const struct pair_settings *server, const char *name)
{
	struct pair *pair = calloc(1, sizeof *pair);
	struct tls_transport client_transport = { pair_recv, pair_send, &pair->client_end };
	struct tls_transport server_transport = { pair_recv, pair_send, &pair->server_end };

	pair->client_end.in = pair->server_end.out = &pair->to_client;
	pair->client_end.out = pair->server_end.in = &pair->to_server;
	pair->client_context = context_new(client, TLS_CLIENT);
	pair->server_context = context_new(server, TLS_SERVER);
	tls_handshake_new(pair->client_context, name, &client_transport, &pair->client);
	tls_handshake_new(pair->server_context, NULL, &server_transport, &pair->server);
	ck_assert_ptr_nonnull(pair->client);
	ck_assert_ptr_nonnull(pair->server);
	tls_handshake_use_peek(pair->client, &pair_peeks);
	tls_handshake_use_peek(pair->server, &pair_peeks);
	return pair;
}

void pair_free(struct pair *pair)
{
	tls_handshake_free(pair->client);
	tls_handshake_free(pair->server);
	tls_context_free(pair->client_context);
	tls_context_free(pair->server_context);
	free(pair);
}

void pair_run(struct pair *pair)
{
	pair->client_result = pair->server_result = -EAGAIN;
	for (int i = 0; i < STEPS_MAX; i++) {
		if (pair->client_result == -EAGAIN)
			pair->client_result = tls_handshake_step(pair->client);
		if (pair->server_result == -EAGAIN)
			pair->server_result = tls_handshake_step(pair->server);
		pair->to_server.closed |=
			pair->client_result != -EAGAIN && pair->client_result != 0;
		pair->to_client.closed |=
			pair->server_result != -EAGAIN && pair->server_result != 0;
		if (pair->client_result != -EAGAIN && pair->server_result != -EAGAIN)
			return;
	}
	ck_abort_msg("the handshake hangs: client %d, server %d", pair->client_result,
		pair->server_result);
}

static void check_one_way(struct record_key *from, struct record_key *to)
{
	char text[] = "what is said";
	struct iovec iov = { text, sizeof text };
	uint8_t record[128], plain[128];
	enum record_type type;

	for (int i = 0; i < 3; i++) {
		ssize_t n =
			record_seal(from, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, record);

		ck_assert_int_eq(n, (ssize_t)(sizeof text + record_overhead(from)));
		ck_assert_int_eq(
			record_open(to, record, (size_t)n, plain, &type), (ssize_t)sizeof text);
		ck_assert_int_eq(type, RECORD_APPLICATION_DATA);
		ck_assert_mem_eq(plain, text, sizeof text);
	}
}

void pair_check_data(struct pair *pair)
{
	struct record_key client_send, client_receive, server_send, server_receive;

	ck_assert_int_eq(tls_handshake_keys(pair->client, &client_send, &client_receive), 0);
	ck_assert_int_eq(tls_handshake_keys(pair->server, &server_send, &server_receive), 0);
	check_one_way(&client_send, &server_receive);
	check_one_way(&server_send, &client_receive);
	ck_assert_mem_eq(client_send.key, server_receive.key, sizeof client_send.key);
	ck_assert_mem_ne(client_send.key, server_send.key, 16);
}
