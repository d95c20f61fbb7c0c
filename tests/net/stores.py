"""Databases for the tests: each made in the test's own directory, reachable in the server's namespace, filled
in coturn's layout."""
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import lab
from harness import Skip, check
from server import REALM
from turnclient import long_term_key

with open("/usr/share/coturn/schema.sql") as _f:  # of Debian's package: what coturn made is what is read
    COTURN_TABLES = _f.read()


def hex_key(user, password, realm):
    return long_term_key(user, realm, password).hex()


def need(program, *places):
    found = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], *places]))
    if not found:
        raise Skip("%s is not installed" % program)
    return found


def run(*argv, **kw):
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **kw)
    check(r.returncode == 0, "%s: %s", argv[0], r.stdout)
    return r.stdout


class Store:
    """What all have. `conf` is what the server is started with."""

    def __init__(self, t):
        if t.lab is None:
            t.net()
        self.t, self.proc = t, None
        r = subprocess.run([t.binary, "-n", "--check-config", "--no-auth", *self.trial], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=60)
        if "this build has no" in r.stdout:
            raise Skip("this build has no %s" % self.name)

    def stop(self):
        """It is there, and says nothing any more."""
        self.proc.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.proc.send_signal(signal.SIGCONT)

    def kill(self):
        self.proc.kill()
        self.proc.wait()

    def used(self, user, realm=REALM):
        """(bytes from the client, bytes to it, sessions) of all periods."""
        raise NotImplementedError


class Redis(Store):
    name, trial = "redis", ["--redis-userdb=ip=127.0.0.1"]

    def __init__(self, t, keeps=False):
        """keeps: what it has acknowledged it knows after a kill -9."""
        super().__init__(t)
        need("redis-server")
        self.more = ["--appendonly", "yes", "--appendfsync", "always"] if keeps else []
        self.path = os.path.join(t.dir, "redis.sock")
        self.start()
        text = "ip=127.0.0.1 port=6379 dbname=0"
        self.conf = {"redis_userdb": text, "redis_statsdb": text}

    def start(self):
        self.proc = self.t.spawn(self.t.lab.srv, "redis-server", "--bind", "127.0.0.1", "--port", "6379",
                                 "--unixsocket", self.path, "--save", "", "--dir", self.t.dir, *self.more)
        self.t.until(lambda: self.do("PING", may_fail=True) == "PONG", "PONG", timeout=20)

    def do(self, *words, may_fail=False):
        r = subprocess.run(["redis-cli", "-s", self.path, *words], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=20)
        check(may_fail or r.returncode == 0, "redis-cli: %s", r.stdout)
        return r.stdout.strip()

    def add_user(self, user, password, realm=REALM):
        self.do("SET", "turn/realm/%s/user/%s/key" % (realm, user), hex_key(user, password, realm))

    def add_secret(self, secret, realm=REALM):
        self.do("SADD", "turn/realm/%s/secret" % realm, secret)

    def add_origin(self, origin, realm):
        self.do("SET", "turn/origin/" + origin, realm)

    def set_option(self, realm, name, value):
        self.do("SET", "turn/realm/%s/%s" % (realm, name), str(value))

    def add_denied(self, realm, ranges):
        self.do("SADD", "turn/realm/%s/denied-peer-ip" % realm, ranges)

    def add_oauth(self, kid, ikm, realm=""):
        self.do("HSET", "turn/oauth/kid/" + kid, "ikm_key", ikm, "timestamp", "0", "lifetime", "0", "as_rs_alg",
                "A256GCM", "realm", realm)

    def used(self, user, realm=REALM):
        total = [0, 0, 0]
        for key in self.do("--raw", "KEYS", "taciturn:{%s}:usage:%s:*" % (realm, user)).splitlines():
            for i, field in enumerate(("rx_bytes", "tx_bytes", "sessions")):
                total[i] += int(self.do("HGET", key, field) or 0)
        return tuple(total)

    def records(self, realm=REALM):
        """The ids of the session records, as often as they are there."""
        lines = self.do("--raw", "XRANGE", "taciturn:{%s}:sessions" % realm, "-", "+").splitlines()
        return [lines[i + 1] for i, line in enumerate(lines) if line == "id"]

    def leases(self, user, realm=REALM):
        return int(self.do("ZCARD", "taciturn:{%s}:alloc:%s" % (realm, user)))

    def fill(self, full):
        """Has it no memory for more?"""
        self.do("CONFIG", "SET", "maxmemory", "1" if full else "0")


