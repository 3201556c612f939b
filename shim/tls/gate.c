/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/gate.h"
#include "tls/record.h"
#include "tls/registry.h"
#include <string.h>

#define HEAD_LEN 6 /* of the first record */
#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define VERSION_MAJOR 3
#define VERSION_MINOR_MOST 4
#define RECORD_MOST (RECORD_MAX_PLAINTEXT + 2048) /* RFC 5246 6.2.3 */
#define ALERT_RECORD_LEN 2

static const char ssh_mark[] = "SSH-";
#define SSH_MARK_LEN (sizeof ssh_mark - 1)

#define TLS_ANY (GATE_TLS | GATE_TLS12 | GATE_TLS13)

enum gate_beginning { BEGUN_CLIENT = 1, BEGUN_SERVER, BEGUN_SSH };

/* Whether a header, as far as it is there, is one of TLS. */
static bool is_header(const uint8_t *head, size_t len)
{
	return head[0] >= RECORD_CHANGE_CIPHER_SPEC && head[0] <= RECORD_APPLICATION_DATA &&
	       (len < 2 || head[1] == VERSION_MAJOR) &&
	       (len < 3 || head[2] <= VERSION_MINOR_MOST) &&
	       (len < 4 || head[3] <= RECORD_MOST >> 8);
}

static bool may_begin_ssh(const struct gate *gate, const struct gate_way *way)
{
	size_t len = way->len < SSH_MARK_LEN ? way->len : SSH_MARK_LEN;

	return (gate->allowed & GATE_SSH) != 0 && !way->alerted &&
	       memcmp(way->head, ssh_mark, len) == 0;
}

static bool may_begin_tls(const struct gate *gate, const struct gate_way *way)
{
	return (gate->allowed & TLS_ANY) != 0 && is_header(way->head, way->len) &&
	       (way->head[0] == RECORD_HANDSHAKE || way->head[0] == RECORD_ALERT);
}

/* The first record's header and the byte behind it; again behind an alert, which may be a warning.
 */
static bool begin_tls(struct gate_way *way)
{
	uint32_t len = record_body_len(way->head);

	if (len == 0)
		return false;
	way->type = way->head[0];
	way->left = len - 1;
	way->len = 0;
	if (way->type == RECORD_ALERT)
		return way->alerted = len == ALERT_RECORD_LEN;
	if (way->head[5] == CLIENT_HELLO)
		way->begun = BEGUN_CLIENT;
	else if (way->head[5] == SERVER_HELLO)
		way->begun = BEGUN_SERVER;
	return way->begun != 0;
}

static bool begin(struct gate *gate, struct gate_way *way, uint8_t byte)
{
	way->head[way->len++] = byte;
	if (may_begin_ssh(gate, way)) {
		if (way->len == SSH_MARK_LEN)
			way->begun = BEGUN_SSH;
		return true;
	}
	return may_begin_tls(gate, way) && (way->len < HEAD_LEN || begin_tls(way));
}

static bool take_header(struct gate_way *way, uint8_t byte)
{
	way->head[way->len++] = byte;
	if (!is_header(way->head, way->len))
		return false;
	if (way->len < RECORD_HEADER_LEN)
		return true;
	way->type = way->head[0];
	way->left = record_body_len(way->head);
	way->len = 0;
	return way->left <= RECORD_MOST;
}

/* The lowest version that may be. */
static unsigned least_version(const struct gate *gate)
{
	if ((gate->allowed & GATE_TLS) != 0)
		return 0;
	return (gate->allowed & GATE_TLS12) != 0 ? RECORD_TLS12 : RECORD_TLS13;
}

/* What the ServerHello has chosen. */
static enum gate_verdict verdict_of_hello(const struct gate *gate)
{
	if (gate->hello.malformed)
		return GATE_REFUSED;
	if (!gate->hello.whole)
		return GATE_CLOSED;
	if (gate->hello.version < least_version(gate))
		return GATE_TOO_OLD;
	return registry_suite_is_clear(gate->hello.suite) ? GATE_UNSAFE : GATE_OPEN;
}

/* A record's bytes: how many are passed over. */
static size_t take_body(struct gate *gate, struct gate_way *way, const uint8_t *data, size_t len)
{
	size_t count = way->left < len ? way->left : len;

	if (way->begun == BEGUN_SERVER && !gate->hello.whole)
		for (size_t i = 0; i < count; i++)
			gate_hello_take(&gate->hello, data[i]);
	way->left -= (uint32_t)count;
	return count;
}

/* Nothing comes between the records of a ServerHello. */
static bool interrupts_hello(const struct gate *gate, const struct gate_way *way)
{
	return way->begun == BEGUN_SERVER && !gate->hello.whole && way->len > 0 &&
	       way->head[0] != RECORD_HANDSHAKE;
}

/* Both together: who asks and who answers, in whichever order that was heard of. */
static enum gate_verdict verdict(const struct gate *gate)
{
	unsigned a = gate->way[0].begun, b = gate->way[1].begun;
	unsigned less = a < b ? a : b, more = a < b ? b : a;
	enum gate_verdict of_hello = verdict_of_hello(gate);

	if (gate->refused || of_hello > GATE_OPEN)
		return gate->refused ? GATE_REFUSED : of_hello;
	if (less == 0)
		return GATE_CLOSED;
	if (less == BEGUN_SSH)
		return GATE_OPEN;
	return less == BEGUN_CLIENT && more == BEGUN_SERVER ? of_hello : GATE_REFUSED;
}

static bool take_byte(struct gate *gate, struct gate_way *way, uint8_t byte)
{
	if (way->begun == 0)
		return begin(gate, way, byte);
	return take_header(way, byte) && !interrupts_hello(gate, way);
}

enum gate_verdict gate_take(struct gate *gate, unsigned at, const uint8_t *data, size_t len)
{
	struct gate_way *way = &gate->way[at];

	for (size_t i = 0; i < len && verdict(gate) == GATE_CLOSED;) {
		if (way->begun == BEGUN_SSH)
			break;
		if (way->left > 0)
			i += take_body(gate, way, data + i, len - i);
		else if (!take_byte(gate, way, data[i++]))
			gate->refused = true;
	}
	return verdict(gate);
}
