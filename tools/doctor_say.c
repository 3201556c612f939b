/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor.h"
#include <stdarg.h>
#include <stdio.h>

#define DETAIL_LEN 1024

void doctor_say(doctor_tell *tell, void *arg, enum doctor_verdict verdict, const char *what,
	const char *format, ...)
{
	char detail[DETAIL_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	tell(verdict, what, detail, arg);
}
