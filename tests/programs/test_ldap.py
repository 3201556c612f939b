# SPDX-License-Identifier: GPL-3.0-or-later
"""slapd and the clients of OpenLDAP, which speak TLS themselves when they are told to."""
import ldap
import stunnel
from seam import NATIVE, check_opened, need

COUNT = 300
SEARCH = ["-LLL", "-o", "ldif-wrap=no", "-b", "dc=test", "(objectClass=inetOrgPerson)", "uid", "jpegPhoto"]


def test_slapd(seam, version):
    """Written to and searched by clients with TLS of their own (GnuTLS), and by curl."""
    server = ldap.start(seam, lambda port: seam.policy(seam.inbound(port, version=version)))
    # OpenLDAP takes `localhost` for the machine's own name when it looks into the certificate.
    url = f"{'ldap' if NATIVE else 'ldaps'}://127.0.0.1:{server.port}"
    env = {"LDAPTLS_CACERT": str(seam.pki.ca), "LDAPTLS_REQCERT": "demand"}
    ldif, pictures = ldap.entries(COUNT)
    seam.run(["ldapadd", *ldap.AUTHENTICATION, "-H", url], env=env, stdin=ldif)
    found = seam.run(["ldapsearch", *ldap.AUTHENTICATION, "-H", url, *SEARCH], env=env)
    assert ldap.pictures_in(found.stdout) == pictures, found.story()
    check_opened(server, 2, version=f"TLSv{version}")
    need("curl")
    one = seam.run(["curl", "-sSf", "--cacert", seam.pki.ca, f"{url}/dc=test?cn?sub?(uid=u7)"])
    assert b"cn: user 7\n" in one.stdout, one.story()
    check_opened(server, 3, version=f"TLSv{version}")


def test_ldap_clients(seam, version):
    """To a slapd behind stunnel."""
    port = stunnel.terminate(seam, ldap.start(seam).port, version=version)
    check_clients(seam, port, version)


def test_ldap_clients_and_slapd(seam):
    server = ldap.start(seam, lambda port: seam.policy(seam.inbound(port)))
    check_clients(seam, server.port, "1.3")
    check_opened(server, 3)


def check_clients(seam, port, version):
    url, policy = f"ldap://localhost:{port}", seam.policy(seam.outbound(port))
    ldif, pictures = ldap.entries(COUNT)
    added = seam.run(["ldapadd", *ldap.AUTHENTICATION, "-H", url], policy, stdin=ldif)
    assert added.stdout.count(b"adding new entry") == COUNT + 1, added.story()
    found = seam.run(["ldapsearch", *ldap.AUTHENTICATION, "-H", url, *SEARCH], policy)
    assert ldap.pictures_in(found.stdout) == pictures, found.story()
    refused = seam.run(["ldapsearch", "-x", "-D", "cn=admin,dc=test", "-w", "wrong", "-H", url, *SEARCH], policy,
                       status=49)
    for program in (added, found, refused):
        check_opened(program, version=f"TLSv{version}", direction="outbound")
