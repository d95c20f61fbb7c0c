"""What the RFCs ask of a server in so many words, over each transport: the cases that no other file has.
Sections are those of RFC 8489 where nothing else is said."""
import hashlib
import hmac
import socket
import struct

import lab
from harness import check, equal, test
from turnclient import (ALLOCATE, BINDING, CHANNEL_BIND, CHANNEL_NUMBER, COOKIE, CREATE_PERMISSION, DATA_IND,
                        ERROR, FINGERPRINT, INDICATION, IPV4, IPV6, LIFETIME, MESSAGE_INTEGRITY, NONCE, REALM,
                        REFRESH, REQUEST, REQUESTED_FAMILY, SEND, SHA256, SUCCESS, UDP, UNKNOWN_ATTRIBUTES,
                        USERNAME, Message, StreamClient, channel_data, even_port, lifetime, peer_address)
from test_dtls import client as dtls_client
from test_relay import read_tos, want_tos

STANDIN = "is not the one to be judged"
PASSWORD_ALGORITHM, PASSWORD_ALGORITHMS, CHANGE_REQUEST = 0x1D, 0x8002, 0x03
MD5, SHA256_ALGORITHM = struct.pack("!HH", 1, 0), struct.pack("!HH", 2, 0)


def served(t, **conf):
    if t.lab is None:
        t.net()
    cert, pkey = t.certificate()
    return t.server(**dict(dict(cert=cert, pkey=pkey, dtls=True), **conf))


TRANSPORTS = {
    "UDP": lambda t, ip: t.client(ip),
    "TCP": lambda t, ip: t.stream(ip),
    "TLS": lambda t, ip: t.stream(ip, tls=True),
    "DTLS": dtls_client,
}


def everywhere(t, families=(lab.CLI, lab.CLI6), only=TRANSPORTS):
    """A new client over each transport and family."""
    for name in only:
        for ip in families:
            print(name, ip)
            yield TRANSPORTS[name](t, ip)


def alive(c, what):
    """The server is in step: the next thing to come is the answer to this."""
    request = Message(BINDING, REQUEST).encode()
    c.send_raw(request)
    got = c.recv_raw(5 * c.scale)
    check(got is not None, "no answer after %s", what)
    equal(got[8:20], request[8:20], "what is answered first after " + what)


def signed_by_hand(c, method, attrs, tail=b"", key=None):
    """A request whose attributes are bytes already, padding and all; `tail` goes behind the integrity."""
    tid, body = Message(method, REQUEST).tid, b"".join(attrs)
    kind = (method & 0xF) | (method & 0x70) << 1

    def head(length):
        return struct.pack("!HHI", kind, length, COOKIE) + tid
    digest = hmac.new(key or c.key, head(len(body) + 24) + body, "sha1").digest()
    body += struct.pack("!HH", MESSAGE_INTEGRITY, 20) + digest + tail
    return head(len(body)) + body


def attr(number, value, padding=b"\0"):
    return struct.pack("!HH", number, len(value)) + value + padding * (-len(value) % 4)


def names(c, padding=b"\0"):
    return [attr(n, v, padding) for n, v in c.auth_attrs()]


@test("s.6.3.1: 420 names every unknown attribute once and in order, without and with credentials", timeout=60,
      not_coturn=STANDIN)
