"""RFC 8489 s.9, s.14.3 to s.14.6: integrity and long-term credentials, sentence by sentence."""
import hashlib
import hmac
import socket

import lab
from harness import check, equal
from rawstun import *  # noqa: F403: its names are the vocabulary of this file
from sentences import Cases, wire

case = Cases()
case.module = __name__


def first(w, *attrs):
    """A first request: without credentials."""
    return message(ALLOCATE, [UDP, *attrs])


# --- s.9: integrity

@case("9", "all attributes that follow MESSAGE-INTEGRITY MUST be ignored but -SHA256 and FINGERPRINT")
def _(w):
    w.challenge()
    for more in ((0x7001, b"required"), (0x0000, b""), (A_TRANSPORT, b"\x63\0\0\0"), (A_EVEN_PORT, b"\x80\0\0\0"),
                 (A_USERNAME, b"bob"), (A_NONCE, b"stale"), (A_TOKEN, bytes(8)), (A_INTEGRITY, bytes(20)),
                 (A_LIFETIME, b"\0")):
        equal(code(w.ask(plus(w.signed(ALLOCATE, [UDP]), more))), 0, "code with 0x%04x behind" % more[0])
        equal(code(w.ask(with_fingerprint(plus(w.signed(REFRESH, [(A_LIFETIME, bytes(4))]), more)))), 0, "code")


@case("9", "… and what names nobody before it has no name behind it")
def _(w):
    w.challenge()
    raw = with_integrity(message(ALLOCATE, [UDP, (A_REALM, w.realm), (A_NONCE, w.nonce)]), w.key)
    equal(code(w.ask(plus(raw, (A_USERNAME, w.user)))), 400, "code")
    raw = with_integrity(message(ALLOCATE, w.names()), w.key)
    equal(code(w.ask(plus(raw, UDP))), 400, "code where the transport is behind")


@case("9", "all attributes that follow MESSAGE-INTEGRITY-SHA256 MUST be ignored but FINGERPRINT")
def _(w):
    w.challenge()
    for more in ((0x7001, b"required"), (A_TRANSPORT, b"\x63\0\0\0"), (A_USERNAME, b"bob"), (A_SHA256, bytes(32))):
        raw = with_sha256(w.unsigned(ALLOCATE, [UDP]), w.key)
        equal(code(w.ask(plus(raw, more))), 0, "code with 0x%04x behind" % more[0])
        raw = with_sha256(w.unsigned(REFRESH, [(A_LIFETIME, bytes(4))]), w.key)
        equal(code(w.ask(with_fingerprint(plus(raw, more)))), 0, "code")


@case("9", "what stands between the two integrity attributes counts for neither")
def _(w):
    w.challenge()
    raw = plus(w.signed(ALLOCATE, [UDP]), (0x7001, b"between"), (A_TRANSPORT, b"\x63\0\0\0"))
    equal(code(w.ask(with_sha256(raw, w.key))), 0, "code")


# --- s.9.2: long-term credentials

@case("9.2", "the NONCE begins with obMatJos2 and 4 characters of base64: no security features, all 24 bits are zero")
def _(w):
    for _i in range(3):
        a = w.challenge()
        check(w.nonce.startswith(b"obMatJos2AAAA"), "NONCE is %r", w.nonce)
        check(A_ALGORITHMS not in numbers(a), "an offer that the cookie does not tell of")


@case("14.10", "NONCE is qdtext of fewer than 128 characters; REALM too, without quotes")
def _(w):
    w.challenge()
    for text in (w.nonce, w.realm):
        check(0 < len(text.decode()) < 128 and not set(text) & set(b'"\\\r\n'), "%r", text)


