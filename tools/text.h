/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text from peers, programs and file names, which may hold anything, made fit for a terminal: what
 * is no UTF-8, or would control a terminal or turn the direction of writing, comes out as \xNN.
 */
#ifndef SEAMTLS_TOOLS_TEXT_H
#define SEAMTLS_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_INVALID UINT32_MAX

/* How many bytes the character at `text` has, and its code; 1 and TEXT_INVALID: no UTF-8. Not at
 * the end. */
size_t text_next(const char *text, uint32_t *code);

/* How many bytes from `text` on are printable ASCII, but no " and no backslash. */
size_t text_simple(const char *text);

/* Whether a character is to be shown as it is. */
bool text_is_plain(uint32_t code);

/* The harmless form, cut where `len` ends. Returns out. */
const char *text_safe(char *out, size_t len, const char *text);

/* How many bytes of a harmless text take `columns`, and how many they take. Every character counts
 * as one. */
size_t text_fit(const char *text, size_t columns, size_t *taken);

#endif
