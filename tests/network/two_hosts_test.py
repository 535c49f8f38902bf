"""Two hosts on one machine: network namespaces with a cable between them, names of their own, and MPI over TCP. It needs
root, iproute2 and unshare; it is skipped, and says why, where namespaces cannot be made."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest
from support.files import same_bytes
from support.processes import wait_until

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

    def __init__(self, folder, mpirun):
        self.folder, self.mpirun = folder, mpirun
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
        """What starts a command on ranks that alternate between the hosts: its words and its environment."""
        options = f"--hostfile {self.folder}/hosts --map-by node --mca plm_rsh_agent {self.agent} --mca btl tcp,self " \
                  f"--mca btl_tcp_if_include 10.219.77.0/24 --mca oob_tcp_if_include 10.219.77.0/24"
        return [*self.on(NEAR), self.mpirun, "-n", str(ranks), *command], {**os.environ, "GAISNET_MPIRUN_OPTIONS": options}

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


@pytest.fixture(scope="module")
def hosts(mpirun, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        try:
            hosts = stack.enter_context(TwoHosts(tmp_path_factory.mktemp("hosts"), mpirun))
        except CannotRun as reason:
            pytest.skip(str(reason))
        yield hosts


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_suite_of_the_transports_passes(hosts, transport_test, ranks):
    done = hosts.run(ranks, transport_test)
    assert done.returncode == 0, done.stdout + done.stderr


def test_four_ranks_give_the_tuned_modules_of_one(hosts, finetune, tmp_path):
    done = finetune("--output", tmp_path / "alone.h5")
    assert done.returncode == 0, done.stderr
    before = hosts.bytes_over_cable()
    done = hosts.run(4, *finetune.command("--output", tmp_path / "two.h5", "--placement", "node", "--log-level", "debug"))
    assert done.returncode == 0, done.stderr
    assert hosts.bytes_over_cable() - before > 500_000
    assert all(f"host {host}," in done.stderr for host in HOSTS)
    assert same_bytes(tmp_path / "alone.safetensors", tmp_path / "two.safetensors")


class TestLoss:
    @pytest.fixture
    def process(self, hosts, finetune, tmp_path):
        """A long run on four ranks, which has made a round."""
        output = tmp_path / "run.h5"
        command = finetune.command("--output", output, "--train.rounds", 5000, "--placement", "node")
        with hosts.start(4, *command) as process:
            try:
                wait_until(lambda: list(output.with_suffix(".ckpt").glob("round_*/DONE")))
                assert len(self.ranks(hosts)) == 4
                yield process
            finally:
                hosts.kill_all()
                hosts.cable("up")

    @staticmethod
    def ranks(hosts):
        return [rank for host in HOSTS for rank in hosts.ranks_on(host)]

    def message(self, hosts, process):
        """What is on stderr once all ranks have ended, which takes less than 15 s, and mpirun with them."""
        begin = time.monotonic()
        assert wait_until(lambda: not self.ranks(hosts), 15)
        try:
            stderr = process.communicate(timeout=5)[1]
        except subprocess.TimeoutExpired:
            print("mpirun, which waits for the lost host until its own connection to it times out, is ended")
            hosts.kill_all()
            stderr = process.communicate()[1]
        assert wait_until(lambda: not hosts.processes(), begin + 30 - time.monotonic()), "processes are left"
        return stderr

    def test_of_a_rank_on_the_other_host_ends_all(self, hosts, process):
        os.kill(hosts.ranks_on(FAR)[0], signal.SIGKILL)
        assert re.search("signal 9|has died", self.message(hosts, process))

    def test_of_the_cable_ends_all(self, hosts, process):
        hosts.cable("down")
        assert "no sign of life" in self.message(hosts, process)
