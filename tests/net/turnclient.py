"""A TURN client for protocol checks: says exactly what it is told to, and looks at every byte.

Written for tests: synchronous. Client has one UDP socket that is connected to the server, so an
answer from another address is not seen; StreamClient has a connection, plain or under TLS.
"""
import collections
import hashlib
import hmac
import ipaddress
import os
import select
import socket
import ssl
import struct
import time
import zlib

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, SEND, DATA_IND, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
REQUEST, INDICATION, SUCCESS, ERROR = 0, 1, 2, 3

MAPPED_ADDRESS, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE = 0x01, 0x06, 0x08, 0x09
UNKNOWN_ATTRIBUTES, CHANNEL_NUMBER, LIFETIME, XOR_PEER_ADDRESS = 0x0A, 0x0C, 0x0D, 0x12
DATA, REALM, NONCE, XOR_RELAYED_ADDRESS = 0x13, 0x14, 0x15, 0x16
REQUESTED_FAMILY, EVEN_PORT, REQUESTED_TRANSPORT, DONT_FRAGMENT = 0x17, 0x18, 0x19, 0x1A
SHA256, XOR_MAPPED_ADDRESS, RESERVATION_TOKEN = 0x1C, 0x20, 0x22
ADDITIONAL_FAMILY, ADDRESS_ERROR_CODE, ICMP, SOFTWARE, FINGERPRINT = 0x8000, 0x8001, 0x8004, 0x8022, 0x8028

UDP = (REQUESTED_TRANSPORT, b"\x11\0\0\0")
IPV4, IPV6 = b"\x01\0\0\0", b"\x02\0\0\0"

Event = collections.namedtuple("Event", "kind peer channel data msg")


class ProtocolError(AssertionError):
    pass


class Closed(ConnectionError):
    """The server has ended the connection."""


