/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is looked for in the files of a program and of a process alike. */
#ifndef SEAMTLS_TOOLS_DOCTOR_FIND_H
#define SEAMTLS_TOOLS_DOCTOR_FIND_H

#include "doctor.h"

#define FINDINGS_LIBRARIES_MAX 16

/* All zeroes but the first two at first. */
struct findings {
	doctor_tell *tell;
	void *arg;
	bool told[FINDINGS_LIBRARIES_MAX];
	bool speaks_tls; /* the program itself names cipher suites */
};

/* A library that is asked for or loaded, by its name. */
void find_library(struct findings *findings, const char *path);
/* The contents of the program or of a library, which is called `name`. */
void find_contents(struct findings *findings, int fd, const char *name, bool program);
/* What only all of them together tell. */
void find_end(struct findings *findings);

/* The last part of a path. */
const char *doctor_base_name(const char *path);

#endif
