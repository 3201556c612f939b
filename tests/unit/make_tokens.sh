#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes tokens of SoftHSM with keys and certificates of the folder $1, which make_certs.sh has filled.
set -eu
cd "$1"
exec 2> tokens.log

mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$PWD" > softhsm2.conf
export SOFTHSM2_CONF="$PWD/softhsm2.conf"
for token in first second; do
	softhsm2-util --init-token --free --label "$token" --pin 1234 --so-pin 5678 > /dev/null
done
for name in server rsa-server p384-server; do
	case $name in server) id=01 ;; rsa*) id=02 ;; *) id=03 ;; esac
	openssl pkcs8 -topk8 -nocrypt -in "$name.key" -out import.pem
	softhsm2-util --import import.pem --token first --label "$name" --id "$id" --pin 1234 > /dev/null
done
softhsm2-util --import import.pem --token second --label lonely --id 07 --pin 1234 > /dev/null
openssl x509 -in p384-server.pem -outform DER -out import.der
pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label first --login --pin 1234 --write-object import.der --type cert \
	--label p384-server --id 03 > /dev/null
echo 1234 > pin
echo 9999 > pin-wrong
