"""STUN by the letter of RFC 8489, byte for byte, for the tests that are named after its sentences. It shares
nothing with turnclient.py or the daemon, so that a sentence misread there shows here; and it can say what no
client would."""
import hashlib
import hmac
import os
import select
import socket
import ssl
import struct
import time
import zlib
from collections import namedtuple

# RFC 8489 s.5, s.18.2: the 14 bits of the type are written out, not computed
BINDING, BINDING_IND, BINDING_OK, BINDING_ERR = 0x0001, 0x0011, 0x0101, 0x0111
ALLOCATE, ALLOCATE_OK, ALLOCATE_ERR = 0x0003, 0x0103, 0x0113
REFRESH, REFRESH_OK, REFRESH_ERR = 0x0004, 0x0104, 0x0114
SEND_IND, DATA_IND = 0x0016, 0x0017
PERMIT, PERMIT_OK = 0x0008, 0x0108
CHANNEL_BIND, CHANNEL_BIND_ERR = 0x0009, 0x0119
CONNECT, CONNECT_OK, CONNECT_ERR = 0x000A, 0x010A, 0x011A  # RFC 6062 s.6.1
CONNECTION_BIND, CONNECTION_BIND_OK, CONNECTION_BIND_ERR = 0x000B, 0x010B, 0x011B
CONNECTION_ATTEMPT = 0x001C

# s.18.3
A_MAPPED, A_USERNAME, A_INTEGRITY, A_ERROR, A_UNKNOWN = 0x0001, 0x0006, 0x0008, 0x0009, 0x000A
A_REALM, A_NONCE, A_SHA256, A_ALGORITHM, A_USERHASH = 0x0014, 0x0015, 0x001C, 0x001D, 0x001E
A_XOR_MAPPED, A_ALGORITHMS, A_ALTERNATE_DOMAIN = 0x0020, 0x8002, 0x8003
A_SOFTWARE, A_ALTERNATE_SERVER, A_FINGERPRINT = 0x8022, 0x8023, 0x8028
# RFC 8656 s.18, RFC 6062 s.6.2
A_CHANNEL, A_LIFETIME, A_PEER, A_DATA, A_RELAYED, A_TRANSPORT = 0x000C, 0x000D, 0x0012, 0x0013, 0x0016, 0x0019
A_EVEN_PORT, A_DONT_FRAGMENT, A_TOKEN, A_CONNECTION_ID = 0x0018, 0x001A, 0x0022, 0x002A

COOKIE = b"\x21\x12\xA4\x42"
UDP, TCP = (A_TRANSPORT, b"\x11\0\0\0"), (A_TRANSPORT, b"\x06\0\0\0")
ALGO_MD5, ALGO_SHA256 = b"\0\1\0\0", b"\0\2\0\0"  # s.18.5

Answer = namedtuple("Answer", "type tid attrs raw")


class Wrong(AssertionError):
    """The server broke the format, or a promise of this file's."""


def attr(number, value, padding=b"\0", length=None):
    """s.14: type, the length of the value alone, the value, padding to 32 bits."""
    return struct.pack("!HH", number, len(value) if length is None else length) + value + \
        padding * (-len(value) % 4)


def body_of(attrs, tid=b""):
    """Attributes are (number, value), or bytes as they shall stand; an (ip, port) value is XORed."""
    out = b""
    for a in attrs:
        if isinstance(a, bytes):
            out += a
        else:
            out += attr(a[0], xored(*a[1], tid) if isinstance(a[1], tuple) else a[1])
    return out


def message(kind, attrs=(), tid=None, cookie=COOKIE, length=None):
    tid = os.urandom(12) if tid is None else tid
    body = body_of(attrs, tid)
    return struct.pack("!HH", kind, len(body) if length is None else length) + cookie + tid + body


def grown(raw, more):
    """The message with `more` bytes of length: of an attribute that comes next."""
    return raw[:2] + struct.pack("!H", len(raw) - 20 + more) + raw[4:]


def plus(raw, *attrs):
    body = body_of(attrs, raw[8:20])
    return grown(raw, len(body)) + body


def with_integrity(raw, key):
    """s.14.5: HMAC-SHA1 over what is there, with the length up to the end of the attribute."""
    return plus(raw, (A_INTEGRITY, hmac.new(key, grown(raw, 24), hashlib.sha1).digest()))


def with_sha256(raw, key, size=32):
    """s.14.6"""
    digest = hmac.new(key, grown(raw, 4 + size), hashlib.sha256).digest()
    return plus(raw, (A_SHA256, digest[:size]))


