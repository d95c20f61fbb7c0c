"""Binding: small answers, right addresses, silence for what is not for us."""
import os
import struct

import lab
from harness import check, equal, test
from turnclient import (BINDING, DATA_IND, ERROR_CODE, FINGERPRINT, INDICATION, REQUEST, SUCCESS,
                        UNKNOWN_ATTRIBUTES, XOR_MAPPED_ADDRESS, Message)

ADDS_SOFTWARE = "adds SOFTWARE and RFC 5780 attributes"


@test("the answer is XOR-MAPPED-ADDRESS and nothing else", not_coturn=ADDS_SOFTWARE)
def minimal(t):
    t.server()
    for ip, size in ((lab.CLI, 32), (lab.CLI6, 44)):
        c = t.client(ip)
        answer = c.ask(Message(BINDING, REQUEST).encode())
        equal(answer.numbers(), [XOR_MAPPED_ADDRESS], "attributes")
        equal(len(answer.raw), size, "length of the answer")


@test("the reflexive address is the client's, and each listening address answers for itself")
def addresses(t):
    # the sockets are connected, so an answer from another address would not be seen
    t.server(listening_ip=[lab.SRV, lab.SRV_ALT, lab.SRV6, lab.SRV6_ALT])
    for own, server in ((lab.CLI, lab.SRV), (lab.CLI_B, lab.SRV_ALT), (lab.CLI6, lab.SRV6),
                        (lab.CLI6_B, lab.SRV6_ALT)):
        c = t.client(own, server=(server, 3478))
        answer = c.ask(Message(BINDING, REQUEST).encode())
        equal(answer.address(XOR_MAPPED_ADDRESS), c.sock.getsockname()[:2], "reflexive address")


@test("without listening-ip every address of the host answers")
def default_listeners(t):
    s = t.bare_server()
    s.start({"listening-ip": None})
    for own, server in ((lab.CLI, lab.SRV), (lab.CLI, lab.SRV_ALT), (lab.CLI6, lab.SRV6)):
        c = t.client(own, server=(server, 3478))
        t.until(c.serving, "an answer from " + server)


@test("FINGERPRINT is answered with FINGERPRINT; a wrong one with silence")
def fingerprint(t):
    t.server()
    c = t.client()
    answer = c.ask(Message(BINDING, REQUEST).encode(fingerprint=True))
    check(FINGERPRINT in answer.numbers(), "no FINGERPRINT in the answer")
    raw = bytearray(Message(BINDING, REQUEST).encode(fingerprint=True))
    raw[-1] ^= 1
    equal(c.transact(bytes(raw), timeout=0.4), None, "answer to a wrong FINGERPRINT")


@test("an unknown attribute that must be understood gets 420 and is named; an optional one is ignored")
def unknown_attribute(t):
    t.server()
    c = t.client()
    answer = c.ask(Message(BINDING, REQUEST, [(0x7F01, b"abc"), (0x7F02, b""), (0xFF03, b"x")]).encode())
    equal(answer.code, 420, "code")
    listed = answer.get(UNKNOWN_ATTRIBUTES)
    equal(struct.unpack("!%dH" % (len(listed) // 2), listed)[:2], (0x7F01, 0x7F02), "listed")
    check(ERROR_CODE in answer.numbers(), "no ERROR-CODE")
    equal(c.ask(Message(BINDING, REQUEST, [(0xFF03, b"x")]).encode()).code, 0, "code, optional attribute")


@test("indications, answers, unknown methods and junk are not answered; requests go on being served",
      not_coturn="answers some of these")
def silence(t):
    t.server()
    c = t.client()
    request = Message(BINDING, REQUEST).encode()
    quiet = [
        Message(BINDING, INDICATION).encode(),
        Message(DATA_IND, INDICATION).encode(),
        Message(BINDING, SUCCESS).encode(),
        request[:19], request[:20][:2] + b"\0\4" + request[4:],  # shorter than it says
        request[:2] + b"\0\3" + request[4:] + b"abc",            # not a multiple of 4
        request[:4] + os.urandom(4) + request[8:],               # no magic cookie
        b"", b"\0", b"\xff" * 100, b"\x80" * 1400,
        b"GET / HTTP/1.0\r\n\r\n", b"\x40\0\0\4abcd", b"\x7f\xff\xff\xff",
    ]
    for raw in quiet:
        c.send_raw(raw)
    # the server answers in order: the first thing to come must be this answer
    c.send_raw(request)
    got = c.recv_raw(5 * t.scale)
    check(got is not None, "no answer after the junk")
    equal(got[8:20], request[8:20], "first answer")
    equal(c.recv_raw(0.3), None, "a further answer")
