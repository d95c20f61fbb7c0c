"""STUN and TURN by hand, for conformance cases: the numbers are those of RFC 8656 sections 17 to 19 and of
RFC 8489, copied once more so that a slip in turnclient.py does not judge itself.

A Wire is one client's path to the server, UDP or TCP. Nothing here decides what is right: a request is
any bytes, an answer is what came.
"""
import hashlib
import hmac
import ipaddress
import os
import socket
import struct
import time
import zlib

# message types: RFC 8489 s.5 puts the class bits at 0x0010 and 0x0100
BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND, CONNECT = 0x0001, 0x0003, 0x0004, 0x0008, 0x0009, 0x000A
SEND, DATA = 0x0016, 0x0017
SUCCESS, ERROR = 0x0100, 0x0110  # to be or-ed to a request's type

A_USERNAME, A_INTEGRITY, A_ERROR, A_UNKNOWN = 0x0006, 0x0008, 0x0009, 0x000A
A_CHANNEL, A_LIFETIME, A_PEER, A_DATA, A_REALM, A_NONCE = 0x000C, 0x000D, 0x0012, 0x0013, 0x0014, 0x0015
A_RELAYED, A_FAMILY, A_EVEN, A_TRANSPORT, A_DF, A_MAPPED = 0x0016, 0x0017, 0x0018, 0x0019, 0x001A, 0x0020
A_TOKEN, A_ADDITIONAL, A_ADDRESS_ERROR, A_ICMP, A_SOFTWARE = 0x0022, 0x8000, 0x8001, 0x8004, 0x8022
A_FINGERPRINT = 0x8028
MAGIC = b"\x21\x12\xa4\x42"


def attr(number, value=b"", pad=b"\0"):
    return struct.pack("!HH", number, len(value)) + value + pad * (-len(value) % 4)


def _mask(tid, value):
    return bytes(a ^ b for a, b in zip(value, MAGIC + tid))


def xor_value(ip, port, tid):
    packed = ipaddress.ip_address(ip).packed
    return bytes([0, 1 if len(packed) == 4 else 2]) + _mask(tid, struct.pack("!H", port)) + _mask(tid, packed)


def read_xor(value, tid):
    if len(value) not in (8, 20) or value[:2] != {8: b"\0\1", 20: b"\0\2"}[len(value)]:
        raise AssertionError("not an XOR address: %s" % value.hex())
    return (str(ipaddress.ip_address(_mask(tid, value[4:]))), struct.unpack("!H", _mask(tid, value[2:4]))[0])


# Attributes as a request has them: bytes, or a function of the transaction id.

def peer(ip, port=0):
    return lambda tid: attr(A_PEER, xor_value(ip, port, tid))


def channel(number, rffu=b"\0\0"):
    return attr(A_CHANNEL, struct.pack("!H", number) + rffu)


def lifetime(seconds):
    return attr(A_LIFETIME, struct.pack("!I", seconds))


def family(n, reserved=b"\0\0\0"):
    return attr(A_FAMILY, bytes([n]) + reserved)


def additional(n, reserved=b"\0\0\0"):
    return attr(A_ADDITIONAL, bytes([n]) + reserved)


def transport(n, rffu=b"\0\0\0"):
    return attr(A_TRANSPORT, bytes([n]) + rffu)


UDP, EVEN, EVEN_R, DF = transport(17), attr(A_EVEN, b"\0"), attr(A_EVEN, b"\x80"), attr(A_DF)


def message(kind, attrs=(), tid=None, key=None, fingerprint=False):
    tid = tid or os.urandom(12)
    body = b"".join(a(tid) if callable(a) else a for a in attrs)

    def head(length):
        return struct.pack("!HH", kind, length) + MAGIC + tid
    if key:
        body += attr(A_INTEGRITY, hmac.new(key, head(len(body) + 24) + body, hashlib.sha1).digest())
    if fingerprint:
        body += attr(A_FINGERPRINT, struct.pack("!I", zlib.crc32(head(len(body) + 8) + body) ^ 0x5354554E))
    return head(len(body)) + body


def channel_data(number, data, length=None):
    return struct.pack("!HH", number, len(data) if length is None else length) + data


