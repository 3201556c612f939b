/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL signs with the token by its own PKCS#11 code, which opens a session for each signature;
 * what it does not do, and is done here, is to find the module, the token and the objects, and to
 * go on in a forked child. fork() waits until no handshake and no loading is under way, so that
 * nobody is in a module then.
 */
#include "tls/token.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/pkcs11.h>
#include <wolfssl/wolfcrypt/wc_pkcs11.h>

/* Of PKCS#11 2.40, what wolfSSL's header leaves out. */
#ifndef CKF_TOKEN_INITIALIZED
#define CKF_TOKEN_INITIALIZED 0x00000400UL
#endif
#ifndef CKR_PIN_LOCKED
#define CKR_PIN_LOCKED 0x000000A4UL
#endif
#ifndef CKR_USER_ALREADY_LOGGED_IN
#define CKR_USER_ALREADY_LOGGED_IN 0x00000100UL
#endif

#define MODULE_DEFAULT "p11-kit-proxy.so"
#define SLOTS_MAX 64
#define TOKENS_MAX 16
#define DEVICE_FIRST 0x5ea0
#define CERTIFICATE_MAX 65536

struct module {
	char path[PKCS11_VALUE_MAX + 1];
	CK_FUNCTION_LIST *func;
	pid_t pid; /* that has initialised it */
};

struct token {
	struct module *module;
	struct pkcs11_uri uri; /* that it was found by */
	char pin[PKCS11_VALUE_MAX + 1];
	bool has_pin;
	Pkcs11Token wolf;
	CK_SESSION_HANDLE session; /* keeps the login */
	pid_t pid;                 /* that has opened it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct module modules[TOKENS_MAX];
static struct token tokens[TOKENS_MAX];

static int initialise(struct module *module)
{
	CK_C_INITIALIZE_ARGS args;
	CK_RV rv;

	if (module->pid == getpid())
		return 0;
	memset(&args, 0, sizeof args);
	args.flags = CKF_OS_LOCKING_OK;
	rv = module->func->C_Initialize(&args);
	/* It does not see that it is in a child, or the program uses it too. Only in the first case
	 * what it has is not ours. */
	if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED && module->pid != 0) {
		module->func->C_Finalize(NULL);
		rv = module->func->C_Initialize(&args);
	}
	if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
		return -EIO;
	module->pid = getpid();
	return 0;
}

static int load(struct module *module, const char *path, const struct why *why)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get;

	if (handle == NULL)
		return why_say(
			why, -ELIBACC, "cannot load the PKCS#11 module '%s': %s", path, dlerror());
	*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (get == NULL || get(&module->func) != CKR_OK || module->func == NULL) {
		dlclose(handle);
		return why_say(why, -ELIBBAD, "'%s' is no PKCS#11 module", path);
	}
	if (initialise(module) < 0)
		return why_say(why, -EIO, "the PKCS#11 module '%s' cannot be initialised", path);
	strcpy(module->path, path);
	return 0;
}

static int module_get(const struct pkcs11_uri *uri, struct module **out, const struct why *why)
{
	const char *path = uri->module_path[0] != '\0' ? uri->module_path : MODULE_DEFAULT;

	for (size_t i = 0; i < TOKENS_MAX; i++) {
		*out = &modules[i];
		if (modules[i].path[0] == '\0')
			return load(&modules[i], path, why);
		if (strcmp(modules[i].path, path) == 0)
			return initialise(&modules[i]) == 0
				       ? 0
				       : why_say(why, -EIO,
						 "the PKCS#11 module '%s' cannot be initialised",
						 path);
	}
	return why_say(why, -E2BIG, "more than %d PKCS#11 modules", TOKENS_MAX);
}

/* Fields of CK_TOKEN_INFO are padded with blanks. */
static bool field_is(const CK_UTF8CHAR *field, size_t size, const char *value)
{
	size_t len = strlen(value);

	if (len == 0)
		return true;
	if (len > size || memcmp(field, value, len) != 0)
		return false;
	for (size_t i = len; i < size; i++)
		if (field[i] != ' ' && field[i] != '\0')
			return false;
	return true;
}

