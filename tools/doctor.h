/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is found out about a program or a process, for `seamtls doctor`. */
#ifndef SEAMTLS_TOOLS_DOCTOR_H
#define SEAMTLS_TOOLS_DOCTOR_H

#include <stdbool.h>
#include <sys/types.h>

enum doctor_verdict { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_NO };

/* Called for each thing that was looked at. */
typedef void doctor_tell(
	enum doctor_verdict verdict, const char *what, const char *detail, void *arg);

/* Tells one, in printf's way. */
__attribute__((format(printf, 5, 6))) void doctor_say(doctor_tell *tell, void *arg,
	enum doctor_verdict verdict, const char *what, const char *format, ...);

/* A program's file. 0; -errno: it cannot be looked at. */
int doctor_program(const char *path, doctor_tell *tell, void *arg);

/* This machine's kernel, for `plane = kernel`. */
void doctor_kernel(doctor_tell *tell, void *arg);

/* A process that runs. 0; -errno. */
int doctor_process(pid_t pid, doctor_tell *tell, void *arg);

#endif
