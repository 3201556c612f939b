/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/vector.h"

bool vector_take(struct x509_bytes *in, size_t len, struct x509_bytes *out)
{
	if (in->len < len)
		return false;
	*out = (struct x509_bytes){ in->data, len };
	in->data += len;
	in->len -= len;
	return true;
}

bool vector_take_number(struct x509_bytes *in, size_t width, size_t *out)
{
	struct x509_bytes bytes;

	if (!vector_take(in, width, &bytes))
		return false;
	*out = 0;
	for (size_t i = 0; i < width; i++)
		*out = *out << 8 | bytes.data[i];
	return true;
}

bool vector_take_vector(struct x509_bytes *in, size_t width, struct x509_bytes *out)
{
	size_t len;

	return vector_take_number(in, width, &len) && vector_take(in, len, out);
}
