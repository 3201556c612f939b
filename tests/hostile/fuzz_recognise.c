/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is told of connections that are left alone, and what `require` lets pass. Frames: a byte of
 * which the highest bit is the direction and the rest the upper part of a length, the lower part of
 * it, and as many bytes, which one call moves. The corpus begins with what programs have really
 * said to each other; a test looks at what is told of it (tests/unit/test_recognise.c).
 */
#include "fuzz.h"
#include "tls/gate.h"
#include "tls/recognise.h"
#include "tls/registry.h"
#include <stdlib.h>
#include <string.h>

static void check_text(const char *text, size_t room)
{
	if (memchr(text, '\0', room) == NULL)
		abort();
}

static void check(const struct recognition *result)
{
	char number[REGISTRY_NUMBER_LEN];

	if (recognised_name(result->protocol) == NULL || result->resumed < -1 ||
		result->resumed > 1)
		abort();
	check_text(result->server_name, sizeof result->server_name);
	check_text(result->alpn, sizeof result->alpn);
	check_text(result->ja4, sizeof result->ja4);
	for (int way = 0; way < RECOGNISE_WAYS; way++) {
		check_text(result->banner[way], sizeof result->banner[way]);
		if (result->alert[way] < -1 || result->alert[way] > 255)
			abort();
	}
	check_text(registry_suite(result->suite, number), 64);
	check_text(registry_group(result->group, number), 64);
}

#define GAP 0x9d

/* The gate: what is judged of a whole is what is judged of its pieces. */
static void judge(struct gate *gate, unsigned way, const uint8_t *data, size_t len)
{
	struct gate pieces = *gate;
	enum gate_verdict verdict = gate_take(gate, way, data, len), last = GATE_CLOSED;

	for (size_t i = 0; i < len && last == GATE_CLOSED; i++)
		last = gate_take(&pieces, way, data + i, 1);
	if (len > 0 && last != verdict)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct recogniser *recogniser = recogniser_new();
	struct gate gate = { .allowed = GATE_TLS | GATE_SSH };
	bool over = false;

	while (len >= 2) {
		enum recognise_way way = data[0] >> 7;
		size_t count = (size_t)(data[0] & 127) << 8 | data[1];
		uint8_t *copy;

		data += 2;
		len -= 2;
		count = count < len ? count : len;
		copy = malloc(count + 1);
		memcpy(copy, data, count);
		if (over != recogniser_take(recogniser, way, copy, count) && over)
			abort(); /* decided is decided */
		over = recogniser_take(recogniser, way, copy, 0);
		if (gate_take(&gate, way, copy, 0) == GATE_CLOSED)
			judge(&gate, way, copy, count);
		free(copy);
		check(recogniser_result(recogniser));
		data += count;
		len -= count;
		/* What stands for nothing else tells of a gap. */
		if (count > 0 && data[-1] == GAP)
			recogniser_gap(recogniser, way);
	}
	recogniser_end(recogniser);
	check(recogniser_result(recogniser));
	recogniser_free(recogniser);
	return 0;
}
