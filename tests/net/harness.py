"""Registry of tests, and what a test is given."""
import base64
import contextlib
import hashlib
import hmac
import os
import select
import signal
import ssl
import subprocess
import tempfile
import shutil
import time

import lab as _lab
from server import Server
from turnclient import Client, StreamClient

SCALE = {"plain": 1.0, "asan": 3.0, "tsan": 5.0}
TESTS = {}


class Skip(Exception):
    """Cannot be tried here; the text says why."""


class Timeout(AssertionError):
    pass


def test(promise, timeout=30, not_coturn=None, heavy=False):
    """Registers a test. `promise` says what holds; `not_coturn` why the stand-in need not keep it.
    `heavy`: the time goes into a client that is no smaller for a sanitized server, which other tests
    ask the same; so it is tried with the plain build only."""
    def add(fn):
        module = fn.__module__.replace("test_", "", 1)
        name = "%s.%s: %s" % (module, fn.__name__, promise)
        TESTS[name] = dict(fn=fn, name=name, timeout=timeout, not_coturn=not_coturn, heavy=heavy)
        return fn
    return add


def check(condition, text, *args):
    if not condition:
        raise AssertionError(text % args if args else text)


def equal(got, want, what):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what, got, want))


def minted(secret, user="alice", ttl=60, form="%(expiry)d:%(user)s"):
    """A time-limited credential as a backend makes it."""
    name = form % {"expiry": int(time.time()) + ttl, "user": user}
    mac = hmac.new(secret.encode(), name.encode(), hashlib.sha1).digest()
    return name, base64.b64encode(mac).decode()


