"""The metrics: their form, and that what they say of traffic is true."""
import json
import os
import time
import urllib.parse

import lab
from harness import check, equal, test
from server import ASAN_OPTIONS
from statsport import CONF, StatsPort
from test_clients import end_load, start_load, with_peer

OURS = "it has no such metrics"


def answer_of_prometheus(t, query):
    """The first value, or None."""
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": query})
    status, out = t.run(t.lab.cli, "curl", "-s", "http://127.0.0.1:9090" + path)
    try:
        return float(json.loads(out)["data"]["result"][0]["value"][1])
    except (ValueError, KeyError, IndexError):
        return None


@test("promtool finds nothing to complain about; no series is there twice", not_coturn=OURS)
def form(t):
    t.server(**{k.replace("-", "_"): v for k, v in CONF.items()})
    p = StatsPort(t, role="read")
    c = t.client()
    c.allocate()
    text = p.get("/metrics").body
    path = os.path.join(t.dir, "metrics")
    with open(path, "wb") as f:
        f.write(text)
    status, out = t.run(t.lab.cli, "sh", "-c", 'promtool check metrics <"$1"', "sh", path)
    equal((status, out.strip()), (0, ""), "promtool")
    series = [line.rsplit(" ", 1)[0] for line in text.decode().splitlines() if not line.startswith("#")]
    equal(len(series), len(set(series)), "series")
    m = p.metrics()
    equal(m['taciturn_sessions{transport="udp"}'], 1, "sessions over UDP")
    equal(m['taciturn_answers_total{method="allocate",code="0"}'], 1, "Allocates that succeeded")
    equal(m['taciturn_answers_total{method="allocate",code="401"}'], 1, "Allocates that were challenged")
    equal(m['taciturn_ports_used{address="%s"}' % lab.RELAY], 1, "ports in use")


@test("coturn's series are served with its option, at its path, without a token", not_coturn=OURS)
def of_coturn(t):
    t.server(prometheus=True, prometheus_port=9641, prometheus_path="/stats", prometheus_address=lab.SRV)
    p = StatsPort(t, role=None)
    t.client().allocate()
    text = p.get("/stats").body.decode()
    for line in ('turn_total_allocations{type="UDP"} 1', "turn_unauthenticated_401_responses 1",
                 "# TYPE stun_binding_request counter", "taciturn_alloc_opened_total 1"):
        check(line in text, "not in the metrics: %s", line)
    equal(p.get("/metrics").status, 404, "the path that it does not have")


@test("Prometheus scrapes it while coturn's client relays; the bytes are the client's", timeout=90, not_coturn=OURS)
def truth(t):
    t.server(rfc5766_channel_numbers=True, **{k.replace("-", "_"): v for k, v in CONF.items()})
    with_peer(t, lab.PEER)
    config = os.path.join(t.dir, "prometheus.yml")
    with open(config, "w") as f:
        f.write("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: taciturn\n"
                "  authorization: {credentials: read-token-0123456789}\n"
                "  static_configs: [{targets: ['%s:9641']}]\n" % lab.SRV)
    t.spawn(t.lab.cli, "prometheus", "--config.file=" + config, "--web.listen-address=127.0.0.1:9090",
            "--storage.tsdb.path=" + os.path.join(t.dir, "tsdb"))
    t.until(lambda: answer_of_prometheus(t, "up") == 1, "Prometheus scrapes", 30, pace=0.5)
    p = StatsPort(t, role="read")
    n, size = 200, 170
    end_load(t, start_load(t, "-e", lab.PEER, "-c", messages=n // 2, clients=2, size=size))
    m = p.metrics()
    up = m['taciturn_relayed_packets_total{transport="udp",family="ipv4",direction="up",realm="taciturn.test"}']
    down = m['taciturn_relayed_packets_total{transport="udp",family="ipv4",direction="down",realm="taciturn.test"}']
    up_bytes = m['taciturn_relayed_bytes_total{transport="udp",family="ipv4",direction="up",realm="taciturn.test"}']
    down_bytes = m['taciturn_relayed_bytes_total{transport="udp",family="ipv4",direction="down",realm="taciturn.test"}']
    check(up >= n, "packets to the peer: %d", up)
    equal((up_bytes, down, down_bytes), (up * size, up, up * size), "what %d packets of %d bytes are" % (up, size))
    t.until(lambda: answer_of_prometheus(
        t, 'taciturn_relayed_bytes_total{transport="udp",family="ipv4",direction="up",realm="taciturn.test"}') == up_bytes,
        "Prometheus has %d bytes" % up_bytes, 20, pace=0.5)


@test("5,000 scrapes and calls while datagrams pass: none is lost or late, memory and descriptors stay",
      timeout=120, not_coturn=OURS)
def many(t):
    # AddressSanitizer keeps 256 MiB of what was freed, if nobody tells it otherwise
    s = t.bare_server().start(CONF, env={"ASAN_OPTIONS": ASAN_OPTIONS + ":quarantine_size_mb=4"})
    p = StatsPort(t, role="read")
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4001, *peer.getsockname())
    paths = ["/metrics", "/api/v1/status", "/api/v1/sessions?limit=100", "/healthz", "/api/v1/users/alice",
             "/api/v1/history", "/api/v1/sessions/nobody", "/nowhere"]
    for path in paths * 25:  # what is allocated once
        p.get(path)
    rss, fds, waits = s.rss_kib(), s.n_fds(), []
    for n in range(5000):
        sent = time.monotonic()
        c.send_channel(0x4001, b"%d" % n)
        p.get(paths[n % len(paths)])
        equal(peer.recv(100), b"%d" % n, "the datagram beside a request")
        waits.append(time.monotonic() - sent)
    grown = s.rss_kib() - rss
    print("# a request and a datagram: median %.2f ms, 99 %% %.2f ms; memory %+d KiB"
          % (sorted(waits)[2500] * 1000, sorted(waits)[4950] * 1000, grown))
    check(sorted(waits)[4950] < 0.1 * t.scale, "1 %% wait for more than %.3f s", sorted(waits)[4950])
    check(grown < 1024 * t.scale ** 3, "memory grows by %d KiB", grown)  # a sanitizer keeps what was freed
    equal(s.n_fds(), fds, "descriptors")
    equal(p.metrics()['taciturn_path_packets_total{path="user"}'], 5000, "packets relayed by this program")