static bool token_is(const CK_TOKEN_INFO *info, const struct pkcs11_uri *uri)
{
	return field_is(info->label, sizeof info->label, uri->token) &&
	       field_is(info->serialNumber, sizeof info->serialNumber, uri->serial) &&
	       field_is(info->manufacturerID, sizeof info->manufacturerID, uri->manufacturer) &&
	       field_is(info->model, sizeof info->model, uri->model);
}

static int find_slot(const struct module *module, const struct pkcs11_uri *uri, CK_SLOT_ID *out,
	const struct why *why)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	size_t found = 0;

	if (module->func->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
		count = 0;
	for (CK_ULONG i = 0; i < count; i++) {
		CK_TOKEN_INFO info;

		if (module->func->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
			(info.flags & CKF_TOKEN_INITIALIZED) == 0 || !token_is(&info, uri))
			continue;
		*out = slots[i];
		found++;
	}
	if (found == 1)
		return 0;
	return why_say(why, found == 0 ? -ENODEV : -EINVAL,
		"the PKCS#11 module '%s' has %s token%s%s%s that the URI means", module->path,
		found == 0 ? "no" : "more than one", uri->token[0] != '\0' ? " '" : "", uri->token,
		uri->token[0] != '\0' ? "'" : "");
}

static int open_session(struct token *token, const struct why *why)
{
	CK_FUNCTION_LIST *func = token->module->func;
	CK_SLOT_ID slot = 0;
	int r = find_slot(token->module, &token->uri, &slot, why);
	CK_RV rv;

	if (r < 0)
		return r;
	if (func->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &token->session) != CKR_OK)
		return why_say(why, -EIO, "the token '%s' cannot be opened", token->uri.token);
	rv = token->has_pin ? func->C_Login(token->session, CKU_USER, (CK_UTF8CHAR *)token->pin,
				      strlen(token->pin))
			    : CKR_OK;
	if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) {
		func->C_CloseSession(token->session);
		return why_say(why, -EKEYREJECTED,
			rv == CKR_PIN_LOCKED ? "the PIN of the token '%s' is locked"
					     : "the PIN of the token '%s' is wrong",
			token->uri.token);
	}
	token->wolf.func = func;
	token->wolf.slotId = slot;
	token->pid = getpid();
	return 0;
}

/* With the lock. */
static int make_ready(struct token *token, const struct why *why)
{
	if (token->pid == getpid())
		return 0;
	if (initialise(token->module) < 0)
		return why_say(why, -EIO, "the PKCS#11 module '%s' cannot be initialised",
			token->module->path);
	return open_session(token, why);
}

/* wolfSSL's, for whatever it does with a private key of the token. */
static int on_crypto(int device, wc_CryptoInfo *info, void *arg)
{
	static const struct why nobody = { NULL, 0, NULL };
	struct token *token = arg;
	int r;

	if (info->algo_type != WC_ALGO_TYPE_PK)
		return CRYPTOCB_UNAVAILABLE;
	pthread_mutex_lock(&lock);
	r = make_ready(token, &nobody);
	pthread_mutex_unlock(&lock);
	return r == 0 ? wc_Pkcs11_CryptoDevCb(device, info, &token->wolf) : WC_HW_E;
}

static bool is_same(
	const struct token *token, const struct module *module, const struct pkcs11_uri *uri)
{
	return token->module == module && strcmp(token->uri.token, uri->token) == 0 &&
	       strcmp(token->uri.serial, uri->serial) == 0 &&
	       strcmp(token->uri.manufacturer, uri->manufacturer) == 0 &&
	       strcmp(token->uri.model, uri->model) == 0;
}

static int token_new(struct token *token, struct module *module, const struct pkcs11_uri *uri,
	const char *pin, const struct why *why)
{
	int r;

	token->uri = *uri;
	token->module = module;
	token->has_pin = pin != NULL;
	strcpy(token->pin, pin != NULL ? pin : "");
	r = open_session(token, why);
	if (r == 0 && wc_CryptoCb_RegisterDevice(token_device(token), on_crypto, token) != 0)
		r = why_say(why, -E2BIG, "the TLS library takes no more tokens");
	if (r < 0)
		explicit_bzero(token, sizeof *token);
	return r;
}

