"""Several realms at once: the databases lead a client's ORIGIN to one, with its users, limits and peers."""
import lab
import stores
from harness import check, equal, minted, test
from server import REALM
from test_store import NOT_THERE, each, with_stats_port
from turnclient import ALLOCATE, REFRESH, REQUEST, UDP, Message

ORIGIN = 0x802F
HOME, THERE = (ORIGIN, b"https://a.example"), "a.test"


def learn(c, *attrs):
    """The realm that a client of this origin is offered."""
    answer = c.ask(Message(ALLOCATE, REQUEST, [UDP, *attrs]).encode())
    equal(answer.code, 401, "code without credentials")
    c._learn(answer)
    return c.realm


def fill(store):
    store.add_origin("https://a.example", THERE)
    store.add_origin("https://b.example", "b.test")
    store.add_user("dave", "there", realm=THERE)
    store.add_user("dave", "home")
    store.add_secret("secret-of-a", realm=THERE)
    store.set_option(THERE, "user-quota", 1)
    store.set_option(THERE, "total-quota", 2)
    store.add_denied(THERE, lab.PEER)


def everywhere(t):
    """Until each worker knows the origins: it is by chance which one a client has to do with."""
    t.until(lambda: all(learn(t.client(), HOME) == THERE for _ in range(12)), "the realm of the origin", timeout=10)


def serve(t, store, **conf):
    fill(store)
    server = t.server(**store.conf, **conf)
    server.wait_log("store_live .*origins=2", 20)
    everywhere(t)
    return server


@each("ORIGIN picks the realm: its users, secrets, quotas and denied peers hold, and others do not", timeout=120)
def picks(t, store):
    server = serve(t, store)
    for origin, realm in ((None, REALM), (b"HTTPS://A.Example:443", THERE), (b"https://b.example", "b.test"),
                          (b"https://c.example", REALM), (b"", REALM), (b"\xff" * 600, REALM)):
        equal(learn(t.client(), *([(ORIGIN, origin)] if origin is not None else [])), realm, "realm of %r" % origin)

    def code(user, password, *attrs, offered=(HOME,)):
        c = t.client(user=user, password=password)
        learn(c, *offered)
        return c, c.request(ALLOCATE, [UDP, *attrs]).code
    first, got = code("dave", "there", HOME)
    equal(got, 0, "dave of a.test")
    equal(code("dave", "there", HOME)[1], 486, "more of dave than his realm allows")
    equal(code("dave", "home", HOME)[1], 401, "dave with his other password")
    equal(code("alice", "wonderland", HOME)[1], 401, "an account of the configuration in another realm")
    equal(code("dave", "there", (ORIGIN, b"https://b.example"), offered=(HOME,))[1], 401, "a.test's user in b.test")
    for _ in range(2):
        equal(code("dave", "home", offered=())[1], 0, "dave of the server's realm, who has no limit")
    equal(code(*minted("secret-of-a", user="erin"), HOME)[1], 0, "who has a.test's secret")
    equal(code(*minted("secret-of-a", user="frank"), HOME)[1], 486, "the third of a.test")
    equal(code(*minted("secret-of-a", user="erin"), offered=())[1], 401, "a.test's secret in the server's realm")
    first.permit(lab.PEER, code=403)
    second = t.client(user="dave", password="home")
    second.allocate()
    second.permit(lab.PEER)
    first.refresh(0)
    # ORIGIN only where there is nothing signed yet
    again = t.client(user="dave", password="there")
    learn(again, HOME)
    t.until(lambda: again.request(ALLOCATE, [UDP]).code == 0, "dave of a.test, known by the realm he was offered", timeout=5)
    again.refresh()
    again.refresh(0)
    server.stop()


