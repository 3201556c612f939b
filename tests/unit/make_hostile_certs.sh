#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Adds certificates that are wrong in one thing each, and odd ones that are right, to what make_certs.sh has made in the folder $1.
set -eu
cd "$1"
exec 2>> openssl.log

key() { # NAME [genpkey options]
	name=$1
	shift
	[ $# -gt 0 ] || set -- -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	openssl genpkey "$@" -out "$name.key"
}

sign() { # NAME ISSUER EXTENSIONS [x509 options]: the certificate alone is NAME.crt, with those above it NAME.pem
	name=$1 issuer=$2
	printf '%b\n' "$3" > "$name.ext"
	shift 3
	[ -f "$name.key" ] || key "$name"
	openssl req -new -key "$name.key" -subj "/O=seamtls/CN=$name.test" -config ca.conf -out "$name.csr"
	openssl x509 -req -in "$name.csr" -CA "$issuer.crt" -CAkey "$issuer.key" -days 30 -extfile "$name.ext" -out "$name.crt" "$@"
	cat "$name.crt" > "$name.pem"
	[ "$issuer" = ca ] || [ "$issuer" = weak-root ] || cat "$issuer.pem" >> "$name.pem"
}

names='subjectAltName=DNS:server.test,IP:127.0.0.1'
server="basicConstraints=CA:false\n$names\nextendedKeyUsage=serverAuth"
authority='basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign'

cp ca.pem ca.crt
sign sha1 ca "$server" -sha1
key rsa-ca -algorithm RSA -pkeyopt rsa_keygen_bits:2048
sign rsa-ca ca "$authority"
sign md5 rsa-ca "$server" -md5
sign sha1-rsa rsa-ca "$server" -sha1
key rsa1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024
sign rsa1024 ca "$server"
key p224 -algorithm EC -pkeyopt ec_paramgen_curve:secp224r1
sign p224 ca "$server"
sign any-usage ca "basicConstraints=CA:false\n$names\nextendedKeyUsage=anyExtendedKeyUsage"
sign other-usage ca "basicConstraints=CA:false\n$names\nextendedKeyUsage=codeSigning,emailProtection"
sign no-signature ca "$server\nkeyUsage=critical,keyAgreement"
sign uncritical ca "$server\n1.2.3.4=ASN1:NULL"

key weak-ca -algorithm RSA -pkeyopt rsa_keygen_bits:1024
sign weak-ca ca "$authority"
sign below-weak-ca weak-ca "$server"
sign sha1-ca ca "$authority" -sha1
sign below-sha1-ca sha1-ca "$server"
sign no-ca ca 'basicConstraints=critical,CA:false'
sign below-no-ca no-ca "$server"
sign no-sign-ca ca 'basicConstraints=critical,CA:true\nkeyUsage=critical,cRLSign'
sign below-no-sign-ca no-sign-ca "$server"
sign last-ca ca 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign'
sign below-last-ca last-ca "$server"
sign too-low-ca last-ca "$authority"
sign below-too-low-ca too-low-ca "$server"
sign client-ca ca "$authority\nextendedKeyUsage=clientAuth"
sign below-client-ca client-ca "$server"
sign server-ca ca "$authority\nextendedKeyUsage=serverAuth,clientAuth"
sign below-server-ca server-ca "$server"
constrained() { # NAME CONSTRAINT: a CA with that, and a server's certificate below it
	sign "nc-$1-ca" ca "$authority\nnameConstraints=critical,$2"
	sign "nc-$1" "nc-$1-ca" "$server"
}
constrained dns-permitted 'permitted;DNS:test'
constrained dns-other 'permitted;DNS:other.test'
constrained dns-excluded 'excluded;DNS:server.test'
constrained ip-other 'permitted;IP:10.0.0.0/255.0.0.0'
constrained ip-excluded 'excluded;IP:127.0.0.0/255.0.0.0'
constrained email 'permitted;email:example'
constrained uri 'permitted;URI:.example'
names="$names,URI:spiffe://elsewhere.test/x"
server="basicConstraints=CA:false\n$names\nextendedKeyUsage=serverAuth"
constrained uri-other 'permitted;URI:.example'
constrained uri-excluded 'excluded;URI:.test'

key weak-root -algorithm RSA -pkeyopt rsa_keygen_bits:1024
openssl req -x509 -new -key weak-root.key -subj /CN=weak-root -days 30 -config ca.conf -extensions root -out weak-root.crt
sign below-weak-root weak-root "$server"

key pss -algorithm RSA -pkeyopt rsa_keygen_bits:2048
sign pss ca "$server"
key pss-ca -algorithm RSA -pkeyopt rsa_keygen_bits:3072
sign pss-ca ca "$authority"
sign below-pss-ca pss-ca "$server" -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1
key ed-ca -algorithm ED25519
sign ed-ca ca "$authority"
sign below-ed-ca ed-ca "$server"
key p384-ca -algorithm EC -pkeyopt ec_paramgen_curve:P-384
sign p384-ca ca "$authority" -sha384
key p521-ca -algorithm EC -pkeyopt ec_paramgen_curve:P-521
sign p521-ca p384-ca "$authority" -sha512
key below-deep -algorithm RSA -pkeyopt rsa_keygen_bits:3072
sign below-deep p521-ca "$server" -sha512
# Two certificates of one CA, of which the first is not the one.
mv below-pss-ca.key keep.key
key stale-ca
printf 'basicConstraints=critical,CA:true\n' > stale.ext
openssl req -new -key stale-ca.key -subj /O=seamtls/CN=pss-ca.test -config ca.conf -out stale.csr
openssl x509 -req -in stale.csr -CA ca.crt -CAkey ca.key -days 30 -extfile stale.ext -out stale.crt
mv keep.key below-pss-ca.key
cat below-pss-ca.crt stale.crt pss-ca.crt > two-issuers.pem
cp below-pss-ca.key two-issuers.key
# A certificate that names a CA, and is signed by another of that name.
sign forged pss-ca "$server"
openssl x509 -req -in forged.csr -CA stale.crt -CAkey stale-ca.key -days 30 -extfile forged.ext -out forged.crt
cat forged.crt pss-ca.crt > forged.pem
# The same right below a trusted CA.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out fake-ca.key
openssl req -x509 -new -key fake-ca.key -subj "/O=seamtls, test/CN=ca" -days 30 -config ca.conf -extensions root -out fake-ca.crt
sign forged-below-ca ca "$server"
openssl x509 -req -in forged-below-ca.csr -CA fake-ca.crt -CAkey fake-ca.key -days 30 -extfile forged-below-ca.ext -out forged-below-ca.pem
