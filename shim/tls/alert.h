/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of the alerts (RFC 8446 6) beside their names, for which see handshake.h. */
#ifndef SEAMTLS_TLS_ALERT_H
#define SEAMTLS_TLS_ALERT_H

#define ALERT_UNEXPECTED_MESSAGE 10
#define ALERT_BAD_RECORD_MAC 20
#define ALERT_RECORD_OVERFLOW 22
#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_BAD_CERTIFICATE 42
#define ALERT_CERTIFICATE_REVOKED 44
#define ALERT_CERTIFICATE_EXPIRED 45
#define ALERT_CERTIFICATE_UNKNOWN 46
#define ALERT_ILLEGAL_PARAMETER 47
#define ALERT_UNKNOWN_CA 48
#define ALERT_ACCESS_DENIED 49
#define ALERT_DECODE_ERROR 50
#define ALERT_DECRYPT_ERROR 51
#define ALERT_PROTOCOL_VERSION 70
#define ALERT_INTERNAL_ERROR 80
#define ALERT_MISSING_EXTENSION 109
#define ALERT_UNSUPPORTED_EXTENSION 110
#define ALERT_BAD_STATUS_RESPONSE 113 /* RFC 6066 8: bad_certificate_status_response */

/* What a peer means by it, in the words of an operator; NULL: its name says all there is. */
const char *alert_meaning(int description);

/* The errno of a handshake that the peer ended so: -EKEYREJECTED, -ECONNRESET or -EPROTO. */
int alert_errno(int description);

#endif
