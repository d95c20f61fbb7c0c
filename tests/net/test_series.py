"""What the metrics say of set-up, delay, refusals, credentials, handshakes, legs and users is what happened."""
import re
import ssl
import time

import lab
from harness import check, equal, test
from statsport import CONF, StatsPort
from test_quality import rtp

OURS = "it has no such metrics"


def served(t, **more):
    conf = dict(CONF, **more)
    return t.server(**{k.replace("-", "_"): v for k, v in conf.items()}), StatsPort(t, role="read")


def buckets(m, name, label=""):
    """Upper bound to how many values lie in the bucket below it, empty ones left out."""
    out, before = {}, 0
    for series, n in m.items():
        found = re.match(r'%s_bucket\{%sle="(.*)"\}$' % (name, label and label + ","), series)
        if found and n > before:
            out[float(found.group(1))] = n - before
        before = n if found else before
    return out


@test("set-up time: from the challenge to the allocation, whatever the client took in between", not_coturn=OURS)
def setup(t):
    _, p = served(t)
    quick, slow = t.client(), t.client()
    quick.allocate()
    slow.challenge()
    begun = time.monotonic()
    t.until(lambda: time.monotonic() - begun > 0.3, "0.3 s pass", pace=0.31)
    slow.allocate()
    took = time.monotonic() - begun
    m = p.metrics()
    b = buckets(m, "taciturn_setup_seconds")
    equal(sum(b.values()), 2, "set-ups")
    check(min(b) <= 0.1 * t.scale and 0.25 < max(b) <= max(0.5, 2.5 * took), "set-ups of 0 and %.3f s: %s", took, b)
    check(0.299 <= m["taciturn_setup_seconds_sum"] < 2 * t.scale + took, "sum: %s", m["taciturn_setup_seconds_sum"])
    quick.refresh(0)
    quick.allocate()  # with the nonce that it has: nobody waited, yet it is not older than half a minute
    equal(p.metrics()["taciturn_setup_seconds_count"], 3, "set-ups")


@test("relay delay is sampled each way, and is what a stopped server makes of it", timeout=60, not_coturn=OURS)
def delay(t):
    s, p = served(t, **{"relay-threads": 1})
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())

    def both():
        for _ in range(20):
            c.send_channel(0x4000, b"up")
            peer.sendto(b"down", c.relayed)
        m = p.metrics()
        return all(m['taciturn_relay_delay_seconds_count{direction="%s"}' % way] >= 10 for way in ("up", "down"))

    t.until(both, "datagrams are sampled", 25, pace=0.02)
    m = p.metrics()
    for way in ("up", "down"):
        n = m['taciturn_relay_delay_seconds_count{direction="%s"}' % way]
        mean = m['taciturn_relay_delay_seconds_sum{direction="%s"}' % way] / n
        check(0 < mean < 0.05 * t.scale, "mean delay %s is %.6f s", way, mean)

    def held_up():
        """Sooner or later a stop of 60 ms falls into the half second of a window."""
        with s.held():
            c.send_channel(0x4000, b"waits")
            time.sleep(0.06)  # that is what the delay will be
        both()
        return any(le > 0.05 for le in buckets(p.metrics(), "taciturn_relay_delay_seconds", 'direction="up"'))

    t.until(held_up, "what waited for the server is seen", 25, pace=0.1)


@test("datagrams that a relay socket had no room for are counted, for the session too", not_coturn=OURS)
def overflow(t):
    s, p = served(t, **{"sock-buf-size": 8192, "relay-threads": 1})
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    with s.held():
        for _ in range(200):
            peer.sendto(b"x" * 1000, c.relayed)
    t.until(lambda: p.metrics()["taciturn_rx_peer_packets_total"] > 0, "some came through")
    peer.sendto(b"one more", c.relayed)
    lost = t.until(lambda: p.metrics()["taciturn_drop_overflow_total"], "lost datagrams are counted")
    m = p.metrics()
    equal(m["taciturn_rx_peer_packets_total"] + lost, 201, "those that came and those that did not")
    equal(p.sessions()["sessions"][0]["dropped"], lost, "dropped, of the session")
    with s.held():
        for _ in range(200):
            peer.sendto(b"x" * 1000, c.relayed)
        c.send_raw(c.signed(4, [(0x000D, b"\0\0\0\0")]))  # Refresh: the end comes before anything else could tell
    t.until(lambda: p.metrics()["taciturn_sessions_ended_total{reason=\"deleted\"}"] == 1, "the session ends")
    m = p.metrics()
    total = m["taciturn_rx_peer_packets_total"] + m["taciturn_drop_overflow_total"]
    check(201 + 200 - 16 <= total <= 401, "%d of 401; what the closed queue held is neither", total)
    check(m["taciturn_drop_overflow_total"] > lost + 150, "the last ones are not counted")
    s.wait_log(r"session_end .*drop_overflow=%d" % m["taciturn_drop_overflow_total"], 5)


