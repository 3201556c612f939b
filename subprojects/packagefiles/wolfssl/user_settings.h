/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What of wolfSSL seamtls builds. Read by C and by assembly files: preprocessor lines only.
 */
#ifndef SEAMTLS_WOLFSSL_USER_SETTINGS_H
#define SEAMTLS_WOLFSSL_USER_SETTINGS_H

#ifndef __ASSEMBLER__
#include "kernel_random.h"
#include <stddef.h>
#include <stdint.h>
#endif

/* The system. What autoconf would have found out. */
#define HAVE_LIMITS_H 1
#define HAVE_UNISTD_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDDEF_H 1
#define HAVE_NETDB_H 1
#define HAVE_NETINET_IN_H 1
#define HAVE_ARPA_INET_H 1
#define HAVE_SYS_SOCKET_H 1
#define HAVE_SYS_IOCTL_H 1
#define HAVE_FCNTL_H 1
#define HAVE_GETHOSTBYNAME 1
#define HAVE_GETADDRINFO 1
#define HAVE_INET_NTOA 1
#define HAVE_ERRNO_H 1
#define HAVE_STRING_H 1
#define HAVE_STDLIB_H 1
#define HAVE_TIME_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_GMTIME_R 1
#define HAVE_ATEXIT 1
#define HAVE_STRFTIME 1
#define HAVE_MEMSET 1
#define HAVE_SYS_TIME_H 1
/* The kernel's random numbers by getrandom(2): no descriptor that the host program could meet,
 * nothing to lose in a chroot, and nothing that a fork duplicates. */
#define CUSTOM_RAND_GENERATE_BLOCK kernel_random
#define HAVE___UINT128_T 1
#define HAVE_THREAD_LS
#define HAVE_C___ATOMIC 1
#define WOLFSSL_HAVE_ATOMIC_H
#define WOLFSSL_HAVE_ASSERT_H
#define WOLFSSL_PTHREADS
#define HAVE_PTHREAD 1

/* How it runs. */
#define ERROR_QUEUE_PER_THREAD
#define WC_NO_ASYNC_THREADING
#define WOLFSSL_USE_ALIGN
#define NO_MAIN_DRIVER
#define NO_WOLFSSL_MEMORY_TRACK
#define WOLFSSL_IGNORE_FILE_WARN

/* The protocol: TLS 1.2 and 1.3, AEAD suites with certificates only. */
#define WOLFSSL_TLS13
#define NO_OLD_TLS
#define WOLFSSL_AEAD_ONLY
#define NO_PSK
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_SNI
#define HAVE_ALPN
#define HAVE_SESSION_TICKET
#define HAVE_EXTENDED_MASTER
#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_FALLBACK_SCSV
#define HAVE_KEYING_MATERIAL
#define HAVE_CERTIFICATE_STATUS_REQUEST
#define HAVE_CERTIFICATE_STATUS_REQUEST_V2
#define WOLFSSL_TLS_OCSP_MULTI
#define HAVE_MAX_FRAGMENT
#define WOLFSSL_POST_HANDSHAKE_AUTH
#define WOLFSSL_SEND_HRR_COOKIE
#define WOLFSSL_TLS13_MIDDLEBOX_COMPAT
#define WOLFSSL_EXTRA_ALERTS
#define WOLFSSL_EITHER_SIDE
/* Of a client: scanners offer all that there are, twice what wolfSSL would take. */
#define WOLFSSL_MAX_SUITE_SZ 1024
#define WOLFSSL_ALWAYS_KEEP_SNI
#define WOLFSSL_CIPHER_INTERNALNAME

/* What the hand-over of a finished handshake to our own record layer needs: secrets, keys, sequence
 * numbers. */
#define HAVE_SECRET_CALLBACK
#define ATOMIC_USER
#define WOLFSSL_SESSION_EXPORT

/* Sessions. Without SESSION_CERTS: it makes a session 37 KB. Tickets are sealed by us and have room
 * for a client's certificates (longer ones, of another server, are refused); one that was kept back
 * until the server had something to say is no error, since nothing rests on its age. */