class Sql(Store):
    def add_user(self, user, password, realm=REALM):
        self.sql("INSERT INTO turnusers_lt (realm, name, hmackey) VALUES ('%s', '%s', '%s')"
                 % (realm, user, hex_key(user, password, realm)))

    def add_secret(self, secret, realm=REALM):
        self.sql("INSERT INTO turn_secret (realm, value) VALUES ('%s', '%s')" % (realm, secret))

    def init(self):
        """Makes taciturn's tables."""
        program = os.path.join(os.path.dirname(os.path.abspath(self.t.binary)), "taciturnctl")
        words = ["--%s=%s" % (k.replace("_", "-"), v) for k, v in self.conf.items()]
        run(*self.t.lab.srv.argv(program, "-n", "--realm=" + REALM, *words, "db", "init"))
        return self

    def rows(self, text):
        raise NotImplementedError

    def used(self, user, realm=REALM):
        return self.rows("SELECT coalesce(sum(rx_bytes), 0), coalesce(sum(tx_bytes), 0), coalesce(sum(sessions), 0) "
                         "FROM taciturn_usage WHERE realm = '%s' AND name = '%s'" % (realm, user))[0]

    def records(self, realm=REALM):
        return [row[0] for row in self.rows("SELECT id FROM taciturn_sessions WHERE realm = '%s'" % realm)]


    def add_origin(self, origin, realm):
        self.sql("INSERT INTO turn_origin_to_realm (origin, realm) VALUES ('%s', '%s')" % (origin, realm))

    def set_option(self, realm, name, value):
        self.sql("INSERT INTO turn_realm_option (realm, opt, value) VALUES ('%s', '%s', '%s')" % (realm, name, value))

    def add_denied(self, realm, ranges):
        self.sql("INSERT INTO denied_peer_ip (realm, ip_range) VALUES ('%s', '%s')" % (realm, ranges))

    def add_oauth(self, kid, ikm, realm=""):
        self.sql("INSERT INTO oauth_key (kid, ikm_key, timestamp, lifetime, as_rs_alg, realm) VALUES "
                 "('%s', '%s', 0, 0, 'A256GCM', '%s')" % (kid, ikm, realm))


class Postgres(Sql):
    name, trial = "postgresql", ["--psql-userdb=host=127.0.0.1"]

    def __init__(self, t):
        super().__init__(t)
        places = ["/usr/lib/postgresql/%d/bin" % v for v in range(20, 12, -1)]
        self.program, initdb = need("postgres", *places), need("initdb", *places)
        self.dir = os.path.join(t.dir, "pg")
        os.mkdir(self.dir)
        shutil.chown(self.dir, "postgres", "postgres")
        run("runuser", "-u", "postgres", "--", initdb, "-D", self.dir, "-A", "trust", "-U", "postgres", "-N",
            cwd="/")
        self.start()
        self.conf = {"psql_userdb": "host=127.0.0.1 dbname=postgres user=postgres"}
        self.sql(COTURN_TABLES)

    def start(self):
        self.proc = self.t.spawn(self.t.lab.srv, "runuser", "-u", "postgres", "--", self.program, "-D", self.dir,
                                 "-k", self.dir, "-h", "127.0.0.1", "-F", cwd="/")
        ready = ["psql", "-h", self.dir, "-U", "postgres", "-Atc", "SELECT 1"]
        self.t.until(lambda: subprocess.run(ready, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL).returncode == 0, "a database", timeout=40)

    def with_tls(self, cert, pkey):
        """From now on over TCP by TLS alone."""
        for source, name in ((cert, "server.crt"), (pkey, "server.key")):
            path = os.path.join(self.dir, name)
            shutil.copyfile(source, path)
            os.chmod(path, 0o600)
            shutil.chown(path, "postgres", "postgres")
        with open(os.path.join(self.dir, "pg_hba.conf"), "w") as f:
            f.write("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")
        self.sql("ALTER SYSTEM SET ssl = on")
        self.sql("SELECT pg_reload_conf()")
        self.t.until(lambda: self.sql("SHOW ssl") == "on\n", "TLS", timeout=20)

    def _all(self, sig):
        """The server and its children, each of which serves a connection and is a group of its own."""
        def family(pid):
            ps = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True)
            return [pid] + [p for child in ps.stdout.split() for p in family(int(child))]
        for pid in family(self.proc.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)

    def stop(self):
        self._all(signal.SIGSTOP)

    def go_on(self):
        self._all(signal.SIGCONT)

    def kill(self):
        self._all(signal.SIGKILL)
        self.proc.wait()

    def sql(self, text):
        return run("psql", "-h", self.dir, "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-Atc", text)

    def rows(self, text):
        return [tuple(int(v) if v.isdigit() else v for v in line.split("|")) for line in self.sql(text).splitlines()]


class Sqlite(Sql):
    name, trial = "sqlite", ["--userdb=/nonexistent"]

    def __init__(self, t):
        super().__init__(t)
        self.path = os.path.join(t.dir, "turndb")
        self.conf = {"userdb": self.path}
        self.locked = None
        with sqlite3.connect(self.path) as db:
            db.executescript(COTURN_TABLES)

    def sql(self, text):
        for _ in range(50):
            try:
                with sqlite3.connect(self.path) as db:
                    return db.execute(text).fetchall()
            except sqlite3.OperationalError as e:
                if "locked" not in str(e):
                    raise
                time.sleep(0.1)
        raise AssertionError("the database stays locked")

    def rows(self, text):
        return [tuple(row) for row in self.sql(text)]


ALL = (Redis, Postgres, Sqlite)
SERVERS = (Redis, Postgres)  # what can fall silent: a file is there or not
