"""The program under test."""

import contextlib
import os
import subprocess

from support.processes import end_session


class Gaisnet:
    """Runs gaisnet, directly or on several ranks. Every run has a session of its own, of which nothing is left behind."""

    def __init__(self, program, mpirun, words=()):
        self.program, self.mpirun, self.words = program, mpirun, words

    def bind(self, *words):
        """The same with the first words of its command line."""
        return Gaisnet(self.program, self.mpirun, (*self.words, *words))

    def command(self, *words, ranks=None):
        """The command line. jobs/mpirun.sh is left out unless a number of ranks is given."""
        launch = [] if ranks is None else [self.mpirun, "-n", ranks]
        return [str(word) for word in (*launch, self.program, *self.words, *words)]

    def __call__(self, *words, ranks=None, timeout=200, **options):
        """Runs it to its end."""
        with self.start(*words, ranks=ranks, **options) as process:
            stdout, stderr = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    @contextlib.contextmanager
    def start(self, *words, ranks=None, env=None, **options):
        """Starts it; what still runs at the end of the `with` block is killed. `env` adds to the environment."""
        process = subprocess.Popen(self.command(*words, ranks=ranks), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   env={**os.environ, **(env or {})}, **options)
        with process:
            try:
                yield process
            finally:
                end_session(process)
