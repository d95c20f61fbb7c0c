"""Where the relay may send: denied unless allowed, whatever form the address has."""
import re

import lab
from harness import check, equal, test
from test_tcp_relay import CONNECT, stream
from turnclient import IPV6, REQUESTED_FAMILY, peer_address

OPEN = "allows by default what we deny"

ALWAYS4 = ["127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.1.1", "224.0.0.1",
           "239.255.255.250", "255.255.255.255", "240.0.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1",
           "203.0.113.1"]
PRIVATE4 = ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
            "100.64.0.1", "100.127.255.255"]
PUBLIC4 = [lab.PEER_PUB, "9.255.255.255", "11.0.0.1", "172.15.255.255", "172.32.0.1", "192.167.255.255",
           "192.169.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1", "223.255.255.255"]
ALWAYS6 = ["::1", "::", "fe80::1", "febf::1", "ff02::1", "ff0e::1", "2001:db8::1", "100::1",
           # the metadata service of a cloud inside a private range
           "fd00:ec2::254",
           # 127.0.0.1 and 169.254.169.254: mapped, compatible, NAT64, 6to4, Teredo's server and client
           "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::127.0.0.1",
           "64:ff9b::169.254.169.254", "2002:7f00:1::1", "2002:a9fe:a9fe::1",
           "2001:0:7f00:1:0:0:f5ff:fffe", "2001:0:cb00:7107:0:0:80ff:fffe"]
PRIVATE6 = ["fc00::1", "fd12:3456::1"]
DISGUISED_PRIVATE6 = ["::ffff:10.2.0.2", "::ffff:192.168.1.1", "64:ff9b::10.2.0.2", "2002:a02:2::1",
                      "2002:c0a8:101::1"]
PUBLIC6 = [lab.PEER6_PUB, "2606:4700::1", "2a00::1"]


def sessions(t):
    """A session for IPv4 peers and one for IPv6 peers."""
    four, six = t.client(), t.client()
    four.allocate()
    six.allocate((REQUESTED_FAMILY, IPV6))
    return four, six


def refused(c, ips, number=0x4100):
    """Neither a permission nor a channel; and a channel would have been a permission."""
    for ip in ips:
        for port in (80, 3478, 53):
            got = c.request(9, [(0x0C, (number + port % 256).to_bytes(2, "big") + b"\0\0"), (0x12, (ip, port))]).code
            equal(got, 403, "ChannelBind to %s:%d" % (ip, port))
        equal(c.request(8, [(0x12, (ip, 0))]).code, 403, "CreatePermission for " + ip)
        equal(c.request(8, [(0x12, (ip, 80))]).code, 403, "CreatePermission for %s with a port" % ip)


def granted(c, ips):
    for ip in ips:
        equal(c.request(8, [(0x12, (ip, 0))]).code, 0, "CreatePermission for " + ip)


@test("by default: special, private and disguised addresses get 403, public ones do not", not_coturn=OPEN,
      timeout=60)
def defaults(t):
    t.server(allow_private_peers=None)
    four, six = sessions(t)
    refused(four, ALWAYS4 + PRIVATE4)
    refused(six, ALWAYS6 + PRIVATE6 + DISGUISED_PRIVATE6)
    granted(four, PUBLIC4)
    granted(six, PUBLIC6)


@test("allow-private-peers opens private addresses and nothing else", not_coturn=OPEN, timeout=60)
def private_allowed(t):
    t.server()
    four, six = sessions(t)
    refused(four, ALWAYS4)
    refused(six, ALWAYS6)
    granted(four, PUBLIC4 + PRIVATE4)
    granted(six, PUBLIC6 + PRIVATE6)


@test("allow-loopback-peers opens loopback, and not the metadata service", not_coturn=OPEN)
def loopback_allowed(t):
    t.server(allow_loopback_peers=True, allow_private_peers=None)
    four, six = sessions(t)
    granted(four, ["127.0.0.1"])
    granted(six, ["::1"])
    refused(four, ["169.254.169.254", "10.0.0.1", "224.0.0.1"])
    refused(six, ["fe80::1", "fc00::1"])


@test("data to a public peer flows with the defaults, IPv4 and IPv6")
def public_peer(t):
    t.server(allow_private_peers=None)
    for c, ip in zip(sessions(t), (lab.PEER_PUB, lab.PEER6_PUB)):
        relayed = c.relayed6 or c.relayed
        peer = t.peer(ip)
        c.permit(ip)
        c.send(*peer.getsockname()[:2], b"public")
        data, source = peer.recvfrom(100)
        equal((data, source[:2]), (b"public", relayed), "what the peer got")
        peer.sendto(b"back", source)
        c.expect_data(b"back", peer.getsockname()[:2])


@test("denied-peer-ip: address, range and prefix; edges are exact", not_coturn="knows no prefixes")
def denied(t):
    t.server(denied_peer_ip=["51.15.0.7", "51.16.0.10-51.16.0.20", "51.17.0.64/26", "2a01:4f8:1::/49",
                             "2a02::5-2a02::1:3"])
    four, six = sessions(t)
    refused(four, ["51.15.0.7", "51.16.0.10", "51.16.0.15", "51.16.0.20", "51.17.0.64", "51.17.0.127"])
    granted(four, ["51.15.0.6", "51.15.0.8", "51.16.0.9", "51.16.0.21", "51.17.0.63", "51.17.0.128"])
    refused(six, ["2a01:4f8:1::", "2a01:4f8:1:7fff::1", "2a02::5", "2a02::ffff", "2a02::1:0", "2a02::1:3"])
    granted(six, ["2a01:4f8:1:8000::", "2a01:4f8:0:ffff::1", "2a02::4", "2a02::1:4"])


