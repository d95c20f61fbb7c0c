"""SQLite and PostgreSQL, beginning with tables that coturn's own schema made."""
import glob
import os
import pwd
import signal
import sqlite3
import subprocess

from server import Server, database, until

COTURN = ("INSERT INTO turnusers_lt (realm, name, hmackey) VALUES ('coturn.example', 'gorst', '00112233445566778899AABBCCDDEEFF')",
          "INSERT INTO turnusers_lt (realm, name, hmackey) VALUES ('coturn.example', 'short', 'password')",
          "INSERT INTO turn_secret (realm, value) VALUES ('coturn.example', 'one'), ('coturn.example', 'two')",
          "INSERT INTO turn_realm_option (realm, opt, value) VALUES ('coturn.example', 'max-bps', '100000'), "
          "('coturn.example', 'total-quota', '50'), ('coturn.example', 'user-quota', '5')",
          "INSERT INTO allowed_peer_ip (realm, ip_range) VALUES ('coturn.example', '192.0.2.1')",
          "INSERT INTO denied_peer_ip (realm, ip_range) VALUES ('coturn.example', '198.51.100.0-198.51.100.255')",
          "INSERT INTO turn_origin_to_realm (origin, realm) VALUES ('https://app.example', 'coturn.example')",
          "INSERT INTO oauth_key (kid, ikm_key, timestamp, lifetime, as_rs_alg, realm) VALUES ('north', "
          "'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=', 0, 3600, 'A256GCM', 'coturn.example')")


class Sql(Server):
    def sql(self, *statements):
        """Runs them; returns the first value of the last."""
        raise NotImplementedError

    def do_coturn(self, _rest):
        self.sql(*COTURN)

    def do_newer_schema(self, _rest):
        self.sql("UPDATE taciturn_schema SET version = 99")

    def do_own_schema(self, _rest):
        self.sql("UPDATE taciturn_schema SET version = 1")

    def do_records(self, realm):
        return self.sql("SELECT count(*) FROM taciturn_sessions WHERE realm = '%s'" % realm.replace("'", "''"))


def coturn_schema():
    """Debian's package has it, so that what coturn made is what is read."""
    found = glob.glob("/usr/share/coturn/schema.sql") or glob.glob("/usr/share/doc/coturn/schema.sql*")
    return found[0] if found else None


@database
class Sqlite(Sql):
    name = kind = "sqlite"
    groups = ["users", "hostile", "leases", "counts", "trouble"]

    def start(self):
        self.path = os.path.join(self.dir, "turndb")
        with open(coturn_schema()) as f:
            self.script(f.read())
        return self.path

    @classmethod
    def lacks(cls):
        return None if coturn_schema() else "coturn's schema.sql"

    def script(self, text):
        with sqlite3.connect(self.path, timeout=30) as c:
            c.executescript(text)
        c.close()

    def sql(self, *statements):
        with sqlite3.connect(self.path, timeout=30) as c:
            rows = [c.execute(s).fetchone() for s in statements]
        c.close()
        return rows[-1][0] if rows[-1] else ""


@database
class Postgresql(Sql):
    """Of a user who may do no more than it needs, by a socket."""
    name = kind = "postgresql"
    groups = ["users", "hostile", "leases", "counts", "trouble"]
    password = "opensesame"

    @staticmethod
    def programs():
        return sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]

    @classmethod
    def lacks(cls):
        if not cls.programs():
            return "postgresql"
        return None if coturn_schema() else "coturn's schema.sql"

    def as_postgres(self):
        """initdb and postgres refuse root."""
        if os.getuid():
            return {}
        user = pwd.getpwnam("postgres")
        return dict(user=user.pw_uid, group=user.pw_gid, extra_groups=[])

    def run(self, *argv, text=None, env=None):
        return subprocess.run(argv, check=True, text=True, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=self.dir, env=dict(os.environ, **(env or {})), **self.as_postgres()).stdout.strip()

    def start(self):
        self.bin, self.data = self.programs()[0], os.path.join(self.dir, "data")
        os.chmod(self.dir, 0o777)
        self.run(self.bin + "/initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8",
                 "--locale=C")
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as f:
            f.write("local all postgres trust\nlocal all all scram-sha-256\n")
        self.server = self.postgres()
        self.psql("CREATE ROLE taciturn LOGIN PASSWORD '%s'" % self.password, database="postgres")
        self.psql("CREATE DATABASE turn OWNER taciturn", database="postgres")
        with open(coturn_schema()) as f:
            self.psql("SET ROLE taciturn;\n" + f.read())
        return self.conninfo(self.password)

    def postgres(self):
        p = self.spawn([self.bin + "/postgres", "-D", self.data, "-k", self.dir, "-h", "", "-F"], "postgres",
                       **self.as_postgres())
        until("postgres", lambda: subprocess.run([self.bin + "/pg_isready", "-q", "-h", self.dir],
                                                 check=False).returncode == 0)
        return p

    def psql(self, text, database="turn"):
        return self.run(self.bin + "/psql", "-h", self.dir, "-U", "postgres", "-d", database, "-qAt", "-v",
                        "ON_ERROR_STOP=1", text=text)

    def sql(self, *statements):
        return self.psql(";\n".join(statements))

    def conninfo(self, password):
        return "host=%s dbname=turn user=taciturn password=%s connect_timeout=5" % (self.dir, password)

    def do_wrong_password(self, _rest):
        return self.conninfo("not-" + self.password)

    def do_stop(self, _rest):
        self.server.send_signal(signal.SIGINT)  # ends the connections
        self.server.wait(60)

    def do_start(self, _rest):
        self.server = self.postgres()

    def family(self):
        """The postmaster and its children, which serve a connection each."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.server.pid)], stdout=subprocess.PIPE, text=True,
                             check=False).stdout
        return [self.server.pid] + [int(p) for p in out.split()]

    def do_hang(self, _rest):
        for pid in self.family():
            os.kill(pid, signal.SIGSTOP)

    def do_resume(self, _rest):
        for pid in self.family():
            os.kill(pid, signal.SIGCONT)

    def end(self):
        if getattr(self, "server", None) and self.server.poll() is None:
            self.do_resume("")
            self.do_stop("")
        super().end()