@each("records, usage and the stats port name the realm", kinds=(stores.Redis,), timeout=90)
def accounts(t, store):
    fill(store)
    port = with_stats_port(t, store)
    everywhere(t)
    c = t.client(user="dave", password="there")
    learn(c, HOME)
    equal(c.request(ALLOCATE, [UDP, HOME]).code, 0, "code")
    home = t.client(user="dave", password="home")
    home.allocate()
    for realm in (THERE, REALM):
        equal([(s["user"], s["realm"]) for s in port.get("/api/v1/sessions?realm=" + realm).json()["sessions"]],
              [("dave", realm)], "sessions of " + realm)
        equal(port.get("/api/v1/users/dave?realm=" + realm).json()["sessions"], 1, "dave's sessions in " + realm)
    for s in (c, home):
        s.refresh(0)
    t.until(lambda: (store.used("dave", THERE)[2], store.used("dave")[2]) == (1, 1), "a session in each realm", timeout=10)
    said = store.do("XRANGE", "taciturn:{%s}:sessions" % THERE, "-", "+")
    check("dave" in said and THERE in said, "the record of a.test: %s", said)


@each("what is relayed is counted by realm, and a name for somebody else in each", kinds=(stores.Sqlite,), timeout=60)
def counted(t, store):
    fill(store)
    port = with_stats_port(t, store, metrics_user_labels=4)
    everywhere(t)
    sent = {THERE: 3, REALM: 5}
    peer = t.peer(lab.PEER_B)
    for realm, password, attrs in ((THERE, "there", [HOME]), (REALM, "home", [])):
        c = t.client(user="dave", password=password)
        learn(c, *attrs)
        answer = c.request(ALLOCATE, [UDP, *attrs])
        equal(answer.code, 0, "code")
        c.bind(0x4000, *peer.getsockname())
        for _ in range(sent[realm]):
            c.send_channel(0x4000, b"x" * 100)
            peer.recv(200)
    total = 'taciturn_relayed_bytes_total{transport="udp",family="ipv4",direction="%s",realm="%s"}'
    of_user = 'taciturn_user_relayed_bytes_total{user="dave",realm="%s",direction="up"}'
    for realm, n in sent.items():
        t.until(lambda: port.metrics().get(of_user % realm) == 100 * n, "dave's bytes in " + realm)
        equal(port.metrics()[total % ("up", realm)], 100 * n, "bytes of " + realm)
        equal(port.metrics()[total % ("down", realm)], 0, "bytes to clients of " + realm)
    check(not any('realm="b.test"' in k for k in port.metrics()), "a realm that had no session has series")
    equal(port.get("/api/v1/status").json()["by_transport"]["udp"]["up"]["bytes"], 800, "bytes of both realms in the status")


@each("check-origin-consistency: a session keeps the ORIGIN it began with, or 441", kinds=(stores.Sqlite,), timeout=60)
def consistent(t, store):
    serve(t, store, check_origin_consistency=True)
    c, plain = t.client(user="dave", password="there"), t.client()
    learn(c, HOME)
    equal(c.request(ALLOCATE, [UDP, HOME]).code, 0, "code")
    equal(c.request(REFRESH).code, 441, "without ORIGIN")
    equal(c.request(REFRESH, [(ORIGIN, b"https://b.example")]).code, 441, "with another")
    equal(c.request(REFRESH, [HOME]).code, 0, "with its own")
    plain.allocate()
    equal(plain.request(REFRESH, [(ORIGIN, b"https://c.example")]).code, 0, "who began without may tell one")


@test("coturn's client with its ORIGIN relays as a user of that realm", timeout=90, not_coturn=NOT_THERE)
def coturn_client(t):
    t.net()
    store = stores.Sqlite(t)
    store.add_origin("https://a.example", THERE)
    store.add_user("dave", "there", realm=THERE)
    server = t.server(rfc5766_channel_numbers=True, **store.conf)
    server.wait_log("store_live .*origins=1", 20)
    everywhere(t)
    status, out = t.run(t.lab.cli, "turnutils_uclient", "-y", "-c", "-n", "5", "-m", "1", "-o", "https://a.example",
                        "-u", "dave", "-w", "there", lab.SRV, timeout=60)
    check(status == 0 and "ERROR" not in out, "uclient with ORIGIN: %s", out)
    server.wait_log("session_end .*user=dave", 10)
