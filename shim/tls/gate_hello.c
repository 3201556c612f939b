/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/gate_hello.h"

#define MESSAGE_MOST 65535
#define SUPPORTED_VERSIONS 43

enum {
	LENGTH,
	VERSION,
	RANDOM,
	SESSION_LEN,
	SESSION,
	SUITE,
	COMPRESSION,
	EXTENSIONS_LEN,
	EXTENSION,
	EXTENSION_LEN,
	EXTENSION_DATA,
	STEPS
};

/* What has a length of its own is 0 here. */
static const uint8_t lengths[STEPS] = {
	[LENGTH] = 3,
	[VERSION] = 2,
	[RANDOM] = 32,
	[SESSION_LEN] = 1,
	[SUITE] = 2,
	[COMPRESSION] = 1,
	[EXTENSIONS_LEN] = 2,
	[EXTENSION] = 2,
	[EXTENSION_LEN] = 2,
};

static void begin_field(struct gate_hello *hello, uint8_t step, uint32_t len)
{
	hello->step = step;
	hello->left = (uint16_t)len;
	hello->value = 0;
}

/* One is whole, with its last bytes in hello->value. */
static void end_field(struct gate_hello *hello)
{
	uint8_t next = hello->step == EXTENSION_DATA ? EXTENSION : (uint8_t)(hello->step + 1);
	uint32_t value = hello->value;

	if (hello->step == VERSION ||
		(hello->step == EXTENSION_DATA && hello->extension == SUPPORTED_VERSIONS))
		hello->version = (uint16_t)value;
	else if (hello->step == SUITE)
		hello->suite = (uint16_t)value;
	else if (hello->step == EXTENSION)
		hello->extension = (uint16_t)value;
	begin_field(hello, next, next == SESSION || next == EXTENSION_DATA ? value : lengths[next]);
}

static void take_length(struct gate_hello *hello, uint8_t byte)
{
	hello->value = hello->value << 8 | byte;
	if (++hello->left < lengths[LENGTH])
		return;
	hello->message_left = hello->value;
	hello->malformed = hello->value == 0 || hello->value > MESSAGE_MOST;
	begin_field(hello, VERSION, lengths[VERSION]);
}

static void take(struct gate_hello *hello, uint8_t byte)
{
	hello->value = hello->value << 8 | byte;
	hello->left--;
	hello->message_left--;
	while (hello->left == 0)
		end_field(hello);
	if (hello->message_left > 0)
		return;
	/* Before TLS 1.3 there need not be extensions. */
	hello->whole = (hello->step == EXTENSIONS_LEN || hello->step == EXTENSION) &&
		       hello->left == lengths[hello->step];
	hello->malformed = !hello->whole;
}

void gate_hello_take(struct gate_hello *hello, uint8_t byte)
{
	if (hello->whole || hello->malformed)
		return;
	if (hello->step == LENGTH)
		take_length(hello, byte);
	else
		take(hello, byte);
}
