#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Adds revocation lists to what make_certs.sh has made in the folder $1: NAME.crl in PEM.
set -eu
cd "$1"
exec 2>> openssl.log

serial() { # NAME: of its certificate
	openssl x509 -in "$1.pem" -noout -serial | sed 's/.*=//'
}

revoked() { # SERIAL [reason]: a line of an index
	printf 'R\t490101000000Z\t260102030405Z%s\t%s\tunknown\t/CN=x\n' "${2:+,$2}" "$1"
}

crl() { # NAME ISSUER EXTENSIONS FROM TO [options]: what is revoked is in index.txt
	name=$1 issuer=$2 extensions=$3 from=$4 to=$5
	shift 5
	{
		cat ca.conf
		printf '[crl_extensions]\nauthorityKeyIdentifier=keyid\n%b\n[point]\nfullname=URI:http://crl.test/1\n[user]\nonlyuser=TRUE\n' "$extensions"
		printf '[authority]\nonlyCA=TRUE\n[indirect]\nindirectCRL=TRUE\n[some]\nonlysomereasons=keyCompromise\n'
	} > "$name.conf"
	openssl ca -gencrl -config "$name.conf" -cert "$issuer.pem" -keyfile "$issuer.key" -crlexts crl_extensions \
		-crl_lastupdate "$from" -crl_nextupdate "$to" -out "$name.crl" "$@"
}
then=20260101000000Z later=20990101000000Z

: > index.txt
crl ca-empty ca '' $then $later
crl below-empty intermediate '' $then $later
crl other-empty other-ca '' $then $later
crl ca-expired ca '' 20200101000000Z 20200201000000Z
crl ca-early ca '' 20980101000000Z $later
crl ca-sha1 ca '' $then $later -md sha1
crl ca-delta ca '2.5.29.27=critical,ASN1:INTEGER:1' $then $later
crl ca-indirect ca 'issuingDistributionPoint=critical,@indirect' $then $later
crl ca-some ca 'issuingDistributionPoint=critical,@some' $then $later
crl ca-unknown ca '1.2.3.4=critical,ASN1:NULL' $then $later
crl ca-users ca 'issuingDistributionPoint=critical,@user' $then $later
crl ca-authorities ca 'issuingDistributionPoint=critical,@authority' $then $later
crl ca-point ca 'issuingDistributionPoint=critical,@point' $then $later
crl ca-crl-number ca '2.5.29.20=ASN1:INTEGER:7' $then $later
# A CA of the same name with another key.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out forger.key
openssl req -x509 -new -key forger.key -subj "/O=seamtls, test/CN=ca" -days 30 -config ca.conf -extensions root -out forger.pem
crl forged forger '' $then $later
revoked "$(serial server)" keyCompromise > index.txt
crl ca-server ca '' $then $later
crl ca-server-expired ca '' 20200101000000Z 20200201000000Z
crl forged-server forger '' $then $later
revoked "$(serial client)" > index.txt
crl ca-client ca '' $then $later
revoked "$(serial intermediate)" CACompromise > index.txt
crl ca-intermediate ca '' $then $later
revoked "$(serial below-alone)" > index.txt
crl below-below intermediate '' $then $later
{
	i=4096
	while [ $i -lt 14096 ]; do
		printf 'R\t490101000000Z\t260102030405Z\t%X\tunknown\t/CN=x\n' "$i"
		i=$((i + 1))
	done
	revoked "$(serial server)"
} > index.txt
crl ca-many ca '' $then $later
: > index.txt

openssl crl -in ca-server.crl -outform DER -out ca-server.der
cat ca-empty.crl below-empty.crl > both.crl
cat ca.pem ca-server.crl > with-ca.crl
mkdir crls deltas no-crls
cp ca-empty.crl crls/one.pem
openssl crl -in below-empty.crl -outform DER -out crls/two.crl
cp ca.pem crls/ca.pem
echo text > crls/README
cp ca-empty.crl ca-delta.crl deltas
cp ca.pem no-crls
sed '3s/..../AAAA/;4d' ca-server.crl > broken.crl
sed '$d' ca-server.crl > cut.crl
sed '$d' both.crl > second-cut.crl
{
	cat ca-empty.crl
	printf '\0'
	cat below-empty.crl
} > behind-nul.crl
mkdir crls-cut crls-dangling
cp ca-empty.crl crls-cut/one.pem
head -c 100 crls/two.crl > crls-cut/two.crl
cp ca-empty.crl crls-dangling/one.pem
ln -s gone.pem crls-dangling/9d66eef0.r0
