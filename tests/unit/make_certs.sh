#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the certificates of the TLS tests in the folder $1: NAME.pem is a chain, NAME.key its key.
set -eu
cd "$1"
exec 2> openssl.log

cat > ca.conf <<END
[ca]
default_ca = own
[own]
dir = .
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
organizationName = optional
commonName = supplied
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
[server]
basicConstraints = CA:false
subjectAltName = DNS:server.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1
extendedKeyUsage = serverAuth
[client]
basicConstraints = CA:false
subjectAltName = URI:spiffe://test/client,email:client@test
extendedKeyUsage = clientAuth
[one]
basicConstraints = CA:false
subjectAltName = DNS:one.wild.test
[plain]
basicConstraints = CA:false
END

new_key() { # NAME
	case $1 in
	rsa*) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" ;;
	ed*) openssl genpkey -algorithm ED25519 -out "$1.key" ;;
	p384*) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$1.key" ;;
	*) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" ;;
	esac
}

root() { # NAME
	new_key "$1"
	openssl req -x509 -new -key "$1.key" -subj "/O=seamtls, test/CN=$1" -days 30 -config ca.conf -extensions root -out "$1.pem"
}

leaf() { # NAME ISSUER EXTENSIONS [from to]
	new_key "$1"
	: > index.txt
	openssl req -new -key "$1.key" -subj "/O=seamtls/CN=$1.test" -out "$1.csr"
	openssl ca -batch -notext -config ca.conf -cert "$2.pem" -keyfile "$2.key" -extensions "$3" -in "$1.csr" -out "$1.pem" \
		-startdate "${4:-20200101000000Z}" -enddate "${5:-20991231235959Z}"
}

touch index.txt
printf '[req]\ndistinguished_name = dn\n[dn]\n' >> ca.conf
root ca
root other-ca
leaf server ca server
leaf rsa-server ca server
leaf ed-server ca server
leaf p384-server ca server
leaf one ca one
leaf expired ca server 20200101000000Z 20200131000000Z
leaf early ca server 20980101000000Z 20981231000000Z
leaf client ca client
leaf rsa-client ca client
leaf ed-client ca client
leaf stranger other-ca server
leaf nameless ca plain
leaf intermediate ca root
leaf below intermediate server
cp below.pem below-alone.pem
cp below.key below-alone.key
cat intermediate.pem >> below.pem
# A certificate that has nothing to do with the first.
cat server.pem p384-server.pem > sent-along.pem
cp server.key sent-along.key
new_key selfsigned
openssl req -x509 -new -key selfsigned.key -subj /CN=selfsigned.test -days 30 -config ca.conf -extensions server -out selfsigned.pem
cat ca.pem other-ca.pem > both.pem
cat server.key server.pem > together.pem
openssl ec -in server.key -out traditional.key
openssl rsa -in rsa-server.key -traditional -out rsa-traditional.key
cat expired.pem ca.pem > with-expired.pem
cat server.pem expired.pem > with-expired-chain.pem
sed '3s/...$/AAA/;4s/^..../BBBB/;5d' server.pem > broken.pem
: > empty.pem
openssl x509 -in server.pem -outform DER -out server.der
openssl x509 -in ca.pem -outform DER -out ca.der
mkfifo fifo
mkdir directory empty-directory
cp ca.pem directory/one.pem
cp openssl.log directory/two.txt
echo nothing > garbage.pem
for name in server p384-server ca intermediate below-alone; do
	openssl x509 -in "$name.pem" -pubkey -noout | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary > "$name.pin"
done
# Keys and pairs under a password.
echo 'open sesame' > password
printf 'open sesame\r\nmore\n' > password-crlf
echo wrong > password-wrong
: > password-empty
printf '%0128d\n' 0 > password-long
p="pass:open sesame"
openssl ec -in server.key -aes128 -passout "$p" -out locked.key
openssl ec -in server.key -aes256 -passout "$p" -out locked-aes256.key
openssl ec -in server.key -des3 -passout "$p" -out locked-des3.key
openssl ec -in server.key -camellia128 -passout "$p" -out locked-camellia.key
openssl pkcs8 -topk8 -in server.key -passout "$p" -out locked8.key
openssl pkcs8 -topk8 -in server.key -passout "$p" -v2 aes-128-cbc -v2prf hmacWithSHA1 -out locked8-aes128.key
openssl pkcs8 -topk8 -in server.key -passout "$p" -v2 aes-256-cbc -v2prf hmacWithSHA512 -out locked8-sha512.key
openssl pkcs8 -topk8 -in server.key -passout "$p" -v2 des3 -out locked8-des3.key
openssl pkcs8 -topk8 -in server.key -passout "$p" -v1 PBE-SHA1-3DES -out locked8-pbes1.key
openssl pkcs8 -topk8 -in server.key -passout "$p" -scrypt -out locked8-scrypt.key
openssl pkcs8 -topk8 -in rsa-server.key -passout "$p" -out rsa-locked8.key
openssl pkcs8 -topk8 -in ed-server.key -passout "$p" -out ed-locked8.key
openssl rsa -in rsa-server.key -aes256 -traditional -passout "$p" -out rsa-locked.key
sed '5s/^..../AAAA/' locked8.key > locked8-broken.key
for name in server rsa-server ed-server p384-server; do
	openssl pkcs12 -export -in "$name.pem" -inkey "$name.key" -passout "$p" -out "$name.p12"
done
openssl pkcs12 -export -in server.pem -inkey server.key -passout pass: -out open.p12
openssl pkcs12 -export -in below-alone.pem -inkey below.key -certfile intermediate.pem -passout "$p" -out below.p12
cat ca.pem other-ca.pem intermediate.pem > with-more.pem
openssl pkcs12 -export -in below-alone.pem -inkey below.key -certfile with-more.pem -passout "$p" -out more.p12
openssl pkcs12 -export -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -in server.pem -inkey server.key -passout "$p" -out legacy.p12
openssl pkcs12 -export -legacy -in server.pem -inkey server.key -passout "$p" -out rc2.p12
openssl pkcs12 -export -nocerts -inkey server.key -passout "$p" -out keyonly.p12
openssl pkcs12 -export -nokeys -in server.pem -passout "$p" -out certonly.p12
head -c 500 server.p12 > cut.p12
cp server.p12 pkcs12-without-a-name
