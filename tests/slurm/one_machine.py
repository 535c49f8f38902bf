"""A Slurm of its own on this machine: munged, slurmctld and slurmd on loopback, in a folder and on ports of their own.

It needs root, because slurmd starts jobs as their users, and no systemd and no cgroups. A Slurm that is installed as a
service is not touched: key, socket, ports, state and logs are others.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import time

from support.processes import wait_until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")

CREDENTIAL_S = 4
CONFIGURATION = """
ClusterName=gaisnet
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={credential_s}
CredType=cred/munge
MpiDefault=pmix
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=20
MaxArraySize=100
SchedulerParameters=sched_interval=1,sched_min_interval=1000,requeue_setup_env_fail
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class CannotRun(Exception):
    """Slurm cannot be started here; the message says why."""


def free_ports(count):
    holders = [socket.socket() for _ in range(count)]
    for holder in holders:
        holder.bind(("127.0.0.1", 0))
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


class OneMachine:
    """Starts on entry and stops, with everything that it started, on exit. Slurm's commands find it by SLURM_CONF, which
    has to name its `configuration`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.configuration = self.folder / "slurm.conf"
        self.daemons = []

    def __enter__(self):
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise CannotRun("not installed: " + " ".join(missing) + " (Debian: slurmctld slurmd slurm-client munge)")
        if os.geteuid() != 0:
            raise CannotRun("a slurmd of one's own needs root")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        ctld_port, d_port = free_ports(2)
        self.configuration.write_text(CONFIGURATION.format(folder=self.folder, host=socket.gethostname().split(".")[0],
                                                           ctld_port=ctld_port, d_port=d_port,
                                                           credential_s=CREDENTIAL_S))
        munge_socket = self.folder / "munge.socket"
        self._daemon("munged", "--foreground", "--force", f"--socket={munge_socket}", f"--key-file={key}",
                     f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
                     f"--seed-file={self.folder}/munge.seed", "--num-threads=2")
        if not wait_until(munge_socket.exists, 20):
            raise CannotRun("munged did not come up:\n" + self.logs())
        self._daemon("slurmctld", "-D", "-f", str(self.configuration))
        self._daemon("slurmd", "-D", "-f", str(self.configuration))
        if not wait_until(self._ready, 60, 0.2):
            raise CannotRun("Slurm did not come up:\n" + self.logs())

    def _daemon(self, *command):
        output = open(self.folder / f"{command[0]}.out", "wb")
        self.daemons.append(subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL))
        output.close()

    @staticmethod
    def _ready():
        state = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True)
        return state.stdout.strip() == "idle"

    def logs(self):
        """The last lines of all daemons."""
        text = ""
        for log in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")]):
            text += f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]) + "\n"
        return text

    def __exit__(self, *_):
        if self.daemons:
            subprocess.run(["scancel", "--user=root"], capture_output=True)
            wait_until(lambda: not subprocess.run(["squeue", "--noheader"], capture_output=True).stdout.strip(), 25)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons.clear()


class Job:
    """A job that was submitted. Its log is in `folder`."""

    def __init__(self, number, folder):
        self.number, self.folder = number, folder

    def log(self):
        path = self.folder / f"job-{self.number}.log"
        return path.read_text(errors="replace") if path.exists() else "(no log)"

    def state(self):
        shown = subprocess.run(["scontrol", "show", "job", "--oneliner", str(self.number)], capture_output=True,
                               text=True)
        return dict(part.split("=", 1) for part in shown.stdout.split() if "=" in part)

    def is_pending(self):
        return self.state().get("JobState") == "PENDING"

    def ended(self):
        return self.state().get("JobState") in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL")

    def signal(self, name):
        """As Slurm sends it to the batch script: USR1 some time before the limit, TERM before a preemption."""
        subprocess.run(["scancel", f"--signal={name}", "--batch", self.number], check=True)

    def cancel(self):
        subprocess.run(["scancel", self.number], check=True)

    def start_again(self):
        """Slurm lets a job that was queued again wait for two minutes, until slurmd has forgotten that the job's
        credential was revoked. Here credentials live for CREDENTIAL_S seconds only, so it may start sooner."""
        time.sleep(CREDENTIAL_S + 2)
        subprocess.run(["scontrol", "update", f"JobId={self.number}", "StartTime=now"], capture_output=True)

    def exit_code(self):
        return int(self.state().get("ExitCode", "-1:0").split(":")[0])


def submit(folder, options, script, *words, environment=None):
    """Submits a job from a folder, where its log will be. Raises RuntimeError when Slurm does not take it."""
    command = ["sbatch", "--parsable", f"--output={folder}/job-%j.log", *options, str(script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return Job(done.stdout.strip().split(";")[0], folder)
