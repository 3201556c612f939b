/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An audit file, as the tools read it. A record's checksum is made good in one of two runs, so that
 * what is behind it is reached. */
#include "audit/chain.h"
#include "audit/reader.h"
#include "fixture.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECKSUM_END 12

static void decode(const uint8_t *record, size_t len)
{
	static char text[AUDIT_RECORD_MAX];
	struct audit_event event;
	struct audit_mark mark;

	audit_decode(record, len, &event, text);
	if (audit_chain_read(record, len, &mark) == 0 && mark.chained) {
		const struct audit_key key = { .len = 0 };
		const struct audit_link before = { { 0 } };

		if (mark.covered > len)
			abort();
		audit_chain_check(record, &mark, &key, &before);
	}
}

static void read_file(const uint8_t *data, size_t len)
{
	char path[FIXTURE_PATH_LEN];
	int fd = fixture_file(data, len, path);
	struct audit_reader *reader;
	struct audit_record record;

	if (audit_reader_new(path, &reader) != 0)
		abort();
	while (audit_reader_any(reader, &record) > 0)
		decode(record.data, record.frame.len);
	audit_reader_free(reader);
	close(fd);
}

static void read_record(const uint8_t *data, size_t len)
{
	static uint8_t record[AUDIT_RECORD_MAX];
	struct audit_frame frame;

	if (len > sizeof record)
		return;
	memcpy(record, data, len);
	audit_finish_frame(record, len);
	if (audit_frame_check(record, len, &frame) == 0)
		decode(record, frame.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	read_file(data, len);
	if (len >= CHECKSUM_END)
		read_record(data, len);
	return 0;
}
