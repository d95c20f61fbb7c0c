"""Hosts made of network namespaces: `srv` in the middle, joined to `cli` and to `peer`.

    cli  10.1.0.2 .3 .4   fd01::2 ::3   --veth--  srv 10.1.0.1 .11  fd01::1 ::11
    peer 10.2.0.2 .3      fd02::2 ::3   --veth--  srv 10.2.0.1 .11  fd02::1 ::11
         51.15.0.2        2a01:4f8::2             srv 51.15.0.1     2a01:4f8::1

Nothing is forwarded: what passes from cli to peer went through a relay. The last pair of
addresses are ones that no list of special ranges holds. None of it leaves this machine.
"""
import contextlib
import ctypes
import errno
import os
import re
import select
import signal
import socket
import struct
import subprocess

SRV, SRV_ALT = "10.1.0.1", "10.1.0.11"          # where clients reach the server
SRV6, SRV6_ALT = "fd01::1", "fd01::11"
CLI, CLI_B, CLI_C = "10.1.0.2", "10.1.0.3", "10.1.0.4"
CLI6, CLI6_B = "fd01::2", "fd01::3"
RELAY, RELAY_ALT = "10.2.0.1", "10.2.0.11"      # where peers reach the server
RELAY6, RELAY6_ALT = "fd02::1", "fd02::11"
PEER, PEER_B = "10.2.0.2", "10.2.0.3"
PEER6, PEER6_B = "fd02::2", "fd02::3"
RELAY_PUB, PEER_PUB = "51.15.0.1", "51.15.0.2"
RELAY6_PUB, PEER6_PUB = "2a01:4f8::1", "2a01:4f8::2"

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
_libc = ctypes.CDLL(None, use_errno=True)


