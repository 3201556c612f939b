/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A fuzz target without the fuzzer: feeds it the files of the folders that are named, each also cut
 * short. */
#include "fuzz.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 16)

static int replay_file(const char *path)
{
	uint8_t *data = malloc(FILE_MAX);
	FILE *file = fopen(path, "re");
	size_t len;

	if (file == NULL || data == NULL) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	len = fread(data, 1, FILE_MAX, file);
	fclose(file);
	for (size_t cut = 0; cut <= len; cut += cut + 8 < len ? (len - cut) / 8 + 1 : 1) {
		uint8_t *copy = malloc(cut > 0 ? cut : 1);

		memcpy(copy, data, cut);
		LLVMFuzzerTestOneInput(copy, cut);
		free(copy);
	}
	free(data);
	return 1;
}

static int replay_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[PATH_MAX];
	int count = 0;

	if (dir == NULL) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		count += replay_file(file);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_directory(argv[i]);
	printf("%d files\n", count);
	return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