#define SMALL_SESSION_CACHE
#define WOLFSSL_NO_DEF_TICKET_ENC_CB
#define WOLFSSL_TICKET_EXTRA_PADDING_SZ 3072
#define MAX_TICKET_AGE_DIFF 604800
#define TLS13_TICKET_NONCE_STATIC_SZ 32
#define HAVE_EX_DATA
#define HAVE_EXT_CACHE

/* Certificates: verification, revocation, and what audit tells of them. */
#define HAVE_OCSP
/* Ours to check: of a response that it holds to be expired, wolfSSL tells us nothing. */
#define WOLFSSL_NO_OCSP_DATE_CHECK
#define HAVE_CRL
#define WOLFSSL_ALT_CERT_CHAINS
#define WOLFSSL_ALWAYS_VERIFY_CB
#define WOLFSSL_VERIFY_CB_ALL_CERTS
#define WOLFSSL_SYS_CA_CERTS
#define WOLFSSL_IP_ALT_NAME
#define WOLFSSL_ASN_TEMPLATE

/* Certificates and keys in files and tokens, and making them (seamtls cert). */
#define WOLFSSL_CERT_GEN
#define WOLFSSL_CERT_EXT
#define WOLFSSL_ALT_NAMES
#define WOLFSSL_KEY_GEN
#define WOLFSSL_DER_TO_PEM
#define WOLFSSL_PEM_TO_DER
#define WOLFSSL_BASE64_ENCODE
#define WOLFSSL_ENCRYPTED_KEYS
#define HAVE_PKCS8
#define HAVE_PKCS12
#define HAVE_PKCS11
#define WOLF_CRYPTO_CB
#define MAX_CRYPTO_DEVID_CALLBACKS 16 /* tokens that may be in use */
#define HAVE_WOLF_BIGINT 1

/* Ciphers, hashes, key derivation. */
#define HAVE_AESGCM
#define GCM_TABLE_4BIT
#define WOLFSSL_AESGCM_STREAM
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_AES_CBC
#define WOLFSSL_AES_DIRECT
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define WOLFSSL_SHA3
#define WOLFSSL_SHAKE128
#define WOLFSSL_SHAKE256
#define HAVE_HKDF

/* Signatures and key exchange. */
#define WC_RSA_PSS
#define WOLFSSL_PSS_LONG_SALT
#define WC_RSA_BLINDING
#define ECC_TIMING_RESISTANT
#define TFM_TIMING_RESISTANT
#define HAVE_ECC
#define ECC_SHAMIR
#define ECC_MIN_KEY_SZ 224
#define HAVE_ECC384
#define HAVE_ECC521
#define HAVE_CURVE25519
#define HAVE_ED25519
#define HAVE_FFDHE_2048
#define HAVE_FFDHE_3072
#define HAVE_DH_DEFAULT_PARAMS
#define WOLFSSL_DH_CONST
#define WOLFSSL_HAVE_MLKEM
/* Else, with PKCS#11, the object is kept instead, and freed twice when memory is short. */
#define WOLFSSL_TLSX_PQC_MLKEM_STORE_PRIV_KEY
#define WOLFSSL_PQC_HYBRIDS
#define WOLFSSL_TLS_NO_MLKEM_STANDALONE

/* Not wanted. */
#define NO_DSA
#define NO_RC4
#define NO_MD4
#define NO_DES3_TLS_SUITES

/* Arithmetic. */
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_HAVE_SP_DH
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_384
#define WOLFSSL_SP_521
#define WOLFSSL_SP_4096
#define WOLFSSL_SP_LARGE_CODE

#if defined(__x86_64__)
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_X86_64_ASM
#define WOLFSSL_X86_64_BUILD
#define WOLFSSL_AESNI
#define USE_INTEL_SPEEDUP
#define WOLFSSL_ARMASM_NO_HW_CRYPTO
#elif defined(__aarch64__)
#define WOLFSSL_SP_ARM64
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_ARM64_ASM
#define WOLFSSL_ARMASM
#define WOLFSSL_AARCH64_BUILD
#endif

#endif
