"""Starts gaisnet from Python and gives its results as tables; what `import gaisnet` brings.

    run = gaisnet.finetune("configs/quickstart.cfg", model__weights="random", train__rounds=5, ranks=2)
    run.rounds[["round", "accuracy", "energy_j"]]

A setting is a keyword with __ in place of the dot, or an entry of `settings`: {"train.rounds": 5}. Whatever gaisnet refuses
or cannot do is an exception with its message.
"""

import datetime
import logging
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import threading

from analysis.compare import totals_of
from analysis.results import UnreadableFile, h5py, open_gaisnet, pandas, settings_of, table, text

LOG = logging.getLogger("gaisnet")
PROGRESS = re.compile(r"^(\d+)/(\d+) +\d+ %,? ?(.*)$")
SAID = re.compile(r"^(?:\d\d:\d\d:\d\d )?(?:gaisnet: )?(error|warning|info|debug): (.*)$")
TREE = pathlib.Path(__file__).resolve().parent.parent  # where analysis/ lies in the sources


class GaisnetError(Exception):
    """gaisnet ended with an error: its message, its exit code, and all that it printed."""

    def __init__(self, message, code, output=""):
        super().__init__(message)
        self.code, self.output = code, output


class UsageError(GaisnetError):
    """Settings, weights or data cannot be used (exit code 2)."""


class NotInTime(GaisnetError):
    """Real time could not be kept (exit code 3)."""


class Stopped(GaisnetError):
    """The run was stopped or interrupted (exit codes 75 and 130); `resume="auto"` goes on."""


CHILDREN = set()  # processes under way


def stop_children():
    """Asks all runs under way to end with a checkpoint."""
    for child in list(CHILDREN):
        os.killpg(child.pid, signal.SIGTERM)


ERRORS = {2: UsageError, 3: NotInTime, 75: Stopped, 130: Stopped}


class Run:
    """A results file. Each of its tables is a pandas DataFrame: run.rounds, run.energy, run["topology/nodes"]; attrs["units"] has
    the units of its columns. Tables of a run that goes on are those of the rounds that have ended."""

    def __init__(self, path, output=""):
        self.path, self.output, self._known = pathlib.Path(path), output, {}
        with open_gaisnet(path) as file:
            self.settings = settings_of(file)
            self.config = text(file.attrs["config"])
            self.command = text(file.attrs.get("command", ""))
            self.tables = {}
            file.visititems(lambda name, item: self.tables.update({name: text(item.attrs.get("description", ""))})
                            if isinstance(item, h5py.Dataset) else None)

    @property
    def status(self):
        """running, complete or aborted."""
        with open_gaisnet(self.path) as file:
            return text(file.attrs["status"])

    def __getitem__(self, name):
        if name not in self.tables:
            raise KeyError(f"'{self.path}' has no table {name}; it has {', '.join(self.tables)}")
        if name not in self._known:
            with open_gaisnet(self.path) as file:
                found = table(file, name)
                if text(file.attrs["status"]) == "running":
                    return found
            self._known[name] = found
        return self._known[name].copy()

    def __getattr__(self, name):
        if not name.startswith("_") and name in self.__dict__.get("tables", {}):
            return self[name]
        raise AttributeError(f"a run has no {name}; its tables are {', '.join(self.__dict__.get('tables', {}))}")

    def __dir__(self):
        return [*super().__dir__(), *(name for name in self.tables if "/" not in name)]

    @property
    def totals(self):
        """By round: accuracy, loss and perplexity (means over edges), and time, energy, bytes and spectrum since the start."""
        with open_gaisnet(self.path) as file:
            return pandas.DataFrame.from_records(totals_of(file)).set_index("round")

    @property
    def accuracy(self):
        """Validation accuracy after the last round, mean over edges; NaN without rounds of training."""
        totals = self.totals
        return float(totals["accuracy"].iloc[-1]) if len(totals) else float("nan")

    def report(self, path=None):
        """Writes the HTML page of this run and returns its path."""
        from analysis.report import page_of
        path = pathlib.Path(path or self.path.with_suffix(".html"))
        path.write_text(page_of([self.path], self.path.stem), encoding="utf-8")
        return path

    def __repr__(self):
        return f"<gaisnet run {self.path}: {self.command}, {self.status}, {len(self.rounds)} rounds of edges>"


def open_run(path):
    """The results in a file. Raises UnreadableFile."""
    return Run(path)


def find_program(program=None):
    """The program: as named, $GAISNET, `gaisnet` of the PATH, or that of the source tree. Raises UnreadableFile."""
    chosen = program or os.environ.get("GAISNET") or shutil.which("gaisnet")
    for build in ("release", "cuda") if not chosen else ():
        if (TREE / "build" / build / "gaisnet").is_file():
            chosen = TREE / "build" / build / "gaisnet"
            break
    if not chosen or not shutil.which(str(chosen)):
        raise UnreadableFile(f"'{chosen}': there is no such program" if chosen else "the program gaisnet is not found: install it, "
                             "build it in the source tree, or let the environment variable GAISNET name it")
    return str(chosen)


