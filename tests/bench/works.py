# SPDX-License-Identifier: GPL-3.0-or-later
"""
What is measured: real programs at work. A work is done in several variants: `plain`, over TCP; `seamtls`, the same
program under the library; `native`, with its own TLS (OpenSSL's); `stunnel`, `hitch`, `haproxy`, plain behind a TLS proxy, which
then counts too.
What loads a server is never covered, and speaks TLS by OpenSSL.

do(work, variant) of a work gives the cost of one unit, in the unit that it names; it is what the covered program uses, not
its peer.
"""
import os
import re
import resource
import shutil
import sys
from pathlib import Path

import nginx as nginx_module
import postgres
from account import cpu_s, family, memory_kb
from proxies import PROXIES
from seam import built, rule

CIPHER = "TLS_AES_128_GCM_SHA256"
CIPHER_12 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
TIMEOUT_S = 300
MB = 1 << 20
HERE = Path(__file__).resolve().parent
SYSTEM_CAS = Path("/etc/ssl/certs/ca-certificates.crt")
HTTP = "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Work:
    def __init__(self, name, unit, do, variants=("plain", "seamtls", "native"), target=None):
        self.name, self.unit, self.do, self.variants, self.target = name, unit, do, variants, target


def ciphers(version):
    return CIPHER if version == "1.3" else CIPHER_12


def run(seam, argv, **options):
    program = seam.start(argv, **options)
    status = program.wait(TIMEOUT_S)
    assert status == 0, program.story()
    return program.stdout.decode()


# --- Servers


class Server:
    """A server in a variant: its port, the programs that count, and how to reach it."""

    def __init__(self, program, variant, others=(), port=None):
        self.programs, self.port = [program, *others], port or program.port
        self.tls = variant != "plain"


def server_of(seam, program, variant, cert, version="1.3"):
    """The program, or the proxy in front of it, which then counts too."""
    if variant not in PROXIES:
        return Server(program, variant)
    before = len(seam.programs)
    port = PROXIES[variant](seam, program.port, cert, version, CIPHER)
    return Server(program, variant, seam.programs[before:], port)


def nginx(seam, variant, cert=None, version="1.3", sendfile="on"):
    cert = cert or seam.pki.good
    site = seam.make_dir("site")
    for name, size in (("1m", 1 << 20), ("64k", 65536), ("1k", 1024)):
        (site / name).write_bytes(b"x" * (size - 4) + b"end\n")
    more = "keepalive_requests 1000000000;"
    if variant == "native":
        more += (f"ssl_certificate {cert.cert}; ssl_certificate_key {cert.key}; ssl_protocols TLSv{version};"
                 f"ssl_conf_command Ciphersuites {CIPHER}; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;"
                 "ssl_ecdh_curve X25519;")
    listen = nginx_module.CONFIG
    if variant == "native":
        nginx_module.CONFIG = listen.replace("listen 127.0.0.1:{port};", "listen 127.0.0.1:{port} ssl;")
    try:
        program = nginx_module.start(seam, site, version, sendfile, covered=variant == "seamtls", more=more,
                                     cert=cert, groups="X25519", ciphers=ciphers(version))
    finally:
        nginx_module.CONFIG = listen
    return server_of(seam, program, variant, cert, version)


def redis(seam, variant):
    cert, user = seam.pki.good, "redis" if os.geteuid() == 0 else None
    folder = seam.make_dir("redis", user)
    command = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--maxclients", 10100, "--dir", folder]
    own = ["--tls-cert-file", cert.cert, "--tls-key-file", cert.key, "--tls-ca-cert-file", seam.pki.ca, "--tls-auth-clients", "no",
           "--tls-ciphersuites", CIPHER, "--port", "0", "--tls-port"]
    program = seam.serve(
        lambda port: [*command, *(own if variant == "native" else ["--port"]), port],
        (lambda port: seam.policy(seam.inbound(port, ciphers=CIPHER))) if variant == "seamtls" else None, user=user)
    return server_of(seam, program, variant, cert)


def memcached(seam, variant, threads=1):
    cert = seam.pki.good
    own = ["-Z", "-o", f"ssl_chain_cert={cert.cert},ssl_key={cert.key}"] if variant == "native" else []
    program = seam.serve(
        lambda port: ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-t", threads, *own, "-p", port],
        (lambda port: seam.policy(seam.inbound(port, ciphers=CIPHER))) if variant == "seamtls" else None)
    return server_of(seam, program, variant, cert)