def xor_address(ip, port, tid):
    """The value of an XOR-…-ADDRESS."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip)
    mask = struct.pack("!I", COOKIE) + tid
    return struct.pack("!BBH", 0, 2 if len(packed) == 16 else 1, port ^ (COOKIE >> 16)) + \
        bytes(a ^ b for a, b in zip(packed, mask))


def read_xor_address(value, tid):
    family, port = value[1], struct.unpack("!H", value[2:4])[0] ^ (COOKIE >> 16)
    if len(value) != (8 if family == 1 else 20):
        raise ProtocolError("an address of %d bytes, family %d" % (len(value), family))
    mask = struct.pack("!I", COOKIE) + tid
    return str(ipaddress.ip_address(bytes(a ^ b for a, b in zip(value[4:], mask)))), port


def peer_address(ip, port):
    """An attribute whose value needs the transaction id, filled in by Message.encode()."""
    return XOR_PEER_ADDRESS, (ip, port)


def even_port(reserve):
    return EVEN_PORT, b"\x80" if reserve else b"\0"


def lifetime(seconds):
    return LIFETIME, struct.pack("!I", seconds)


def _padded(value):
    return value + b"\0" * (-len(value) % 4)


def _attr(number, value):
    return struct.pack("!HH", number, len(value)) + _padded(value)


class Message:
    def __init__(self, method, cls, attrs=(), tid=None):
        self.method, self.cls, self.attrs = method, cls, list(attrs)
        self.tid = tid or os.urandom(12)
        self.raw = None

    def _header(self, length):
        m, c = self.method, self.cls
        kind = (m & 0xF) | (m & 0x70) << 1 | (m & 0xF80) << 2 | (c & 1) << 4 | (c & 2) << 7
        return struct.pack("!HHI", kind, length, COOKIE) + self.tid

    def encode(self, key=None, mac="sha1", fingerprint=False, after=()):
        """after: attributes put behind the integrity attribute, where none may count."""
        body = b""
        for number, value in self.attrs:
            body += _attr(number, xor_address(*value, self.tid) if isinstance(value, tuple) else value)
        if key is not None:
            size, number = (20, MESSAGE_INTEGRITY) if mac == "sha1" else (32, SHA256)
            digest = hmac.new(key, self._header(len(body) + 4 + size) + body, mac).digest()
            body += _attr(number, digest)
        for number, value in after:
            body += _attr(number, value)
        if fingerprint:
            crc = zlib.crc32(self._header(len(body) + 8) + body) ^ 0x5354554E
            body += _attr(FINGERPRINT, struct.pack("!I", crc))
        return self._header(len(body)) + body

    @classmethod
    def decode(cls, raw):
        """Strict: whatever a server sends must be well formed to the last padding byte."""
        if len(raw) < 20 or raw[0] & 0xC0:
            raise ProtocolError("not STUN: %s" % raw[:20].hex())
        kind, length, cookie = struct.unpack("!HHI", raw[:8])
        if length != len(raw) - 20 or length % 4 or cookie != COOKIE:
            raise ProtocolError("bad header: %s, %d bytes" % (raw[:20].hex(), len(raw)))
        msg = cls((kind & 0xF) | (kind >> 1 & 0x70) | (kind >> 2 & 0xF80),
                  (kind >> 4 & 1) | (kind >> 7 & 2), tid=raw[8:20])
        at, msg.raw, msg.offsets = 20, raw, {}
        while at < len(raw):
            number, size = struct.unpack("!HH", raw[at:at + 4])
            end = at + 4 + size
            if end > len(raw):
                raise ProtocolError("attribute 0x%04x is cut off" % number)
            if any(raw[end:end + -size % 4]):
                raise ProtocolError("padding of 0x%04x is not zero" % number)
            msg.offsets.setdefault(number, at)
            msg.attrs.append((number, raw[at + 4:end]))
            at = end + -size % 4
        msg._check_fingerprint()
        return msg

    def _check_fingerprint(self):
        at = self.offsets.get(FINGERPRINT)
        if at is None:
            return
        crc = zlib.crc32(self.raw[:at]) ^ 0x5354554E
        if at + 8 != len(self.raw) or self.get(FINGERPRINT) != struct.pack("!I", crc):
            raise ProtocolError("wrong FINGERPRINT")

    def verified(self, key):
        """True when an integrity attribute is there and right."""
        for number, digest, size in ((MESSAGE_INTEGRITY, "sha1", 20), (SHA256, "sha256", 32)):
            at = self.offsets.get(number)
            if at is None:
                continue
            head = self.raw[:2] + struct.pack("!H", at + 4 + size - 20) + self.raw[4:at]
            if hmac.new(key, head, digest).digest() != self.get(number):
                return False
        return MESSAGE_INTEGRITY in self.offsets or SHA256 in self.offsets

    def get(self, number):
        return next((v for n, v in self.attrs if n == number), None)

    def all(self, number):
        return [v for n, v in self.attrs if n == number]

    def numbers(self):
        return [n for n, _ in self.attrs]

    def address(self, number):
        value = self.get(number)
        return read_xor_address(value, self.tid) if value is not None else None

    @property
    def code(self):
        """0 for success, else the error's number."""
        value = self.get(ERROR_CODE)
        if self.cls == SUCCESS and value is None:
            return 0
        if self.cls != ERROR or value is None or len(value) < 4:
            raise ProtocolError("neither success nor error: %s" % self)
        return value[2] * 100 + value[3]

    @property
    def relayed(self):
        return self.address(XOR_RELAYED_ADDRESS)

    def seconds(self):
        return struct.unpack("!I", self.get(LIFETIME))[0]

    def __repr__(self):
        return "<method %d class %d %s>" % (self.method, self.cls, [
            ("0x%04x" % n, v.hex()) for n, v in self.attrs if isinstance(v, bytes)])


def long_term_key(user, realm, password):
    return hashlib.md5(("%s:%s:%s" % (user, realm, password)).encode()).digest()


def channel_data(number, data, pad=False):
    raw = struct.pack("!HH", number, len(data)) + data
    return _padded(raw) if pad else raw


