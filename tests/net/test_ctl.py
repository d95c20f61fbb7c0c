"""taciturnctl, and turnadmin as whom it may be called, on the databases that the daemon serves from."""
import json
import os
import re
import subprocess

import lab
import statsport
import stores
from harness import check, equal, minted, test
from server import REALM
from turnclient import ALLOCATE, REFRESH, UDP

NOT_THERE = "another program's tool"


def ctl(t, store, *argv, text="", status=0, name="taciturnctl", both=False):
    """Runs it in the server's host; returns what it printed, with `both` on standard error too."""
    program = os.path.join(os.path.dirname(os.path.abspath(t.binary)), "taciturnctl")
    words = []
    if name != "taciturnctl":
        link = os.path.join(t.dir, name)
        if not os.path.exists(link):
            os.symlink(program, link)
        program = link
    elif store:
        words += ["-n", "--realm=" + REALM] + ["--%s=%s" % (k.replace("_", "-"), v) for k, v in store.conf.items() if k.endswith("userdb")]
    else:
        words += ["-c", t.servers[-1].path]
    p = subprocess.run(t.lab.srv.argv(program, *words, *argv), input=text, text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60 * t.scale, env=dict(os.environ, LC_ALL="C.UTF-8"))
    check(p.returncode == status, "%s ended with %d: %s%s", " ".join(argv), p.returncode, p.stdout, p.stderr)
    return p.stdout + p.stderr if both else p.stdout if status == 0 else p.stderr


def story(t, store):
    equal(ctl(t, store, "db", "init"), ctl(t, store, "db", "init"), "a second db init")
    ctl(t, store, "db", "check")
    ctl(t, store, "user", "add", "dave", "--file", "-", text="diver\n")
    equal(json.loads(ctl(t, store, "--json", "user", "list")), [{"user": "dave", "realm": REALM}], "users")
    secret = ctl(t, store, "secret", "add", "--generate").strip()
    check(re.fullmatch("[0-9a-f]{64}", secret), "a generated secret: %r", secret)
    check(secret in ctl(t, store, "secret", "list"), "it is listed")
    minted = json.loads(ctl(t, store, "credential", "--user", "erin", "--ttl", "90", "--uri", "turn:x"))["iceServers"][0]
    equal(minted["urls"], ["turn:x"], "urls")
    t.server(user=None, **store.conf)
    t.client(user="dave", password="diver").allocate()

    def with_minted():
        return t.client(user=minted["username"], password=minted["credential"]).request(ALLOCATE, [UDP]).code == 0
    t.until(with_minted, "an allocation with the minted credential", timeout=15, pace=0.5)
    ctl(t, store, "quota", "set", "dave", "max_allocations=3", "max_bps=500K", "period=month")
    equal(json.loads(ctl(t, store, "--json", "quota", "show", "dave")),
          [{"max_allocations": 3, "max_bps": 500000, "period": "month"}], "limits")
    ctl(t, store, "quota", "remove", "dave")
    ctl(t, store, "usage", "dave")
    ctl(t, store, "user", "remove", "dave")
    check("no 'dave'" in ctl(t, store, "user", "remove", "dave", status=1), "what is not there is said")
    ctl(t, store, "secret", "remove", "--file", "-", text=secret)
    equal(ctl(t, store, "secret", "list"), "", "secrets that are left")


@test("Redis: users, secrets, limits and credentials by taciturnctl, and the daemon serves by them", timeout=90,
      not_coturn=NOT_THERE)
def redis(t):
    story(t, stores.Redis(t))


@test("PostgreSQL: the same", timeout=120, not_coturn=NOT_THERE)
def postgresql(t):
    story(t, stores.Postgres(t))


@test("SQLite: the same", timeout=90, not_coturn=NOT_THERE)
def sqlite(t):
    story(t, stores.Sqlite(t))