def all_unknown(t):
    served(t)
    strange = [0x7000 + 3 * n for n in range(120)]
    attrs = [(n, b"") for n in strange + strange[:5]]
    for c in everywhere(t):
        for answer in (c.ask(Message(BINDING, REQUEST, attrs).encode()),
                       c.request(ALLOCATE, [UDP] + attrs)):
            equal(answer.code, 420, "code")
            listed = answer.get(UNKNOWN_ATTRIBUTES)
            equal(list(struct.unpack("!%dH" % (len(listed) // 2), listed)), strange, "attributes named")
        answer = c.request(ALLOCATE, [UDP], after=[(0x7F00, b"behind")])
        equal(answer.code, 0, "code for one behind the integrity, s.9")


@test("s.6.3.2: a Send indication that needs what is not served is dropped, as one with an unknown attribute is")
def not_served(t):
    served(t)
    for c in everywhere(t):
        peer = t.peer()
        c.allocate()
        c.permit(lab.PEER)
        for number in (0x7F00, CHANGE_REQUEST):
            c.send(*peer.getsockname(), b"dropped", (number, bytes(4)))
        c.send(*peer.getsockname(), b"passed", (0xFF00, b"optional"))
        equal(peer.recvfrom(100)[0], b"passed", "what the peer got first")


@test("s.6.3: a class that a method does not have, answers, unknown methods: silence, and the connection goes on",
      not_coturn=STANDIN)
def not_for_servers(t):
    served(t)
    for c in everywhere(t):
        for method, cls in ((ALLOCATE, INDICATION), (REFRESH, INDICATION), (CHANNEL_BIND, INDICATION),
                            (SEND, REQUEST), (DATA_IND, REQUEST), (DATA_IND, INDICATION), (ALLOCATE, SUCCESS),
                            (REFRESH, ERROR), (BINDING, SUCCESS), (BINDING, ERROR), (0x002, REQUEST),
                            (0x0FF, REQUEST), (0x07F, INDICATION), (0xFFF, REQUEST), (0x123, INDICATION),
                            (BINDING, INDICATION)):
            c.send_raw(Message(method, cls).encode())
        alive(c, "what is not for a server")


@test("s.7, s.14.7: FINGERPRINT is mirrored in every answer, and comes last", not_coturn=STANDIN)
def fingerprints(t):
    served(t)
    for c in everywhere(t):
        c.fingerprint = True
        for answer in (c.ask(Message(ALLOCATE, REQUEST, [UDP]).encode(fingerprint=True)), c.request(ALLOCATE, [UDP]),
                       c.request(ALLOCATE, [UDP]), c.request(REFRESH), c.request(CREATE_PERMISSION)):
            equal(answer.numbers()[-1], FINGERPRINT, "last attribute")


@test("s.9.2.4: a malformed integrity attribute is 400, without REALM and NONCE; a cut SHA-256 value is 401",
      not_coturn=STANDIN)
def malformed_integrity(t):
    served(t)
    for c in everywhere(t, families=(lab.CLI,)):
        c.challenge()
        good = [attr(*UDP)] + names(c)
        raw = signed_by_hand(c, ALLOCATE, good)
        digest = raw[-20:]
        forms = [attr(MESSAGE_INTEGRITY, digest[:n]) for n in (0, 16, 19)] + \
            [attr(SHA256, bytes(n)) for n in (0, 12, 18, 36)]
        wrong = [Message(ALLOCATE, REQUEST, [UDP] + c.auth_attrs()).encode() for _ in forms]
        asked = [(w[:2] + struct.pack("!H", len(w) - 20 + len(f)) + w[4:] + f, 400) for w, f in zip(wrong, forms)]
        # beside a MESSAGE-INTEGRITY that is right
        asked += [(signed_by_hand(c, ALLOCATE, good, tail=attr(SHA256, bytes(n))), code)
                  for n, code in ((12, 400), (18, 400), (16, 401), (28, 401), (32, 401))]
        for request, code in asked:
            answer = c.ask(request)
            equal(answer.code, code, "code")
            equal(REALM in answer.numbers() or NONCE in answer.numbers(), code == 401, "REALM or NONCE")
            check(MESSAGE_INTEGRITY not in answer.numbers(), "the answer is signed")
        equal(c.ask(raw).code, 0, "code of the good one")


@test("s.9.2.4: PASSWORD-ALGORITHM where none was offered is ignored; with a nonce that claims an offer it is 400",
      not_coturn=STANDIN)
def password_algorithms(t):
    served(t)
    offer, choice = (PASSWORD_ALGORITHMS, SHA256_ALGORITHM + MD5), (PASSWORD_ALGORITHM, MD5)
    for c in everywhere(t, families=(lab.CLI,)):
        c.allocate(offer, choice)
        for attrs in ([choice], [offer], [(PASSWORD_ALGORITHM, b"\0")]):
            c.refresh(attrs=attrs)
        # a key of SHA-256 is not what was agreed on
        key = hashlib.sha256(b"alice:" + c.realm.encode() + b":wonderland").digest()
        equal(c.ask(signed_by_hand(c, REFRESH, names(c) + [attr(PASSWORD_ALGORITHM, SHA256_ALGORITHM)],
                                   key=key)).code, 401, "code for another key")
        nonce = c.nonce
        c.nonce = nonce[:9] + b"gAAA" + nonce[13:]
        for attrs, code in (([], 438), ([choice], 400), ([offer], 400), ([offer, choice], 400)):
            equal(c.request(REFRESH, attrs, renew=False).code if code == 438 else
                  c.ask(c.signed(REFRESH, attrs)).code, code, "code with a nonce that claims an offer")
        c.nonce = nonce
        c.refresh()


@test("s.9.2.2: quotes and trailing NULs are no part of user name and realm", not_coturn=STANDIN)
def bare_names(t):
    served(t)
    for c in everywhere(t, families=(lab.CLI,)):
        c.challenge()
        for user, realm in ((b"alice\0", b"%s"), (b"alice\0\0\0", b"%s\0"), (b'"alice"', b'"%s"'),
                            (b'"alice"\0', b"%s")):
            attrs = [attr(*UDP), attr(USERNAME, user), attr(REALM, realm.replace(b"%s", c.realm.encode())),
                     attr(NONCE, c.nonce)]
            equal(c.ask(signed_by_hand(c, ALLOCATE, attrs)).code, 0, "code for %r" % user)
            c.refresh(0)  # and it is the same user


@test("s.9.2.2: a user name and a password beyond ASCII, however the configuration has them", not_coturn=STANDIN)
def opaque_strings(t):
    served(t, user=["Ame\u0301lie:mot\u00a0de passe\u0301", "\u30de\u30c8:wonder"])
    for user, password in (("Am\u00e9lie", "mot de pass\u00e9"), ("\u30de\u30c8", "wonder")):
        t.client(user=user, password=password).allocate()
    t.client(user="Am\u00e9lie", password="mot de passe").allocate(code=401)


@test("s.11, RFC 7350 s.3: without the magic cookie a request is 500 under DTLS, and silence elsewhere",
      not_coturn=STANDIN)
def classic(t):
    served(t)
    tid = bytes(range(100, 116))
    binding = struct.pack("!HH", 1, 0) + tid
    c = t.client()
    c.send_raw(binding)
    alive(c, "an old request")
    for c in everywhere(t, only=("DTLS",)):
        for raw in (binding, struct.pack("!HH", 1, 8) + tid + attr(CHANGE_REQUEST, bytes(4)),
                    struct.pack("!HH", 3, 0) + tid):
            c.send_raw(raw)
            got = c.recv_raw(5 * t.scale)
            check(got is not None, "no answer")
            kind = struct.unpack("!H", raw[:2])[0]
            equal((struct.unpack("!H", got[:2])[0], got[4:20]), (kind | 0x110, tid), "type and transaction")
            equal((got[20:24], got[26:28]), (struct.pack("!HH", 9, 4 + len("Server Error")), b"\5\0"), "error code")
        c.send_raw(struct.pack("!HH", 0x11, 0) + tid)
        alive(c, "an old indication")


@test("s.14: of several attributes of a kind the first counts; padding may be anything", not_coturn=STANDIN)
def first_and_padding(t):
    served(t)
    for c in everywhere(t):
        peer, other = t.peer(), t.peer()
        c.allocate()
        equal(c.refresh(attrs=[lifetime(900), lifetime(0)]).seconds(), 900, "lifetime")
        c.expect(0, CHANNEL_BIND, [(CHANNEL_NUMBER, b"\x40\0\0\0"), (CHANNEL_NUMBER, b"\x40\1\0\0"),
                                   peer_address(*peer.getsockname()), peer_address(*other.getsockname())])
        c.send_channel(0x4001, b"not bound")
        c.send_channel(0x4000, b"bound")
        equal(peer.recvfrom(100)[0], b"bound", "what the first peer got")
        for padding in (b"\xff", b" "):
            equal(c.ask(signed_by_hand(c, REFRESH, [attr(LIFETIME, struct.pack("!I", 700))] +
                                       names(c, padding) + [attr(0x8022, b"software", padding)])).seconds(), 700,
                  "lifetime")
        c.refresh(0)
        equal(c.ask(signed_by_hand(c, ALLOCATE, [attr(*UDP), attr(*even_port(False), padding=b"\xff")] +
                                   names(c, b"\xff"))).code, 0, "code")


@test("s.6.3.1: what is sent twice over UDP and DTLS changes nothing more; Refresh 0 may find nothing to delete")
def twice(t):
    served(t)
    for c in everywhere(t, only=("UDP", "DTLS")):
        c.allocate()
        peer = t.peer()
        for method, attrs in ((CREATE_PERMISSION, [peer_address(lab.PEER, 0)]), (REFRESH, [lifetime(800)]),
                              (CHANNEL_BIND, [(CHANNEL_NUMBER, b"\x40\0\0\0"),
                                              peer_address(*peer.getsockname())])):
            raw = c.signed(method, attrs)
            equal([c.ask(raw).code for _ in range(3)], [0, 0, 0], "codes")
        raw = c.signed(REFRESH, [lifetime(0)])
        equal([c.ask(raw).code for _ in range(2)], [0, 437], "codes")


@test("RFC 8656 s.7.2: a second Allocate on the 5-tuple is 437, another user's and one's own", not_coturn=STANDIN)
def second_allocate(t):
    served(t)
    for c in everywhere(t):
        c.allocate()
        c.allocate(code=437)
        c.user, c.password = "bob", "builder"
        c.allocate(code=437)


@test("RFC 8656 s.5: ChannelData without an allocation is ignored, before one and after; requests go on",
      not_coturn=STANDIN)
def nobodys_channel_data(t):
    served(t)
    for c in everywhere(t):
        for data in (b"", b"x", bytes(100), bytes(1200)):
            c.send_channel(0x4000, data)
            c.send_channel(0x4FFF, data)
            c.send_channel(0x5000, data)
            c.send_channel(0x7FFF, data)
        c.send(lab.PEER, 9, b"no allocation either")
        alive(c, "ChannelData without an allocation")
        c.allocate()
        c.refresh(0)
        c.send_channel(0x4000, b"nobody's")
        alive(c, "ChannelData after the allocation")
        c.allocate()


@test("RFC 8656 s.12.6: ChannelData with a reserved number is dropped, and what follows it is served",
      not_coturn=STANDIN)
def reserved_channels(t):
    served(t)
    for c in everywhere(t):
        peer = t.peer()
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
        for number in (0x5000, 0x7FFE, 0x7FFF, 0x8000, 0xFFFF):
            for data in (b"", b"abc", bytes(160)):
                c.send_raw(channel_data(number, data))
        c.send_channel(0x4ABC, b"not bound")
        c.send_channel(0x4000, b"passed")
        equal(peer.recvfrom(100)[0], b"passed", "what the peer got")
        alive(c, "reserved numbers")


@test("RFC 8656 s.15: datagrams for a TCP or TLS client have its connection's DSCP, and are not ECN-capable",
      not_coturn=STANDIN)
def stream_dscp(t):
    served(t)
    for cli, peer_ip in ((lab.CLI, lab.PEER), (lab.CLI6, lab.PEER), (lab.CLI, lab.PEER6), (lab.CLI6, lab.PEER6)):
        for tls in (False, True):
            for tos in (0xB8, 0x88, 0):
                v6 = ":" in cli
                with t.lab.cli.entered():
                    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_STREAM)
                s.setsockopt(*((socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if v6 else (socket.IPPROTO_IP, socket.IP_TOS)),
                             tos)
                s.bind((cli, 0))
                s.connect((lab.SRV6 if v6 else lab.SRV, 5349 if tls else 3478))
                if tls:
                    s = t.trusting().wrap_socket(s, server_hostname=lab.SRV)
                c = StreamClient(s, "alice", "wonderland", scale=t.scale)
                t.clients.append(c)
                peer = t.peer(peer_ip)
                want_tos(peer)
                c.allocate((REQUESTED_FAMILY, IPV6 if ":" in peer_ip else IPV4))
                c.bind(0x4000, *peer.getsockname()[:2])
                c.send_channel(0x4000, b"in a channel")
                equal(read_tos(peer), (b"in a channel", tos), "what the peer got")
                c.send(*peer.getsockname()[:2], b"by indication")
                equal(read_tos(peer), (b"by indication", tos), "what the peer got")


@test("s.6.2.3: the mandatory cipher suites are spoken, and none without forward secrecy", not_coturn=STANDIN)
def ciphers(t):
    t.net()
    cert, pkey = t.certificate("rsa", kind="RSA")
    t.server(cert=cert, pkey=pkey, dtls=True)
    for version in ("-tls1_2", "-dtls1_2"):
        for name, good in (("DHE-RSA-AES128-GCM-SHA256", True), ("ECDHE-RSA-AES128-GCM-SHA256", True),
                           ("AES128-GCM-SHA256", False), ("AES256-SHA", False)):
            _, out = t.run(t.lab.cli, "openssl", "s_client", version, "-cipher", name, "-connect",
                           "%s:5349" % lab.SRV)
            equal("Cipher is " + name in out, good, "agreement on %s %s" % (version, name))