class Answer:
    """A message of the server's, taken apart strictly."""

    def __init__(self, raw):
        self.raw, self.kind, self.tid, self.attrs = raw, struct.unpack("!H", raw[:2])[0], raw[8:20], []
        length, at = struct.unpack("!H", raw[2:4])[0], 20
        if raw[4:8] != MAGIC or length % 4 or length != len(raw) - 20:
            raise AssertionError("bad header: %s" % raw[:20].hex())
        while at < len(raw):
            number, size = struct.unpack("!HH", raw[at:at + 4])
            if at + 4 + size + -size % 4 > len(raw):
                raise AssertionError("attribute 0x%04x is cut off" % number)
            self.attrs.append((number, raw[at + 4:at + 4 + size]))
            at += 4 + size + -size % 4

    def all(self, number):
        return [v for n, v in self.attrs if n == number]

    def get(self, number):
        return next(iter(self.all(number)), None)

    def has(self, *numbers):
        return [n in [m for m, _ in self.attrs] for n in numbers]

    @property
    def code(self):
        """0: success."""
        if self.kind & 0x0110 == SUCCESS:
            return 0
        value = self.get(A_ERROR)
        if self.kind & 0x0110 != ERROR or value is None or len(value) < 4 or value[:2] != b"\0\0":
            raise AssertionError("neither success nor error: %r" % self)
        return (value[2] & 7) * 100 + value[3]

    @property
    def seconds(self):
        return struct.unpack("!I", self.get(A_LIFETIME))[0]

    def addresses(self, number):
        return [read_xor(v, self.tid) for v in self.all(number)]

    def signed(self, key):
        """Its MESSAGE-INTEGRITY is there and right."""
        at = 20
        for number, value in self.attrs:
            if number == A_INTEGRITY:
                head = self.raw[:2] + struct.pack("!H", at + 4) + self.raw[4:at]
                return hmac.new(key, head, hashlib.sha1).digest() == value
            at += 4 + len(value) + -len(value) % 4
        return False

    def __repr__(self):
        return "<0x%04x %s>" % (self.kind, " ".join("%04x=%s" % (n, v.hex()) for n, v in self.attrs))


class Closed(AssertionError):
    pass