class Client:
    def __init__(self, sock, user, password, scale=1.0, realm=None):
        self.sock, self.user, self.password, self.scale = sock, user, password, scale
        self.realm, self.nonce, self.mac, self.fingerprint = realm, None, "sha1", False
        self.events = collections.deque()
        self.poll = select.poll()  # select() ends at 1024 descriptors
        self.poll.register(sock, select.POLLIN)
        self.relayed = self.relayed6 = None
        sock.setblocking(False)

    def close(self):
        self.sock.close()

    @property
    def key(self):
        return long_term_key(self.user, self.realm, self.password)

    # --- datagrams

    def send_raw(self, raw):
        self.sock.send(raw)

    def recv_raw(self, timeout):
        return self.sock.recv(65536) if self.poll.poll(max(0, timeout) * 1000) else None

    # --- requests

    def auth_attrs(self):
        return [(USERNAME, self.user.encode()), (REALM, self.realm.encode()), (NONCE, self.nonce)]

    def signed(self, method, attrs=(), tid=None, after=()):
        """The bytes of an authenticated request; challenge() must have been called."""
        msg = Message(method, REQUEST, list(attrs) + self.auth_attrs(), tid)
        return msg.encode(self.key, self.mac, self.fingerprint, after)

    def transact(self, raw, timeout=None, resend=True):
        """Sends a request until its answer comes; None when there is none. What else arrives
        waits in events."""
        deadline = time.monotonic() + (timeout or 5) * self.scale
        pause = 0.5 * self.scale
        while True:
            self.send_raw(raw)
            again = min(deadline, time.monotonic() + pause) if resend else deadline
            pause *= 2
            while True:
                got = self.recv_raw(again - time.monotonic())
                if got is None:
                    break
                if got[0] < 4 and got[8:20] == raw[8:20] and got[0] & 1:
                    return Message.decode(got)
                self._keep(got)
            if time.monotonic() >= deadline:
                return None

    def serving(self):
        """True when a Binding request is answered."""
        try:
            return self.transact(Message(BINDING, REQUEST).encode(), timeout=0.3) is not None
        except ConnectionRefusedError:
            return False

    def challenge(self):
        """Learns realm and nonce from a 401."""
        answer = self.ask(Message(ALLOCATE, REQUEST, [UDP]).encode())
        if answer.code != 401:
            raise ProtocolError("expected a 401: %s" % answer)
        self._learn(answer)
        return answer

    def _learn(self, answer):
        self.realm, self.nonce = answer.get(REALM).decode(), answer.get(NONCE)

    def ask(self, raw, timeout=None):
        """transact() that insists on an answer."""
        answer = self.transact(raw, timeout)
        if answer is None:
            raise ProtocolError("no answer to %s" % Message.decode(raw))
        return answer

    def request(self, method, attrs=(), after=(), renew=True):
        """An authenticated request; a challenge or a stale nonce is dealt with once. The answer's
        integrity is checked."""
        if self.nonce is None:
            self.challenge()
        answer = self.ask(self.signed(method, attrs, after=after))
        if answer.code == 438 and renew:
            self._learn(answer)
            answer = self.ask(self.signed(method, attrs, after=after))
        if answer.code not in (401, 438) and not answer.verified(self.key):
            raise ProtocolError("answer without right integrity: %s" % answer)
        return answer

    def expect(self, code, method, attrs=(), **kw):
        answer = self.request(method, attrs, **kw)
        if answer.code != code:
            raise ProtocolError("method %d: got %d, want %d: %s" % (method, answer.code, code, answer))
        return answer

    def allocate(self, *attrs, code=0):
        answer = self.expect(code, ALLOCATE, [UDP, *attrs])
        for value in answer.all(XOR_RELAYED_ADDRESS):
            address = read_xor_address(value, answer.tid)
            if ":" in address[0]:
                self.relayed6 = address
            if self.relayed is None or ":" not in address[0]:
                self.relayed = address
        return answer

    def refresh(self, seconds=None, code=0, attrs=()):
        return self.expect(code, REFRESH, list(attrs) + ([lifetime(seconds)] if seconds is not None else []))

    def permit(self, *ips, code=0):
        return self.expect(code, CREATE_PERMISSION, [peer_address(ip, 0) for ip in ips])

    def bind(self, number, ip, port, code=0):
        return self.expect(code, CHANNEL_BIND, [(CHANNEL_NUMBER, struct.pack("!HH", number, 0)),
                                                peer_address(ip, port)])

    def settle(self):
        """Until the server has dealt with what came to it before, on other sockets too: each
        answer is from a later pass of the loop that owns this session."""
        for _ in range(3):
            self.refresh()

    # --- data

    def send(self, ip, port, data, *attrs):
        self.send_raw(Message(SEND, INDICATION, [peer_address(ip, port), *attrs, (DATA, data)]).encode())

    def send_channel(self, number, data, pad=False):
        self.send_raw(channel_data(number, data, pad))

    def _keep(self, raw):
        if raw[0] & 0xC0 == 0x40:
            number, size = struct.unpack("!HH", raw[:4])
            if len(raw) - 4 - size not in range(4):
                raise ProtocolError("ChannelData of %d in %d bytes" % (size, len(raw)))
            self.events.append(Event("channel", None, number, raw[4:4 + size], None))
            return
        msg = Message.decode(raw)
        if msg.cls != INDICATION:
            return  # a late answer to something sent twice
        if msg.method != DATA_IND:
            raise ProtocolError("unexpected: %s" % msg)
        kind = "icmp" if msg.get(ICMP) is not None else "data"
        self.events.append(Event(kind, msg.address(XOR_PEER_ADDRESS), None, msg.get(DATA), msg))

    def event(self, timeout=5.0):
        """The next thing that the server relayed, or None."""
        deadline = time.monotonic() + timeout * self.scale
        while not self.events:
            got = self.recv_raw(deadline - time.monotonic())
            if got is None:
                return None
            self._keep(got)
        return self.events.popleft()

    def expect_data(self, data, peer=None, channel=None):
        e = self.event()
        want = Event("channel" if channel else "data", None if channel else peer, channel, data, None)
        if e is None or e._replace(msg=None) != want:
            raise ProtocolError("got %s, want %s" % (e and e._replace(msg=None), want))
        return e


