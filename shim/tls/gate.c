/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/gate.h"
#include "tls/record.h"
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

enum gate_beginning { BEGUN_CLIENT = 1, BEGUN_SERVER, BEGUN_ALERT, BEGUN_SSH };

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

	return (gate->allowed & GATE_SSH) != 0 && memcmp(way->head, ssh_mark, len) == 0;
}

static bool may_begin_tls(const struct gate *gate, const struct gate_way *way)
{
	return (gate->allowed & GATE_TLS) != 0 && is_header(way->head, way->len) &&
	       (way->head[0] == RECORD_HANDSHAKE || way->head[0] == RECORD_ALERT);
}

/* The first record's header and the byte behind it. */
static bool begin_tls(struct gate_way *way)
{
	uint32_t len = record_body_len(way->head);

	if (len == 0)
		return false;
	if (way->head[0] == RECORD_ALERT)
		way->begun = len == ALERT_RECORD_LEN ? BEGUN_ALERT : 0;
	else if (way->head[5] == CLIENT_HELLO)
		way->begun = BEGUN_CLIENT;
	else if (way->head[5] == SERVER_HELLO)
		way->begun = BEGUN_SERVER;
	way->left = len - 1;
	way->len = 0;
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
	way->left = record_body_len(way->head);
	way->len = 0;
	return way->left <= RECORD_MOST;
}

/* Both together: who asks and who answers, in whichever order that was heard of. */
static enum gate_verdict verdict(const struct gate *gate)
{
	unsigned a = gate->way[0].begun, b = gate->way[1].begun;
	unsigned less = a < b ? a : b, more = a < b ? b : a;

	if (gate->refused)
		return GATE_REFUSED;
	if (less == 0)
		return GATE_CLOSED;
	if (less == BEGUN_SSH ||
		(less == BEGUN_CLIENT && (more == BEGUN_SERVER || more == BEGUN_ALERT)))
		return GATE_OPEN;
	return GATE_REFUSED;
}

enum gate_verdict gate_take(struct gate *gate, unsigned at, const uint8_t *data, size_t len)
{
	struct gate_way *way = &gate->way[at];

	for (size_t i = 0; i < len && verdict(gate) == GATE_CLOSED; i++) {
		size_t skip = way->left < len - i ? way->left : len - i;

		if (way->begun == BEGUN_SSH)
			break;
		if (skip > 0) {
			way->left -= (uint32_t)skip;
			i += skip - 1;
		} else if (!(way->begun == 0 ? begin(gate, way, data[i])
					     : take_header(way, data[i]))) {
			gate->refused = true;
		}
	}
	return verdict(gate);
}
