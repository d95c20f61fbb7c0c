"""PostgreSQL and SQLite, and the same as coturn's own schema and turnadmin fill them."""
import glob
import os
import pwd
import shutil
import signal
import subprocess

from server import Server, database, free_port, until

PASSWORD = "opensesame"
REALM = "coturn.example"
KEY = "00112233445566778899AABBCCDDEEFF"
COTURN_SCHEMA = "/usr/share/coturn/schema.sql"

# What an operator of coturn has, as its documentation says it is put there.
COTURN_ROWS = """
INSERT INTO turnusers_lt (realm, name, hmackey) VALUES ('{r}', 'gorst', '{k}'), ('{r}', 'short', 'password');
INSERT INTO turn_secret (realm, value) VALUES ('{r}', 'one'), ('{r}', 'two');
INSERT INTO turn_realm_option (realm, opt, value) VALUES ('{r}', 'max-bps', '100000'),
    ('{r}', 'total-quota', '50'), ('{r}', 'user-quota', '5');
INSERT INTO allowed_peer_ip (realm, ip_range) VALUES ('{r}', '192.0.2.1');
INSERT INTO denied_peer_ip (realm, ip_range) VALUES ('{r}', '198.51.100.0-198.51.100.255');
INSERT INTO turn_origin_to_realm (origin, realm) VALUES ('https://app.example', '{r}');
INSERT INTO oauth_key (kid, ikm_key, timestamp, lifetime, as_rs_alg, realm) VALUES
    ('north', 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=', 0, 3600, 'A256GCM', '{r}');
""".format(r=REALM, k=KEY)


def find(program):
    """Debian keeps the server's programs out of the path."""
    paths = sorted(glob.glob("/usr/lib/postgresql/*/bin/" + program), reverse=True)
    return paths[0] if paths else shutil.which(program)


class Sql(Server):
    def sql(self, text):
        raise NotImplementedError

    def do_coturn(self, _rest):
        self.sql(COTURN_ROWS)

    def do_records(self, realm):
        return self.sql("SELECT count(*) FROM taciturn_sessions WHERE realm = '%s'" % realm)

    def do_batches(self, node):
        return self.sql("SELECT count(*) FROM taciturn_batches WHERE node = '%s'" % node)

    def do_newer_schema(self, _rest):
        self.sql("UPDATE taciturn_schema SET version = 99")

    def do_own_schema(self, _rest):
        self.sql("UPDATE taciturn_schema SET version = 1")

    def do_drop(self, table):
        self.sql("DROP TABLE " + table)

    def do_old_peers(self, _rest):
        """The peers of a coturn from before these tables had a realm."""
        self.sql("DROP TABLE denied_peer_ip")
        self.sql("CREATE TABLE denied_peer_ip (ip_range varchar(256), PRIMARY KEY (ip_range))")
        self.sql("INSERT INTO denied_peer_ip (ip_range) VALUES ('203.0.113.0-203.0.113.9')")

    def do_turnadmin(self, rest):
        """user password: adds it with coturn's own program."""
        user, password = rest.split()
        subprocess.run(["turnadmin", "-a", *self.turnadmin, "-u", user, "-r", REALM, "-p", password], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.dir, timeout=60)