@case("9.2.4", "without integrity: 401 with REALM and a NONCE, and without USERNAME, USERHASH and integrity")
def _(w):
    w.challenge()
    for kind in (ALLOCATE, REFRESH, PERMIT, CHANNEL_BIND, CONNECT, CONNECTION_BIND):
        for attrs in ([], [UDP], w.names(), [(A_USERNAME, w.user)], [(A_NONCE, b"old")], [(A_ALGORITHM, ALGO_MD5)],
                      [(A_USERHASH, bytes(32))], [(A_LIFETIME, bytes(3))]):
            a = w.ask(message(kind, attrs))
            equal((a.type, code(a)), (kind | 0x110, 401), "answer to 0x%04x" % kind)
            equal(numbers(a), [A_ERROR, A_REALM, A_NONCE], "attributes")


@case("9.2.4", "the server MUST NOT choose the same NONCE for requests of different addresses and ports")
def _(w):
    others = [wire(w.t, name) for name in ("UDP", "UDP6", "TCP", "TLS6") for _i in range(3)]
    nonces = [get(v.challenge(), A_NONCE) for v in others + [w]]
    equal(len(set(nonces)), len(nonces), "number of nonces")


@case("9.2.4", "integrity, but no USERNAME, REALM or NONCE: 400 without these and without integrity")
def _(w):
    w.challenge()
    for sign in (with_integrity, with_sha256):
        for gone in (["user"], ["realm"], ["nonce"], ["user", "realm"], ["realm", "nonce"],
                     ["user", "realm", "nonce"]):
            raw = w.unsigned(ALLOCATE, [UDP], **{k: None for k in gone})
            a = w.ask(sign(raw, w.key))
            equal((code(a), numbers(a)), (400, [A_ERROR]), "answer without %s" % gone)


@case("9.2.4", "a nonce that says that algorithms were offered: none in the request is MD5, anything else must match")
def _(w):
    w.challenge()
    forged = b"obMatJos2gAAA" + w.nonce[13:]
    offer, choice = (A_ALGORITHMS, ALGO_SHA256 + ALGO_MD5), (A_ALGORITHM, ALGO_MD5)
    for attrs, want in (([], 438), ([offer], 400), ([choice], 400), ([offer, choice], 400),
                        ([offer, (A_ALGORITHM, b"\0\x63\0\0")], 400)):
        equal(code(w.ask(w.signed(ALLOCATE, [UDP] + attrs, nonce=forged))), want, "code with %r" % attrs)


@case("9.2.4", "a USERNAME or USERHASH that is not valid: 401 with REALM and NONCE")
def _(w):
    w.challenge()
    for user in (b"nobody", b"", b"Alice", b"alice ", b"ALICE", b"\xff\xfe", b"al\0ice", b"x" * 508, b"x" * 509,
                 b"\xf0\x9f\x98\x80" * 127, b"x" * 763, b"x" * 764, b"alice:wonderland"):
        a = w.ask(w.signed(ALLOCATE, [UDP], user=user))
        equal((code(a), numbers(a)), (401, [A_ERROR, A_REALM, A_NONCE]), "answer to %r" % user[:20])
    for value in (bytes(32), hashlib.sha256(w.user + b":" + w.realm).digest(), b"", bytes(31), bytes(36)):
        a = w.ask(w.signed(ALLOCATE, [UDP, (A_USERHASH, value)], user=None))
        equal((code(a), numbers(a)), (401, [A_ERROR, A_REALM, A_NONCE]), "answer to a USERHASH")


@case("9.2.4", "another realm: 401")
def _(w):
    w.challenge()
    for realm in (b"elsewhere", b"", w.realm.upper(), w.realm + b".", b"x" * 763, b"\xff"):
        raw = with_integrity(w.unsigned(ALLOCATE, [UDP], realm=realm), md5_key(w.user, realm, w.password))
        a = w.ask(raw)
        equal((code(a), get(a, A_REALM)), (401, w.realm), "answer to %r" % realm[:20])


