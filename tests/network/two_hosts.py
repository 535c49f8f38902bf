"""Two hosts on one machine: network namespaces with a cable between them, names of their own, and MPI over TCP.

Usage: two_hosts.py GAISNET TRANSPORT_MPI_TEST MPIRUN_SH. Needs root, iproute2 and unshare; ends with 77, and says why,
where namespaces cannot be made."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish, skip

# Names of namespaces and hosts; of this process only, for another test may run at the same time.
HOSTS = {f"gaisnet{os.getpid()}-a": "10.219.77.1", f"gaisnet{os.getpid()}-b": "10.219.77.2"}
NEAR, FAR = HOSTS
CABLE = {NEAR: "gaisnet0", FAR: "gaisnet1"}


class CannotRun(Exception):
    """Namespaces cannot be made here; the message says why."""


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotRun(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class TwoHosts:
    """Makes the namespaces on entry and removes them, with what runs in them, on exit."""

    def __init__(self, folder):
        self.folder = folder
        self.agent = folder / "agent.sh"

    def __enter__(self):
        if os.geteuid() != 0:
            raise CannotRun("network namespaces need root")
        try:
            self._make()
        except BaseException as problem:
            self.__exit__()
            if isinstance(problem, FileNotFoundError):
                raise CannotRun(f"not installed: {problem.filename}") from problem
            raise
        return self

    def _make(self):
        for host in HOSTS:
            ip("netns", "add", host)
        ip("link", "add", CABLE[NEAR], "netns", NEAR, "type", "veth", "peer", "name", CABLE[FAR], "netns", FAR)
        for host, address in HOSTS.items():
            ip("-n", host, "address", "add", address + "/24", "dev", CABLE[host])
            ip("-n", host, "link", "set", CABLE[host], "up")
            ip("-n", host, "link", "set", "lo", "up")
        tried = subprocess.run([*self.on(NEAR), "hostname"], capture_output=True, text=True)
        if tried.stdout.strip() != NEAR:
            raise CannotRun(f"a host name of its own: {tried.stderr.strip()}")
        # In place of ssh: mpirun calls it with the host and a command for its shell.
        self.agent.write_text(f"#!/bin/sh\nshift\nexec {' '.join(self.on(FAR))} sh -c \"$*\"\n")
        self.agent.chmod(0o755)
        (self.folder / "hosts").write_text("".join(f"{address} slots=2\n" for address in HOSTS.values()))

    @staticmethod
    def on(host):
        """The start of a command that is to run on a host."""
        as_host = pathlib.Path(__file__).with_name("as_host.sh")
        return ["ip", "netns", "exec", host, "unshare", "--uts", str(as_host), host]

    def cable(self, state):
        ip("-n", FAR, "link", "set", CABLE[FAR], state)

    def bytes_over_cable(self):
        shown = json.loads(ip("-n", NEAR, "-statistics", "-json", "link", "show", CABLE[NEAR]))
        return shown[0]["stats64"]["tx"]["bytes"]

    def command(self, ranks, *command):
        options = f"--hostfile {self.folder}/hosts --map-by node --mca plm_rsh_agent {self.agent} --mca btl tcp,self " \
                  f"--mca btl_tcp_if_include 10.219.77.0/24 --mca oob_tcp_if_include 10.219.77.0/24"
        return ([*self.on(NEAR), sys.argv[3], "-n", str(ranks), *command],
                {**os.environ, "GAISNET_MPIRUN_OPTIONS": options})

    def run(self, ranks, *command, limit=150):
        words, environment = self.command(ranks, *command)
        return subprocess.run(words, capture_output=True, text=True, timeout=limit, env=environment)

    def start(self, ranks, *command):
        words, environment = self.command(ranks, *command)
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                                start_new_session=True)

    @staticmethod
    def ranks_on(host):
        """The program's processes on a host."""
        listed = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True).stdout.split()
        return [int(pid) for pid in listed if pathlib.Path(f"/proc/{pid}/comm").exists() and
                pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "gaisnet"]

    @staticmethod
    def processes():
        """All that runs on the two hosts."""
        found = []
        for host in HOSTS:
            listed = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True)
            found += [int(pid) for pid in listed.stdout.split()]
        return found

    def kill_all(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def __exit__(self, *_):
        if shutil.which("ip") is None:
            return
        self.kill_all()
        for host in HOSTS:
            subprocess.run(["ip", "netns", "delete", host], capture_output=True)


def small(output):
    return [sys.argv[1], "finetune", "--model.weights", "random", "--data.samples", "120", "--network.clusters", "2",
            "--network.clients", "3", "--train.rounds", "2", "--progress", "none", "--overwrite", "on", "--output",
            str(output)]


def same_results(hosts, folder):
    for ranks in (2, 4):
        result = hosts.run(ranks, sys.argv[2])
        check(f"transports' suite on {ranks} ranks over two hosts", result.returncode == 0,
              (result.stdout + result.stderr)[-1500:])
    alone = subprocess.run(small(folder / "alone.h5"), capture_output=True, text=True, timeout=60)
    before = hosts.bytes_over_cable()
    result = hosts.run(4, *small(folder / "two.h5"), "--placement", "node", "--log-level", "debug")
    crossed = hosts.bytes_over_cable() - before
    check("finetune on four ranks over two hosts", alone.returncode == result.returncode == 0, result.stderr[-1500:])
    check("... which know their hosts", all(f"host {host}," in result.stderr for host in HOSTS), result.stderr[-1500:])
    check("... gives the tuned modules of one rank", (folder / "alone.safetensors").read_bytes() ==
          (folder / "two.safetensors").read_bytes())
    check("... and sends its data over the cable", crossed > 500_000, f"{crossed} bytes")


def failures(hosts, folder):
    def killed():
        os.kill(hosts.ranks_on(FAR)[0], signal.SIGKILL)

    def pulled():
        hosts.cable("down")

    for name, harm, message in (("a rank on the other host is killed", killed, r"signal 9|has died"),
                                ("the cable is pulled", pulled, r"no sign of life")):
        output = folder / f"{harm.__name__}.h5"
        process = hosts.start(4, *small(output), "--train.rounds", "5000", "--placement", "node")
        end = time.monotonic() + 60
        while not list(output.with_suffix(".ckpt").glob("round_*/DONE")) and time.monotonic() < end:
            time.sleep(0.05)
        ranks = hosts.ranks_on(NEAR) + hosts.ranks_on(FAR)
        harm()
        begin = time.monotonic()
        while (left := hosts.ranks_on(NEAR) + hosts.ranks_on(FAR)) and time.monotonic() - begin < 15:
            time.sleep(0.1)
        check(f"all ranks end within 15 s when {name}", len(ranks) == 4 and not left,
              f"there were {len(ranks)} ranks, and {len(left)} are left")
        try:
            out, err = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:  # mpirun waits for the lost host, until its own connection to it times out
            print("        (mpirun, which cannot reach the other host, is ended by this test)")
            hosts.kill_all()
            out, err = process.communicate()
        check("... and a message tells", re.search(message, err) is not None, err[-1500:])
        while (left := hosts.processes()) and time.monotonic() - begin < 30:
            time.sleep(0.1)
        check("... and no process is left on either host", not left, str(left))
        hosts.cable("up")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or namespaces would be left
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            with TwoHosts(folder) as hosts:
                same_results(hosts, folder)
                failures(hosts, folder)
        except CannotRun as reason:
            skip(reason)
    finish()


if __name__ == "__main__":
    main()
