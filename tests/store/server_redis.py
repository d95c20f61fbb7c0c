"""Redis, alone and with a replica and Sentinel."""
import os
import shutil
import signal
import subprocess

from server import Server, database, free_port, until

USER, PASSWORD = "taciturn", "opensesame"
# what a shared Redis would give: our keys and coturn's
RIGHTS = "~turn/* ~taciturn:* &turn/* +@all -@admin -@dangerous +role"


class Redis(Server):
    kind = "redis"

    @classmethod
    def lacks(cls):
        return next((p for p in ("redis-server", "redis-cli") if not shutil.which(p)), None)

    def start_redis(self, name, port, *more):
        conf = os.path.join(self.dir, name + ".conf")
        with open(conf, "w") as f:
            f.write("\n".join(["bind 127.0.0.1", "port %d" % port, "unixsocket %s/%s.sock" % (self.dir, name),
                               "dir " + self.dir, "dbfilename %s.rdb" % name, 'save ""',
                               "requirepass " + PASSWORD, "masterauth " + PASSWORD,
                               "user %s on >%s %s" % (USER, PASSWORD, RIGHTS), *more]) + "\n")
        p = self.spawn(["redis-server", conf], name)
        until("redis-server %s" % name, lambda: self.cli("ping", port=port, check=False) == "PONG")
        return p

    def cli(self, *words, port=None, db=0, check=True):
        argv = ["redis-cli", "-h", "127.0.0.1", "-p", str(port or self.port), "-n", str(db), "--raw", *words]
        p = subprocess.run(argv, env=dict(os.environ, REDISCLI_AUTH=PASSWORD), text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, timeout=30)
        if check and p.returncode:
            raise RuntimeError("redis-cli %s" % " ".join(words))
        return p.stdout.strip()


@database
class Alone(Redis):
    """By TCP, as an ACL user that has no more rights than it needs, in a database that is not the first."""
    name = "redis"
    groups = ["users", "hostile", "leases", "counts", "first", "trouble"]
    db = 3

    def start(self):
        self.port = free_port()
        self.server = self.start_redis("main", self.port)
        return self.conninfo(PASSWORD)

    def conninfo(self, password):
        return "host=localhost port=%d dbname=%d user=%s password=%s" % (self.port, self.db, USER, password)

    def do_wrong_password(self, _rest):
        return self.conninfo("not-" + PASSWORD)

    def do_stop(self, _rest):
        self.server.terminate()
        self.server.wait(30)

    def do_start(self, _rest):
        self.server = self.start_redis("main", self.port)

    def do_hang(self, _rest):
        self.server.send_signal(signal.SIGSTOP)

    def do_resume(self, _rest):
        self.server.send_signal(signal.SIGCONT)

    def do_full(self, _rest):
        self.cli("config", "set", "maxmemory", "1")

    def do_roomy(self, _rest):
        self.cli("config", "set", "maxmemory", "0")

    def do_forget(self, _rest):
        """As if it had been restarted without its data; the scripts are gone too."""
        self.cli("flushall")
        self.cli("script", "flush")

    def do_get(self, key):
        return self.cli("get", key, db=self.db)

    def do_records(self, realm):
        return self.cli("xlen", "taciturn:{%s}:sessions" % realm, db=self.db)

    def do_newer_schema(self, _rest):
        self.cli("set", "taciturn:schema", "99", db=self.db)

    def do_own_schema(self, _rest):
        self.cli("set", "taciturn:schema", "1", db=self.db)

    def do_coturn(self, _rest):
        realm = "turn/realm/coturn.example"
        for words in (["set", realm + "/user/gorst/key", "00112233445566778899AABBCCDDEEFF"],
                      ["set", realm + "/user/short/key", "password"],
                      ["sadd", realm + "/secret", "one", "two"], ["set", realm + "/max-bps", "100000"],
                      ["set", realm + "/total-quota", "50"], ["set", realm + "/user-quota", "5"],
                      ["sadd", realm + "/allowed-peer-ip", "192.0.2.1"],
                      ["sadd", realm + "/denied-peer-ip", "198.51.100.0-198.51.100.255"],
                      ["set", "turn/origin/https://app.example", "coturn.example"],
                      ["hset", "turn/oauth/kid/north", "ikm_key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
                       "timestamp", "0", "lifetime", "3600", "as_rs_alg", "A256GCM", "realm", "coturn.example"]):
            self.cli(*words, db=self.db)


@database
class Socket(Alone):
    """By its unix socket, as the default user."""
    name = "redis-socket"
    groups = ["users"]

    def conninfo(self, password):
        return "sock=%s/main.sock dbname=%d password=%s" % (self.dir, self.db, password)


@database
class Watched(Redis):
    """A master, its replica, and a Sentinel that makes the replica the master when that one dies."""
    name = "redis-sentinel"
    groups = ["leases", "first", "failover"]

    @classmethod
    def lacks(cls):
        return super().lacks() or (None if shutil.which("redis-sentinel") else "redis-sentinel")

    def start(self):
        self.port, replica, sentinel = free_port(), free_port(), free_port()
        self.server = self.start_redis("main", self.port)
        self.start_redis("replica", replica, "replicaof 127.0.0.1 %d" % self.port)
        until("replication", lambda: "state=online" in self.cli("info", "replication"))
        conf = os.path.join(self.dir, "sentinel.conf")
        with open(conf, "w") as f:
            f.write("\n".join(["bind 127.0.0.1", "port %d" % sentinel, "dir " + self.dir,
                               "sentinel monitor main 127.0.0.1 %d 1" % self.port,
                               "sentinel auth-pass main " + PASSWORD,
                               "sentinel down-after-milliseconds main 500",
                               "sentinel failover-timeout main 3000"]) + "\n")
        self.spawn(["redis-sentinel", conf], "sentinel")
        until("sentinel", lambda: "slaves=1" in self.cli("info", "sentinel", port=sentinel, check=False))
        # the first of them is nobody's: the next has to be asked
        return "sentinel=127.0.0.1:%d,127.0.0.1:%d master=main password=%s" % (free_port(), sentinel, PASSWORD)

    def do_failover(self, _rest):
        self.server.kill()
        self.server.wait(30)