def rotation(t, store):
    """Secrets come and go while two servers run; one goes with its sessions, one without."""
    ctl(t, store, "db", "init")
    for secret in ("north", "south", "west"):
        ctl(t, store, "secret", "add", "--file", "-", text=secret)
    servers = [t.server(user=None, **store.conf),
               t.server(user=None, listening_ip=[lab.SRV_ALT, lab.SRV6_ALT], **store.conf)]

    def session(secret, at):
        name, password = minted(secret, user="u-" + secret)
        c = t.client(user=name, password=password, server=(at, 3478))
        return c, c.request(ALLOCATE, [UDP]).code

    def await_code(secret, at, code):
        t.until(lambda: session(secret, at)[1] == code, "code %d with %s" % (code, secret), timeout=20, pace=0.5)

    places = (lab.SRV, lab.SRV_ALT)
    for at in places:
        await_code("north", at, 0)
    running = {(secret, at): session(secret, at) for secret in ("north", "south", "west") for at in places}
    equal({code for _, code in running.values()}, {0}, "codes at the beginning")
    ctl(t, store, "secret", "add", "--file", "-", text="east")
    for at in places:
        await_code("east", at, 0)  # while the others are valid all the time
        equal(session("south", at)[1], 0, "code with a secret that was there before")
    ctl(t, store, "secret", "remove", "--end-sessions", "--file", "-", text="north")
    ctl(t, store, "secret", "remove", "--file", "-", text="south")
    for at, server in zip(places, servers):
        server.wait_log("session_end .*user=u-north .*reason=withdrawn", 20)
        await_code("north", at, 401)
        await_code("south", at, 401)
    for (secret, _), (c, _) in running.items():
        equal(c.request(REFRESH).code, 401 if secret == "north" else 0, "code of a running session of %s" % secret)
    check("no 'north'" in ctl(t, store, "secret", "remove", "--end-sessions", "--file", "-", text="north", status=1),
          "what is not there is said")


@test("Redis: secrets rotate without a gap, and one that is withdrawn with its sessions ends them everywhere", timeout=120,
      not_coturn=NOT_THERE)
def rotation_redis(t):
    rotation(t, stores.Redis(t))


@test("PostgreSQL: the same", timeout=150, not_coturn=NOT_THERE)
def rotation_postgresql(t):
    rotation(t, stores.Postgres(t))


@test("SQLite: the same", timeout=120, not_coturn=NOT_THERE)
def rotation_sqlite(t):
    rotation(t, stores.Sqlite(t))


@test("a credential needs no database: the secret comes from a file", not_coturn=NOT_THERE)
def offline(t):
    t.server(user=None, static_auth_secret="north")
    made = json.loads(ctl(t, None, "credential", "--user", "al", "--file", "-", text="north\n"))["iceServers"][0]
    t.client(user=made["username"], password=made["credential"]).allocate()
    check(ctl(t, None, "credential", status=1).startswith("taciturnctl: usage"), "what is missing is said")


@test("coturn's database is imported, and turnadmin's flags do what coturn's program does", timeout=90,
      not_coturn=NOT_THERE)
def coturn(t):
    t.net()
    old, flags = os.path.join(t.dir, "old.db"), ["-r", REALM]
    for argv in (["-a", "-u", "gorst", "-p", "hero"], ["-s", "the-secret"], ["-O", "-o", "https://a.example"],
                 ["-g", "--user-quota", "7"]):
        status, out = t.run(t.lab.srv, "turnadmin", *argv, "-b", old, *flags)
        equal(status, 0, "coturn's turnadmin: %s" % out)
    store = stores.Sqlite(t)
    said = ctl(t, store, "db", "import-coturn", "--from", "userdb=" + old)
    check("1 users\n1 secrets\n1 realm options\n1 origins" in said, "%s", said)
    equal(ctl(t, store, "user", "list"), "gorst[%s]\n" % REALM, "users")
    key = ctl(t, None, "-k", "-u", "gorst", "-r", REALM, "-p", "hero", name="turnadmin")
    _, theirs = t.run(t.lab.srv, "turnadmin", "-k", "-u", "gorst", "-r", REALM, "-p", "hero")
    check(key.strip() in theirs, "the key %r is not in coturn's %r", key, theirs)
    db = ["-b", store.conf["userdb"]]
    ctl(t, None, "-a", *db, "-u", "carl", "-r", REALM, "-p", "pw", name="turnadmin")
    equal(sorted(ctl(t, None, "-l", *db, "-r", REALM, name="turnadmin").split()),
          ["carl[%s]" % REALM, "gorst[%s]" % REALM], "turnadmin -l")
    equal(ctl(t, None, "-S", *db, "-r", REALM, name="turnadmin"), "the-secret[%s]\n" % REALM, "turnadmin -S")
    t.server(user=None, **store.conf)
    for user, password in (("gorst", "hero"), ("carl", "pw")):
        t.client(user=user, password=password).allocate()


