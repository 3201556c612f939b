/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words for people. A refusal is said on standard error, each text once in a process; decisions are
 * told when SEAMTLS_DEBUG asks.
 */
#ifndef SEAMTLS_NOTICE_H
#define SEAMTLS_NOTICE_H

/* Says a refusal on standard error (if that is open and no socket) and to the debug output. Each
 * distinct text once. */
void notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Level 1: decisions; 2: the life of connections; 3: calls. Costs one load when it is off. */
#define notice_debug(level, ...)                                                                   \
	do {                                                                                       \
		if (notice_level() >= (level))                                                     \
			notice_write_debug(__VA_ARGS__);                                           \
	} while (0)
int notice_level(void);
void notice_write_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
