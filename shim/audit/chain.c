/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/chain.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/sha256.h>

#define TAG_NUMBER 70
#define TAG_LINK 71
#define TAG_PREVIOUS 72
#define TAG_KIND 73
#define TAG_NAME 74
#define TAG_BEFORE 75

#define COVERED_FROM 12 /* behind sync, length and CRC; the type is covered apart */
#define TYPE_AT 6
#define BLOCK_LEN 64
#define IPAD 0x36
#define OPAD 0x5c

static void hash_begin(wc_Sha256 *hash, const struct audit_key *key, uint8_t pad)
{
	uint8_t block[BLOCK_LEN];

	wc_InitSha256(hash);
	if (key->len == 0)
		return;
	memset(block, pad, sizeof block);
	for (size_t i = 0; i < key->len; i++)
		block[i] ^= key->bytes[i];
	wc_Sha256Update(hash, block, sizeof block);
	explicit_bzero(block, sizeof block);
}

/* RFC 2104, if there is a key. */
static void make_link(const uint8_t *record, size_t covered, const struct audit_key *key,
	const struct audit_link *before, struct audit_link *out)
{
	wc_Sha256 hash;

	hash_begin(&hash, key, IPAD);
	wc_Sha256Update(&hash, before->bytes, AUDIT_LINK_LEN);
	wc_Sha256Update(&hash, record + TYPE_AT, 2);
	wc_Sha256Update(&hash, record + COVERED_FROM, (word32)(covered - COVERED_FROM));
	wc_Sha256Final(&hash, out->bytes);
	if (key->len > 0) {
		hash_begin(&hash, key, OPAD);
		wc_Sha256Update(&hash, out->bytes, AUDIT_LINK_LEN);
		wc_Sha256Final(&hash, out->bytes);
	}
	explicit_bzero(&hash, sizeof hash);
}

void audit_key_set(struct audit_key *out, const uint8_t *bytes, size_t len)
{
	wc_Sha256 hash;

	memset(out, 0, sizeof *out);
	if (len <= sizeof out->bytes) {
		memcpy(out->bytes, bytes, len);
		out->len = len;
		return;
	}
	wc_InitSha256(&hash);
	wc_Sha256Update(&hash, bytes, (word32)len);
	wc_Sha256Final(&hash, out->bytes);
	out->len = WC_SHA256_DIGEST_SIZE;
}

/* How many bytes of the file there are, up to `len`; -errno. */
static ssize_t read_all(int fd, uint8_t *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, buf + have, len - have);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		have += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)have;
}

int audit_key_read(const char *path, struct audit_key *out)
{
	uint8_t bytes[AUDIT_KEY_MOST + 1];
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	out->len = 0;
	if (fd < 0)
		return -errno;
	n = fstat(fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : 0;
	if (n == 0)
		n = read_all(fd, bytes, sizeof bytes);
	close(fd);
	if (n >= 0 && (n < AUDIT_KEY_LEAST || n > AUDIT_KEY_MOST))
		n = -EINVAL;
	if (n > 0)
		audit_key_set(out, bytes, (size_t)n);
	explicit_bzero(bytes, sizeof bytes);
	return n < 0 ? (int)n : 0;
}

size_t audit_chain_add(uint8_t record[AUDIT_RECORD_MAX], size_t len, const struct audit_key *key,
	const struct audit_chain_head *head, uint64_t number, struct audit_link *link)
{
	struct audit_link made;

	len = audit_add_number(record, len, TAG_NUMBER, number);
	if (head != NULL)
		len = audit_add_number(record, len, TAG_KIND, head->kind);
	if (head != NULL && head->previous_name != NULL) {
		len = audit_add_bytes(
			record, len, TAG_PREVIOUS, head->previous.bytes, AUDIT_LINK_LEN);
		len = audit_add_bytes(record, len, TAG_NAME, (const uint8_t *)head->previous_name,
			strnlen(head->previous_name, AUDIT_NAME_MAX - 1));
	}
	make_link(record, len, key, link, &made);
	*link = made;
	len = audit_add_bytes(record, len, TAG_LINK, link->bytes, AUDIT_LINK_LEN);
	audit_finish_frame(record, len);
	return len;
}

size_t audit_chain_add_before(uint8_t record[AUDIT_RECORD_MAX], size_t len, const char *name)
{
	return audit_add_bytes(
		record, len, TAG_BEFORE, (const uint8_t *)name, strnlen(name, AUDIT_NAME_MAX - 1));
}

static int read_link(const struct audit_field *field, struct audit_link *out)
{
	size_t len = audit_field_bytes(field, out->bytes, AUDIT_LINK_LEN);

	return len == AUDIT_LINK_LEN ? 0 : -EBADMSG;
}

static int read_name(const struct audit_field *field, char out[AUDIT_NAME_MAX])
{
	size_t len = audit_field_bytes(field, (uint8_t *)out, AUDIT_NAME_MAX - 1);

	out[len < AUDIT_NAME_MAX ? len : 0] = '\0';
	return len < AUDIT_NAME_MAX ? 0 : -EBADMSG;
}

static int read_field(
	const uint8_t *record, const struct audit_field *field, struct audit_mark *out)
{
	uint64_t number;

	switch (field->tag) {
	case TAG_NUMBER:
		return audit_field_number(field, &out->number);
	case TAG_LINK:
		out->chained = true;
		out->covered = (size_t)(field->begin - record);
		return read_link(field, &out->link);
	case TAG_PREVIOUS:
		out->follows = true;
		return read_link(field, &out->previous);
	case TAG_KIND:
		if (audit_field_number(field, &number) < 0 || number > AUDIT_CHAIN_HMAC)
			return -EBADMSG;
		out->kind = (enum audit_chain_kind)number;
		return 0;
	case TAG_NAME:
		return read_name(field, out->previous_name);
	case TAG_BEFORE:
		return read_name(field, out->before_name);
	default:
		return 0;
	}
}

int audit_chain_read(const uint8_t *record, size_t len, struct audit_mark *out)
{
	struct audit_field field = { .next = NULL };
	int r;

	memset(out, 0, sizeof *out);
	while ((r = audit_field_next(record, len, &field)) > 0) {
		/* Nothing stands behind the link: it would not be covered. */
		if (out->chained)
			return -EBADMSG;
		r = read_field(record, &field, out);
		if (r < 0)
			return r;
	}
	return r;
}

bool audit_chain_check(const uint8_t *record, const struct audit_mark *mark,
	const struct audit_key *key, const struct audit_link *before)
{
	struct audit_link made;

	make_link(record, mark->covered, key, before, &made);
	return memcmp(made.bytes, mark->link.bytes, AUDIT_LINK_LEN) == 0;
}
