/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vectors with their lengths in front, taken off one by one. */
#include "tls/hello.h"
#include "tls/extension.h"
#include "tls/name.h"
#include "tls/vector.h"
#include <errno.h>
#include <string.h>

#define CLIENT_HELLO 1
#define MESSAGE_HEADER_LEN 4
#define VERSION_LEN 2
#define RANDOM_LEN 32

/* RFC 6066 3: a list that has one host name. What is none is not looked for among certificates. */
static bool read_name(struct x509_bytes body, struct hello *out)
{
	struct x509_bytes list, name;
	size_t type;

	if (!vector_take_vector(&body, 2, &list) || !vector_take_number(&list, 1, &type) ||
		!vector_take_vector(&list, 2, &name))
		return false;
	if (type != 0 || name.len >= sizeof out->name || memchr(name.data, 0, name.len) != NULL)
		return true;
	memcpy(out->name, name.data, name.len);
	out->name[name.len] = '\0';
	if (!name_is_host(out->name))
		out->name[0] = '\0';
	return true;
}

static bool read_extension(size_t type, struct x509_bytes body, struct hello *out)
{
	switch (type) {
	case EXTENSION_SERVER_NAME:
		out->asks_for_name = true;
		return read_name(body, out);
	case EXTENSION_GROUPS:
		return vector_take_vector(&body, 2, &out->groups);
	case EXTENSION_SIGNATURES:
		return vector_take_vector(&body, 2, &out->signatures);
	case EXTENSION_PROTOCOLS:
		return vector_take_vector(&body, 2, &out->protocols);
	case EXTENSION_EARLY_DATA:
		out->early_data = true;
		return true;
	case EXTENSION_VERSIONS:
		if (!vector_take_vector(&body, 1, &out->versions))
			return false;
		out->tls13 = hello_lists(out->versions, RECORD_TLS13);
		return true;
	default:
		return true;
	}
}

bool hello_next_extension(struct x509_bytes *extensions, size_t *type, struct x509_bytes *body)
{
	return vector_take_number(extensions, 2, type) && vector_take_vector(extensions, 2, body);
}

static bool read_body(struct x509_bytes in, struct hello *out)
{
	struct x509_bytes skipped, extensions, body;
	size_t type, version;

	if (!vector_take_number(&in, VERSION_LEN, &version) ||
		!vector_take(&in, RANDOM_LEN, &skipped) ||
		!vector_take_vector(&in, 1, &out->session_id) ||
		!vector_take_vector(&in, 2, &out->suites) ||
		!vector_take_vector(&in, 1, &skipped) /* compression */)
		return false;
	out->legacy_version = (unsigned)version;
	if (in.len == 0)
		return true;
	if (!vector_take_vector(&in, 2, &extensions))
		return false;
	out->extensions = extensions;
	while (extensions.len > 0)
		if (!hello_next_extension(&extensions, &type, &body) ||
			!read_extension(type, body, out))
			return false;
	return true;
}

int hello_parse(const uint8_t *message, size_t len, struct hello *out)
{
	struct x509_bytes in = { message, len }, body;
	size_t type, body_len;

	memset(out, 0, sizeof *out);
	if (len > 0 && message[0] != CLIENT_HELLO)
		return -EBADMSG;
	if (len < MESSAGE_HEADER_LEN || !vector_take_number(&in, 1, &type) ||
		!vector_take_number(&in, 3, &body_len) || !vector_take(&in, body_len, &body))
		return -EAGAIN;
	return read_body(body, out) ? 0 : -EBADMSG;
}

bool hello_lists(struct x509_bytes list, unsigned number)
{
	for (size_t i = 0; i + 1 < list.len; i += 2)
		if ((unsigned)(list.data[i] << 8 | list.data[i + 1]) == number)
			return true;
	return false;
}
