"""Clients that come by way of a balancer: the PROXY protocol."""
import socket
import struct

import lab
from harness import check, equal, test
from streams import StreamClient, connect, connect_tls, make_pair, read_all
from turnclient import BINDING, Message, REQUEST, XOR_MAPPED_ADDRESS

AT, AT6 = (lab.SRV, 3480), (lab.SRV6, 3480)
REAL, REAL6 = ("203.0.113.7", 40000), ("2001:db8::7", 40001)
NOT = "its own form of it: no TLS, no list of balancers"


def v1(client, server=AT):
    return ("PROXY TCP%d %s %s %d %d\r\n" % (6 if ":" in client[0] else 4, client[0], server[0],
                                             client[1], server[1])).encode()


def v2(client=None, server=None, command=1, more=b""):
    body, family = b"", 0
    if client:
        server = server or (AT6 if ":" in client[0] else AT)
        af, family = (socket.AF_INET6, 0x21) if ":" in client[0] else (socket.AF_INET, 0x11)
        body = socket.inet_pton(af, client[0]) + socket.inet_pton(af, server[0]) + \
            struct.pack("!HH", client[1], server[1])
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x20 | command, family, len(body + more)) + body + more


def behind(t, **conf):
    crt, key = make_pair(t.dir, "proxied")
    return t.server(tcp_proxy_port=3480, proxy_protocol_from=[lab.CLI, "%s/64" % lab.CLI6], cert=crt, pkey=key,
                    **conf)


def mapped(c):
    return c.ask(Message(BINDING, REQUEST).encode()).address(XOR_MAPPED_ADDRESS)


@test("versions 1 and 2, IPv4 and IPv6, plain and TLS: the client is who the header names", not_coturn=NOT)
def versions(t):
    s = behind(t)
    tlv = b"\x04\x00\x20" + b"x" * 32
    for at, ip in ((AT, lab.CLI), (AT6, lab.CLI6)):
        for header, real in ((v1(REAL), REAL), (v1(REAL6, AT6), REAL6), (v2(REAL), REAL), (v2(REAL6), REAL6),
                             (v2(REAL, more=tlv), REAL)):
            plain = connect(t.lab.cli, at, ip)
            plain.sendall(header)
            for sock in (plain, connect_tls(t.lab.cli, at, before=header, ip=ip)):
                c = StreamClient(sock, scale=t.scale)
                equal(mapped(c), real, "address behind %r" % header[:20])
                c.allocate()
                c.close()
    check("not_turn" not in s.log(), "a connection was refused")


@test("the header may come in pieces, and what follows it in the same segment", not_coturn=NOT)
def pieces(t):
    behind(t)
    for header in (v1(REAL), v2(REAL)):
        for cut in range(1, len(header) + 1, 5):
            c = StreamClient(connect(t.lab.cli, AT, lab.CLI), scale=t.scale)
            c.sock.sendall(header[:cut])
            # another connection is served meanwhile: the piece has been read by then
            other = StreamClient(connect(t.lab.cli, (lab.SRV, 3478)), scale=t.scale)
            mapped(other)
            c.sock.setblocking(True)
            c.sock.sendall(header[cut:] + Message(BINDING, REQUEST, tid=b"together with").encode()[:20])
            c.sock.setblocking(False)
            check(c.recv_raw(5 * t.scale) is not None, "no answer to what came with the header")
            equal(mapped(c), REAL, "address")
            c.close()
            other.close()


@test("from others a connection is closed at once, header or not", not_coturn=NOT)
def strangers(t):
    s = behind(t)
    for said in (v1(REAL), Message(BINDING, REQUEST).encode(), b""):
        c = connect(t.lab.cli, AT, lab.CLI_B)
        try:
            c.sendall(said)
        except ConnectionError:
            pass
        equal(read_all(c), b"", "what a stranger gets")
    s.wait_log("conn_refused.*client=%s:.*not_in_proxy-protocol-from" % lab.CLI_B, 5)


@test("from a balancer a header is required, whole and right", not_coturn=NOT)
def required(t):
    s = behind(t)
    crooked = (Message(BINDING, REQUEST).encode(), b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
               b"PROXY TCP4 203.0.113.7 10.1.0.1 99999 1\r\n", b"PROXY TCP4 " + b"1" * 120,
               v2(REAL)[:12] + b"\x31" + v2(REAL)[13:], v2(REAL)[:14] + b"\xff\xff")
    for said in crooked:
        c = connect(t.lab.cli, AT, lab.CLI)
        c.sendall(said)
        equal(read_all(c), b"", "what %r gets" % said[:20])
        c.close()
    for whole in (v1(REAL), v2(REAL)):
        c = connect(t.lab.cli, AT, lab.CLI)
        c.sendall(whole[:-3])
        c.shutdown(socket.SHUT_WR)
        equal(read_all(c), b"", "what a header that is cut gets")
    s.wait_log("conn_end.*reason=bad_proxy_header", 5)


@test("a health check is answered by nothing, and ends when the balancer ends it", not_coturn=NOT)
def health(t):
    s = behind(t, verbose=True)
    for header in (v2(command=0), b"PROXY UNKNOWN\r\n"):
        c = connect(t.lab.cli, AT, lab.CLI)
        c.sendall(header + Message(BINDING, REQUEST).encode())
        for _ in range(2):
            mapped(StreamClient(connect(t.lab.cli, (lab.SRV, 3478)), scale=t.scale))
        c.shutdown(socket.SHUT_WR)
        equal(read_all(c), b"", "the answer to a health check")
    check("bad_proxy_header" not in s.log(), "a health check was refused")


@test("connections are limited by the real client, not by the balancer", timeout=60, not_coturn=NOT)
def limits(t):
    s = behind(t, relay_threads=1)
    held = []
    for i in range(1024):
        held.append(connect(t.lab.cli, AT, lab.CLI))
        held[-1].sendall(v2((REAL[0], 10000 + i)))
    one_more = connect(t.lab.cli, AT, lab.CLI)
    one_more.sendall(v2((REAL[0], 9999)))
    equal(read_all(one_more), b"", "what the 1025th gets")
    s.wait_log("reason=too_many_connections", 5)
    c = StreamClient(connect(t.lab.cli, AT, lab.CLI), scale=t.scale)
    c.sock.sendall(v2(("203.0.113.8", 9999)))
    equal(mapped(c), ("203.0.113.8", 9999), "another client of the same balancer")
    for h in held:
        h.close()
