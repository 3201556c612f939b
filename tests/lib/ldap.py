# SPDX-License-Identifier: GPL-3.0-or-later
"""slapd with a configuration and a database of its own."""
import base64
import os
import shutil

from peers import content
from seam import need

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/pid
sizelimit unlimited
{tls}
database mdb
suffix dc=test
directory {dir}/db
rootdn cn=admin,dc=test
rootpw secret
dbnosync
maxsize 67108864
"""
USER = "openldap"
AUTHENTICATION = ["-x", "-D", "cn=admin,dc=test", "-w", "secret"]


# StartTLS, and nothing without it.
WITH_TLS = """
TLSCertificateFile {dir}/cert.pem
TLSCertificateKeyFile {dir}/key.pem
security tls=128
"""


def start(seam, policy=None, own_tls=False):
    need("slapd", "ldapsearch")
    user = USER if os.geteuid() == 0 else None
    folder = seam.make_dir("slapd", user)
    config = seam.make_dir("config") / "slapd.conf"
    config.write_text(CONFIG.format(dir=folder, tls=WITH_TLS.format(dir=folder) if own_tls else ""))
    for source, name in ((seam.pki.good.cert, "cert.pem"), (seam.pki.good.key, "key.pem")):
        shutil.copy(source, folder / name)
        if user:
            shutil.chown(folder / name, user, user)
    (folder / "db").mkdir()
    identity = ["-u", USER, "-g", USER] if user else []
    if user:
        shutil.chown(folder / "db", user, user)
    command = ["slapd", "-d", "0", "-f", config, *identity]
    return seam.serve(lambda port: [*command, "-h", f"ldap://127.0.0.1:{port}"], policy)


def entries(count):
    """A person for each number, with a picture of some size; as LDIF, and {uid: picture}."""
    text = "dn: dc=test\nobjectClass: dcObject\nobjectClass: organization\no: test\ndc: test\n\n"
    pictures = {}
    for number in range(count):
        pictures[f"u{number}"] = picture = content(200 + number * 97)
        text += (f"dn: uid=u{number},dc=test\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: user {number}\n"
                 f"sn: {number}\njpegPhoto:: {base64.b64encode(picture).decode()}\n\n")
    return text.encode(), pictures


def pictures_in(ldif):
    """The same from what ldapsearch prints with -o ldif-wrap=no."""
    found, uid = {}, None
    for line in ldif.decode().splitlines():
        name, _, value = line.partition(": ")
        if name == "uid":
            uid = value
        elif name == "jpegPhoto:":
            found[uid] = base64.b64decode(value)
    return found
