/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/pem.h"
#include "policy/read_file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, struct pem *out)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > (off_t)PEM_FILE_MAX)
		return -EFBIG;
	out->text = malloc((size_t)st.st_size + 1);
	if (out->text == NULL)
		return -ENOMEM;
	n = read_file(fd, out->text, (size_t)st.st_size);
	if (n < 0)
		return (int)n;
	out->len = (size_t)n;
	out->text[out->len] = '\0';
	return 0;
}

int pem_read(const char *path, struct pem *out)
{
	int fd = read_file_open(path), r;

	out->text = NULL;
	out->len = 0;
	if (fd < 0)
		return fd;
	r = read_all(fd, out);
	close(fd);
	if (r < 0)
		pem_clear(out);
	return r;
}

void pem_clear(struct pem *pem)
{
	if (pem->text != NULL)
		explicit_bzero(pem->text, pem->len);
	free(pem->text);
	pem->text = NULL;
	pem->len = 0;
}

bool pem_next(const struct pem *pem, size_t *at, struct pem_block *out)
{
	static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ",
			  dashes[] = "-----";
	const char *begin, *label, *label_end, *body, *body_end, *end;
	size_t label_len;

	if (*at >= pem->len || (begin = strstr(pem->text + *at, begin_mark)) == NULL)
		return false;
	label = begin + sizeof begin_mark - 1;
	label_end = strstr(label, dashes);
	if (label_end == NULL)
		return false;
	body = label_end + sizeof dashes - 1;
	body_end = strstr(body, end_mark);
	if (body_end == NULL)
		return false;
	end = strstr(body_end + sizeof end_mark - 1, dashes);
	if (end == NULL)
		return false;
	end += sizeof dashes - 1;
	label_len = (size_t)(label_end - label);
	if (label_len >= sizeof out->label)
		label_len = sizeof out->label - 1;
	memcpy(out->label, label, label_len);
	out->label[label_len] = '\0';
	out->body = body;
	out->body_len = (size_t)(body_end - body);
	out->text = begin;
	out->len = (size_t)(end - begin);
	*at = (size_t)(end - pem->text);
	return true;
}

enum { NO_DIGIT = 64, BLANK, PADDING };

static void fill_values(uint8_t values[256])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char blanks[] = " \t\r\n\v\f";

	memset(values, NO_DIGIT, 256);
	for (size_t i = 0; i < sizeof digits - 1; i++)
		values[(uint8_t)digits[i]] = (uint8_t)i;
	for (size_t i = 0; i < sizeof blanks - 1; i++)
		values[(uint8_t)blanks[i]] = BLANK;
	values['='] = PADDING;
}

/* A bundle of CAs is some 200 KB, so this is a good part of what a short program pays for TLS. */
static ssize_t decode(const char *text, size_t len, uint8_t *out)
{
	uint8_t values[256];
	uint32_t bits = 0;
	size_t digits = 0, padding = 0, done = 0;

	fill_values(values);
	for (size_t i = 0; i < len; i++) {
		uint8_t value = values[(uint8_t)text[i]];

		if (value < NO_DIGIT && padding == 0) {
			bits = bits << 6 | value;
			if (++digits % 4 != 0)
				continue;
			out[done++] = (uint8_t)(bits >> 16);
			out[done++] = (uint8_t)(bits >> 8);
			out[done++] = (uint8_t)bits;
		} else if (value == PADDING) {
			padding++;
		} else if (value != BLANK) {
			return -EBADMSG;
		}
	}
	if ((digits + padding) % 4 != 0 || padding > 2 || digits % 4 == 1)
		return -EBADMSG;
	if (digits % 4 > 1)
		out[done++] = (uint8_t)(bits >> (digits % 4 == 2 ? 4 : 10));
	if (digits % 4 > 2)
		out[done++] = (uint8_t)(bits >> 2);
	return (ssize_t)done;
}

ssize_t pem_decode(const struct pem_block *block, uint8_t **out)
{
	ssize_t n;

	*out = malloc(block->body_len / 4 * 3 + 3);
	if (*out == NULL)
		return -ENOMEM;
	n = decode(block->body, block->body_len, *out);
	if (n > 0)
		return n;
	free(*out);
	*out = NULL;
	return -EBADMSG;
}

bool pem_is_certificate(const struct pem_block *block)
{
	return strcmp(block->label, "CERTIFICATE") == 0 ||
	       strcmp(block->label, "X509 CERTIFICATE") == 0;
}