def launcher(ranks):
    """What starts ranks: the script of the source tree, which knows what can go wrong with mpirun, or mpirun."""
    if ranks == 1:
        return []
    script = TREE / "jobs" / "mpirun.sh"
    return [str(script) if script.is_file() else shutil.which("gaisnet-mpirun") or "mpirun", "-n", str(ranks)]


def setting_text(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ",".join(map(setting_text, value))
    return str(value)


def flags_of(settings):
    """Settings as flags: train__rounds and train.rounds are the same key; None leaves a default."""
    flags = []
    for key, value in settings.items():
        if value is not None:
            flags += [f"--{key.replace('__', '.')}", setting_text(value)]
    return flags


def new_output(command, suffix):
    """A path that is free, in gaisnet-runs."""
    folder = pathlib.Path("gaisnet-runs")
    folder.mkdir(exist_ok=True)
    stem = f"{command}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    names = (f"{stem}{suffix}", *(f"{stem}-{number}{suffix}" for number in range(2, 10000)))
    return next(folder / name for name in names if not (folder / name).exists())


def progress_bar(shows, what):
    if shows:
        try:
            from tqdm.auto import tqdm
            return tqdm(desc=what, unit="step", dynamic_ncols=True)
        except ImportError:
            LOG.info("no progress bar: there is no module tqdm")
    return None


def execute(arguments, progress=None):
    """Runs a command line to its end and returns what it printed. \\param progress a bar to be moved. Raises GaisnetError."""
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                             start_new_session=True)  # so that an interruption reaches it once, from here
    CHILDREN.add(child)
    errors, said = [], []

    def read_errors():
        for line in child.stderr:
            step, known = PROGRESS.match(line.strip()), SAID.match(line.strip())
            if step and progress is not None:
                progress.total, progress.n = int(step[2]), int(step[1])
                progress.set_postfix_str(step[3], refresh=True)
            elif known:
                kind, message = known.groups()
                (errors if kind == "error" else said).append(message)
                LOG.log({"warning": logging.WARNING, "error": logging.DEBUG}.get(kind, logging.INFO), message)
            elif not step and line.strip():
                (errors if errors else said).append(line.rstrip())

    reader = threading.Thread(target=read_errors)
    reader.start()
    try:
        printed = child.stdout.read()
        code = child.wait()
    except KeyboardInterrupt:
        os.killpg(child.pid, signal.SIGINT)
        printed, code = "", child.wait()
    CHILDREN.discard(child)
    reader.join()
    if progress is not None:
        progress.close()
    if code == 0:
        return printed
    message = "\n".join(errors) or "\n".join(said[-3:]) or f"exit code {code} without a message"
    raise ERRORS.get(code, GaisnetError)(message, code, printed)


def call(command, configs, ranks, output, progress, program, settings, suffix=".h5"):
    """Runs a command of gaisnet; returns its results file and what it printed."""
    path = pathlib.Path(output) if output else new_output(command, suffix)
    arguments = [*launcher(ranks), find_program(program), command, "--progress", "plain" if progress else "none"]
    for config in configs:
        arguments += ["--config", str(config)]
    arguments += [*flags_of(settings), "--output", str(path)]
    LOG.debug("%s", shlex.join(arguments))
    return path, execute(arguments, progress_bar(progress, command))


def emulating(command):
    def run(*configs, ranks=1, output=None, progress=True, program=None, settings=None, **more):
        path, printed = call(command, configs, ranks, output, progress, program, {**(settings or {}), **more})
        return Run(path, printed)

    run.__name__ = run.__qualname__ = command
    run.__doc__ = f"""Runs `gaisnet {command}` and returns its Run.

    \\param configs files of settings, later ones win
    \\param ranks MPI ranks
    \\param output where the results file goes; otherwise a new one in the folder gaisnet-runs
    \\param progress show a bar (needs tqdm)
    \\param program the program; otherwise $GAISNET, that of the PATH, or that of the source tree
    \\param settings, more settings by key, as {{"train.rounds": 5}} or train__rounds=5
    Raises UsageError, Stopped, NotInTime or GaisnetError with the program's message.
    """
    return run


finetune, infer, serve = emulating("finetune"), emulating("infer"), emulating("serve")


def plan(*configs, output=None, program=None, settings=None, **more):
    """Runs `gaisnet plan`: what finetune or infer would cost, and the plan that optimise asks for. Returns its Run."""
    return emulating("plan")(*configs, output=output, progress=False, program=program, settings=settings, **more)


def pretrain(*configs, ranks=1, output=None, progress=True, program=None, settings=None, **more):
    """Runs `gaisnet pretrain`; returns the path of the weights."""
    return call("pretrain", configs, ranks, output, progress, program, {**(settings or {}), **more}, ".safetensors")[0]
