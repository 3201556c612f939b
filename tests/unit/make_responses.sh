#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Adds OCSP responses to what make_certs.sh has made in the folder $1: NAME.ocsp.
set -eu
cd "$1"
exec 2>> openssl.log

serial() { # NAME: of its certificate
	openssl x509 -in "$1.pem" -noout -serial | sed 's/.*=//'
}

valid() { # NAME
	printf 'V\t490101000000Z\t\t%s\tunknown\t/CN=%s\n' "$(serial "$1")" "$1"
}

revoked() { # NAME
	printf 'R\t490101000000Z\t260102030405Z,keyCompromise\t%s\tunknown\t/CN=%s\n' "$(serial "$1")" "$1"
}

response() { # NAME CERT ISSUER SIGNER [options]: what is valid is in index.txt
	name=$1 cert=$2 issuer=$3 signer=$4
	shift 4
	openssl ocsp -issuer "$issuer.pem" -cert "$cert.pem" -reqout request.der
	openssl ocsp -index index.txt -CA "$issuer.pem" -rsigner "$signer.pem" -rkey "$signer.key" -reqin request.der \
		-respout "$name.ocsp" "$@" > /dev/null
}

certificate() { # NAME ISSUER EXTENSIONS
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
	printf '%b\n' "$3" > "$1.ext"
	openssl req -new -key "$1.key" -subj "/O=seamtls/CN=$1.test" -config ca.conf -out "$1.csr"
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 30 -extfile "$1.ext" -out "$1.pem"
}

responder='basicConstraints=CA:false\nkeyUsage=digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=ignored'
certificate responder ca "$responder"
certificate other-responder other-ca "$responder"
certificate stapler ca 'basicConstraints=CA:false\nsubjectAltName=DNS:server.test\ntlsfeature=status_request'

{ valid server; valid stapler; valid intermediate; valid p384-server; } > index.txt
response server server ca ca -ndays 30
response server-responder server ca responder -ndays 30
response server-forged server ca other-responder -ndays 30
response server-not-responder server ca client -ndays 30
response server-endless server ca ca
response stapler stapler ca ca -ndays 30
response intermediate intermediate ca ca -ndays 30
response p384-server p384-server ca ca -ndays 30
openssl ocsp -issuer ca.pem -cert server.pem -reqout request.der
faketime '2020-01-15 12:00:00' openssl ocsp -index index.txt -CA ca.pem -rsigner ca.pem -rkey ca.key -reqin request.der \
	-respout server-expired.ocsp -ndays 7 > /dev/null
revoked server > index.txt
response server-revoked server ca ca -ndays 30
: > index.txt
response server-unknown server ca ca -ndays 30
valid below-alone > index.txt
response below below-alone intermediate intermediate -ndays 30
# An error of a responder: tryLater.
printf '\060\003\012\001\003' > later.ocsp
: > index.txt
