"""Bursts, as the kernel's segmentation offload makes them: every boundary is kept."""
import socket
import struct

import lab
from harness import check, equal, test
from turnclient import IPV6, REQUESTED_FAMILY, channel_data

UDP_SEGMENT = 103


def send_segments(sock, parts, address=None):
    """Datagrams in one go; all but the last must have one length."""
    size = len(parts[0])
    check(all(len(p) == size for p in parts[:-1]) and len(parts[-1]) <= size, "the test's own burst")
    control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))] if len(parts) > 1 else []
    sock.sendmsg([b"".join(parts)], control, 0, *([address] if address else []))


def payloads(n, size, last):
    return [bytes([i & 0xFF]) * size for i in range(n - 1)] + [b"\xee" * last]


def bound(t, cli, peer_ip):
    c, peer = t.client(cli), t.peer(peer_ip)
    peer.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    c.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
    if c.sock.family == socket.AF_INET:
        c.sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: our datagrams without DF
    if ":" in peer_ip:
        c.allocate((REQUESTED_FAMILY, IPV6))
        c.relayed = c.relayed6
    else:
        c.allocate()
    c.bind(0x4000, *peer.getsockname()[:2])
    return c, peer


SHAPES = [(7, 1100, 1100), (7, 1100, 1), (2, 1100, 3), (40, 1200, 700), (16, 160, 160), (60, 100, 99),
          (10, 101, 50), (10, 1, 1), (50, 1172, 1172)]


def up_and_down(t, cli, peer_ip):
    """Each shape to the peer and back, in order and unchanged."""
    c, peer = bound(t, cli, peer_ip)
    for n, size, last in SHAPES:
        parts = payloads(n, size, last)
        send_segments(c.sock, [channel_data(0x4000, p) for p in parts])
        equal([peer.recv(65536) for _ in parts], parts, "at the peer: %d of %d, then %d" % (n - 1, size, last))
        send_segments(peer, parts, c.relayed)
        for p in parts:
            c.expect_data(p, channel=0x4000)
    equal(c.event(0.1), None, "a further event")


@test("runs with a short tail pass both ways")
def runs(t):
    t.server()
    for cli, peer_ip in ((lab.CLI, lab.PEER), (lab.CLI6, lab.PEER6), (lab.CLI, lab.PEER6), (lab.CLI6, lab.PEER)):
        up_and_down(t, cli, peer_ip)


@test("the same with udp-gro and udp-gso off")
def runs_without_offload(t):
    t.server(udp_gro="no", udp_gso="no")
    up_and_down(t, lab.CLI, lab.PEER)


@test("the same with one of udp-gro and udp-gso off", not_coturn="has neither")
def runs_with_half(t):
    for gro, gso in (("no", "yes"), ("yes", "no")):
        s = t.bare_server()
        s.start({"udp-gro": gro, "udp-gso": gso})
        up_and_down(t, lab.CLI, lab.PEER)
        s.stop()


@test("the same on wires that carry single datagrams only")
def runs_on_plain_wires(t):
    t.net(offload=False)
    t.server()
    up_and_down(t, lab.CLI, lab.PEER)


@test("a wire whose MTU is below the datagrams: they come in fragments, none is lost")
def small_mtu(t):
    t.net()
    for ns, dev in ((t.lab.srv, "s1"), (t.lab.peer, "p0")):
        ns.ip("link", "set", dev, "mtu", "1300")
    t.server()
    c, peer = bound(t, lab.CLI, lab.PEER)
    parts = payloads(8, 1372, 1372)
    send_segments(c.sock, [channel_data(0x4000, p) for p in parts])
    equal([peer.recv(65536) for _ in parts], parts, "at the peer")


@test("datagrams of equal size with payloads of different length: padding does not join them")
def padded_run(t):
    t.server()
    c, peer = bound(t, lab.CLI, lab.PEER)
    parts = [b"\x01" * n for n in (97, 98, 99, 100, 97, 100, 100, 99, 98, 97)]
    send_segments(c.sock, [channel_data(0x4000, p, pad=True) for p in parts])
    equal([peer.recv(65536) for _ in parts], parts, "at the peer")


@test("a burst of empty payloads and payloads between them")
def empty_in_run(t):
    t.server()
    c, peer = bound(t, lab.CLI, lab.PEER)
    send_segments(c.sock, [channel_data(0x4000, b"")] * 5)
    for _ in range(5):
        equal(peer.recv(65536), b"", "at the peer")
    parts = [b"", b"a", b"", b"", b"bb", b"bb", b""]
    for p in parts:
        c.send_channel(0x4000, p)
        peer.sendto(p, c.relayed)
    equal([peer.recv(65536) for _ in parts], parts, "at the peer")
    for p in parts:
        c.expect_data(p, channel=0x4000)


@test("a burst over several channels and Send indications goes to the right peers, in order")
def mixed_run(t):
    t.server()
    c, first = bound(t, lab.CLI, lab.PEER)
    peers = [first] + [t.peer() for _ in range(3)]
    for n, p in enumerate(peers[1:3], 1):
        c.bind(0x4000 + n, *p.getsockname())
    want = {n: [] for n in range(4)}
    # channels 0x4000 to 0x4002 are bound, 0x4003 is not: its data is dropped, not joined
    burst, order = [], (0, 0, 1, 0, 2, 2, 3, 2, 1, 1, 0, 3, 0, 0, 2)
    for i, n in enumerate(order):
        data = bytes([i]) * 200
        burst.append(channel_data(0x4000 + n, data))
        if n != 3:
            want[n].append(data)
    send_segments(c.sock, burst)
    c.send(*peers[3].getsockname(), b"the end")
    want[3].append(b"the end")
    for n, p in enumerate(peers):
        equal([p.recv(65536) for _ in want[n]], want[n], "at peer %d" % n)
        p.settimeout(0.1)
        try:
            raise AssertionError("peer %d got more: %r" % (n, p.recv(100)))
        except TimeoutError:
            pass


@test("junk inside a burst costs only itself")
def junk_in_run(t):
    t.server()
    c, peer = bound(t, lab.CLI, lab.PEER)
    good = [channel_data(0x4000, bytes([n]) * 96) for n in range(9)]
    bad = [b"\xff" * 100, struct.pack("!HH", 0x4000, 97) + bytes(96), b"\0\1\0\xff" + bytes(96), bytes(100)]
    burst = [x for pair in zip(good, bad + bad) for x in pair] + good[8:]
    send_segments(c.sock, burst)
    equal([peer.recv(65536) for _ in good], [g[4:] for g in good], "at the peer")


@test("a steady load of bursts both ways loses nothing", timeout=60)
def steady(t):
    t.server()
    sessions = [bound(t, lab.CLI, lab.PEER) for _ in range(4)]
    for turn in range(60):
        parts = payloads(8, 1000 + turn, 10 + turn)
        for c, peer in sessions:
            send_segments(c.sock, [channel_data(0x4000, p) for p in parts])
            send_segments(peer, parts, c.relayed)
        for c, peer in sessions:
            equal([peer.recv(65536) for _ in parts], parts, "at the peer, turn %d" % turn)
            for p in parts:
                c.expect_data(p, channel=0x4000)
