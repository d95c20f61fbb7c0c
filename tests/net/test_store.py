"""The daemon with real databases: whom they know, what they limit, what they are told, and what happens
without them."""
import os
import time

import lab
import statsport
import stores
from dtlsclient import DtlsClient
from harness import check, equal, minted, test
from newcomers import FILES, Media, Newcomers, room_for_sockets
from server import REALM
from test_ctl import ctl
from turnclient import (ALLOCATE, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, REFRESH, UDP,
                        peer_address)

NOT_THERE = "is another program's way"
N_COLD = 10000


def each(promise, kinds=stores.ALL, **kw):
    """Registers a test once for each kind of database."""
    def add(fn):
        for kind in kinds:
            def one(t, kind=kind):
                fn(t, kind(t))
            one.__module__, one.__name__ = fn.__module__, "%s_%s" % (fn.__name__, kind.name)
            test(promise, not_coturn=NOT_THERE, **kw)(one)
        return fn
    return add


@each("a user of the database allocates by UDP and TCP; wrong password, unknown, another realm's: 401", timeout=90)
def users(t, store):
    store.add_user("dave", "diver")
    store.add_user("1001", "ring")
    store.add_user("erin", "elsewhere", realm="other.test")
    store.add_secret("the-secret-of-the-database")
    cert, pkey = t.certificate()
    t.server(cert=cert, pkey=pkey, dtls=True, **store.conf)
    for user, password in (("dave", "diver"), ("1001", "ring"), ("alice", "wonderland")):
        c = t.client(user=user, password=password)
        c.allocate()
        c.refresh()
    dtls = DtlsClient(t.lab.cli.udp(lab.CLI, 0, connect=(lab.SRV, 3478)), "dave", "diver", scale=t.scale)
    t.clients.append(dtls)
    for c in (dtls, t.stream(user="dave", password="diver"), t.stream(user="dave", password="diver", tls=True)):
        peer = t.peer()
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
        c.send_channel(0x4000, b"up", pad=c is not dtls)
        equal(peer.recv(100), b"up", "what the peer got")
        peer.sendto(b"down", c.relayed)
        c.expect_data(b"down", channel=0x4000)
        c.refresh(0)
    for user, password in (("dave", "driver"), ("nobody", "diver"), ("erin", "elsewhere")):
        c = t.client(user=user, password=password)
        c.challenge()
        equal(c.ask(c.signed(ALLOCATE, [UDP])).code, 401, "code for %s" % user)
    # a secret is there as soon as it was read: at the start, or within seconds
    name, password = minted("the-secret-of-the-database", user="carol")

    def with_secret():
        c = t.client(user=name, password=password)
        c.challenge()
        return c.ask(c.signed(ALLOCATE, [UDP])).code == 0
    t.until(with_secret, "an allocation with the database's secret", timeout=15, pace=0.5)


@each("of user-quota=2 the third is refused with 486, and one that ends makes room", timeout=90)
def quota(t, store):
    store.add_user("dave", "diver")
    t.server(user_quota=2, **store.conf)
    first, second, third = (t.client(user="dave", password="diver") for _ in range(3))
    first.allocate()
    second.allocate()
    third.allocate(code=486)
    first.refresh(0)
    t.until(lambda: third.request(ALLOCATE, [UDP]).code == 0, "room for the third", timeout=5)


@each("a database that says nothing: media goes on, and new allocations get their answer within a second",
      kinds=stores.SERVERS, timeout=120)
def silent(t, store):
    store.add_user("dave", "diver")
    rules = [("allow", 0)]
    if store.name == "redis":  # coturn's tables alone have nothing to limit anybody by
        rules.append(("deny", 508))
    for rule, code in rules:
        t.server(quota_on_store_failure=rule, **store.conf)
        running, peer = t.client(user="dave", password="diver"), t.peer()
        running.allocate()
        running.bind(0x4000, *peer.getsockname())
        newcomer, stranger = t.client(), t.client(user="frank", password="x")
        newcomer.challenge()
        stranger.challenge()
        store.stop()
        began = time.monotonic()
        equal(newcomer.ask(newcomer.signed(ALLOCATE, [UDP])).code, code, "code with %s" % rule)
        equal(stranger.ask(stranger.signed(ALLOCATE, [UDP])).code, 500, "code for one that cannot be looked up")
        check(time.monotonic() - began < 2.2 * t.scale, "two answers took %.1f s", time.monotonic() - began)
        for _ in range(50):
            running.send_channel(0x4000, bytes(500))
            equal(len(peer.recv(2000)), 500, "bytes of a datagram")
        store.go_on()
        t.servers[-1].stop()