class Wire:
    """One 5-tuple. `inbox` holds what came and was not asked for, oldest first."""

    def __init__(self, sock, stream, server, scale):
        self.sock, self.stream, self.server, self.scale = sock, stream, server, scale
        self.inbox, self.bytes = [], b""
        self.user, self.password, self.realm, self.nonce = "alice", "wonderland", None, None
        self.relayed = {}  # 4: and 6: (ip, port)

    def close(self):
        self.sock.close()

    @property
    def me(self):
        return self.sock.getsockname()[:2]

    # --- bytes

    def put(self, raw):
        if self.stream:
            self.sock.settimeout(10 * self.scale)
            self.sock.sendall(raw + bytes(-len(raw) % 4))
        else:
            self.sock.send(raw)

    def _cut(self):
        b = self.bytes
        if len(b) < 4:
            return None
        size = struct.unpack("!H", b[2:4])[0]
        used = 4 + size + -size % 4 if b[0] & 0xC0 == 0x40 else 20 + size
        if len(b) < used:
            return None
        self.bytes = b[used:]
        if any(b[4 + size:used]) and b[0] & 0xC0 == 0x40:
            raise AssertionError("padding is not zero")
        return b[:4 + size] if b[0] & 0xC0 == 0x40 else b[:used]

    def _read(self, timeout):
        end = time.monotonic() + timeout
        while True:
            raw = self._cut() if self.stream else None
            left = end - time.monotonic()
            if raw or left <= 0:
                return raw
            self.sock.settimeout(left)
            try:
                got = self.sock.recv(65536)
            except TimeoutError:
                return None
            if not self.stream:
                return got
            if not got:
                raise Closed("the server closed the connection")
            self.bytes += got

    def next(self, timeout=5):
        """The next thing that is no answer."""
        if self.inbox:
            return self.inbox.pop(0)
        raw = self._read(timeout * self.scale)
        if raw is None:
            raise AssertionError("nothing comes")
        return raw

    def exchange(self, raw, timeout=6):
        """The answer to a request. Over UDP it is sent again when none comes."""
        end, pause = time.monotonic() + timeout * self.scale, 1.5 * self.scale
        self.put(raw)
        while time.monotonic() < end:
            got = self._read(min(pause, max(0, end - time.monotonic())))
            if got is None:
                if not self.stream:
                    self.put(raw)
            elif got[0] < 4 and got[0] & 1 and got[8:20] == raw[8:20]:
                return Answer(got)
            elif got[0] & 0xC0 == 0x40 or got[:2] == b"\0\x17":
                self.inbox.append(got)
        raise AssertionError("no answer to %s" % raw[:20].hex())

    # --- requests

    @property
    def key(self):
        return hashlib.md5(("%s:%s:%s" % (self.user, self.realm, self.password)).encode()).digest()

    def challenge(self):
        answer = self.exchange(message(ALLOCATE, [UDP]))
        if answer.code != 401:
            raise AssertionError("want a 401: %r" % answer)
        self.realm, self.nonce = answer.get(A_REALM).decode(), answer.get(A_NONCE)

    def form(self, kind, attrs=(), tid=None, fingerprint=False):
        """An authenticated request's bytes."""
        if self.nonce is None:
            self.challenge()
        names = [attr(A_USERNAME, self.user.encode()), attr(A_REALM, self.realm.encode()), attr(A_NONCE, self.nonce)]
        return message(kind, list(attrs) + names, tid, self.key, fingerprint)

    def ask(self, kind, *attrs, raw=None):
        raw = raw or self.form(kind, attrs)
        answer = self.exchange(raw)
        if answer.kind not in (kind | SUCCESS, kind | ERROR):
            raise AssertionError("an answer of type 0x%04x to 0x%04x" % (answer.kind, kind))
        if answer.code not in (401, 438) and not answer.signed(self.key):
            raise AssertionError("the answer is not signed: %r" % answer)
        return answer

    def must(self, kind, *attrs):
        answer = self.ask(kind, *attrs)
        if answer.code:
            raise AssertionError("0x%04x is refused: %r" % (kind, answer))
        return answer

    def allocate(self, *attrs):
        answer = self.must(ALLOCATE, UDP, *attrs)
        self.relayed = {6 if ":" in ip else 4: (ip, port) for ip, port in answer.addresses(A_RELAYED)}
        return answer

    def permit(self, *ips):
        return self.must(CREATE_PERMISSION, *[peer(ip) for ip in ips])

    def bind(self, number, to):
        return self.must(CHANNEL_BIND, channel(number), peer(*to))

    # --- data

    def send(self, to, data, *attrs):
        self.put(message(SEND, [peer(*to), *attrs, attr(A_DATA, data)]))

    def say(self, number, data):
        self.put(channel_data(number, data))

    def heard(self):
        """The next thing relayed, as (peer or channel number, data)."""
        raw = self.next()
        if raw[0] & 0xC0 == 0x40:
            number, size = struct.unpack("!HH", raw[:4])
            if size != len(raw) - 4:
                raise AssertionError("ChannelData of %d in %d bytes" % (size, len(raw)))
            return number, raw[4:]
        answer = Answer(raw)
        if answer.kind != DATA:
            raise AssertionError("neither data nor answer: %r" % answer)
        return answer.addresses(A_PEER)[0], answer.get(A_DATA)


def connect(ns, ip, server, stream, scale):
    """A Wire from an address of a namespace."""
    sock = ns.tcp(ip, server, timeout=10 * scale) if stream else ns.udp(ip, 0, connect=server)
    return Wire(sock, stream, server, scale)


def bound(ns, ip, scale, port=0):
    """A peer."""
    s = ns.udp(ip, port)
    s.settimeout(5 * scale)
    return s


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp_about(kind, code, rest, source, to, protocol=17):
    """An ICMP error about a datagram that went from `source` to `to`: version 4 or 6 as the addresses are."""
    ports = struct.pack("!HHHH", source[1], to[1], 8 + 8, 0) + b"original"
    a, b = (ipaddress.ip_address(x[0]).packed for x in (source, to))
    if len(a) == 4:
        inner = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(ports), 1, 0, 64, protocol, 0) + a + b
        inner = inner[:10] + struct.pack("!H", checksum(inner)) + inner[12:]
    else:
        inner = struct.pack("!IHBB", 0x60000000, len(ports), protocol, 64) + a + b
    body = struct.pack("!BBH", kind, code, 0) + rest + inner + ports
    if len(a) == 4:
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return body


def raw_icmp(ns, ip):
    v6 = ":" in ip
    with ns.entered():
        s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW,
                          socket.getprotobyname("ipv6-icmp" if v6 else "icmp"))
    s.bind((ip, 0))
    return s
