/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Encoding and decoding are driven by one table of fields. Every string has a limit, and the limits
 * are such that all fields at their longest still leave room for some alternative names, of which
 * those go in that fit: so a peer that fills one field cannot push another one out.
 */
#include "audit/format.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

#define FRAME_LEN 36
#define NUMBER_MAX 10 /* bytes of a 64-bit LEB128 */
#define SAN_MAX_LEN 256
#define TAG_SAN 1

static const uint8_t sync_mark[4] = { AUDIT_SYNC_BYTE, 'S', 'A', '1' };
static const char ellipsis[] = "\xe2\x80\xa6";
#define ELLIPSIS_LEN (sizeof ellipsis - 1)

/* Tags stay below the second byte of the sync. `max` is of the encoded string. */
static const struct string_field {
	uint8_t tag;
	uint16_t max;
	size_t offset;
} string_fields[] = {
	{ 2, 512, offsetof(struct audit_event, program) },
	{ 3, 128, offsetof(struct audit_event, label) },
	{ 4, 128, offsetof(struct audit_event, rule) },
	{ 5, 16, offsetof(struct audit_event, direction) },
	{ AUDIT_TAG_LOCAL, 64, offsetof(struct audit_event, local) },
	{ AUDIT_TAG_REMOTE, 64, offsetof(struct audit_event, remote) },
	{ 8, 256, offsetof(struct audit_event, server_name) },
	{ 9, 16, offsetof(struct audit_event, version) },
	{ 10, 64, offsetof(struct audit_event, cipher) },
	{ 11, 64, offsetof(struct audit_event, group) },
	{ 12, 256, offsetof(struct audit_event, alpn) },
	{ 13, 256, offsetof(struct audit_event, verify) },
	{ 14, 384, offsetof(struct audit_event, peer_subject) },
	{ 15, 384, offsetof(struct audit_event, peer_issuer) },
	{ 16, 64, offsetof(struct audit_event, peer_serial) },
	{ 17, 96, offsetof(struct audit_event, peer_sha256) },
	{ 18, 16, offsetof(struct audit_event, plane) },
	{ 19, 384, offsetof(struct audit_event, reason) },
	{ 30, 32, offsetof(struct audit_event, cause) },
	{ 20, 16, offsetof(struct audit_event, protocol) },
	{ 21, 16, offsetof(struct audit_event, application) },
	{ 22, 16, offsetof(struct audit_event, offered_version) },
	{ 23, 48, offsetof(struct audit_event, ja4) },
};

static const struct number_field {
	uint8_t tag;
	size_t offset;
} number_fields[] = {
	{ 32, offsetof(struct audit_event, peer_not_after) },
	{ 33, offsetof(struct audit_event, handshake_us) },
	{ 34, offsetof(struct audit_event, bytes_in) },
	{ 35, offsetof(struct audit_event, bytes_out) },
	{ 36, offsetof(struct audit_event, duration_us) },
	{ 37, offsetof(struct audit_event, lost) },
};