@test("a mistyped file is one line that names it and what makes one, and no file; what adds, an import and turnadmin make it",
      timeout=90, not_coturn=NOT_THERE)
def mistyped(t):
    store = stores.Sqlite(t)
    good, store.conf["userdb"] = store.conf["userdb"], os.path.join(t.dir, "turmdb")
    path = store.conf["userdb"]

    def refused(*argv, text="", named=path):
        line = ctl(t, store, *argv, text=text, status=1)
        check(line.count("\n") == 1 and named in line and "taciturnctl db init" in line, "%s: %r", argv, line)
        check(not os.path.exists(named), "%s made a file", argv)

    for argv in (("user", "list"), ("user", "remove", "dave"), ("secret", "list"), ("quota", "show", "dave"), ("db", "check"),
                 ("quota", "remove", "dave"), ("usage", "dave"), ("credential", "--user", "dave"), ("--json", "user", "list")):
        refused(*argv)
    refused("secret", "remove", "--file", "-", text="north\n")
    refused("secret", "remove", "--end-sessions", "--file", "-", text="north\n")
    refused("db", "import-coturn", "--from", "userdb=%s.old" % path, named=path + ".old")
    check(not os.path.exists(path), "an import from nowhere made a file")
    with open(path, "w"):  # an empty one is as little a database
        pass
    check("taciturnctl db init" in ctl(t, store, "db", "check", status=1), "what an empty file lacks is said")
    check("taciturnctl db init" in ctl(t, store, "user", "list", status=1), "what an empty file lacks is said")
    equal(os.path.getsize(path), 0, "bytes in the empty file")
    ctl(t, store, "db", "init")
    equal(ctl(t, store, "user", "list"), "", "users")
    os.remove(path)
    ctl(t, store, "db", "init")
    equal(os.stat(path).st_mode & 0o777, 0o600, "mode of a new file")
    ctl(t, store, "db", "check")

    def clear():
        for name in os.listdir(t.dir):
            if name.startswith("turmdb"):
                os.remove(os.path.join(t.dir, name))

    for argv in (("user", "add", "dave", "--file", "-"), ("secret", "add", "--file", "-"), ("quota", "set", "dave", "max_allocations=3")):
        clear()
        said = ctl(t, store, *argv, text="diver\n", both=True)
        check("%s was not there and has been made" % path in said, "%s says: %s", argv, said)
        equal(ctl(t, store, *argv, text="diver\n", both=True), "", "what is said when the file is there")
    clear()
    ctl(t, store, "db", "import-coturn", "--from", "userdb=" + good)
    check(os.path.exists(path), "an import made no file")
    other = os.path.join(t.dir, "by-turnadmin")
    equal(ctl(t, None, "-l", "-b", other, "-r", REALM, name="turnadmin"), "", "turnadmin -l, where coturn's makes the file")
    check(os.path.exists(other), "turnadmin made no file")


def ask(t, *argv, token="admin", status=0, url="http://%s:%d" % (lab.SRV, statsport.PORT), text="", env=None):
    """taciturnctl at the stats port, from a client's host: it has no configuration there."""
    path = os.path.join(t.dir, "token")
    with open(path, "w") as f:
        f.write(statsport.TOKENS.get(token, token) + "\n")
    program = os.path.join(os.path.dirname(os.path.abspath(t.binary)), "taciturnctl")
    words = ["--url", url] + (["--token-file", path] if env is None and not text else [])
    p = subprocess.run(t.lab.cli.argv(program, *words, *argv), input=text, text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60 * t.scale, env=dict(os.environ, **(env or {})))
    check(p.returncode == status, "%s ended with %d: %s%s", " ".join(argv), p.returncode, p.stdout, p.stderr)
    return p.stdout if status == 0 else p.stderr


