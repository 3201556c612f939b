/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RFC 4511 4.14. Messages are BER with definite lengths (5.1). */
#include "conn/starttls_private.h"

#include <string.h>

#define OID "1.3.6.1.4.1.1466.20037"
#define OID_LEN (sizeof(OID) - 1)

enum tag {
	TAG_INTEGER = 0x02,
	TAG_OCTETS = 0x04,
	TAG_ENUMERATED = 0x0a,
	TAG_SEQUENCE = 0x30,
	TAG_UNBIND = 0x42,
	TAG_ABANDON = 0x50,
	TAG_EXTENDED_REQUEST = 0x77,
	TAG_EXTENDED_RESPONSE = 0x78,
	TAG_REQUEST_NAME = 0x80,
	TAG_RESPONSE_NAME = 0x8a,
};
enum result { SUCCESS = 0, CONFIDENTIALITY_REQUIRED = 13 };

struct ber {
	const uint8_t *at;
	size_t len;
};

/* How many bytes a length takes, by its first; 0: none that is bounded. */
static size_t length_len(uint8_t first)
{
	if (first < 0x80)
		return 1;
	return first > 0x80 && first <= 0x84 ? 1 + (size_t)(first & 0x7f) : 0;
}

static size_t length_of(const uint8_t *at)
{
	size_t len = at[0];

	if (at[0] < 0x80)
		return len;
	len = 0;
	for (int i = 1; i <= (at[0] & 0x7f); i++)
		len = len << 8 | at[i];
	return len;
}

/* Takes an element from the front. False: that is not what is there. */
static bool take(struct ber *from, uint8_t tag, struct ber *out)
{
	size_t head, len;

	if (from->len < 2 || from->at[0] != tag)
		return false;
	head = length_len(from->at[1]);
	if (head == 0 || from->len < 1 + head)
		return false;
	len = length_of(from->at + 1);
	if (len > from->len - 1 - head)
		return false;
	*out = (struct ber){ from->at + 1 + head, len };
	from->at = out->at + len;
	from->len -= 1 + head + len;
	return true;
}

static int rest(struct starttls *starttls)
{
	const uint8_t *unit = (const uint8_t *)starttls->unit;
	size_t have = starttls->unit_len, head, len;

	if (have < 2)
		return (int)(2 - have);
	head = length_len(unit[1]);
	if (unit[0] != TAG_SEQUENCE || head == 0) {
		starttls_refuse(starttls, "the peer does not speak LDAP");
		return -1;
	}
	if (have < 1 + head)
		return (int)(1 + head - have);
	len = length_of(unit + 1);
	if (len > STARTTLS_UNIT_MAX - 1 - head) {
		starttls_refuse(starttls, "the peer sent a message of more than %d bytes",
			STARTTLS_UNIT_MAX);
		return -1;
	}
	return (int)(1 + head + len - have);
}

/* The message's number, and the operation with what is in it. False: over. */
static bool open_message(
	struct starttls *starttls, struct ber *id, uint8_t *tag, struct ber *operation)
{
	struct ber message = { (const uint8_t *)starttls->unit, starttls->unit_len }, inside;

	if (take(&message, TAG_SEQUENCE, &inside) && take(&inside, TAG_INTEGER, id) &&
		id->len >= 1 && id->len <= 4 && inside.len > 0) {
		*tag = inside.at[0];
		if (take(&inside, *tag, operation))
			return true;
	}
	starttls_refuse(starttls, "the peer sent a malformed LDAP message");
	return false;
}

static void begin(struct starttls *starttls)
{
	static const uint8_t head[] = { TAG_SEQUENCE, OID_LEN + 7, TAG_INTEGER, 1, 1,
		TAG_EXTENDED_REQUEST, OID_LEN + 2, TAG_REQUEST_NAME, OID_LEN };

	starttls_say(starttls, head, sizeof(head));
	starttls_say(starttls, OID, OID_LEN);
}

