/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A kernel has TLS if its module is there (`modprobe tls`), which only a privileged process has it
 * load by asking; and a cipher if that one's module is. A refusal leaves the socket as plain TCP,
 * so what is refused stays ours.
 */
#include "conn/kernel_key.h"

#include "conn/kernel_info.h"
#include "conn/sys.h"
#include "libc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define PROBE_MS 200 /* loopback answers at once, or not at all */

int kernel_attach(int fd)
{
	static const char name[] = "tls";
	int r = sys_setsockopt(fd, IPPROTO_TCP, TCP_ULP, name, sizeof(name));

	return r == -EEXIST ? 0 : r;
}

bool kernel_is_attached(int fd)
{
	char name[16] = "";
	socklen_t len = sizeof(name) - 1;

	return sys_getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &len) == 0 &&
	       strcmp(name, "tls") == 0;
}

int kernel_set_key(int fd, enum kernel_direction direction, const struct record_key *key)
{
	union kernel_info info;
	size_t len = kernel_info_fill(key, &info);
	int r = sys_setsockopt(
		fd, SOL_TLS, direction == KERNEL_SENDS ? TLS_TX : TLS_RX, &info, len);

	explicit_bzero(&info, sizeof(info));
	return r;
}

/* --- What is in use */

/* The last of the bytes are the number, whatever the cipher. */
static void read_seq(const union kernel_info *info, size_t len, uint64_t *out)
{
	const uint8_t *at = (const uint8_t *)info + len - 8;

	*out = 0;
	for (int i = 0; i < 8; i++)
		*out = *out << 8 | at[i];
}

int kernel_send_seq(int fd, uint64_t *out)
{
	static const socklen_t lens[] = { sizeof(struct tls12_crypto_info_aes_gcm_128),
		sizeof(struct tls12_crypto_info_aes_gcm_256),
		sizeof(struct tls12_crypto_info_chacha20_poly1305) };
	union kernel_info info;
	int r = -EINVAL;

	/* The kernel insists on the very length. */
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]) && r == -EINVAL; i++) {
		socklen_t len = lens[i];

		r = sys_getsockopt(fd, SOL_TLS, TLS_TX, &info, &len);
		if (r == 0)
			read_seq(&info, len, out);
	}
	explicit_bzero(&info, sizeof(info));
	return r;
}

/* --- The trial */

static int make_socket(void)
{
	int fd = (int)libc.syscall(
		SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0, 0, 0);

	return fd >= 0 ? sys_make_high(fd) : fd;
}

static bool is_established(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	const struct timespec most = { .tv_nsec = PROBE_MS * 1000000L };

	return sys_poll(&ready, 1, &most, NULL) == 1 && (ready.revents & (POLLERR | POLLHUP)) == 0;
}

/* A connection to `listener`, whose queue is the other end. */
static bool connect_pair(int listener, int fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	return libc.syscall(SYS_bind, listener, (long)&at, sizeof(at), 0, 0, 0) == 0 &&
	       libc.syscall(SYS_listen, listener, 1, 0, 0, 0, 0) == 0 &&
	       libc.syscall(SYS_getsockname, listener, (long)&at, (long)&len, 0, 0, 0) == 0 &&
	       (libc.syscall(SYS_connect, fd, (long)&at, sizeof(at), 0, 0, 0) == 0 ||
		       errno == EINPROGRESS) &&
	       is_established(fd);
}

static void try_on(int fd, uint16_t version, enum record_aead aead, struct kernel_ability *out)
{
	const struct record_key key = { .version = version, .aead = (uint8_t)aead };

	out->error = kernel_attach(fd);
	out->attaches = out->error == 0;
	if (out->error < 0)
		return;
	out->error = kernel_set_key(fd, KERNEL_SENDS, &key);
	out->sends = out->error == 0;
	out->rekeys = version == RECORD_TLS13 && out->sends &&
		      kernel_set_key(fd, KERNEL_SENDS, &key) == 0;
	if (out->error == 0)
		out->error = kernel_set_key(fd, KERNEL_RECEIVES, &key);
	out->receives = out->sends && out->error == 0;
}

/* False: there was nothing to try it on. */
static bool try(uint16_t version, enum record_aead aead, struct kernel_ability *out)
{
	int saved = errno, listener = make_socket(), fd = make_socket();
	bool connected = listener >= 0 && fd >= 0 && connect_pair(listener, fd);

	*out = (struct kernel_ability){ .error = -ENOTCONN };
	errno = saved;
	if (connected)
		try_on(fd, version, aead, out);
	if (fd >= 0)
		sys_close(fd);
	if (listener >= 0)
		sys_close(listener);
	return connected;
}

/* What was found: a bit that it is known, the abilities, an errno. */
#define KNOWN 1U
#define ATTACHES 2U
#define SENDS 4U
#define RECEIVES 8U
#define REKEYS 16U
#define ERROR_AT 16

static uint32_t pack(const struct kernel_ability *ability)
{
	return KNOWN | (ability->attaches ? ATTACHES : 0) | (ability->sends ? SENDS : 0) |
	       (ability->receives ? RECEIVES : 0) | (ability->rekeys ? REKEYS : 0) |
	       (uint32_t)-ability->error << ERROR_AT;
}

static struct kernel_ability unpack(uint32_t packed)
{
	return (struct kernel_ability){ .attaches = (packed & ATTACHES) != 0,
		.sends = (packed & SENDS) != 0,
		.receives = (packed & RECEIVES) != 0,
		.rekeys = (packed & REKEYS) != 0,
		.error = -(int)(packed >> ERROR_AT) };
}

/* Asking for it by name has a privileged process load it. */
static bool is_loaded(void)
{
	char names[256];
	int saved = errno;
	int fd = open("/proc/sys/net/ipv4/tcp_available_ulp", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? libc.read(fd, names, sizeof(names) - 1) : -1;

	if (fd >= 0)
		libc.close(fd);
	errno = saved;
	names[n > 0 ? n : 0] = '\0';
	return strstr(names, "tls") != NULL;
}

struct kernel_ability kernel_ability(uint16_t version, enum record_aead aead, bool load)
{
	static _Atomic uint32_t found[2][RECORD_CHACHA20_POLY1305 + 1];
	_Atomic uint32_t *place = &found[version == RECORD_TLS13][aead];
	uint32_t packed = atomic_load_explicit(place, memory_order_relaxed);
	struct kernel_ability ability;

	if (packed != 0)
		return unpack(packed);
	if (!load && !is_loaded())
		return (struct kernel_ability){ .error = -ENOENT };
	if (try(version, aead, &ability))
		atomic_store_explicit(place, pack(&ability), memory_order_relaxed);
	return ability;
}

void kernel_ability_lacks(
	const struct kernel_ability *ability, enum record_aead aead, char *out, size_t room)
{
	static const char *const names[] = { "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305" };

	if (ability->error == -ENOTCONN)
		snprintf(
			out, room, "it could not be tried, for want of a connection over loopback");
	else if (!ability->attaches &&
		 (ability->error == -ENOENT || ability->error == -ENOPROTOOPT))
		snprintf(out, room, "the kernel's module 'tls' is not loaded (modprobe tls)");
	else if (!ability->attaches)
		snprintf(out, room, "the kernel refuses TLS: %s", strerrordesc_np(-ability->error));
	else if (ability->error == -ENOENT)
		snprintf(out, room, "the kernel has no module for %s", names[aead]);
	else
		snprintf(out, room, "the kernel refuses to %s with %s: %s",
			ability->sends ? "receive" : "send", names[aead],
			strerrordesc_np(-ability->error));
}