static int find_or_open(
	const struct pkcs11_uri *uri, const char *pin, struct token **out, const struct why *why)
{
	struct module *module;
	int r = module_get(uri, &module, why);

	if (r < 0)
		return r;
	for (size_t i = 0; i < TOKENS_MAX; i++) {
		*out = &tokens[i];
		if (tokens[i].module == NULL)
			return token_new(&tokens[i], module, uri, pin, why);
		if (is_same(&tokens[i], module, uri))
			return make_ready(&tokens[i], why);
	}
	return why_say(why, -E2BIG, "more than %d tokens", TOKENS_MAX);
}

int token_open(
	const struct pkcs11_uri *uri, const char *pin, struct token **out, const struct why *why)
{
	int r;

	pthread_mutex_lock(&lock);
	r = find_or_open(uri, pin, out, why);
	pthread_mutex_unlock(&lock);
	return r;
}

int token_device(const struct token *token)
{
	return DEVICE_FIRST + (int)(token - tokens);
}

/* --- Objects */

static int find_object(struct token *token, const struct pkcs11_uri *uri, CK_OBJECT_CLASS class,
	CK_OBJECT_HANDLE *out, const struct why *why)
{
	CK_FUNCTION_LIST *func = token->module->func;
	CK_ATTRIBUTE wanted[3] = { { CKA_CLASS, &class, sizeof class } };
	CK_ULONG used = 1, count = 0;
	CK_OBJECT_HANDLE found[2] = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };

	if (uri->object[0] != '\0')
		wanted[used++] = (CK_ATTRIBUTE){ CKA_LABEL, (void *)(uintptr_t)uri->object,
			strlen(uri->object) };
	if (uri->id_len > 0)
		wanted[used++] = (CK_ATTRIBUTE){ CKA_ID, (void *)(uintptr_t)uri->id, uri->id_len };
	if (func->C_FindObjectsInit(token->session, wanted, used) == CKR_OK) {
		if (func->C_FindObjects(token->session, found, 2, &count) != CKR_OK)
			count = 0;
		func->C_FindObjectsFinal(token->session);
	}
	*out = found[0];
	if (count == 1)
		return 0;
	return why_say(why, -EKEYREJECTED, "the token '%s' has %s %s that the URI means%s",
		token->uri.token, count == 0 ? "no" : "more than one",
		class == CKO_CERTIFICATE ? "certificate" : "private key",
		count == 0 && !token->has_pin ? " and that is to be seen without a PIN" : "");
}

static size_t read_attribute(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
	void *out, size_t room)
{
	CK_ATTRIBUTE attribute = { type, out, room };
	CK_RV rv = token->module->func->C_GetAttributeValue(token->session, object, &attribute, 1);

	return rv == CKR_OK && attribute.ulValueLen <= room ? attribute.ulValueLen : 0;
}

int token_find_key(struct token *token, const struct pkcs11_uri *uri, struct token_key *out,
	const struct why *why)
{
	CK_OBJECT_HANDLE object;
	int r = find_object(token, uri, CKO_PRIVATE_KEY, &object, why);

	memset(out, 0, sizeof *out);
	if (r < 0)
		return r;
	out->len = read_attribute(token, object, CKA_ID, out->name, PKCS11_VALUE_MAX);
	out->is_label = out->len == 0;
	if (out->is_label)
		out->len = read_attribute(token, object, CKA_LABEL, out->name, PKCS11_VALUE_MAX);
	return out->len > 0 ? 0
			    : why_say(why, -EKEYREJECTED,
				      "the private key in the token '%s' has neither id nor label",
				      token->uri.token);
}

int token_read_certificate(struct token *token, const struct pkcs11_uri *uri, uint8_t **der,
	size_t *len, const struct why *why)
{
	CK_OBJECT_HANDLE object;
	int r = find_object(token, uri, CKO_CERTIFICATE, &object, why);

	if (r < 0)
		return r;
	*der = malloc(CERTIFICATE_MAX);
	if (*der == NULL)
		return -ENOMEM;
	*len = read_attribute(token, object, CKA_VALUE, *der, CERTIFICATE_MAX);
	return *len > 0 ? 0
			: why_say(why, -EKEYREJECTED,
				  "the certificate in the token '%s' cannot be read",
				  token->uri.token);
}