@case("9.2.4", "integrity that does not match: 401 with REALM and NONCE, and without integrity")
def _(w):
    w.challenge()
    good = w.signed(ALLOCATE, [UDP])
    wrong = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1:] for at in (8, 19, 24, 33, len(good) - 20, len(good) - 1)]
    wrong += [sign(w.unsigned(ALLOCATE, [UDP]), key) for sign in (with_integrity, with_sha256)
              for key in (b"", b"k", w.password, md5_key(w.user, w.realm, b"Wonderland"), w.key + b"\1")]
    for raw in wrong:
        a = w.ask(raw)
        equal((code(a), numbers(a)), (401, [A_ERROR, A_REALM, A_NONCE]), "answer")


@case("9.2.4", "MESSAGE-INTEGRITY-SHA256 decides where it is present")
def _(w):
    w.challenge()
    raw = w.unsigned(ALLOCATE, [UDP])
    equal(code(w.ask(with_sha256(with_integrity(raw, w.key), b"wrong"))), 401, "code where it is wrong")
    a = w.ask(with_sha256(with_integrity(raw, b"wrong"), w.key))
    equal((code(a), signature(a, w.key)), (0, "1"), "answer where it is right")


@case("9.2.4", "a NONCE that is not valid: 438 with REALM and a NONCE that is")
def _(w):
    w.challenge()
    good = w.nonce
    for nonce in (b"", b"stale", b"obMatJos2AAAA", b"obMatJos2AAAA" + b"A" * 22, good[:-1], good + b"A",
                  good[13:], good.lower(), b"x" * 127, b"x" * 508, b"x" * 763, b"x" * 764, b"\xff\xfe"):
        if nonce == good:
            continue
        a = w.ask(w.signed(ALLOCATE, [UDP], nonce=nonce))
        equal((code(a), numbers(a)), (438, [A_ERROR, A_REALM, A_NONCE]), "answer to %r" % nonce[:20])
        equal(get(a, A_REALM), w.realm, "REALM")
    w.request(ALLOCATE, [UDP], nonce=get(a, A_NONCE))


@case("9.2.4", "a NONCE of another address is not valid here", ("UDP", "TCP"))
def _(w):
    for name, ip in (("UDP", lab.CLI_B), ("UDP6", lab.CLI6_B)):
        nonce = get(wire(w.t, name, ip).challenge(), A_NONCE)
        w.challenge()
        equal(code(w.ask(w.signed(ALLOCATE, [UDP], nonce=nonce))), 438, "code")


@case("9.2", "a NONCE serves until it is stale: on other ports of its address, and again and again")
def _(w):
    w.challenge()
    for _i in range(3):
        v = wire(w.t, w.name)
        v.realm, v.nonce = w.realm, w.nonce
        v.request(ALLOCATE, [UDP])
        v.request(REFRESH)
        v.request(REFRESH, [(A_LIFETIME, bytes(4))])


@case("9.2.4", "the order of the checks: integrity, attributes, name, password, nonce")
def _(w):
    w.challenge()
    bad = dict(user=b"nobody", nonce=b"stale")
    equal(code(w.ask(message(ALLOCATE, [UDP] + w.names(**bad)))), 401, "code without integrity")
    equal(code(w.ask(w.signed(ALLOCATE, [UDP], realm=None, **bad))), 400, "code without REALM")
    equal(code(w.ask(w.signed(ALLOCATE, [UDP], **bad))), 401, "code of a wrong name and a stale nonce")
    equal(code(w.ask(with_integrity(w.unsigned(ALLOCATE, [UDP], nonce=b"stale"), b"k"))), 401,
          "code of a wrong password and a stale nonce")
    equal(code(w.ask(w.signed(ALLOCATE, [UDP, (0x7001, b"")], nonce=b"stale"))), 438, "code of a stale nonce")
    equal(code(w.ask(w.signed(ALLOCATE, [(A_TRANSPORT, b"\x63\0\0\0"), (0x7001, b"")]))), 420, "code")