/* Fields of type int; negative is absent. */
static const struct number_field small_fields[] = {
	{ 48, offsetof(struct audit_event, resumed) },
	{ 49, offsetof(struct audit_event, alert_sent) },
	{ 50, offsetof(struct audit_event, alert_received) },
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/*
 * CRC-32 as in IEEE 802.3, eight nibbles at a time: a row for each nibble of a word, 512 bytes in
 * every process. The last row is that of a single one.
 */
static const uint32_t crc_table[8][16] = {
	{ 0x00000000, 0xb8bc6765, 0xaa09c88b, 0x12b5afee, 0x8f629757, 0x37def032, 0x256b5fdc,
		0x9dd738b9, 0xc5b428ef, 0x7d084f8a, 0x6fbde064, 0xd7018701, 0x4ad6bfb8, 0xf26ad8dd,
		0xe0df7733, 0x58631056 },
	{ 0x00000000, 0x5019579f, 0xa032af3e, 0xf02bf8a1, 0x9b14583d, 0xcb0d0fa2, 0x3b26f703,
		0x6b3fa09c, 0xed59b63b, 0xbd40e1a4, 0x4d6b1905, 0x1d724e9a, 0x764dee06, 0x2654b999,
		0xd67f4138, 0x866616a7 },
	{ 0x00000000, 0x01c26a37, 0x0384d46e, 0x0246be59, 0x0709a8dc, 0x06cbc2eb, 0x048d7cb2,
		0x054f1685, 0x0e1351b8, 0x0fd13b8f, 0x0d9785d6, 0x0c55efe1, 0x091af964, 0x08d89353,
		0x0a9e2d0a, 0x0b5c473d },
	{ 0x00000000, 0x1c26a370, 0x384d46e0, 0x246be590, 0x709a8dc0, 0x6cbc2eb0, 0x48d7cb20,
		0x54f16850, 0xe1351b80, 0xfd13b8f0, 0xd9785d60, 0xc55efe10, 0x91af9640, 0x8d893530,
		0xa9e2d0a0, 0xb5c473d0 },
	{ 0x00000000, 0x191b3141, 0x32366282, 0x2b2d53c3, 0x646cc504, 0x7d77f445, 0x565aa786,
		0x4f4196c7, 0xc8d98a08, 0xd1c2bb49, 0xfaefe88a, 0xe3f4d9cb, 0xacb54f0c, 0xb5ae7e4d,
		0x9e832d8e, 0x87981ccf },
	{ 0x00000000, 0x4ac21251, 0x958424a2, 0xdf4636f3, 0xf0794f05, 0xbabb5d54, 0x65fd6ba7,
		0x2f3f79f6, 0x3b83984b, 0x71418a1a, 0xae07bce9, 0xe4c5aeb8, 0xcbfad74e, 0x8138c51f,
		0x5e7ef3ec, 0x14bce1bd },
	{ 0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535,
		0x9e6495a3, 0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd,
		0xe7b82d07, 0x90bf1d91 },
	{ 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
		0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
		0xa00ae278, 0xbdbdf21c },
};

static uint64_t get_le(const uint8_t *in, size_t size)
{
	uint64_t value = 0;

	for (size_t i = size; i-- > 0;)
		value = value << 8 | in[i];
	return value;
}

/* Written out: the compiler would make a loop of it, of three times the instructions. */
static uint32_t crc_of_word(uint32_t word)
{
	return crc_table[0][word & 15] ^ crc_table[1][word >> 4 & 15] ^
	       crc_table[2][word >> 8 & 15] ^ crc_table[3][word >> 12 & 15] ^
	       crc_table[4][word >> 16 & 15] ^ crc_table[5][word >> 20 & 15] ^
	       crc_table[6][word >> 24 & 15] ^ crc_table[7][word >> 28];
}

static uint32_t crc32_update(uint32_t crc, const uint8_t *data, size_t len)
{
	for (; len >= 4; data += 4, len -= 4)
		crc = crc_of_word(crc ^ (data[0] | (uint32_t)data[1] << 8 |
						(uint32_t)data[2] << 16 | (uint32_t)data[3] << 24));
	for (; len > 0; data++, len--) {
		crc = crc_table[7][(crc ^ *data) & 15] ^ (crc >> 4);
		crc = crc_table[7][(crc ^ (*data >> 4)) & 15] ^ (crc >> 4);
	}
	return crc;
}

static uint32_t record_crc(const uint8_t *record, size_t len)
{
	uint32_t crc = crc32_update(UINT32_MAX, record, 8);

	return ~crc32_update(crc, record + 12, len - 12);
}

static void put_le(uint8_t *out, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

/* --- encoding --- */

struct output {
	uint8_t *at, *end;
};

static void put_leb(struct output *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*out->at++ = (uint8_t)value | 0x80;
	*out->at++ = (uint8_t)value;
}

static void put_number(struct output *out, uint8_t tag, uint64_t value)
{
	struct output length = { out->at + 1, NULL };
	uint8_t *begin = out->at + 2;

	*out->at = tag;
	out->at = begin;
	put_leb(out, value);
	put_leb(&length, (uint64_t)(out->at - begin));
}

/* How many bytes of `text` take no more than `max` bytes when encoded; *encoded: how many they
 * take. */
static size_t fitting(const char *text, size_t max, size_t *encoded)
{
	size_t n = 0;

	for (*encoded = 0; text[n] != '\0'; n++) {
		size_t width = (uint8_t)text[n] >= 0xfe ? 2 : 1;

		if (*encoded + width > max)
			break;
		*encoded += width;
	}
	return n;
}

/* As fitting(), for a string that has to be cut: not within a character of UTF-8. */
static size_t cut(const char *text, size_t max, size_t *encoded)
{
	size_t n = fitting(text, max - ELLIPSIS_LEN, encoded);

	for (int back = 0; back < 3 && n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80; back++) {
		n--;
		*encoded -= (uint8_t)text[n] >= 0xfe ? 2 : 1;
	}
	return n;
}

static void put_byte(struct output *out, uint8_t byte)
{
	*out->at++ = byte >= 0xfe ? 0xfe : byte;
	if (byte >= 0xfe)
		*out->at++ = byte - 0xfe;
}

static bool put_string(struct output *out, uint8_t tag, const char *text, size_t max)
{
	size_t encoded, n = fitting(text, max, &encoded), total = encoded;
	bool whole = text[n] == '\0';

	if (!whole) {
		n = cut(text, max, &encoded);
		total = encoded + ELLIPSIS_LEN;
	}
	if ((size_t)(out->end - out->at) < 1 + 2 + total)
		return false;
	*out->at++ = tag;
	put_leb(out, total);
	for (size_t i = 0; i < n; i++)
		put_byte(out, (uint8_t)text[i]);
	if (!whole) {
		memcpy(out->at, ellipsis, ELLIPSIS_LEN);
		out->at += ELLIPSIS_LEN;
	}
	return true;
}

static void put_names(struct output *out, const struct audit_event *event)
{
	struct output room = { out->at, out->end - (1 + 1 + ELLIPSIS_LEN) };

	for (size_t i = 0; i < event->peer_san_count && i < AUDIT_SAN_MAX; i++) {
		if (!put_string(&room, TAG_SAN, event->peer_san[i], SAN_MAX_LEN)) {
			room.end = out->end;
			put_string(&room, TAG_SAN, ellipsis, SAN_MAX_LEN);
			break;
		}
	}
	out->at = room.at;
}

static void put_fields(struct output *out, const struct audit_event *event)
{
	const char *base = (const char *)event;

	for (size_t i = 0; i < COUNT(string_fields); i++) {
		const struct string_field *field = &string_fields[i];
		const char *text = *(const char *const *)(base + field->offset);

		if (text != NULL)
			put_string(out, field->tag, text, field->max);
	}
	for (size_t i = 0; i < COUNT(number_fields); i++) {
		uint64_t value = *(const uint64_t *)(base + number_fields[i].offset);

		if (value != AUDIT_ABSENT)
			put_number(out, number_fields[i].tag, value);
	}
	for (size_t i = 0; i < COUNT(small_fields); i++) {
		int value = *(const int *)(base + small_fields[i].offset);

		if (value >= 0)
			put_number(out, small_fields[i].tag, (uint64_t)value);
	}
	put_names(out, event);
}

size_t audit_encode(const struct audit_event *event, uint8_t out[AUDIT_RECORD_MAX])
{
	struct output body = { out + FRAME_LEN, out + AUDIT_RECORD_MAX - AUDIT_ADD_ROOM };
	size_t len;

	put_fields(&body, event);
	len = (size_t)(body.at - out);
	memcpy(out, sync_mark, sizeof sync_mark);
	out[6] = (uint8_t)event->type;
	out[7] = 0;
	put_le(out + 12, event->time_us, 8);
	put_le(out + 20, event->conn, 8);
	put_le(out + 28, (uint32_t)event->pid, 4);
	put_le(out + 32, event->uid, 4);
	audit_finish_frame(out, len);
	return len;
}

void audit_finish_frame(uint8_t *record, size_t len)
{
	put_le(record + 4, len, 2);
	put_le(record + 8, record_crc(record, len), 4);
}

size_t audit_add_number(uint8_t *record, size_t len, uint8_t tag, uint64_t value)
{
	struct output out = { record + len, record + AUDIT_RECORD_MAX };

	put_number(&out, tag, value);
	return (size_t)(out.at - record);
}

size_t audit_add_bytes(uint8_t *record, size_t len, uint8_t tag, const uint8_t *bytes, size_t count)
{
	struct output out = { record + len, record + AUDIT_RECORD_MAX };
	size_t encoded = count;

	for (size_t i = 0; i < count; i++)
		encoded += bytes[i] >= 0xfe;
	*out.at++ = tag;
	put_leb(&out, encoded);
	for (size_t i = 0; i < count; i++)
		put_byte(&out, bytes[i]);
	return (size_t)(out.at - record);
}

/* --- decoding --- */

int audit_frame_check(const uint8_t *buf, size_t len, struct audit_frame *out)
{
	size_t known = len < sizeof sync_mark ? len : sizeof sync_mark;
	size_t length;

	if (memcmp(buf, sync_mark, known) != 0)
		return -EBADMSG;
	if (len < 8)
		return -EAGAIN;
	length = (size_t)get_le(buf + 4, 2);
	if (length < FRAME_LEN || length > AUDIT_RECORD_MAX || buf[6] > AUDIT_SEAL || buf[7] != 0)
		return -EBADMSG;
	if (len < length)
		return -EAGAIN;
	if (get_le(buf + 8, 4) != record_crc(buf, length))
		return -EBADMSG;
	out->len = length;
	out->type = buf[6];
	out->time_us = get_le(buf + 12, 8);
	return 0;
}

struct input {
	const uint8_t *at, *end;
	char *text; /* where the next string goes */
};

static int get_leb(struct input *in, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 7 * NUMBER_MAX; shift += 7) {
		uint8_t byte;

		if (in->at == in->end)
			return -EBADMSG;
		byte = *in->at++;
		if (shift == 63 && byte > 1)
			return -EBADMSG;
		*out |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return 0;
	}
	return -EBADMSG;
}

/* A string takes as many bytes as its value, and the zero the place of its tag: all always fit. */
static int get_string(struct input *in, const char **out)
{
	*out = in->text;
	while (in->at < in->end) {
		uint8_t byte = *in->at++;

		if (byte == 0 || byte == 0xff)
			return -EBADMSG;
		if (byte == 0xfe) {
			if (in->at == in->end || *in->at > 1)
				return -EBADMSG;
			byte = 0xfe + *in->at++;
		}
		*in->text++ = (char)byte;
	}
	*in->text++ = '\0';
	return 0;
}

static int get_number(struct input *in, uint64_t max, uint64_t *out)
{
	int r = get_leb(in, out);

	if (r == 0 && (in->at != in->end || *out > max))
		r = -EBADMSG;
	return r;
}

static int get_small(struct input *in, int *out)
{
	uint64_t value;
	int r = get_number(in, INT_MAX, &value);

	if (r == 0)
		*out = (int)value;
	return r;
}

/* One field; `in` is its value. */
static int get_field(struct input *in, uint8_t tag, struct audit_event *out)
{
	char *base = (char *)out;

	if (tag == TAG_SAN) {
		if (out->peer_san_count == AUDIT_SAN_MAX)
			return -EBADMSG;
		return get_string(in, &out->peer_san[out->peer_san_count++]);
	}
	for (size_t i = 0; i < COUNT(string_fields); i++)
		if (string_fields[i].tag == tag)
			return get_string(in, (const char **)(base + string_fields[i].offset));
	for (size_t i = 0; i < COUNT(number_fields); i++)
		if (number_fields[i].tag == tag)
			return get_number(
				in, AUDIT_ABSENT - 1, (uint64_t *)(base + number_fields[i].offset));
	for (size_t i = 0; i < COUNT(small_fields); i++)
		if (small_fields[i].tag == tag)
			return get_small(in, (int *)(base + small_fields[i].offset));
	return 0;
}

int audit_field_next(const uint8_t *record, size_t len, struct audit_field *field)
{
	struct input in = { field->next != NULL ? field->next : record + FRAME_LEN, record + len,
		NULL };
	uint64_t length;

	if (in.at == in.end)
		return 0;
	field->begin = in.at;
	field->tag = *in.at++;
	if (get_leb(&in, &length) < 0 || length > (uint64_t)(in.end - in.at))
		return -EBADMSG;
	field->value = in.at;
	field->next = in.at + length;
	return 1;
}

int audit_field_number(const struct audit_field *field, uint64_t *out)
{
	struct input in = { field->value, field->next, NULL };

	return get_number(&in, UINT64_MAX, out);
}

size_t audit_field_bytes(const struct audit_field *field, uint8_t *out, size_t room)
{
	size_t count = 0;

	for (const uint8_t *at = field->value; at < field->next; count++) {
		uint8_t byte = *at++;

		if (byte == 0xff || (byte == 0xfe && (at == field->next || *at > 1)))
			return SIZE_MAX;
		if (byte == 0xfe)
			byte = 0xfe + *at++;
		if (count < room)
			out[count] = byte;
	}
	return count;
}

int audit_decode(
	const uint8_t *buf, size_t len, struct audit_event *out, char text[AUDIT_RECORD_MAX])
{
	struct audit_field field = { .next = NULL };
	struct input in = { .text = text };
	int r;

	audit_event_init(out, buf[6]);
	out->time_us = get_le(buf + 12, 8);
	out->conn = get_le(buf + 20, 8);
	out->pid = (pid_t)get_le(buf + 28, 4);
	out->uid = (uid_t)get_le(buf + 32, 4);
	while ((r = audit_field_next(buf, len, &field)) > 0) {
		in.at = field.value;
		in.end = field.next;
		r = get_field(&in, field.tag, out);
		if (r < 0)
			return r;
	}
	return r;
}
