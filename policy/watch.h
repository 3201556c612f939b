/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files as they were when they were looked at, to see later whether they still are: what a path
 * leads to is compared by device, inode, size and times, so a renamed file, a link that leads
 * elsewhere, and bytes that were written in place all show. Of a file that was written just before
 * it was looked at the bytes count too, for the kernel's clock may show the same time when it is
 * written again. Nothing is left open.
 */
#ifndef SEAMTLS_POLICY_WATCH_H
#define SEAMTLS_POLICY_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watched;

/* All zero: empty. */
struct watch {
	size_t count, room;
	struct watched *items;
	bool lacking; /* there was no memory for some of them */
};

/* To be called before the file is read: what changes in between then shows as a change. A path that
 * leads nowhere is watched too. */
void watch_add(struct watch *watch, const char *path);
/* The same with every file in it, if it is a directory. */
void watch_add_tree(struct watch *watch, const char *path);

bool watch_changed(struct watch *watch);

void watch_clear(struct watch *watch);

#endif