# --- Loads: each gives how many units it has done


def load_wrk(seam, server, file, seconds, connections):
    scheme = "https" if server.tls else "http"
    out = run(seam, ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"{scheme}://localhost:{server.port}/{file}"])
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    return int(re.search(r"(\d+) requests in", out)[1])


def load_clients(seam, server, how, count, version, request, answer_end):
    env = {"BENCH_REQUEST": request, "BENCH_ANSWER_END": answer_end}
    out = run(seam, [built("tests", "bench", "clients"), how, count, server.port, version if server.tls else "plain"], env=env)
    assert how != "resume" or not server.tls or int(out) >= 0.95 * (count - 1), f"{int(out)} of {count} were resumed"
    return count


def load_side_by_side(seam, server, clients, count, request, answer_end):
    """So many connections, which ask at once, and which memcached spreads over its threads."""
    env = {"BENCH_REQUEST": request, "BENCH_ANSWER_END": answer_end}
    programs = [seam.start([built("tests", "bench", "clients"), "ask", count // clients, server.port, "1.3" if server.tls else "plain"],
                           env=env) for _ in range(clients)]
    for program in programs:
        assert program.wait(TIMEOUT_S) == 0, program.story()
    return count // clients * clients


def load_redis(seam, server, count, pipeline):
    tls = ["--tls", "--cacert", seam.pki.ca, "--sni", "localhost"] if server.tls else []
    run(seam, ["redis-benchmark", "-p", server.port, "-t", "get,set", "-n", count, "-c", 20, "-d", 100, "-P", pipeline, "-q", *tls])
    return 2 * count


def per_unit(serve, load, scale=1e6):
    """CPU time of the server for one unit of the load; a first, short one fills its caches."""
    def do(seam, variant, effort):
        server = serve(seam, variant)
        load(seam, server, 0.1 * effort)
        settled, before = family(server.programs), cpu_s(server.programs)
        units = load(seam, server, effort)
        # A process of its own for each connection (PostgreSQL's) counts once it has ended.
        server.programs[0].until(lambda: family(server.programs) <= settled, "its processes for the load had ended")
        return (cpu_s(server.programs) - before) / units * scale
    return do


def files(name, size, sendfile="on"):
    return per_unit(lambda seam, variant: nginx(seam, variant, sendfile=sendfile),
                    lambda seam, server, effort: load_wrk(seam, server, name, max(1, round(2 * effort)), 8) * (size / 1e9 if size > 1024 else 1),
                    1 if size > 1024 else 1e6)


def handshakes(how, version, key):
    def serve(seam, variant):
        return nginx(seam, variant, cert=getattr(seam.pki, key), version=version)
    return per_unit(serve, lambda seam, server, effort: load_clients(
        seam, server, how, max(20, int(1000 * effort)), version, HTTP.format("1k"), "end\n"))


def spread(connections):
    """CPU time of redis for a request, on so many connections in turn."""
    def do(seam, variant, effort):
        server, count = redis(seam, variant), max(100, int(20000 * effort))
        read_end, write_end = os.pipe()
        env = {"BENCH_REQUEST": "GET k\r\n", "BENCH_ANSWER_END": "\r\n"}
        client = seam.start(["/bin/sh", "-c", f'exec "$@" < /proc/{os.getpid()}/fd/{read_end}', "sh", built("tests", "bench", "clients"),
                             "spread", count, server.port, "1.3" if server.tls else "plain", max(1, int(connections * min(1, effort)))],
                            env=env)
        client.until(lambda: b"ready" in client.stdout, "its connections were open", TIMEOUT_S)
        before = cpu_s(server.programs)
        os.write(write_end, b"\n")
        client.until(lambda: b"done" in client.stdout, "its requests were answered", TIMEOUT_S)
        cost = (cpu_s(server.programs) - before) / count * 1e6
        os.write(write_end, b"\n")
        os.close(write_end)
        os.close(read_end)
        client.wait(TIMEOUT_S)
        return cost
    return do


def threads(number):
    """CPU time of memcached for a request, with so many threads that 8 connections are spread over."""
    return per_unit(lambda seam, variant: memcached(seam, variant, number), lambda seam, server, effort: load_side_by_side(
        seam, server, 8, max(800, int(40000 * effort)), "get none\r\n", "END\r\n"))


def idle(serve, request, answer_end, connections=500):
    """Memory of the server for one idle connection, in bytes."""
    def do(seam, variant, effort):
        server, count = serve(seam, variant), max(100, int(connections * min(1, effort)))
        load_clients(seam, server, "connect", 20, "1.3", request, answer_end)
        before = memory_kb(server.programs)
        read_end, write_end = os.pipe()
        env = {"BENCH_REQUEST": request, "BENCH_ANSWER_END": answer_end}
        client = seam.start(["/bin/sh", "-c", f'exec "$@" < /proc/{os.getpid()}/fd/{read_end}', "sh",
                             built("tests", "bench", "clients"), "hold", count, server.port, "1.3" if server.tls else "plain"], env=env)
        client.until(lambda: b"held" in client.stdout, "it held its connections", TIMEOUT_S)
        after = memory_kb(server.programs)
        os.close(write_end)
        os.close(read_end)
        client.wait(TIMEOUT_S)
        return (after - before) * 1024 / count
    return do


# --- pgbench


def postgres_server(seam, variant):
    policy = (lambda port: seam.policy(seam.inbound(port, ciphers=CIPHER, starttls="pgsql"))) if variant == "seamtls" else None
    # What it does besides, at times of its own, is left away.
    quiet = ("autovacuum=off", "bgwriter_lru_maxpages=0", "checkpoint_timeout=1h", "jit=off")
    program = postgres.start(seam, policy, variant == "native", quiet)
    server = Server(program, variant)
    run(seam, [postgres.tool("pgbench"), "-i", "-q", "-s", 1, "-h", program.socket_dir, "-p", program.port, "-U", postgres.USER,
               "postgres"], user=postgres.user())
    return server


def load_pgbench(seam, server, effort, *more):
    env = {"PGSSLMODE": "require" if server.tls else "disable", "PGGSSENCMODE": "disable", "HOME": "/"}
    count = max(10, int((600 if "-C" in more else 30000) * effort))
    run(seam, [postgres.tool("pgbench"), "-S", "-n", "-c", 1, "-t", count, *more, "-h", "127.0.0.1", "-p", server.port,
               "-U", postgres.USER, "postgres"], env=env, user=postgres.user())
    return count


# --- Clients


def used_s(seam, argv, policy):
    """CPU seconds of a command that runs to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = seam.start(argv, policy)
    status = program.wait(TIMEOUT_S)
    assert status == 0, program.story()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def own_ca(seam):
    return seam.pki.ca


def with_system_cas(seam):
    """As programs are used: their CA among all those of the system."""
    path = seam.dir / "bundle.pem"
    path.write_text(SYSTEM_CAS.read_text() + seam.pki.ca.read_text())
    return path


def client(argv, amount=None, scale=1.0, repeat=1, cas=own_ca, serve=nginx):
    """CPU time of a client; its server is never covered. argv(url, ca, effort) is its command."""
    def do(seam, variant, effort):
        server, ca = serve(seam, "plain" if variant == "plain" else "native"), cas(seam)
        scheme = "https" if variant == "native" else "http"
        policy = seam.policy(seam.outbound(server.port, ciphers=CIPHER, ca=ca)) if variant == "seamtls" else None
        command = argv(f"{scheme}://localhost:{server.port}", ca, effort)
        times = max(1, int(repeat * effort))
        total = sum(used_s(seam, command, policy) for _ in range(times))
        return total / times / (amount * effort if amount else 1) * scale
    return do


def sink(seam, variant):
    files = [seam.pki.good.cert, seam.pki.good.key] if variant == "native" else []
    return Server(seam.serve(lambda port: [sys.executable, HERE / "sink.py", port, *files]), variant)


def curl_down(url, ca, effort):
    return ["curl", "-sS", "-f", "--cacert", ca, "--tls13-ciphers", CIPHER, "-o", "/dev/null", f"{url}/1m?[1-{max(1, int(256 * effort))}]"]


def curl_up(url, ca, effort):
    file = ca.parent / "upload"
    file.touch()
    os.truncate(file, int(256 * MB * effort))
    return ["curl", "-sS", "-f", "-H", "Expect:", "--cacert", ca, "--tls13-ciphers", CIPHER, "-o", "/dev/null", "-T", file, f"{url}/up"]


def curl_short(url, ca, _effort):
    return ["curl", "-sS", "-f", "--cacert", ca, "-o", "/dev/null", f"{url}/1k"]


def wget_short(url, ca, _effort):
    return ["wget", "-q", "--ca-certificate", ca, "-O", "/dev/null", f"{url}/1k"]


def python_short(url, ca, _effort):
    code = "import sys, urllib.request as u, ssl\nif sys.argv[1][4] == 's':\n u.urlopen(sys.argv[1], context=ssl.create_default_context(cafile=sys.argv[2])).read()\nelse:\n u.urlopen(sys.argv[1]).read()"
    return [sys.executable, "-c", code, f"{url}/1k", ca]


# --- Our own programs: both ends count


def link(program, amount, scale, *more):
    def do(seam, variant, effort):
        how = {"native": "openssl"}.get(variant, "plain")
        path, cert, count = built("tests", "bench", program), seam.pki.good, max(1, int(amount * effort))
        first = [path, count, *more]
        covered = variant == "seamtls"
        server = seam.serve(lambda port: [*first, "serve", port, how, cert.cert, cert.key],
                            (lambda port: seam.policy(seam.inbound(port, ciphers=CIPHER))) if covered else None)
        policy = seam.policy(seam.outbound(server.port, ciphers=CIPHER)) if covered else None
        out = run(seam, [*first, "connect", server.port, how, seam.pki.ca], policy=policy)
        assert server.wait(TIMEOUT_S) == 0, server.story()
        return sum(float(text.split()[1]) for text in (out, server.stdout.decode())) / count * scale
    return do


# --- What is not TLS


def preload(seam, variant):
    return seam.policy(seam.inbound(1)) if variant == "seamtls" else None


def start_up(seam, variant, effort):
    """CPU time of /bin/true; started without shell or wrapper."""
    env = seam.environment(preload(seam, variant), seam.make_dir("audit"), None)
    times = max(20, int(200 * effort))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(times):
        os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], env), 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / times * 1e6


def connecting(rules):
    """CPU time of a connection that policy lets pass, with a request on it, when none of so many rules matches."""
    def do(seam, variant, effort):
        server, count = nginx(seam, "plain"), max(50, int(2000 * effort))
        texts = [rule("outbound", f"{20000 + i % 500}, {21000 + i}", f"r{i}", remote_host=f"*.n{i}.example") for i in range(rules)]
        policy = seam.policy(*texts) if variant == "seamtls" else None
        env = {"BENCH_REQUEST": HTTP.format("1k"), "BENCH_ANSWER_END": "end\n"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        program = seam.start([built("tests", "bench", "clients"), "connect", count, server.port, "plain"], policy, env=env)
        assert program.wait(TIMEOUT_S) == 0, program.story()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / count * 1e6
    return do


def foreign(name):
    def do(seam, variant, effort):
        program = seam.start([built("tests", "bench", "foreign"), max(1000, int(200000 * effort))], preload(seam, variant))
        assert program.wait(TIMEOUT_S) == 0, program.story()
        return float(dict(line.split() for line in program.stdout.decode().splitlines())[name])
    return do


PLAIN_AND_OURS = ("plain", "seamtls")
WITH_PROXY = ("plain", "seamtls", "native", *PROXIES)
SET = "set k 0 0 1000\r\n" + "v" * 1000 + "\r\n"

WORKS = [
    Work("nginx-1m", "s/GB", files("1m", 1 << 20), WITH_PROXY, 0.50),
    Work("nginx-64k", "s/GB", files("64k", 65536), target=0.60),
    Work("nginx-1k", "us/request", files("1k", 1024), WITH_PROXY, 1.00),
    Work("nginx-1k-copied", "us/request", files("1k", 1024, "off"), target=0.80),
    Work("nginx-full-ecdsa-1.3", "us/connection", handshakes("connect", "1.3", "good"), target=0.50),
    Work("nginx-full-ecdsa-1.2", "us/connection", handshakes("connect", "1.2", "good"), target=0.60),
    Work("nginx-full-rsa-1.3", "us/connection", handshakes("connect", "1.3", "good_rsa"), target=1.00),
    Work("nginx-resumed-1.3", "us/connection", handshakes("resume", "1.3", "good"), target=0.50),
    Work("nginx-resumed-1.2", "us/connection", handshakes("resume", "1.2", "good"), target=0.80),
    Work("redis", "us/command", per_unit(redis, lambda seam, server, effort: load_redis(seam, server, max(100, int(20000 * effort)), 1)),
         WITH_PROXY, 0.87),
    Work("redis-pipelined", "us/command",
         per_unit(redis, lambda seam, server, effort: load_redis(seam, server, max(100, int(200000 * effort)), 16)), target=0.92),
    Work("memcached-set", "us/command", per_unit(memcached, lambda seam, server, effort: load_clients(
        seam, server, "ask", max(100, int(20000 * effort)), "1.3", SET, "STORED\r\n")), target=0.80),
    Work("memcached-get", "us/command", per_unit(memcached, lambda seam, server, effort: load_clients(
        seam, server, "connect", 1, "1.3", SET, "STORED\r\n") and load_clients(
            seam, server, "ask", max(100, int(20000 * effort)), "1.3", "get k\r\n", "END\r\n")), target=0.80),
    Work("pgbench", "us/query", per_unit(postgres_server, load_pgbench), target=0.95),
    Work("pgbench-connect", "us/query", per_unit(postgres_server, lambda seam, server, effort: load_pgbench(seam, server, effort, "-C")),
         target=0.90),
    Work("curl-download", "s/GB", client(curl_down, 256 * MB / 1e9), target=0.85),
    Work("curl-upload", "s/GB", client(curl_up, 256 * MB / 1e9, serve=sink), target=0.85),
    Work("curl-short", "ms/run", client(curl_short, scale=1e3, repeat=10), target=0.80),
    Work("wget-short", "ms/run", client(wget_short, scale=1e3, repeat=10), target=0.30),
    Work("python-short", "ms/run", client(python_short, scale=1e3, repeat=5), target=0.96),
    Work("curl-short-system", "ms/run", client(curl_short, scale=1e3, repeat=10, cas=with_system_cas), target=0.80),
    Work("wget-short-system", "ms/run", client(wget_short, scale=1e3, repeat=10, cas=with_system_cas), target=0.30),
    Work("python-short-system", "ms/run", client(python_short, scale=1e3, repeat=5, cas=with_system_cas), target=0.96),
    Work("loop-16k", "s/GB", link("bulk", 512 * MB, 1e9, 16384), target=0.72),
    Work("loop-128k", "s/GB", link("bulk", 512 * MB, 1e9, 131072), target=0.62),
    Work("pingpong", "us/trip", link("pingpong", 10000, 1e6)),
    *[Work(f"spread-{count}", "us/request", spread(count)) for count in (1, 100, 10000)],
    *[Work(f"threads-{count}", "us/request", threads(count)) for count in (1, 8)],
    *[Work(f"connect-{count}-rules", "us/connection", connecting(count), PLAIN_AND_OURS) for count in (1, 1000)],
    Work("idle-nginx", "bytes/connection", idle(nginx, HTTP.format("1k"), "end\n"), target=8 / 15.7),
    Work("idle-redis", "bytes/connection", idle(redis, "PING\r\n", "+PONG\r\n"), target=18 / 46),
    Work("idle-redis-10000", "bytes/connection", idle(redis, "PING\r\n", "+PONG\r\n", 10000), target=18 / 46),
    Work("start-up", "us/start", start_up, PLAIN_AND_OURS, 1.3),
    *[Work(f"foreign-{name}", "ns/call", foreign(name), PLAIN_AND_OURS, 1.05)
      for name in ("write-file", "read-file", "pipe", "unix-socket", "poll", "epoll", "open-close", "dup-close", "stream")],
]


def missing():
    """Programs that the works need and that are not installed."""
    return [name for name in ("nginx", "wrk", "redis-server", "redis-benchmark", "memcached", *PROXIES, "curl", "wget")
            if not shutil.which(name)]
