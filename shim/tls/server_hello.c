/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/server_hello.h"
#include "tls/extension.h"
#include "tls/hello.h"
#include "tls/vector.h"
#include <string.h>

#define RANDOM_LEN 32

/* RFC 8446 4.1.3: SHA-256 of "HelloRetryRequest". */
static const uint8_t retry_random[RANDOM_LEN] = {
	0xcf,
	0x21,
	0xad,
	0x74,
	0xe5,
	0x9a,
	0x61,
	0x11,
	0xbe,
	0x1d,
	0x8c,
	0x02,
	0x1e,
	0x65,
	0xb8,
	0x91,
	0xc2,
	0xa2,
	0x11,
	0x16,
	0x7a,
	0xbb,
	0x8c,
	0x5e,
	0x07,
	0x9e,
	0x09,
	0xe2,
	0xc8,
	0xa8,
	0x33,
	0x9c,
};

static bool read_number(struct x509_bytes body, unsigned *out)
{
	size_t number;

	if (!vector_take_number(&body, 2, &number))
		return false;
	*out = (unsigned)number;
	return true;
}

static bool read_protocol(struct x509_bytes body, struct server_hello *out)
{
	struct x509_bytes list;

	return vector_take_vector(&body, 2, &list) && vector_take_vector(&list, 1, &out->protocol);
}

static bool read_extension(size_t type, struct x509_bytes body, struct server_hello *out)
{
	switch (type) {
	case EXTENSION_PROTOCOLS:
		return read_protocol(body, out);
	case EXTENSION_PRE_SHARED_KEY:
		out->resumes = true;
		return true;
	case EXTENSION_VERSIONS:
		return read_number(body, &out->version);
	case EXTENSION_KEY_SHARE:
		return read_number(body, &out->group);
	default:
		return true;
	}
}

bool server_hello_parse(struct x509_bytes body, struct server_hello *out)
{
	struct x509_bytes random, extensions, value;
	size_t version, suite, compression, type;

	memset(out, 0, sizeof *out);
	if (!vector_take_number(&body, 2, &version) || !vector_take(&body, RANDOM_LEN, &random) ||
		!vector_take_vector(&body, 1, &out->session_id) ||
		!vector_take_number(&body, 2, &suite) ||
		!vector_take_number(&body, 1, &compression))
		return false;
	out->retry = memcmp(random.data, retry_random, RANDOM_LEN) == 0;
	out->version = (unsigned)version;
	out->suite = (unsigned)suite;
	if (body.len == 0)
		return true;
	if (!vector_take_vector(&body, 2, &extensions))
		return false;
	out->extensions = extensions;
	while (extensions.len > 0)
		if (!hello_next_extension(&extensions, &type, &value) ||
			!read_extension(type, value, out))
			return false;
	return true;
}