def with_fingerprint(raw, off=0):
    """s.14.7; off by a bit where asked."""
    crc = zlib.crc32(grown(raw, 8)) ^ 0x5354554E ^ off
    return plus(raw, (A_FINGERPRINT, struct.pack("!I", crc)))


def md5_key(user, realm, password):
    """s.9.2.2"""
    return hashlib.md5(b":".join((user, realm, password))).digest()


def xored(ip, port, tid):
    """s.14.2"""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip)
    masked = bytes(a ^ b for a, b in zip(packed, COOKIE + tid))
    return bytes([0, 2 if ":" in ip else 1]) + struct.pack("!H", port ^ 0x2112) + masked


def unxored(value, tid):
    if len(value) not in (8, 20) or value[0] != 0 or value[1] != (1 if len(value) == 8 else 2):
        raise Wrong("an address of %s" % value.hex())
    packed = bytes(a ^ b for a, b in zip(value[4:], COOKIE + tid))
    return socket.inet_ntop(socket.AF_INET if len(value) == 8 else socket.AF_INET6, packed), \
        struct.unpack("!H", value[2:4])[0] ^ 0x2112


def read(raw):
    """What a server sent: every MUST of its format is held against it."""
    if len(raw) < 20:
        raise Wrong("%d bytes are no message" % len(raw))
    kind, length = struct.unpack("!HH", raw[:4])
    if kind & 0xC000 or raw[4:8] != COOKIE or length % 4 or length != len(raw) - 20:
        raise Wrong("a bad header: " + raw[:20].hex())
    attrs, at = [], 20
    while at < len(raw):
        number, size = struct.unpack("!HH", raw[at:at + 4])
        value = raw[at + 4:at + 4 + size]
        at += 4 + size + -size % 4
        if at > len(raw) or any(raw[at - (-size % 4):at]):
            raise Wrong("attribute 0x%04x: cut off, or its padding is not zero" % number)
        attrs.append((number, value))
    a = Answer(kind, raw[8:20], attrs, raw)
    check_error(a)
    check_fingerprint(a)
    return a


def check_error(a):
    """s.6.3.1.1, s.14.8: an error has an ERROR-CODE, nothing else has."""
    value = get(a, A_ERROR)
    if (a.type & 0x0110 == 0x0110) != (value is not None):
        raise Wrong("ERROR-CODE of type 0x%04x: %r" % (a.type, value))
    if value is None:
        return
    if len(value) < 4 or value[:2] != b"\0\0" or value[2] not in range(3, 7) or value[3] > 99 or \
            len(value[4:].decode()) >= 128:
        raise Wrong("ERROR-CODE " + value.hex())


def check_fingerprint(a):
    if get(a, A_FINGERPRINT) is None:
        return
    if a.attrs[-1][0] != A_FINGERPRINT or \
            a.attrs[-1][1] != struct.pack("!I", zlib.crc32(a.raw[:-8]) ^ 0x5354554E):
        raise Wrong("FINGERPRINT: " + a.raw.hex())


def get(a, number):
    return next((v for n, v in a.attrs if n == number), None)


def numbers(a):
    return [n for n, _ in a.attrs]


def code(a):
    """0 for a success."""
    value = get(a, A_ERROR)
    return value[2] * 100 + value[3] if value else 0


def place(a, number):
    """Where an attribute begins."""
    at = 20
    for n, v in a.attrs:
        if n == number:
            return at
        at += 4 + len(v) + -len(v) % 4
    return None


def signature(a, key):
    """Which integrity attributes the answer has, all of them right: "", "1", "256", "1+256"."""
    out = []
    for number, name, digest in ((A_INTEGRITY, "1", hashlib.sha1), (A_SHA256, "256", hashlib.sha256)):
        at = place(a, number)
        if at is None:
            continue
        value = get(a, number)
        head = a.raw[:2] + struct.pack("!H", at - 20 + 4 + len(value)) + a.raw[4:at]
        if hmac.new(key, head, digest).digest() != value:
            raise Wrong("the integrity attribute 0x%04x is wrong" % number)
        out.append(name)
    return "+".join(out)


