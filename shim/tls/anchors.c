/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/anchors.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int anchors_grow(struct anchors *anchors)
{
	size_t size = anchors->size > 0 ? anchors->size * 2 : 4;
	struct anchor *items;

	if (anchors->count < anchors->size)
		return 0;
	items = reallocarray(anchors->items, size, sizeof *items);
	if (items == NULL)
		return -ENOMEM;
	anchors->items = items;
	anchors->size = size;
	return 0;
}

int anchors_add(struct anchors *anchors, const struct x509 *certificate)
{
	struct x509_bytes name = certificate->subject, spki = certificate->spki;
	struct anchor *anchor;
	uint8_t *memory;

	if (anchors_grow(anchors) < 0 || (memory = malloc(name.len + spki.len)) == NULL)
		return -ENOMEM;
	memcpy(memory, name.data, name.len);
	memcpy(memory + name.len, spki.data, spki.len);
	anchor = &anchors->items[anchors->count++];
	*anchor = (struct anchor){
		.issuer = { { memory, name.len }, { memory + name.len, spki.len },
			certificate->usage },
		.not_after = certificate->not_after,
		.path_len = certificate->path_len,
		.purposes = certificate->purposes,
		.memory = memory,
	};
	return 0;
}

void anchors_clear(struct anchors *anchors)
{
	for (size_t i = 0; i < anchors->count; i++)
		free(anchors->items[i].memory);
	free(anchors->items);
	*anchors = (struct anchors){ 0, 0, NULL };
}

const struct anchor *anchors_next(
	const struct anchors *anchors, const struct anchor *from, struct x509_bytes name)
{
	size_t i = from != NULL ? (size_t)(from - anchors->items) + 1 : 0;

	for (; i < anchors->count; i++)
		if (x509_bytes_equal(anchors->items[i].issuer.name, name))
			return &anchors->items[i];
	return NULL;
}