@test("an IPv4 rule holds for the disguises of the address", not_coturn="this one is older than its fix")
def denied_disguised(t):
    t.server(denied_peer_ip=["51.15.0.0/16"])
    _, six = sessions(t)
    refused(six, ["::ffff:51.15.0.2", "64:ff9b::51.15.0.2", "2002:330f:2::1"])


@test("allowed-peer-ip goes before denied-peer-ip and before the defaults, but not before loopback's switch",
      not_coturn=OPEN)
def allowed(t):
    t.server(allow_private_peers=None, denied_peer_ip=["51.15.0.0/16"],
             allowed_peer_ip=["51.15.0.2", "10.2.0.2/32", "127.0.0.0/8", "fd02::2", "224.0.0.0/4", "0.0.0.0/8"])
    four, six = sessions(t)
    granted(four, ["51.15.0.2", "10.2.0.2"])
    refused(four, ["51.15.0.3", "10.2.0.3", "127.0.0.1", "224.0.0.1", "0.0.0.0"])
    granted(six, ["fd02::2"])
    refused(six, ["fd02::3", "::ffff:127.0.0.1"])


@test("a request for several peers, one of them denied, grants none", not_coturn=OPEN)
def all_or_none(t):
    t.server(allow_private_peers=None)
    c = t.client()
    c.allocate()
    peer = t.peer(lab.PEER_PUB)
    c.permit(lab.PEER_PUB, "10.0.0.1", code=403)
    peer.sendto(b"not permitted", c.relayed)
    c.settle()
    c.permit(lab.PEER_PUB)
    peer.sendto(b"permitted", c.relayed)
    c.expect_data(b"permitted", peer.getsockname())


@test("the first refusal names the option that would allow it, and a thousand do not fill the log",
      not_coturn=OPEN)
def logged(t):
    s = t.server(allow_private_peers=None)
    c = t.client()
    c.allocate()
    for ip, option in (("10.2.0.2", "allow-private-peers"), ("127.0.0.1", "allow-loopback-peers"),
                       ("192.0.2.1", "allowed-peer-ip"), ("169.254.169.254", "allowed-peer-ip")):
        before = len(re.findall(option, s.log()))
        c.permit(ip, code=403)
        t.until(lambda: len(re.findall(option, s.log())) > before, "%s in the log after %s" % (option, ip))
    size = len(s.log())
    for _ in range(1000):
        c.permit("10.2.0.2", code=403)
    c.refresh()
    check(len(s.log()) - size < 8000, "the log grew by %d bytes", len(s.log()) - size)


def own_addresses_are_sealed(t, **conf):
    """Nothing on the server's own addresses but a live relayed port can be reached."""
    t.net()
    # the second port is inside the range, and held by another process before the server starts
    held = [[t.lab.srv.udp(ip, port) for port in (9999, 50005)] for ip in (lab.RELAY, lab.RELAY6)]
    t.server(min_port=50000, max_port=50010, **conf)
    four, six = sessions(t)
    for c, ip, listener, services in ((four, lab.RELAY, lab.SRV, held[0]), (six, lab.RELAY6, lab.SRV6, held[1])):
        for sock in services:
            c.request(8, [(0x12, (ip, 0))])
            c.send(ip, sock.getsockname()[1], b"hello, service")
        for host in (ip, listener):
            # a listener would answer to the relayed port, and that would come back as data
            c.request(8, [(0x12, (host, 0))])
            binding = b"\0\1\0\0\x21\x12\xa4\x42" + b"abcdefghijkl"
            c.send(host, 3478, binding)
        c.settle()
        equal(c.event(0.3), None, "what came back")
        for sock in services:
            sock.setblocking(False)
            try:
                raise AssertionError("a service of the host got %r" % sock.recv(100))
            except BlockingIOError:
                pass


@test("a listener on a wildcard: none of this host's addresses leads to it", not_coturn=OPEN)
def wildcard_listener_is_sealed(t):
    t.net()
    t.server(listening_ip="0.0.0.0", relay_ip=lab.RELAY, allow_private_peers=None)
    c = t.client(lab.CLI)
    c.allocate()
    binding = b"\0\1\0\0\x21\x12\xa4\x42" + b"abcdefghijkl"
    for host in (lab.SRV, lab.RELAY):
        c.request(8, [(0x12, (host, 0))])
        c.send(host, 3478, binding)
    c.settle()
    equal(c.event(0.3), None, "what came back")


@test("the server's own addresses: no service of the host and no listener can be reached", not_coturn=OPEN)
def own_addresses(t):
    own_addresses_are_sealed(t, allow_private_peers=None)


@test("the same with allow-private-peers", not_coturn=OPEN)
def own_addresses_private(t):
    own_addresses_are_sealed(t)


@test("the stats port is nobody's TCP peer, by whichever address of this host; the port beside it is refused by the kernel",
      not_coturn="has another port")
def stats_port(t):
    for http in (lab.RELAY_PUB, "0.0.0.0", "::"):
        s = t.server(listening_ip=lab.SRV, relay_ip=lab.RELAY, http_address=http, http_open_metrics=True,
                     http_port=9641)
        for ip in (lab.RELAY_PUB, lab.SRV_ALT, lab.RELAY_ALT):
            denied = ip == lab.RELAY_PUB or http != lab.RELAY_PUB
            for port, code in ((9641, 403 if denied else 447), (9642, 447)):
                c = stream(t)
                c.allocate_tcp()
                equal(c.request(CONNECT, [peer_address(ip, port)]).code, code, "%s: %s:%d" % (http, ip, port))
        s.wait_log("peer_denied .*reason=stats_port", 2)
        s.stop()
