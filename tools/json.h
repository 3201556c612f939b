/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * JSON, one object a line. What is no UTF-8 becomes U+FFFD; control characters are escaped, also
 * those that JSON would allow. A key of NULL is for the elements of a list.
 */
#ifndef SEAMTLS_TOOLS_JSON_H
#define SEAMTLS_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool first; /* of the object or list that is open */
};

void json_begin(struct json *json, FILE *out); /* the object */
void json_end(struct json *json);              /* and the line */

/* An object or list inside: bracket is '{' or '[', its counterpart closes. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
void json_integer(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);

#endif