@test("what Redis counted for a user is what the user's clients relayed, over two servers too", timeout=90,
      not_coturn=NOT_THERE)
def usage(t):
    store = stores.Redis(t)
    store.add_user("dave", "diver")
    servers = [t.server(**store.conf),
               t.server(listening_ip=[lab.SRV_ALT, lab.SRV6_ALT], **store.conf)]
    up = down = 0
    for address in (lab.SRV, lab.SRV_ALT):
        c, peer = t.client(user="dave", password="diver", server=(address, 3478)), t.peer()
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
        for n in range(1, 40):
            c.send_channel(0x4000, bytes(n))
            peer.recv(2000)
            up += n
            peer.sendto(bytes(2 * n), c.relayed)
            c.expect_data(bytes(2 * n), channel=0x4000)
            down += 2 * n
        c.refresh(0)
    t.until(lambda: store.used("dave") == (up, down, 2), "usage of %d and %d bytes" % (up, down), timeout=10)
    for s in servers:
        s.stop()
    equal(store.used("dave"), (up, down, 2), "usage after the servers have ended")


@test("10 allocations of alice are 10 over two servers on one Redis", timeout=90, not_coturn=NOT_THERE)
def quota_over_nodes(t):
    store = stores.Redis(t)
    t.server(user_quota=10, **store.conf)
    t.server(user_quota=10, listening_ip=[lab.SRV_ALT, lab.SRV6_ALT], **store.conf)
    got = []
    for i in range(30):
        c = t.client(server=((lab.SRV, lab.SRV_ALT)[i % 2], 3478))
        c.challenge()
        got.append(c.ask(c.signed(ALLOCATE, [UDP])).code)
    equal((got.count(0), got.count(486)), (10, 20), "allowed and refused")


@test("coturn's publications: new, refreshed, traffic, deleted and totals", timeout=60, not_coturn=NOT_THERE)
def events(t):
    store = stores.Redis(t)
    t.server(**store.conf)
    heard = t.spawn(t.lab.srv, "redis-cli", "PSUBSCRIBE", "turn/realm/*/user/*/allocation/*/*")
    t.until(lambda: "psubscribe" in open(heard.output).read(), "a subscription")
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    for _ in range(10):
        c.send_channel(0x4000, bytes(100))
        peer.recv(2000)
    c.refresh()
    t.until(lambda: "refreshed lifetime=" in open(heard.output).read(), "refreshed")
    equal(len(store.do("--raw", "KEYS", "turn/realm/%s/user/alice/allocation/*/status" % REALM).split()), 1,
          "status keys")
    c.refresh(0)
    for text in ("new lifetime=600, type=UDP, local=", "ssl=NONE, cipher=NONE", "deleted",
                 "rcvp=10, rcvb=1000, sentp=0, sentb=0", "total_traffic/peer"):
        t.until(lambda text=text: text in open(heard.output).read(), text)
    t.until(lambda: not store.do("--raw", "KEYS", "turn/realm/*/status"), "no status key")


def spend(c, peer, n):
    for _ in range(n):
        c.send_channel(0x4000, bytes(1000))
        peer.recv(2000)


@test("user-byte-quota: who has used it up gets 486; with enforce=end running sessions end too", timeout=60,
      not_coturn=NOT_THERE)
def byte_quota(t):
    for enforce in ("new", "end"):
        s = t.server(user_byte_quota=10000, byte_quota_enforce=enforce)
        c, other, peer = t.client(), t.client(user="bob", password="builder"), t.peer()
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
        spend(c, peer, 5)
        t.client().allocate()
        spend(c, peer, 6)

        def refused():
            newcomer = t.client()
            newcomer.challenge()
            return newcomer.ask(newcomer.signed(ALLOCATE, [UDP])).code == 486
        t.until(refused, "486 for who has relayed 11 of 10 kB", timeout=10, pace=0.3)
        other.allocate()
        if enforce == "end":
            s.wait_log("session_end .*user=alice .*reason=byte_quota", 10)
            equal(c.request(REFRESH).code, 437, "code of a session that was ended")
        else:
            c.refresh()
        s.stop()