@test("through the stats port: a credential that allocates, status, sessions and the end of one, drain, reload",
      timeout=60, not_coturn=NOT_THERE)
def stats_port(t):
    s = t.server(static_auth_secret="north", **statsport.CONF)
    made = json.loads(ask(t, "credential", "--user", "\u00e9l", "--ttl", "90", token="mint"))["iceServers"][0]
    check(made["urls"] and made["username"].endswith(":\u00e9l"), "what was minted: %s", made)
    one, other = t.client(user=made["username"], password=made["credential"]), t.client()
    one.allocate()
    other.allocate()
    check(re.search(r"^state +serving$", ask(t, "status", token="read"), re.M), "it serves")
    equal(json.loads(ask(t, "--json", "status"))["sessions"]["now"], 2, "sessions")
    rows = json.loads(ask(t, "--json", "sessions"))
    ids = {r["user"]: r["id"] for r in rows}
    equal(set(ids), {"\u00e9l", "alice"}, "whose sessions")
    made = ids["\u00e9l"]
    text = ask(t, "sessions", "--user", "\u00e9l")
    check(text.startswith("%s\t\u00e9l\tudp\t" % made) and text.count("\n") == 1, "one as text: %r", text)
    ask(t, "sessions", "end", made)
    s.wait_log("session_end .*reason=admin", 5)
    check("404" in ask(t, "sessions", "end", made, status=1), "what has ended is not there")
    equal(ask(t, "reload"), 'reloaded: ["log", "certificates"]\n', "what was reloaded")
    equal(ask(t, "drain", "stay"), 'state: "draining"\n', "state")
    t.client().allocate(code=508)
    equal(ask(t, "drain", "off"), 'state: "serving"\n', "state")
    t.client().allocate()


@test("through the stats port: a wrong token, role, URL or certificate is one clear line; more pages than one are read",
      timeout=90, not_coturn=NOT_THERE)
def stats_port_refusals(t):
    cert, key = t.certificate()
    t.server(static_auth_secret="north", http_cert=cert, http_pkey=key, **statsport.CONF)
    url = "https://%s:%d" % (lab.SRV, statsport.PORT)
    wrong, _ = t.certificate("another")
    for argv, kw, said in (
            (("status",), dict(token="nobody-knows-this-one"), "401"),
            (("drain",), dict(token="read"), "403"),
            (("credential", "--user", "al", "--ttl", "999999"), {}, "usage"),
            (("credential", "--user", "al", "--uri", "turn:x"), {}, "--url"),
            (("-n", "status"), {}, "-c, -n"),
            (("user", "list"), {}, "'user' is none"),
            (("--ca", wrong, "status"), {}, "self-signed certificate"),
            (("status",), dict(url=url), "self-signed certificate"),
            (("status",), dict(url="http://%s:1" % lab.SRV), "Connection refused"),
            (("status",), dict(url="ftp://x"), "http://HOST:PORT"),
            (("status",), dict(url="http://%s:3478" % lab.SRV), "is no answer of a stats port"),
            (("status",), dict(token="t" * 600), "token"),
            (("status",), dict(url="http://me:secret@x"), "http://HOST:PORT"),
            (("status",), dict(url="http://%s:%d" % (lab.SRV, statsport.PORT)), "taciturnctl: http://")):
        kw = dict(dict(url=url), **kw)
        first = () if argv[0] == "--ca" or (argv == ("status",) and kw["url"] == url and "token" not in kw) else ("--ca", cert)
        line = ask(t, *first, *argv, status=1, **kw)
        check(said in line and line.count("\n") == 1, "%s: %r", argv, line)
        check("admin-token" not in line, "the token is in %r", line)
    equal(ask(t, "--ca", cert, "reload", url=url, env={"TACITURN_TOKEN": statsport.TOKENS["admin"]})[:8], "reloaded",
          "with the token of the environment")
    ask(t, "--ca", cert, "--token-file", "-", "status", url=url, text=statsport.TOKENS["read"] + "\n")
    n = 1003  # a page has 1000
    for _ in range(n):
        t.client().allocate()
    equal(len({r["id"] for r in json.loads(ask(t, "--ca", cert, "--json", "sessions", url=url))}), n, "sessions")