class Test:
    """One test's world; everything in it is gone when the test ends."""

    def __init__(self, options, prefix):
        self.binary, self.kind, self.tag = options.binary, options.kind, options.tag
        self.scale = SCALE[options.tag] * float(os.environ.get("TACITURN_TEST_SLOW", "1"))
        self.options, self.prefix = options, prefix
        self.dir = tempfile.mkdtemp(prefix=prefix + ".")
        os.chmod(self.dir, 0o755)
        self.servers, self.procs, self.outputs, self.clients = [], [], [], []
        self.lab = None

    # --- the world

    def net(self, offload=True):
        self.lab = _lab.Lab(self.prefix, offload)
        return self.lab

    def server(self, args=(), nofile=None, **conf):
        """Starts the server with options given as listening_port=3478; makes the net if there is
        none yet."""
        s = self.bare_server()
        return s.start({k.replace("_", "-"): v for k, v in conf.items()}, args, nofile)

    def bare_server(self, name=None):
        """A server that the test starts by itself."""
        if self.lab is None:
            self.net()
        s = Server(self.binary, self.kind, self.lab.srv, self.dir,
                   name or "server%d" % len(self.servers), self.scale)
        self.servers.append(s)
        return s

    def client(self, ip=_lab.CLI, port=0, server=None, user="alice", password="wonderland", ns=None,
               realm=None):
        """A TURN client on an address of cli."""
        if server is None:
            server = (_lab.SRV6 if ":" in ip else _lab.SRV, 3478)
        sock = (ns or self.lab.cli).udp(ip, port, connect=server)
        c = Client(sock, user, password, scale=self.scale, realm=realm)
        self.clients.append(c)
        return c

    def certificate(self, name="server", issuer=None, kind="EC", names=None):
        """(certificate, key) in PEM files of this test, made when first asked for: self-signed, or
        by an issuer that was made before. It names the server's addresses."""
        cert, key = (os.path.join(self.dir, name + suffix) for suffix in (".pem", ".key"))
        if os.path.exists(cert):
            return cert, key
        alt = names or ",".join(["DNS:turn.test"] + ["IP:" + ip for ip in (_lab.SRV, _lab.SRV_ALT, _lab.SRV6,
                                                                             _lab.SRV6_ALT)])
        kinds = {"EC": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "RSA": ["rsa:2048"]}
        argv = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                "-addext", "subjectAltName=" + alt, "-keyout", key, "-out", cert, "-newkey", *kinds[kind]]
        if issuer:
            argv += ["-CA", issuer[0], "-CAkey", issuer[1], "-addext", "basicConstraints=critical,CA:FALSE"]
        r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        check(r.returncode == 0, "openssl req: %s", r.stdout)
        os.chmod(key, 0o644)  # the server may have given up root
        return cert, key

    def trusting(self, cert=None):
        """A client's TLS settings that accept the test's certificate only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cert or self.certificate()[0])
        return context

    def stream(self, ip=_lab.CLI, tls=False, server=None, user="alice", password="wonderland", context=None):
        """A TURN client over TCP, or over TLS, from an address of cli."""
        if server is None:
            server = (_lab.SRV6 if ":" in ip else _lab.SRV, 5349 if tls else 3478)
        sock = self.lab.cli.tcp(ip, server, timeout=10 * self.scale)
        if tls:
            sock = (context or self.trusting()).wrap_socket(sock, server_hostname=server[0])
        c = StreamClient(sock, user, password, scale=self.scale)
        self.clients.append(c)
        return c

    def peer(self, ip=_lab.PEER, port=0):
        s = self.lab.peer.udp(ip, port)
        s.settimeout(5 * self.scale)
        return s

    # --- programs of others

    def spawn(self, ns, *argv, **kw):
        """Starts a program in a namespace; its output is shown if the test fails."""
        path = os.path.join(self.dir, "out%d.%s" % (len(self.outputs), os.path.basename(argv[0])))
        with open(path, "wb") as out:
            p = subprocess.Popen(ns.argv(*argv), stdout=out, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, preexec_fn=_lab.die_with_parent,
                                 start_new_session=True, **kw)
        p.output, p.program = path, argv[0]
        self.procs.append(p)
        self.outputs.append((" ".join(argv), path))
        return p

    def run(self, ns, *argv, timeout=20, **kw):
        """Runs a program to its end; returns (status, output)."""
        return self.end(self.spawn(ns, *argv, **kw), timeout)

    def end(self, p, timeout=20):
        """Awaits the end of a program that was spawned; returns (status, output)."""
        try:
            status = p.wait(timeout * self.scale)
        except subprocess.TimeoutExpired:
            raise Timeout("%s does not end within %d s" % (p.program, timeout * self.scale)) from None
        with open(p.output, errors="replace") as f:
            return status, f.read()

    # --- waiting

    def until(self, condition, text, timeout=5.0, pace=0.05):
        """Waits for a condition that no event announces."""
        deadline = time.monotonic() + timeout * self.scale
        idle = select.poll()
        while True:
            value = condition()
            if value:
                return value
            check(time.monotonic() < deadline, "never: " + text)
            idle.poll(int(pace * 1000))

    # --- the end

    def finish(self):
        """Ends the servers as an operator would. A server that did not end well fails the test."""
        failure = None
        for s in self.servers:
            try:
                s.stop()
            except AssertionError as e:
                failure = failure or e
        if failure:
            raise failure

    def report(self, out):
        """What helps to understand a failure."""
        for s in self.servers:
            out.write("--- log of the server (status %s)\n" % (s.proc.poll() if s.proc else None))
            lines = s.log().splitlines()
            skipped = len(lines) - 200
            if skipped > 0:
                out.write("... %d lines\n" % skipped)
            out.write("\n".join(lines[-200:]) + "\n")
        for title, path in self.outputs:
            out.write("--- output of %s\n" % title)
            with open(path, errors="replace") as f:
                out.write("\n".join(f.read().splitlines()[-120:]) + "\n")

    def clear(self):
        for s in self.servers:
            s.kill()
        for p in self.procs:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(p.pid, signal.SIGKILL)
            p.wait()
        for c in self.clients:
            c.close()
        _lab.remove_namespaces(r"%s-(cli|srv|peer)$" % self.prefix)
        if self.options.keep:
            print("kept: " + self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