@test("/readyz and /metrics say that the users' database is away, and that it is back", timeout=90,
      not_coturn=NOT_THERE)
def health(t):
    store = stores.Redis(t)
    store.add_user("dave", "diver")
    port = with_stats_port(t, store)
    up = 'taciturn_store_up{store="redis",used_for="users, counts"}'
    t.client(user="dave", password="diver").allocate()
    said = port.metrics()
    equal(said[up], 1, up)
    count = 'taciturn_store_latency_seconds_count{store="redis",used_for="users, counts"}'
    check(said[count] > 0, "%s is %s", count, said[count])
    equal(said[count], said[count.replace("_count{", "_bucket{").replace("}", ',le="+Inf"}')], "the last bucket")
    store.kill()
    t.until(lambda: port.get("/readyz").status == 503, "503", timeout=15, pace=0.2)
    equal(port.get("/readyz").json(), {"status": "store_down"}, "what /readyz says")
    equal(port.metrics()[up], 0, up)
    store.start()
    t.until(lambda: port.get("/readyz").status == 200, "ready again", timeout=40, pace=0.2)
    equal(port.metrics()[up], 1, up)


def with_stats_port(t, store, **conf):
    t.server(**{k.replace("-", "_"): v for k, v in statsport.CONF.items()}, **store.conf, **conf)
    port = statsport.StatsPort(t)
    t.until(lambda: port.get("/readyz").status == 200, "ready", timeout=15, pace=0.2)
    return port


@test("limits set by the stats port hold for the next allocation, and are taken back", timeout=60, not_coturn=NOT_THERE)
def set_quota(t):
    store = stores.Redis(t)
    store.add_user("dave", "diver")
    port = with_stats_port(t, store)
    for body in ("", "[]", {"max_allocations": -1}, {"max_allocations": "1"}, {"period": "year"}, {"max": 1}):
        equal(port.ask("PUT", "/api/v1/users/dave/quota", body).status, 400, "status for %r" % (body,))
    a = port.ask("PUT", "/api/v1/users/dave/quota", {"max_allocations": 1, "period": "day"})
    equal((a.status, a.json()), (200, {"max_allocations": 1, "period": "day", "user": "dave"}), "answer")
    first, second = (t.client(user="dave", password="diver") for _ in range(2))
    first.allocate()
    second.allocate(code=486)
    equal(port.ask("PUT", "/api/v1/users/dave/quota", {}).status, 200, "taken back")
    t.until(lambda: second.request(ALLOCATE, [UDP]).code == 0, "an allocation", timeout=5)
    store.kill()
    equal(port.ask("PUT", "/api/v1/users/dave/quota", {"max_allocations": 1}).status, 503, "without Redis")


@test("credentials withdrawn by the stats port: the session ends, a new one is refused, others go on", timeout=60,
      not_coturn=NOT_THERE)
def revoke(t):
    store = stores.Redis(t)
    port = with_stats_port(t, store, static_auth_secret="s3cret")
    clients = {}
    for user in ("dave", "erin"):
        name, password = minted("s3cret", user=user)
        clients[user] = t.client(user=name, password=password)
        clients[user].allocate()
    a = port.ask("DELETE", "/api/v1/credentials/dave")
    equal((a.status, a.json()["user"]), (200, "dave"), "answer")
    check(86000 < a.json()["until"] - time.time() < 86500, "until %s", a.json()["until"])
    t.until(lambda: [s["user"] for s in port.sessions()["sessions"]] == ["erin"], "the end of dave's session",
            timeout=10, pace=0.2)
    name, password = minted("s3cret", user="dave")
    again = t.client(user=name, password=password)
    again.challenge()
    check(again.ask(again.signed(ALLOCATE, [UDP])).code != 0, "dave is served again")
    clients["erin"].refresh()


@test("a realm that ?realm= names is where limits are set and credentials withdrawn, and no other", timeout=60,
      not_coturn=NOT_THERE)
