/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/binding.h"
#include "tls/context_private.h"
#include "tls/pem.h"
#include "tls/trust.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <wolfssl/wolfcrypt/sha256.h>

#define FILES_MOST 4096

void binding_add(uint8_t binding[BINDING_LEN], const void *data, size_t len)
{
	uint64_t length = len; /* so that "ab", "c" is not "a", "bc" */
	wc_Sha256 sha;

	if (wc_InitSha256(&sha) != 0)
		return;
	wc_Sha256Update(&sha, binding, BINDING_LEN);
	wc_Sha256Update(&sha, (const byte *)&length, sizeof length);
	wc_Sha256Update(&sha, data, (word32)len);
	wc_Sha256Final(&sha, binding);
	wc_Sha256Free(&sha);
}

static void add_file(uint8_t binding[BINDING_LEN], const char *path)
{
	struct pem file;

	if (pem_read(path, &file) < 0)
		return;
	binding_add(binding, file.text, file.len);
	pem_clear(&file);
}

static void add_directory(uint8_t binding[BINDING_LEN], const char *path)
{
	uint8_t sum[BINDING_LEN] = { 0 };
	struct dirent *entry;
	DIR *dir = opendir(path);
	int files = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL && files++ < FILES_MOST) {
		uint8_t one[BINDING_LEN] = { 0 };
		char file[PATH_MAX];

		if (entry->d_name[0] == '.' || snprintf(file, sizeof file, "%s/%s", path,
						       entry->d_name) >= (int)sizeof file)
			continue;
		add_file(one, file);
		for (size_t i = 0; i < sizeof sum; i++)
			sum[i] ^= one[i];
	}
	if (dir != NULL)
		closedir(dir);
	binding_add(binding, sum, sizeof sum);
}

void binding_add_files(uint8_t binding[BINDING_LEN], const struct policy_list *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		const char *path = strcmp(paths->items[i], "system") == 0 ? trust_system_bundle()
									  : paths->items[i];
		struct stat st;

		if (path == NULL || stat(path, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode))
			add_directory(binding, path);
		else
			add_file(binding, path);
	}
}

void tls_context_bind(struct tls_context *context, const char *text)
{
	for (; context != NULL; context = context->next)
		binding_add(context->binding, text, strlen(text));
}
