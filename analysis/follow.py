"""Hands the rounds of a run on to TensorBoard while it runs: python3 -m analysis.follow FILE --tensorboard DIR

Writes scalars for each round: accuracy, loss, perplexity, latency and its parts, and, as sums since the start, energy, bytes and
spectrum; of several edges a curve each. The step is the round, and the wall time is the emulated time, so that TensorBoard's
"relative" axis shows that. Ends with the run; --once takes what is there. Needs tensorboardX (pip install tensorboardX).
"""

import math
import pathlib
import time

from analysis.results import (LINK_CLASSES, UnreadableFile, UnwritablePicture, is_live, open_gaisnet, parser_of, run_tool, table, text)


def writer_in(folder):
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise UnreadableFile("this needs the Python module 'tensorboardX' (pip install tensorboardX)") from None
    try:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        return SummaryWriter(str(folder), flush_secs=5)
    except OSError as failure:
        raise UnwritablePicture(f"'{folder}': cannot be written: {failure.strerror}") from None


class Follower:
    """Writes the rows of /rounds that it has not seen."""

    def __init__(self, folder):
        self.folder, self.writers, self.seen, self.sums = pathlib.Path(folder), {}, 0, {}

    def take(self, rounds):
        """Writes what is new in the table of rounds."""
        edges = rounds["edge"].nunique() if len(rounds) else 0
        for row in rounds.iloc[self.seen:].to_dict("records"):
            edge = row["edge"]
            if edge not in self.writers:
                self.writers[edge] = writer_in(self.folder / f"edge{edge}" if edges > 1 else self.folder)
                self.sums[edge] = {"energy_j": 0.0, "bytes": 0.0, "spectrum_hz_s": 0.0}
            sums = self.sums[edge]
            sums["energy_j"] += row["energy_j"]
            sums["bytes"] += sum(row[f"bytes_{link}"] for link in LINK_CLASSES)
            sums["spectrum_hz_s"] += sum(row[f"airtime_{link}_hz_s"] for link in LINK_CLASSES)
            scalars = {f"validation/{name}": row[name] for name in ("accuracy", "loss", "perplexity") if name in row}
            scalars |= {f"training/{name.removeprefix('train_')}": row[name] for name in ("train_accuracy", "train_loss")}
            scalars |= {"latency/round_s": row["latency_s"], "cost/emulated_time_s": row["end_s"], "real/round_s": row["wall_s"]}
            scalars |= {f"latency/{part}": row[part] for part in rounds.attrs["latency_parts"]}
            scalars |= {"cost/energy_J": sums["energy_j"], "cost/sent_B": sums["bytes"], "cost/spectrum_Hz_s": sums["spectrum_hz_s"]}
            for name, value in scalars.items():
                if math.isfinite(value):
                    self.writers[edge].add_scalar(name, value, row["round"], walltime=row["end_s"])
        self.seen = len(rounds)
        for writer in self.writers.values():
            writer.flush()

    def close(self):
        for writer in self.writers.values():
            writer.close()


def main():
    parser = parser_of("follow", __doc__.splitlines()[0])
    parser.add_argument("file", help="results file of gaisnet (HDF5)")
    parser.add_argument("--tensorboard", required=True, metavar="DIR", help="where the event files go")
    parser.add_argument("--once", action="store_true", help="do not wait for more rounds")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two looks at the file")
    given = parser.parse_args()
    if not given.every > 0:
        parser.error(f"--every {given.every:g}: seconds above 0 are accepted")
    follower = Follower(given.tensorboard)
    writer_in(given.tensorboard).close()  # says at once what is missing
    while True:
        written = is_live(given.file)
        with open_gaisnet(given.file) as file:
            status = text(file.attrs["status"])
            follower.take(table(file, "rounds"))
        if given.once or status != "running" or written is False:
            break
        time.sleep(given.every)
    follower.close()
    print(f"{given.tensorboard}: {follower.seen} rounds; the run is {status}")


if __name__ == "__main__":
    run_tool(main)