def of_realm(t):
    store = stores.Redis(t)
    port = with_stats_port(t, store)
    for path, method, body in (("/api/v1/users/dave/quota", "PUT", {"max_allocations": 1}),
                               ("/api/v1/credentials/dave", "DELETE", None)):
        equal(port.ask(method, path + "?realm=south.test", body).status, 200, path)
        equal(port.ask(method, path + "?realm=" + "x" * 513, body).status, 400, path + " with a long realm")
    equal(store.do("HGET", "taciturn:{south.test}:quota:dave", "max_allocations"), "1", "the limit there")
    check(store.do("HGET", "taciturn:{south.test}:revoked", "dave"), "withdrawn there")
    equal(store.do("--raw", "KEYS", "taciturn:{%s}:quota:*" % stores.REALM), "", "limits here")
    equal(store.do("HLEN", "taciturn:{%s}:revoked" % stores.REALM), "0", "withdrawn here")


@test("a Redis of the server's is nobody's peer, though its range is: for users, and for statistics alone",
      timeout=60, not_coturn=NOT_THERE)
def not_a_peer(t):
    stores.need("redis-server")
    t.net()
    t.spawn(t.lab.peer, "redis-server", "--bind", lab.PEER_B, "--port", "6379", "--protected-mode", "no",
            "--save", "", "--dir", t.dir)
    t.until(lambda: reachable(t), "a Redis", timeout=20)
    for name in ("redis_userdb", "redis_statsdb"):
        s = t.server(**{name: "ip=%s port=6379" % lab.PEER_B})
        c = t.client()
        c.allocate()
        t.until(lambda: c.request(CREATE_PERMISSION, [peer_address(lab.PEER_B, 0)]).code == 403,
                "the database is refused with " + name, timeout=10)
        equal(c.request(CHANNEL_BIND, [(CHANNEL_NUMBER, b"\x40\0\0\0"), peer_address(lab.PEER_B, 9)]).code, 403,
              "code for a channel to it")
        c.permit(lab.PEER)
        s.wait_log(r"peer_denied .*peer=%s.* reason=database allow_with=allowed-peer-ip" % lab.PEER_B, 2)
        s.stop()


def reachable(t):
    try:
        t.lab.peer.tcp(lab.PEER_B, (lab.PEER_B, 6379)).close()
        return True
    except OSError:
        return False


@each("a range that is denied in the database while the server runs is denied from then on", timeout=90)
def denied_while_running(t, store):
    t.server(**store.conf)
    c = t.client()
    c.allocate()
    c.permit(lab.PEER)
    store.add_denied(REALM, "%s-%s" % (lab.PEER, lab.PEER))
    if store.name == "redis":
        store.do("INCR", "taciturn:generation")  # as taciturnctl does; else within a minute
    t.until(lambda: c.request(CREATE_PERMISSION, [peer_address(lab.PEER, 0)]).code == 403, "403", timeout=20, pace=0.5)


@test("PostgreSQL by TLS, as a string and as a URI, behind a list of hosts of which the first is away", timeout=120,
      not_coturn=NOT_THERE)