@case("9.2.4", "the answer has MESSAGE-INTEGRITY where the request had no PASSWORD-ALGORITHM, whatever signed it")
def _(w):
    w.challenge()
    for sign in (with_integrity, with_sha256, lambda raw, key: with_sha256(with_integrity(raw, key), key)):
        for kind, attrs, want in ((ALLOCATE, [UDP], 0), (ALLOCATE, [UDP], 437), (REFRESH, [(A_LIFETIME, bytes(4))], 0)):
            a = w.ask(sign(w.unsigned(kind, attrs), w.key))
            equal((code(a), signature(a, w.key)), (want, "1"), "answer")
            check(not {A_REALM, A_NONCE, A_USERNAME, A_USERHASH} & set(numbers(a)), "%s", numbers(a))


@case("9.2.4", "… and MESSAGE-INTEGRITY-SHA256 where it had PASSWORD-ALGORITHM or PASSWORD-ALGORITHMS")
def _(w):
    w.challenge()
    for attrs in ([(A_ALGORITHM, ALGO_MD5)], [(A_ALGORITHMS, ALGO_MD5)],
                  [(A_ALGORITHMS, ALGO_SHA256 + ALGO_MD5), (A_ALGORITHM, ALGO_MD5)]):
        for sign in (with_integrity, with_sha256):
            for kind, more, want in ((ALLOCATE, [UDP], 0), (ALLOCATE, [UDP], 437),
                                     (REFRESH, [(A_LIFETIME, bytes(4))], 0)):
                a = w.ask(sign(w.unsigned(kind, attrs + more), w.key))
                equal(code(a), want, "code")
                check("256" in signature(a, w.key), "no MESSAGE-INTEGRITY-SHA256 but %s", numbers(a))


# --- s.10: ALTERNATE-SERVER

ELSEWHERE = {"alternate_server": ["192.0.2.1:3500", "[2001:db8::1]:3501"], "tls_alternate_server": [
    "192.0.2.2", "2001:db8::2"], "alternate_domain": "turn2.test"}


def elsewhere(a):
    """The ALTERNATE-SERVERs of an answer; s.14.15: encoded as MAPPED-ADDRESS is."""
    for n, v in a.attrs:
        if n == A_ALTERNATE_SERVER:
            equal((v[0], v[1]), (0, 1 if len(v) == 8 else 2), "first bytes")
            yield socket.inet_ntop(socket.AF_INET if v[1] == 1 else socket.AF_INET6, v[4:]), \
                int.from_bytes(v[2:4], "big")


@case("10", "300 has an ALTERNATE-SERVER of the family of the request's source, then one of the other")
def _(w):
    w.challenge()
    raw = w.signed(ALLOCATE, [UDP])
    a = w.ask(raw)
    want = [("192.0.2.2", 5349), ("2001:db8::2", 5349)] if w.name in ("TLS6", "DTLS") else \
        [("192.0.2.1", 3500), ("2001:db8::1", 3501)]
    equal((code(a), list(elsewhere(a))), (300, want[::-1] if w.name.endswith("6") else want), "answer")
    equal(list(elsewhere(w.ask(raw))), list(elsewhere(a)), "answer to the retransmission")


@case("14.8", "300 MUST be protected by integrity, and MUST NOT be sent to who has not authenticated")
def _(w):
    w.challenge()
    a = w.ask(w.signed(ALLOCATE, [UDP]))
    equal((code(a), signature(a, w.key)), (300, "1"), "code and integrity")
    for raw, want in ((first(w), 401), (with_integrity(w.unsigned(ALLOCATE, [UDP]), b"k"), 401),
                      (w.signed(ALLOCATE, [UDP], user=None), 400), (w.signed(ALLOCATE, [UDP], nonce=b"old"), 438),
                      (w.signed(ALLOCATE), 400), (w.signed(REFRESH), 437), (message(BINDING), 0)):
        a = w.ask(raw)
        equal((code(a), list(elsewhere(a))), (want, []), "answer")


