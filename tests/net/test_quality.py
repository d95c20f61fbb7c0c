"""What the relay says about the quality of each leg, beside what the test did to it."""
import re
import struct
import time

from harness import check, equal, test
from test_relay import name, session

RATE, PERIOD_MS, PACKETS = 48000, 40, 150


def rtp(seq, ssrc=0x1234):
    return struct.pack("!BBHII", 0x80, 111, seq & 0xFFFF, (seq * PERIOD_MS * RATE // 1000) & 0xFFFFFFFF, ssrc) + b"x" * 80


class Leg:
    """A sender over a network that loses packets and delays others."""

    def __init__(self, send, lost=(), delay_ms=lambda n: 0, first=65500):
        self.send, self.lost, self.delay_ms, self.first = send, set(lost), delay_ms, first
        self.sent = []

    def due(self):
        return [(n * PERIOD_MS + self.delay_ms(n), self, n) for n in range(PACKETS) if n not in self.lost]

    def put(self, n):
        self.send(rtp(self.first + n))
        self.sent.append((n, time.monotonic() * 1000))

    def jitter_ms(self):
        """RFC 3550 s.6.4.1 over the times at which the packets really left."""
        jitter = 0.0
        for (n0, t0), (n1, t1) in zip(self.sent, self.sent[1:]):
            jitter += (abs((t1 - t0) - (n1 - n0) * PERIOD_MS) - jitter) / 16
        return jitter


def play(*legs):
    start = time.monotonic() * 1000
    for at, leg, n in sorted((d for leg in legs for d in leg.due()), key=lambda d: d[0]):
        time.sleep(max(0, start + at - time.monotonic() * 1000) / 1000)
        leg.put(n)


def figures(s):
    """The session's last line as a dict of numbers."""
    s.wait_log(r"session_end.*peer_lost=", 10)
    line = re.search(r"session_end.*", s.log()).group(0)
    return {k: int(v) for k, v in re.findall(r"((?:client|peer)_\w+)=(\d+)", line)}


@test("2 % loss and 30 ms jitter on one leg are told of that leg, and not of the other", timeout=60)
def loss_and_jitter(t):
    s = t.server()
    c, peer = session(t)
    c.bind(0x4000, *name(peer))
    bad = Leg(lambda p: c.send_channel(0x4000, p), lost=(40, 90, 120), delay_ms=lambda n: 30 * (n & 1))
    good = Leg(lambda p: peer.sendto(p, c.relayed))
    play(bad, good)
    c.refresh(0)
    f = figures(s)
    equal(f["client_lost"], 3, "lost of %d on the client's leg" % PACKETS)
    equal(f["client_rtp"], PACKETS - 3, "received on the client's leg")
    equal(f["peer_lost"], 0, "lost on the peer's leg")
    equal(f["peer_rtp"], PACKETS, "received on the peer's leg")
    for leg, got in ((bad, f["client_jitter_ms"]), (good, f["peer_jitter_ms"])):
        want = leg.jitter_ms()
        check(abs(got - want) <= want / 10 + 2 * t.scale, "jitter %d ms, it left with %.1f", got, want)
    check(bad.jitter_ms() > 20, "the test made no jitter")


@test("rtp-quality=no measures nothing; what is no RTP says nothing")
def off(t):
    for conf in ({"rtp_quality": "no"}, {}):
        s = t.server(**conf)
        c, peer = session(t)
        c.bind(0x4000, *name(peer))
        for n in range(20):
            c.send_channel(0x4000, rtp(n) if conf else b"\x16\xfe\xfd no media %d" % n)
        c.refresh(0)
        s.wait_log("session_end", 10)
        check("_rtp=" not in s.log(), "figures: %s", re.search(r"session_end.*", s.log()).group(0))
        s.stop()
