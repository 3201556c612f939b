/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Functions of the objects that were loaded after this library, found in their own tables: for the
 * functions of the loader's that the library defines itself, with which everything else is found.
 */
#ifndef SEAMTLS_LOADED_H
#define SEAMTLS_LOADED_H

/* The function in the first object that defines it, whatever version; NULL: there is none. */
void *loaded_find(const char *name);

#endif