def family_of(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def die_with_parent():
    """For preexec_fn: no process of a test outlives it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


# the architecture's number in seccomp, and epoll_wait, epoll_pwait and epoll_pwait2 of it
_ARCH, EPOLL_WAITS = {"x86_64": (0xc000003e, (232, 281, 441)),
                      "aarch64": (0xc00000b7, (22, 441))}.get(os.uname().machine, (0, ()))


def no_events_at(epoll):
    """For preexec_fn: the kernel refuses to wait for events at this descriptor, by EBADF."""
    load, equals, say = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    allow, refuse = 0x7fff0000, 0x00050000 | errno.EBADF
    n = len(EPOLL_WAITS)
    program = [(load, 0, 0, 4), (equals, 0, n + 1, _ARCH), (load, 0, 0, 0)]
    program += [(equals, n - i, 0, call) for i, call in enumerate(EPOLL_WAITS)]
    program += [(say, 0, 0, allow), (load, 0, 0, 16), (equals, 1, 0, epoll), (say, 0, 0, allow), (say, 0, 0, refuse)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    whole = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _libc.prctl(PR_SET_SECCOMP, 2, whole, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*args):
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(args), r.stdout.strip()))
    return r.stdout


class Ns:
    """One namespace. Its name must be free."""

    def __init__(self, name):
        self.name = name
        self.fresh = iter(range(4000, 9900))  # no test's, no program's, and not given out by the system
        _run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")
        self.exec("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv4.conf.all.rp_filter=0",
                  "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0",
                  "net.ipv4.ip_local_port_range=10000 48000")

    def ip(self, *args):
        return _run("ip", "-n", self.name, *args)

    def argv(self, *args):
        return ["ip", "netns", "exec", self.name, *args]

    def exec(self, *args):
        return _run(*self.argv(*args))

    def nft(self, rules):
        """Loads rules; they go with the namespace."""
        r = subprocess.run(self.argv("nft", "-f", "-"), input=rules, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if r.returncode != 0:
            raise RuntimeError("nft: " + r.stdout)

    @contextlib.contextmanager
    def entered(self):
        """This thread is inside; sockets made here stay here."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + self.name, os.O_RDONLY)
        try:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(home)
            os.close(there)

    def udp(self, ip, port=0, connect=None):
        """A bound UDP socket of this namespace; where no port is named, one that was nobody's before: an
        allocation may have survived its client."""
        with self.entered():
            s = socket.socket(family_of(ip), socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((ip, port or next(self.fresh, 0)))
        if connect:
            s.connect(connect)
        return s

    def tcp(self, ip, connect, port=0, timeout=5.0):
        """A TCP connection from this namespace, without Nagle's delay."""
        with self.entered():
            s = socket.socket(family_of(ip), socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.bind((ip, port))
        try:
            s.connect(connect)
        except OSError:
            s.close()
            raise
        return s

    def sniffer(self, dev):
        """A packet socket that sees the IP packets that arrive on a device."""
        with self.entered():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
        s.bind((dev, 0x0003))
        return s

    def wait_up(self, dev, timeout):
        """Until the link carries packets: the kernel announces it a little after "up"."""
        pace = select.poll()
        for _ in range(int(timeout * 100)):
            if re.search(r"\bLOWER_UP\b.*\bstate UP\b", self.ip("-o", "link", "show", "dev", dev)):
                return
            pace.poll(10)
        raise RuntimeError("%s/%s does not come up" % (self.name, dev))


class Lab:
    """The three hosts. offload=False makes the wires carry single datagrams, as between real
    hosts, instead of the kernel's bursts."""

    def __init__(self, prefix, offload=True):
        self.names = []
        self.cli, self.srv, self.peer = (self._ns(prefix + "-" + n) for n in ("cli", "srv", "peer"))
        self._wire(self.cli, "c0", self.srv, "s0",
                   [CLI + "/24", CLI_B + "/24", CLI_C + "/24", CLI6 + "/64", CLI6_B + "/64"],
                   [SRV + "/24", SRV_ALT + "/24", SRV6 + "/64", SRV6_ALT + "/64"], offload)
        self._wire(self.peer, "p0", self.srv, "s1",
                   [PEER + "/24", PEER_B + "/24", PEER_PUB + "/24",
                    PEER6 + "/64", PEER6_B + "/64", PEER6_PUB + "/64"],
                   [RELAY + "/24", RELAY_ALT + "/24", RELAY_PUB + "/24",
                    RELAY6 + "/64", RELAY6_ALT + "/64", RELAY6_PUB + "/64"], offload)
        for ns, via, via6 in ((self.cli, SRV, SRV6), (self.peer, RELAY, RELAY6)):
            ns.ip("route", "add", "default", "via", via)
            ns.ip("-6", "route", "add", "default", "via", via6)

    def _ns(self, name):
        self.names.append(name)
        return Ns(name)

    @staticmethod
    def _wire(a, dev_a, b, dev_b, addrs_a, addrs_b, offload):
        _run("ip", "link", "add", dev_a, "netns", a.name, "type", "veth",
             "peer", "name", dev_b, "netns", b.name)
        for ns, dev, addrs in ((a, dev_a, addrs_a), (b, dev_b, addrs_b)):
            for addr in addrs:
                extra = ["nodad"] if ":" in addr else []
                ns.ip("addr", "add", addr, "dev", dev, *extra)
            if not offload:
                ns.exec("ethtool", "-K", dev, "tx", "off", "tx-udp-segmentation", "off",
                        "tso", "off", "gso", "off", "gro", "off")
            ns.ip("link", "set", dev, "up")
        a.wait_up(dev_a, 10)
        b.wait_up(dev_b, 10)
        for family in (socket.AF_INET, socket.AF_INET6):
            ends = [[x.split("/")[0] for x in addrs if family_of(x) == family] for addrs in (addrs_a, addrs_b)]
            for near in ends[0]:
                await_reachable(a, near, b, ends[1][0])
            for near in ends[1]:
                await_reachable(b, near, a, ends[0][0])


def await_reachable(a, from_ip, b, to_ip, timeout=15):
    """Until datagrams pass both ways. A new IPv6 address answers its neighbours a little later
    than it is announced, much later on a busy machine."""
    with a.udp(from_ip) as near, b.udp(to_ip) as far:
        for _ in range(timeout * 20):
            near.sendto(b"out", far.getsockname())
            if not select.select([far], [], [], 0.05)[0]:
                continue
            far.sendto(b"back", far.recvfrom(16)[1])
            if select.select([near], [], [], 0.05)[0]:
                return
    raise RuntimeError("%s does not reach %s" % (from_ip, to_ip))


def remove_namespaces(pattern):
    """Ends what runs in the namespaces whose names match, and removes them."""
    if not os.path.isdir("/run/netns"):
        return
    for name in sorted(os.listdir("/run/netns")):
        if not re.match(pattern, name):
            continue
        r = subprocess.run(["ip", "netns", "pids", name], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
        for pid in r.stdout.split():
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", name], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


def remove_leftovers():
    """Namespaces of runs that were killed before they could tidy up."""
    if not os.path.isdir("/run/netns"):
        return
    for name in os.listdir("/run/netns"):
        m = re.match(r"tntest-(\d+)-", name)
        if m and not os.path.exists("/proc/" + m.group(1)):
            remove_namespaces(re.escape(name) + "$")