@case("10", "ALTERNATE-DOMAIN for TLS and DTLS, where MESSAGE-INTEGRITY-SHA256 authenticated the request")
def _(w):
    w.challenge()
    for sign, sha in ((with_integrity, False), (with_sha256, True)):
        a = w.ask(sign(w.unsigned(ALLOCATE, [UDP]), w.key))
        equal(get(a, A_ALTERNATE_DOMAIN), b"turn2.test" if sha and w.name in ("TLS6", "DTLS") else None, "domain")


# --- s.14: their formats

@case("14.3", "the longest names that must be parsed: 763 bytes of SOFTWARE, USERNAME, REALM, NONCE at once")
def _(w):
    long = b"\xc3\xa9" * 381 + b"e"
    equal(len(long), 763, "length")
    raw = with_integrity(message(ALLOCATE, [UDP, (A_SOFTWARE, long), (A_USERNAME, long), (A_REALM, long),
                                            (A_NONCE, long)]), b"key")
    equal(code(w.ask(raw)), 401, "code")


@case("9.2.2", "the key is made of the names without quotes and trailing nulls")
def _(w):
    w.challenge()
    for user, realm in ((b'"alice"', w.realm), (b"alice\0", w.realm), (b"alice", b'"' + w.realm + b'"'),
                        (b"alice\0\0", w.realm + b"\0")):
        equal(code(w.ask(w.signed(ALLOCATE, [UDP], user=user, realm=realm))), 0, "code of %r" % user)
        w.request(REFRESH, [(A_LIFETIME, bytes(4))])


@case("14.5", "the length is adjusted to the end of MESSAGE-INTEGRITY before the HMAC is computed")
def _(w):
    w.challenge()
    raw = w.signed(ALLOCATE, [UDP])
    equal(code(w.ask(with_fingerprint(raw))), 0, "code with what follows")
    raw = w.unsigned(ALLOCATE, [UDP])
    whole = grown(raw, 24 + 8)  # over the length of the whole message, FINGERPRINT and all
    bad = plus(raw, (A_INTEGRITY, hmac.new(w.key, whole, hashlib.sha1).digest()))
    equal(code(w.ask(with_fingerprint(bad))), 401, "code of one over the whole length")


@case("14.5", "a value that has not 20 bytes proves nothing")
def _(w):
    w.challenge()
    raw = w.signed(ALLOCATE, [UDP])
    for n in (0, 4, 16, 19, 24, 32):
        a = w.ask(plus(w.unsigned(ALLOCATE, [UDP]), (A_INTEGRITY, (raw[-20:] + bytes(12))[:n])))
        check(code(a) in (400, 401), "%d bytes get %d", n, code(a))


@case("14.6", "the full 32 bytes, for TURN allows no truncation; under 16 or no multiple of 4 is malformed")
def _(w):
    w.challenge()
    for n in (16, 20, 24, 28):
        equal(code(w.ask(with_sha256(w.unsigned(ALLOCATE, [UDP]), w.key, n))), 401, "code of %d bytes" % n)
    for n in (0, 4, 12, 15, 17, 31, 33, 36):
        a = w.ask(plus(w.unsigned(ALLOCATE, [UDP]), (A_SHA256, bytes(n))))
        check(code(a) in (400, 401), "%d bytes get %d", n, code(a))
    equal(code(w.ask(with_sha256(w.unsigned(ALLOCATE, [UDP]), w.key))), 0, "code of 32 bytes")


# --- the tests

case.test("integrity: what follows the integrity, its lengths, its input", "9", "14.5", "14.6")
case.test("credentials: 401, 400, 401, 401, 438, and what the answers hold",
          "9.2", "9.2.2", "9.2.4", "14.3", "14.10")
case.test("alternate: who is sent to another server, and how he is told", "10", "14.8", **ELSEWHERE)
