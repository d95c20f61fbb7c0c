"""Drives Firefox by Marionette, its own protocol: JSON with a length before it, over TCP."""
import json
import os

import lab

PROGRAM = "/usr/bin/firefox-esr"
PORT = 2828
# a camera without a question; nothing on the network by itself
PREFERENCES = {
    "media.navigator.streams.fake": True, "media.navigator.permission.disabled": True, "marionette.port": PORT,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
"app.update.enabled": False, "app.normandy.enabled": False,
}


class Firefox:
    """One, headless, in the client's namespace, with a fresh profile that trusts an authority."""

    def __init__(self, t, authority=None):
        profile = os.path.join(t.dir, "firefox")
        os.mkdir(profile)
        with open(os.path.join(profile, "user.js"), "w") as f:
            for name, value in PREFERENCES.items():
                f.write("user_pref(%s, %s);\n" % (json.dumps(name), json.dumps(value)))
        if authority:
            for argv in (["-N", "--empty-password"], ["-A", "-n", "authority", "-t", "C,,", "-i", authority]):
                status, _ = t.run(t.lab.cli, "certutil", "-d", "sql:" + profile, *argv)
                assert status == 0, "certutil %s" % argv[0]
        env = dict(os.environ, HOME=t.dir, XDG_CONFIG_HOME=t.dir, XDG_CACHE_HOME=t.dir, MOZ_CRASHREPORTER_DISABLE="1")
        t.spawn(t.lab.cli, PROGRAM, "--headless", "--no-remote", "--marionette", "--remote-allow-system-access",
                "--profile", profile, env=env)
        self.sock = t.until(lambda: self._connect(t), "Firefox listens", timeout=60, pace=0.1)
        self.sock.settimeout(60 * t.scale)
        self.buffer, self.n = b"", 0
        self._message()  # what it is
        self.ask("WebDriver:NewSession", capabilities={})

    def _connect(self, t):
        try:
            return t.lab.cli.tcp("127.0.0.1", ("127.0.0.1", PORT), timeout=10)
        except OSError:
            return None

    def _message(self):
        while b":" not in self.buffer:
            self._more()
        size, self.buffer = self.buffer.split(b":", 1)
        while len(self.buffer) < int(size):
            self._more()
        message, self.buffer = self.buffer[:int(size)], self.buffer[int(size):]
        return json.loads(message)

    def _more(self):
        more = self.sock.recv(65536)
        if not more:
            raise EOFError("Firefox is gone")
        self.buffer += more

    def ask(self, command, **parameters):
        self.n += 1
        text = json.dumps([0, self.n, command, parameters]).encode()
        self.sock.sendall(b"%d:%s" % (len(text), text))
        _, n, error, result = self._message()
        if n != self.n or error:
            raise AssertionError("%s: %s" % (command, error))
        return result

    def run(self, script, *args, timeout=45):
        """What the promise of an expression of the page resolves to."""
        self.ask("WebDriver:SetTimeouts", script=int(timeout * 1000))
        wrapped = ("const done = arguments[arguments.length - 1];"
                   "(%s).then((r) => done({ r }), (e) => done({ e: String(e) }));" % script)
        value = self.ask("WebDriver:ExecuteAsyncScript", script=wrapped, args=list(args), sandbox=None)["value"]
        if "r" not in value:
            raise AssertionError("in the page: %s" % value.get("e"))
        return value["r"]

    def resolve_all_to(self, ip):
        """From now on every name has this address."""
        self.ask("Marionette:SetContext", value="chrome")
        self.ask("WebDriver:ExecuteScript", args=[ip],
                 script="Services.prefs.setCharPref('network.dns.forceResolve', arguments[0])")
        self.ask("Marionette:SetContext", value="content")

    def close(self):
        self.ask("Marionette:Quit", flags=["eForceQuit"])
        self.sock.close()