class Wire:
    """A way to the server: what is sent is bytes, what comes is one message at a time."""

    def __init__(self, sock, name, scale):
        self.sock, self.name, self.scale = sock, name, scale
        self.reliable = sock.type & socket.SOCK_STREAM if isinstance(sock, socket.socket) else False
        self.box, self.ended = b"", False
        self.user, self.password, self.realm, self.nonce = b"alice", b"wonderland", None, None

    # --- bytes

    def send(self, raw):
        if self.reliable:
            self.sock.settimeout(10 * self.scale)
            self.sock.sendall(raw)
        else:
            self.sock.send(raw)

    def _whole(self):
        """The first message in the box of a stream; ChannelData too, with its padding (RFC 8656 s.12.5)."""
        if len(self.box) < 4:
            return None
        size = struct.unpack("!H", self.box[2:4])[0]
        size = 20 + size if self.box[0] < 4 else 4 + size + -size % 4
        if len(self.box) < size:
            return None
        raw, self.box = self.box[:size], self.box[size:]
        return raw

    def next(self, timeout=5.0):
        """The next message, or None; None with .ended once the server closed the connection."""
        deadline = time.monotonic() + timeout * self.scale
        while True:
            raw = self._whole() if self.reliable else None
            left = deadline - time.monotonic()
            if raw is not None or self.ended or left <= 0:
                return raw
            if self.reliable:
                self._more(left)
                continue
            if isinstance(self.sock, socket.socket):
                if select.select([self.sock], [], [], left)[0]:
                    return self.sock.recv(65536)
            else:
                raw = self.sock.recv(65536)
                if raw is not None:
                    return raw
                select.select([self.sock], [], [], left)

    def _more(self, left):
        self.sock.settimeout(left)
        try:
            got = self.sock.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return
        except (ConnectionResetError, ssl.SSLError):
            got = b""
        self.ended = not got
        self.box += got

    def stream(self, n, timeout=5.0):
        """n bytes of a data connection; fewer when it ends or nothing comes."""
        deadline = time.monotonic() + timeout * self.scale
        while len(self.box) < n and not self.ended and time.monotonic() < deadline:
            self._more(deadline - time.monotonic())
        raw, self.box = self.box[:n], self.box[n:]
        return raw

    def await_end(self, timeout=5.0):
        """Did the server close the connection, and say nothing more?"""
        return self.next(timeout) is None and self.ended

    def close(self):
        self.sock.close()

    @property
    def here(self):
        """The address that the server sees."""
        s = getattr(self.sock, "sock", self.sock)
        return s.getsockname()[:2]

    # --- requests

    def ask(self, raw):
        """The answer to this request, and to no other."""
        self.send(raw)
        got = self.next()
        if got is None:
            raise Wrong("%s: no answer to %s" % (self.name, raw[:40].hex()))
        a = read(got)
        if a.tid != raw[8:20] or a.type & 0xFEEF != struct.unpack("!H", raw[:2])[0] or not a.type & 0x100:
            raise Wrong("%s: the answer to %s is %s" % (self.name, raw[:20].hex(), got.hex()))
        return a

    def silent(self, *raws):
        """No answer to any of these: what comes first is the answer to what is asked after them."""
        for raw in raws:
            self.send(raw)
        a = self.ask(message(BINDING))
        if a.type != BINDING_OK:
            raise Wrong("Binding gets %d" % code(a))

    def challenge(self):
        a = self.ask(message(ALLOCATE, [UDP]))
        if code(a) != 401:
            raise Wrong("no challenge but %d" % code(a))
        self.realm, self.nonce = get(a, A_REALM), get(a, A_NONCE)
        return a

    @property
    def key(self):
        return md5_key(self.user, self.realm, self.password)

    def names(self, **other):
        """USERNAME, REALM, NONCE; others where named; None leaves one out."""
        use = dict(dict(user=self.user, realm=self.realm, nonce=self.nonce), **other)
        return [(n, use[k]) for n, k in ((A_USERNAME, "user"), (A_REALM, "realm"), (A_NONCE, "nonce"))
                if use[k] is not None]

    def unsigned(self, kind, attrs=(), **other):
        if self.nonce is None:
            self.challenge()
        return message(kind, list(attrs) + self.names(**other))

    def signed(self, kind, attrs=(), **other):
        return with_integrity(self.unsigned(kind, attrs, **other), self.key)

    def request(self, kind, attrs=(), want=0, **other):
        """A request with MESSAGE-INTEGRITY, whose answer has one too if it passed the checks."""
        a = self.ask(self.signed(kind, attrs, **other))
        if code(a) != want:
            raise Wrong("%s: 0x%04x gets %d, not %d" % (self.name, kind, code(a), want))
        if want not in (400, 401, 438) and signature(a, self.key) != "1":
            raise Wrong("the answer is not signed as the request was: %s" % numbers(a))
        return a