static void refuse_result(struct starttls *starttls, unsigned code, const struct ber *message)
{
	char quote[STARTTLS_QUOTE_LEN];

	/* The unit becomes what there is to quote of it. */
	memmove(starttls->unit, message->at, message->len);
	starttls->unit_len = message->len;
	starttls_refuse(starttls, "the server answered StartTLS with the result %u%s%s%s", code,
		message->len > 0 ? ": '" : "", starttls_quote(starttls, quote),
		message->len > 0 ? "'" : "");
}

static void hear_server(struct starttls *starttls)
{
	struct ber id, operation, code, matched, message = { (const uint8_t *)"", 0 };
	uint8_t tag;

	if (!open_message(starttls, &id, &tag, &operation))
		return;
	if (tag != TAG_EXTENDED_RESPONSE || !take(&operation, TAG_ENUMERATED, &code) ||
		code.len != 1) {
		starttls_refuse(starttls, "the server did not answer StartTLS, but something else");
		return;
	}
	if (take(&operation, TAG_OCTETS, &matched))
		take(&operation, TAG_OCTETS, &message);
	if (code.at[0] != SUCCESS || id.len != 1 || id.at[0] != 1)
		refuse_result(starttls, code.at[0], &message);
	else
		starttls_upgrade(starttls);
}

/* The tag of the answer to a request; 0: there is none. */
static uint8_t answer_to(uint8_t request)
{
	static const uint8_t answers[][2] = {
		{ 0x60, 0x61 }, /* bind */
		{ 0x63, 0x65 }, /* search: its end */
		{ 0x66, 0x67 }, /* modify */
		{ 0x68, 0x69 }, /* add */
		{ 0x4a, 0x6b }, /* delete */
		{ 0x6c, 0x6d }, /* rename */
		{ 0x6e, 0x6f }, /* compare */
		{ TAG_EXTENDED_REQUEST, TAG_EXTENDED_RESPONSE },
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i][0] == request)
			return answers[i][1];
	return 0;
}

static void answer(struct starttls *starttls, const struct ber *id, uint8_t tag, enum result code,
	const char *text)
{
	uint8_t head[16], result[] = { TAG_ENUMERATED, 1, (uint8_t)code, TAG_OCTETS, 0 };
	static const uint8_t name[] = { TAG_RESPONSE_NAME, OID_LEN };
	size_t text_len = strlen(text), len = 0,
	       body = sizeof(result) + 2 + text_len + (code == SUCCESS ? 2 + OID_LEN : 0);

	head[len++] = TAG_SEQUENCE;
	head[len++] = (uint8_t)(2 + id->len + 2 + body);
	head[len++] = TAG_INTEGER;
	head[len++] = (uint8_t)id->len;
	memcpy(head + len, id->at, id->len);
	len += id->len;
	head[len++] = tag;
	head[len++] = (uint8_t)body;
	starttls_say(starttls, head, len);
	starttls_say(starttls, result, sizeof(result));
	starttls_say(starttls, (uint8_t[]){ TAG_OCTETS, (uint8_t)text_len }, 2);
	starttls_say(starttls, text, text_len);
	if (code != SUCCESS)
		return;
	starttls_say(starttls, name, sizeof(name));
	starttls_say(starttls, OID, OID_LEN);
}

static void hear_client(struct starttls *starttls)
{
	struct ber id, operation, name;
	uint8_t tag;

	if (!open_message(starttls, &id, &tag, &operation))
		return;
	if (tag == TAG_EXTENDED_REQUEST && take(&operation, TAG_REQUEST_NAME, &name) &&
		name.len == OID_LEN && memcmp(name.at, OID, OID_LEN) == 0) {
		answer(starttls, &id, TAG_EXTENDED_RESPONSE, SUCCESS, "");
		starttls_upgrade(starttls);
	} else if (tag == TAG_UNBIND) {
		starttls_leave(starttls);
	} else if (answer_to(tag) != 0) {
		answer(starttls, &id, answer_to(tag), CONFIDENTIALITY_REQUIRED, "TLS is required");
	} else if (tag != TAG_ABANDON) {
		starttls_refuse(starttls, "the client sent what is no request of LDAP");
	}
}

const struct starttls_protocol starttls_ldap = {
	.name = "ldap",
	.rest = rest,
	.begin = begin,
	.hear_server = hear_server,
	.hear_client = hear_client,
};