class StreamClient(Client):
    """The same over a connection: every byte that comes must belong to a whole message."""

    def __init__(self, sock, user, password, scale=1.0, realm=None):
        super().__init__(sock, user, password, scale, realm)
        self.inbox = bytearray()
        self.name = "%s:%d" % sock.getsockname()[:2] if sock.family == socket.AF_INET else \
            "[%s]:%d" % sock.getsockname()[:2]  # as the server's log has it

    def send_bytes(self, raw):
        """Whatever they are, in one piece."""
        self.sock.settimeout(10 * self.scale)
        self.sock.sendall(raw)

    def send_raw(self, raw):
        self.send_bytes(_padded(raw))

    def transact(self, raw, timeout=None, resend=False):
        return super().transact(raw, timeout, resend=False)

    def _cut(self):
        """The first message of the inbox, without padding; None when it is not whole yet."""
        box = self.inbox
        if len(box) < 4:
            return None
        size = struct.unpack("!H", box[2:4])[0]
        if box[0] & 0xC0 == 0x40:
            size, end = 4 + size, 4 + size + -size % 4
        elif box[0] < 4 and size % 4 == 0:
            size = end = 20 + size
        else:
            raise ProtocolError("no message begins with %s" % box[:20].hex())
        if len(box) < end:
            return None
        if any(box[size:end]):
            raise ProtocolError("padding is not zero: %s" % box[size:end].hex())
        raw = bytes(box[:size])
        del box[:end]
        return raw

    def recv_raw(self, timeout):
        deadline = time.monotonic() + timeout
        while True:
            raw = self._cut()
            if raw is not None:
                return raw
            self.sock.settimeout(max(0.0, deadline - time.monotonic()))
            try:
                got = self.sock.recv(65536)
            except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
                return None
            except ssl.SSLError as e:
                raise Closed(str(e)) from None
            if not got:
                if self.inbox:
                    raise ProtocolError("the end within a message: %s" % self.inbox[:40].hex())
                raise Closed("in order")
            self.inbox += got

    def expect_channel(self, number):
        """The data of the next message, which is of this channel."""
        e = self.event()
        if e is None or e.channel != number:
            raise ProtocolError("got %s, want data of channel 0x%x" % (e, number))
        return e.data

    def await_end(self, timeout=5.0):
        """Until the server closes the connection; returns the messages that came before that."""
        deadline, out = time.monotonic() + timeout * self.scale, []
        while True:
            try:
                raw = self.recv_raw(deadline - time.monotonic())
            except (Closed, ConnectionError):
                return out
            if raw is None:
                raise ProtocolError("the server does not close the connection")
            out.append(raw)
