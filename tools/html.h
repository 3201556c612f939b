/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTML out of texts that may hold anything. Every text goes through html_text(): markup in it is
 * shown and not obeyed, and what would turn the direction of writing comes out as \xNN.
 */
#ifndef SEAMTLS_TOOLS_HTML_H
#define SEAMTLS_TOOLS_HTML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* For elements and for attributes in quotes. */
void html_text(FILE *out, const char *text);

/* The first `columns` characters, and an ellipsis if there are more. */
void html_text_cut(FILE *out, const char *text, size_t columns);

/* "12,345" */
void html_number(FILE *out, uint64_t number);

/* A cell of a table: <td>text</td>, <td class=number>12,345</td>. */
void html_cell(FILE *out, const char *text);
void html_cell_number(FILE *out, int64_t number);

#endif