@test("authentication by result and reason, refusals by reason", not_coturn=OURS)
def reasons(t):
    _, p = served(t, **{"user-quota": 1, "stale-nonce": 600})
    good = t.client()
    good.allocate()
    t.client().allocate(code=486)
    for user, password in (("alice", "wrong"), ("mallory", "wonderland")):
        c = t.client(user=user, password=password)
        c.challenge()
        equal(c.ask(c.signed(3, [(0x0019, b"\x11\0\0\0")])).code, 401, "code for %s" % user)
    m = p.metrics()
    for result, reason, n in (("ok", "none", 2), ("challenge", "no_credentials", 4), ("reject", "bad_integrity", 1),
                              ("reject", "unknown_user", 1), ("reject", "expired", 0), ("stale", "stale_nonce", 0)):
        equal(m['taciturn_auth_results_total{result="%s",reason="%s"}' % (result, reason)], n, reason)
    equal(m['taciturn_allocations_refused_total{reason="quota"}'], 1, "refused for quota")
    StatsPort(t).ask("POST", "/api/v1/drain", {"exit": False})
    t.until(lambda: t.client(user="bob", password="builder").allocate(code=508) or True, "it drains")
    m = p.metrics()
    equal(m['taciturn_allocations_refused_total{reason="draining"}'], 1, "refused for draining")
    equal(sum(v for k, v in m.items() if k.startswith("taciturn_allocations_refused_total")), 2, "all refusals")


@test("handshakes by transport, version and result", not_coturn=OURS)
def handshakes(t):
    cert, key = t.certificate()
    _, p = served(t, cert=cert, pkey=key)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3):
        context = t.trusting()
        context.minimum_version = context.maximum_version = version
        t.stream(tls=True, context=context).allocate()
    half = t.lab.cli.tcp(lab.CLI, (lab.SRV, 5349), timeout=10)
    half.sendall(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")  # no ClientHello
    t.until(lambda: p.metrics()['taciturn_handshakes_total{transport="tls",version="none",result="failed"}'] == 1,
            "a handshake fails")
    half.close()
    m = p.metrics()
    equal(m['taciturn_handshakes_total{transport="tls",version="TLSv1.2",result="ok"}'], 1, "TLS 1.2")
    equal(m['taciturn_handshakes_total{transport="tls",version="TLSv1.3",result="ok"}'], 2, "TLS 1.3")
    t.stream().allocate()
    equal(sum(v for k, v in p.metrics().items() if k.startswith("taciturn_handshakes_total")), 4, "handshakes")


@test("a leg's loss and jitter are in the histograms when its session has ended", not_coturn=OURS)
def legs(t):
    _, p = served(t)
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    for n in range(100):
        if n not in (30, 60):  # 2 %
            c.send_channel(0x4000, rtp(n))
            peer.recv(200)
    c.refresh(0)
    t.until(lambda: p.metrics()['taciturn_leg_loss_ratio_count{leg="client"}'], "the leg is told of")
    m = p.metrics()
    equal(buckets(m, "taciturn_leg_loss_ratio", 'leg="client"'), {0.02: 1}, "loss")
    equal(m['taciturn_leg_loss_ratio_sum{leg="client"}'], 0.02, "the sum")
    equal(m['taciturn_leg_jitter_seconds_count{leg="client"}'], 1, "jitter")
    equal(m['taciturn_leg_loss_ratio_count{leg="peer"}'], 0, "the leg without RTP")


@test("users have series of their own with metrics-user-labels only, up to that many, whatever they are called",
      timeout=40, not_coturn=OURS)
def users(t):
    names = ["alice:wonderland", "bob:builder", 'o"d\\d:odd']
    _, p = served(t, user=names)
    t.client().allocate()
    check("user=" not in p.get("/metrics").body.decode(), "a user is in the metrics")
    t.servers[0].stop()
    _, p = served(t, user=names, **{"metrics-user-labels": 2})
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    for _ in range(5):
        c.send_channel(0x4000, b"x" * 100)
        peer.recv(200)
    peer.sendto(b"y" * 50, c.relayed)
    c.expect_data(b"y" * 50, channel=0x4000)
    series = 'taciturn_user_relayed_bytes_total{user="alice",realm="taciturn.test",direction="%s"}'
    t.until(lambda: p.metrics()[series % "up"] == 500 and p.metrics()[series % "down"] == 50,
            "alice's bytes are there while her session runs")
    odd = t.client(user='o"d\\d', password="odd")
    odd.allocate()
    t.client(user="bob", password="builder").allocate()
    m = p.metrics()
    equal(m['taciturn_user_sessions{user="o\\"d\\\\d",realm="taciturn.test"}'], 1, "the odd one's sessions")
    check(not any('user="bob"' in k for k in m), "a third user")
    c.refresh(0)
    t.until(lambda: p.metrics()['taciturn_user_sessions{user="alice",realm="taciturn.test"}'] == 0, "alice's end")
    equal(p.metrics()[series % "up"], 500, "alice's bytes, when she has gone")
    t.client(user="bob", password="builder").allocate()  # the place of the one who has none left
    m = p.metrics()
    equal(m['taciturn_user_sessions{user="bob",realm="taciturn.test"}'], 1, "bob's sessions in his place")
    check(series % "up" not in m, "alice has kept her place")