def postgresql_tls(t):
    store = stores.Postgres(t)
    store.add_user("dave", "diver")
    cert, pkey = t.certificate()
    store.with_tls(cert, pkey)
    for text in ("host=127.0.0.1 dbname=postgres user=postgres sslmode=verify-ca sslrootcert=" + cert,
                 "postgresql://postgres@127.0.0.9:5432,127.0.0.1:5432/postgres?sslmode=require&target_session_attrs=read-write"):
        s = t.server(psql_userdb=text)
        t.client(user="dave", password="diver").allocate()
        equal(store.sql("SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                        "WHERE ssl AND application_name = 'taciturn'"), "t\n", "a connection by TLS with %s" % text)
        s.stop()
    s = t.server(psql_userdb="host=127.0.0.1 dbname=postgres user=postgres sslmode=disable")
    s.wait_log("store_down .*no pg_hba.conf entry.*no encryption", 15)
    s.stop()
    other, _ = t.certificate("stranger")
    s = t.server(psql_userdb="host=127.0.0.1 dbname=postgres user=postgres sslmode=verify-ca sslrootcert=" + other)
    s.wait_log("store_down .*certificate verify failed", 15)


def checked(t, store, good, *words):
    """--check-config of a configuration with this database: its exit status and one line with these words."""
    argv = [t.binary, "-n", "--check-config", "--user=a:b", "--realm=" + REALM,
            *["--%s=%s" % (k.replace("_", "-"), v) for k, v in store.conf.items()]]
    status, out = t.run(t.lab.srv, *argv)
    equal(status, 0 if good else 1, "status of --check-config: %s" % out)
    for word in words:
        lines = [line for line in out.splitlines() if word in line]
        check(len(lines) >= 1, "no line with %r: %s", word, out)


@each("--check-config looks at the database, and says in a line what to do about it", timeout=90)
def check_config(t, store):
    ctl(t, store, "db", "init")
    checked(t, store, True, "is good")
    if store.name == "redis":
        store.do("SET", "taciturn:schema", "99")
    else:
        store.sql("UPDATE taciturn_schema SET version = 99")
    checked(t, store, False, "newer taciturn")
    server = t.server(**store.conf)
    server.wait_log("store_schema .*newer", 15)
    server.stop()
    if store.name == "redis":
        store.do("SET", "taciturn:schema", "1")
        store.do("CONFIG", "SET", "requirepass", "right")
        store.conf = {k: v + " password=wrong" for k, v in store.conf.items()}
        checked(t, store, False, "refuses the password: set password=")
        server = t.server(**store.conf)
        server.wait_log("store_down .*refuses the password", 15)
        return
    store.sql("UPDATE taciturn_schema SET version = 1")
    store.sql("DROP TABLE turnusers_lt")
    checked(t, store, False, "turnusers_lt; run: taciturnctl db init")
    server = t.server(**store.conf)
    server.wait_log("store_schema .*turnusers_lt.*db init", 15)
    if store.name == "postgresql":
        store.conf["psql_userdb"] = store.conf["psql_userdb"].replace("dbname=postgres", "dbname=nowhere")
        checked(t, store, False, "nowhere")
    else:
        store.conf["userdb"] += ".new"
        checked(t, store, True, "made when the server starts", "is good")
        check(not os.path.exists(store.conf["userdb"]), "a file was made by looking")
        with open(store.conf["userdb"], "w"):
            pass
        checked(t, store, True, "is empty", "is good")
        equal(os.stat(store.conf["userdb"]).st_size, 0, "size of a file that was looked at")


def at(times, share):
    return times[int(share * (len(times) - 1))]


def summed(metrics, name):
    return sum(v for k, v in metrics.items() if k.split("{")[0] == name)


@test("10,000 users of PostgreSQL whom nobody knew allocate at once, and at 5,000 a second: each gets an answer, the "
      "media of another loses nothing and keeps its p99, queues and memory are bounded", timeout=180,
      not_coturn=NOT_THERE, heavy=True)
def cold(t):
    room_for_sockets()
    store = stores.Postgres(t).init()
    store.sql("INSERT INTO turnusers_lt (realm, name, hmackey) SELECT '%s', 'u' || i, md5('u' || i || ':%s:cold') "
              "FROM generate_series(0, %d) i" % (REALM, REALM, N_COLD - 1))
    for rate in (5000, None):
        s = t.server(nofile=(FILES, FILES), **store.conf, **statsport.CONF)
        media, crowd, port = Media(t), Newcomers(t, N_COLD, "cold"), statsport.StatsPort(t)
        quiet, rss = media.lap(), s.rss_kib()
        took, codes = crowd.allocate(rate)
        busy, grown = media.lap("end"), s.rss_kib(most=True) - rss
        print("%s a second offered: %d answered in %.2f s, %d a second; codes %s, %d sent again; media p50 %.1f, p99 "
              "%.1f, longest %.1f ms of %d (before: p99 %.1f); at most %d KiB more"
              % (rate or "all", N_COLD - codes[None], took, (N_COLD - codes[None]) / took, dict(codes), crowd.again,
                 1000 * at(busy, 0.5), 1000 * at(busy, 0.99), 1000 * busy[-1], len(busy), 1000 * at(quiet, 0.99), grown))
        # how many are served is for the machine to say, but what waits is: a full queue says so at once
        check(set(codes) <= {0, 486, 500, 508}, "codes %s", codes)
        check(codes[0] >= N_COLD / 10, "%d were served", codes[0])
        # a worker that waits for 5,000 answers, a fifth of a millisecond each, keeps media for a second
        check(at(busy, 0.99) < 0.1 * t.scale, "p99 of media is %.1f ms", 1000 * at(busy, 0.99))
        check(grown < 64 << 10, "memory grew by %d KiB", grown)
        t.until(lambda: summed(port.metrics(), "taciturn_store_waiting") == 0, "nothing waits for the database", timeout=30, pace=0.3)
        for name in ("taciturn_store_rows_lost_total", "taciturn_store_lost_total"):
            equal(summed(port.metrics(), name), 0, name)
        crowd.close()
        s.stop()
