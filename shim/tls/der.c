/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One item at a time, no recursion: what is inside an item is the caller's next input. */
#include "tls/der.h"

bool der_next(struct x509_bytes *in, struct der_item *out)
{
	size_t head = 2, len;

	if (in->len < 2 || (in->data[0] & 0x1f) == 0x1f)
		return false;
	len = in->data[1];
	if (len > 0x80 && len <= 0x84) {
		size_t count = len - 0x80;

		if (in->len < 2 + count)
			return false;
		len = 0;
		for (size_t i = 0; i < count; i++)
			len = len << 8 | in->data[2 + i];
		head += count;
	} else if (len >= 0x80) {
		return false;
	}
	if (len > in->len - head)
		return false;
	out->tag = in->data[0];
	out->content = (struct x509_bytes){ in->data + head, len };
	out->whole = (struct x509_bytes){ in->data, head + len };
	in->data += head + len;
	in->len -= head + len;
	return true;
}

bool der_expect(struct x509_bytes *in, uint8_t tag, struct der_item *out)
{
	return der_next(in, out) && out->tag == tag;
}
