"""Clients over TCP and TLS, and the certificates for them."""
import contextlib
import os
import socket
import ssl
import subprocess
import time

import lab as _lab
from turnclient import Client, _padded


def make_pair(directory, stem, cn="turn.example.org", serial=1, days=90):
    """Writes STEM.crt and STEM.key; returns their paths."""
    crt, key = (os.path.join(directory, stem + end) for end in (".crt", ".key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-subj", "/CN=" + cn, "-addext", "subjectAltName=DNS:" + cn,
                    "-set_serial", str(serial), "-days", str(days), "-keyout", key, "-out", crt],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o644)
    return crt, key


def tls_context(alpn=(), **options):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    if alpn:
        ctx.set_alpn_protocols(list(alpn))
    for name, value in options.items():
        setattr(ctx, name, value)
    return ctx


def connect(ns, address, ip=None, timeout=10):
    with ns.entered():
        s = socket.socket(_lab.family_of(address[0]), socket.SOCK_STREAM)
    s.settimeout(timeout)
    if ip:
        s.bind((ip, 0))
    s.connect(address)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def connect_tls(ns, address, name="turn.example.org", before=b"", alpn=(), ip=None):
    """before: what is said in the clear ahead of TLS."""
    s = connect(ns, address, ip)
    s.sendall(before)
    return tls_context(alpn).wrap_socket(s, server_hostname=name)


def read_all(s, timeout=10):
    """What comes until the other side ends; a reset ends it too."""
    deadline, got = time.monotonic() + timeout, b""
    while time.monotonic() < deadline:
        s.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            more = s.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLError):
            return got
        if not more:
            return got
        got += more
    raise AssertionError("the connection does not end; until now: %r" % got[:200])


class StreamClient(Client):
    """A TURN client on a connected socket, plain or TLS."""

    def __init__(self, sock, user="alice", password="wonderland", scale=1.0):
        super().__init__(sock, user, password, scale)
        self.buffer = b""

    def send_raw(self, raw):
        self.sock.setblocking(True)
        self.sock.sendall(_padded(raw))
        self.sock.setblocking(False)

    def transact(self, raw, timeout=None, resend=False):
        return super().transact(raw, timeout, resend=False)

    def recv_raw(self, timeout):
        deadline = time.monotonic() + timeout
        while True:
            message = self._next()
            if message is not None:
                return message
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                more = self.sock.recv(65536)
                if not more:
                    raise EOFError("the server has closed the connection")
                self.buffer += more
                continue
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.poll.poll(left * 1000)

    def _next(self):
        b = self.buffer
        if len(b) < 4:
            return None
        size = int.from_bytes(b[2:4], "big")
        n = 20 + size if b[0] < 4 else 4 + size
        whole = n + -n % 4
        if len(b) < whole:
            return None
        self.buffer = b[whole:]
        return b[:n]