class Pgsql(Sql):
    kind = "postgresql"

    @classmethod
    def lacks(cls):
        return next((p for p in ("postgres", "initdb", "psql") if not find(p)), None)

    def as_postgres(self, argv):
        """The server refuses to run as root."""
        if os.getuid() != 0:
            return argv
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *argv]

    def init(self):
        if os.getuid() == 0:
            shutil.chown(self.dir, "postgres", pwd.getpwnam("postgres").pw_gid)
        self.port, self.data = free_port(), os.path.join(self.dir, "data")
        secret = os.path.join(self.dir, "password")
        with open(secret, "w") as f:
            f.write(PASSWORD)
        os.chmod(secret, 0o644)
        subprocess.run(self.as_postgres([find("initdb"), "-U", "taciturn", "-A", "scram-sha-256", "-E", "UTF8",
                                         "--locale=C", "--pwfile", secret, "-D", self.data]),
                       check=True, stdout=subprocess.DEVNULL, cwd=self.dir)
        self.run_server()
        self.sql("CREATE DATABASE turn", db="postgres")

    def run_server(self):
        self.server = self.spawn(self.as_postgres(
            [find("postgres"), "-D", self.data, "-k", self.dir, "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "log_min_messages=warning"]),
            "postgres", start_new_session=True)
        until("postgres", lambda: self.is_ready())

    def is_ready(self):
        return subprocess.run([find("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

    def conninfo(self, password):
        return "host=localhost port=%d dbname=turn user=taciturn password=%s" % (self.port, password)

    def start(self):
        self.init()
        self.turnadmin = ["--psql-userdb", self.conninfo(PASSWORD)]
        return self.conninfo(PASSWORD)

    def sql(self, text, db="turn"):
        p = subprocess.run([find("psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port),
                            "-U", "taciturn", "-d", db, "-c", text], env=dict(os.environ, PGPASSWORD=PASSWORD), text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if p.returncode:
            raise RuntimeError(p.stderr)
        return p.stdout.strip()

    def end(self):
        if self.procs and self.server.poll() is None:
            os.killpg(self.server.pid, signal.SIGCONT)
            self.server.send_signal(signal.SIGQUIT)
            self.server.wait(60)
        super().end()


@database
class Alone(Pgsql):
    """By TCP, with a password, in tables that taciturn makes."""
    name = "postgresql"
    groups = ["users", "hostile", "leases", "counts", "trouble", "first"]

    def do_wrong_password(self, _rest):
        return self.conninfo("not-" + PASSWORD)

    def do_stop(self, _rest):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(60)

    def do_start(self, _rest):
        self.run_server()

    def do_hang(self, _rest):
        os.killpg(self.server.pid, signal.SIGSTOP)
        self.each_backend(signal.SIGSTOP)

    def do_resume(self, _rest):
        self.each_backend(signal.SIGCONT)
        os.killpg(self.server.pid, signal.SIGCONT)

    def do_full(self, _rest):
        """What a full disk comes to: no batch gets in."""
        self.sql("CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
                 "$$BEGIN RAISE disk_full USING MESSAGE = 'no room'; END$$")
        self.sql("CREATE TRIGGER no_room BEFORE INSERT ON taciturn_batches EXECUTE FUNCTION no_room()")

    def do_roomy(self, _rest):
        self.sql("DROP TRIGGER no_room ON taciturn_batches")
        self.sql("DROP FUNCTION no_room()")

    def do_keeping(self, _rest):
        """What a user without the right to delete comes to."""
        self.sql("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
                 "$$BEGIN RAISE insufficient_privilege USING MESSAGE = 'not yours'; END$$")
        self.sql("CREATE TRIGGER keep BEFORE DELETE ON taciturn_batches EXECUTE FUNCTION keep()")

    def do_not_keeping(self, _rest):
        self.sql("DROP TRIGGER keep ON taciturn_batches")
        self.sql("DROP FUNCTION keep()")

    def each_backend(self, number):
        """A process per connection, each in a session of its own."""
        path = "/proc/%d/task/%d/children" % (self.server.pid, self.server.pid)
        with open(path) as f:
            for pid in f.read().split():
                os.kill(int(pid), number)


@database
class Coturns(Pgsql):
    """The tables are coturn's, made by its schema.sql: users work."""
    name = "postgresql-coturn"
    groups = ["coturn"]

    @classmethod
    def lacks(cls):
        return super().lacks() or (None if os.path.exists(COTURN_SCHEMA) and shutil.which("turnadmin") else "coturn")

    def start(self):
        conninfo = super().start()
        with open(COTURN_SCHEMA) as f:
            self.sql(f.read())
        return conninfo


class Sqlite(Sql):
    kind = "sqlite"

    @classmethod
    def lacks(cls):
        return None if shutil.which("sqlite3") else "sqlite3"

    def start(self):
        self.file = os.path.join(self.dir, "turndb")
        self.turnadmin = ["-b", self.file]
        return self.file

    def sql(self, text):
        p = subprocess.run(["sqlite3", "-bail", self.file], input=".timeout 10000\n" + text + ";\n", text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if p.returncode:
            raise RuntimeError(p.stderr)
        return p.stdout.strip()


@database
class Fresh(Sqlite):
    """A file that is not there yet."""
    name = "sqlite"
    groups = ["users", "hostile", "leases", "counts", "trouble", "first"]

    def do_full(self, _rest):
        """What a full disk comes to: no batch gets in."""
        self.sql("CREATE TRIGGER full BEFORE INSERT ON taciturn_batches BEGIN SELECT RAISE(ABORT, 'no room'); END")

    def do_roomy(self, _rest):
        self.sql("DROP TRIGGER full")

    def do_keeping(self, _rest):
        """What a user without the right to delete comes to."""
        self.sql("CREATE TRIGGER keep BEFORE DELETE ON taciturn_batches BEGIN SELECT RAISE(ABORT, 'not yours'); END")

    def do_not_keeping(self, _rest):
        self.sql("DROP TRIGGER keep")

    def do_undoing(self, _rest):
        """A batch of the epoch 13 takes with it what its transaction holds, as a disk does that is full."""
        self.sql("CREATE TRIGGER undo BEFORE INSERT ON taciturn_batches WHEN new.epoch = 13 "
                 "BEGIN SELECT RAISE(ROLLBACK, 'undone'); END")

    def do_not_undoing(self, _rest):
        self.sql("DROP TRIGGER undo")


@database
class CoturnsFile(Sqlite):
    """A file that coturn's own program made and filled."""
    name = "sqlite-coturn"
    groups = ["coturn"]

    @classmethod
    def lacks(cls):
        return super().lacks() or (None if os.path.exists(COTURN_SCHEMA) and shutil.which("turnadmin") else "coturn")

    def start(self):
        conninfo = super().start()
        with open(COTURN_SCHEMA) as f:
            self.sql(f.read())
        return conninfo
