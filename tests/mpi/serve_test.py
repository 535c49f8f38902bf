"""gaisnet serve as a user runs it: policies on a table whose results are known, and decisions over real fine-tuning and
real answers, the same on any number of ranks. Usage: serve_test.py GAISNET MPIRUN_SH. Needs h5py."""

import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish, skip

try:
    import h5py
except ImportError:
    skip("h5py is not installed")

PROGRAM, MPIRUN = sys.argv[1], sys.argv[2]
COMMON = ["--overwrite", "on", "--log_level", "warning", "--progress", "none"]
TABLE = ["--serve.mode", "table", "--serve.profit", "5,6,7; 4,5,7; 3,7,12", "--serve.cost", "3,3; 3,3; 2,2"]
REAL = ["--data.samples", "240", "--network.edges", "2", "--network.clusters", "2", "--network.clients", "3",
        "--tuning.method", "head", "--serve.rounds", "5", "--serve.demand", "12,8", "--serve.price.energy", "0.001",
        "--serve.price.spectrum", "1e-8", "--serve.price.time", "0.1"]


def serve(output, *extra, ranks=1):
    start = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run([*start, PROGRAM, "serve", *COMMON, "--output", str(output), *map(str, extra)],
                          capture_output=True, text=True, timeout=150)


def services(output):
    with h5py.File(output) as file:
        return file["service"][:]


def cash(rows, policy):
    return rows[rows["policy"] == policy.encode()]["cash"][-1]


def tables(folder):
    output = folder / "table.h5"
    done = serve(output, *TABLE, "--serve.policy", "all")
    check("a table is played by all policies", done.returncode == 0, done.stderr[-500:])
    rows = services(output)
    check("... mlcp ends with 85, msip with 50", cash(rows, "mlcp") == 85 and cash(rows, "msip") == 50)
    check("... as an oracle does", cash(rows, "oracle") == 85 and "regret 35" in done.stdout, done.stdout)
    done = serve(output, *TABLE, "--serve.liquidity", "off")
    check("... and with unlimited cash with 92", done.returncode == 0 and cash(services(output), "mlcp") == 92)
    done = serve(output, *TABLE, "--serve.demand", "1; 0", "--serve.policy", "mlcp")
    check("without demand later only the first round earns", cash(services(output), "mlcp") == 5, done.stdout)


def decisions(folder, weights):
    results = []
    for ranks in (1, 2):
        output = folder / f"real{ranks}.h5"
        done = serve(output, *REAL, *weights, ranks=ranks)
        check(f"services on {ranks} rank(s)", done.returncode == 0 and "regret" in done.stdout, done.stderr[-500:])
        results.append((output, services(output)))
    output, rows = results[0]
    same = all((rows[name] == results[1][1][name]).all() for name in rows.dtype.names
               if name not in ("expected", "accuracy"))
    check("... are the same", same)
    check("income is value less cost, and cash adds up", abs(rows["value"] - rows["cost"] - rows["income"]).max() < 1e-12 and
          abs(rows["income"].cumsum() - rows["cash"]).max() < 1e-9)
    with h5py.File(output) as file:
        answers, energy, links = file["inference"][:], file["energy"][:], file["communication/links"][:]
        rounds = file["rounds"][:]
    for row in rows:
        number = row["round"]
        check(f"round {number}: energy is that of /energy", abs(energy["total_j"][energy["round"] == number].sum() -
                                                                row["energy_j"]) < 1e-9 * row["energy_j"])
        price = 0.1 * row["latency_s"] + 0.001 * row["energy_j"] + 1e-8 * row["spectrum_hz_s"]
        check("... spectrum that of /communication, and the cost follows", abs(price - row["cost"]) < 1e-9 * price and
              abs(links["airtime_hz_s"][links["round"] == number].sum() / row["spectrum_hz_s"] - 1) < 1e-9)
        mine = answers[answers["round"] == number]
        if row["action"] == b"infer":
            check("... and every request is answered", len(mine) == row["requests"] and
                  (mine["label"] == mine["predicted"]).sum() == row["right"] == round(row["value"]))
        else:
            check("... and there is a round of training", len(mine) == 0 and number in rounds["round"])
    tuned = [row for row in rows if row["action"] == b"fine_tune"]
    check("mlcp invests in training before it earns", len(tuned) >= 1 and rows["accuracy"][-1] > 0.5)
    check("a version is delivered once to each cluster",
          all(counts_of_deliveries(output, name) <= 1 for name in set(rows["requester"]) - {b""}))
    for policy in ("msip", "random", "always_infer"):
        done = serve(folder / "other.h5", *REAL, *weights, "--serve.policy", policy, "--serve.regret", "off",
                     "--serve.rounds", "3")
        check(f"policy {policy}", done.returncode == 0 and len(services(folder / "other.h5")) == 3, done.stderr[-500:])


def goes_on(folder, weights):
    """Asked to stop after each step in turn, it goes on to the same bits, on one rank and on two."""
    whole, output = folder / "real1.h5", folder / "stopped.h5"
    stops = steps = 0
    for turn in range(20):
        start = [MPIRUN, "-n", "2"] if turn % 2 else []
        process = subprocess.Popen([*start, PROGRAM, "serve", "--log_level", "info", "--progress", "none", "--output",
                                    str(output), "--resume", "auto", *REAL, *weights], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        before = set(output.with_suffix(".ckpt").glob("round_*/DONE"))
        while (not set(output.with_suffix(".ckpt").glob("round_*/DONE")) - before and time.monotonic() < end and
               process.poll() is None):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=100)[1]
        stops += process.returncode == 75
        if process.returncode != 75:
            break
    check("serve that is asked to stop ends with 75, and goes on", process.returncode == 0 and stops > 1,
          f"{process.returncode}, {stops} stops: {said[-500:]}")
    rows, same = services(output), services(whole)
    check("... to the same services", all((rows[name] == same[name]).all() or name in ("expected", "accuracy")
                                          for name in rows.dtype.names), str(rows))
    with h5py.File(whole) as a, h5py.File(output) as b:
        for name in ("inference", "energy", "events"):
            columns = [column for column in a[name].dtype.names if column != "rank"]
            check(f"... and the same /{name}", all((a[name][:][column] == b[name][:][column]).all() for column in columns))
    done = serve(output, *REAL, *weights, "--resume", "auto", "--overwrite", "off", "--log_level", "info")
    check("... and once it has ended nothing is left", done.returncode == 0 and "nothing is left" in done.stderr, done.stderr)


def real_clock(folder, weights):
    slow = [*REAL, *weights, "--serve.rounds", "3", "--serve.regret", "off", "--time_scale", "0.25"]
    begin = time.monotonic()
    done = serve(folder / "clock.h5", *slow, "--clock", "real", ranks=2)
    took = time.monotonic() - begin
    virtual = serve(folder / "virtual.h5", *slow[:-2])
    check("serve with the real clock", done.returncode == virtual.returncode == 0, done.stderr[-500:] + virtual.stderr[-500:])
    rows, same = services(folder / "clock.h5"), services(folder / "virtual.h5")
    check("... does the same", all((rows[name] == same[name]).all() for name in ("action", "model", "requests", "cost")))
    check("... not before its time", took > 0.25 * rows["latency_s"].sum() > 0.2, f"{took} s, {rows['latency_s'].sum()} s")
    with h5py.File(folder / "clock.h5") as file:
        late = file["fidelity"][:]
        check("... and says how late it was", set(late["round"]) == {1, 2, 3} and (late["late_s"] >= 0).all())


def counts_of_deliveries(output, requester):
    """Deliveries to a requester between two trainings of its model."""
    with h5py.File(output) as file:
        rows, events, names = file["service"][:], file["events"][:], list(file["topology/nodes"]["name"])
    node, most, now = names.index(requester), 0, 0
    for row in rows:
        if row["action"] == b"fine_tune":
            now = 0
        elif row["requester"] == requester:
            sent = events[(events["round"] == row["round"]) & (events["kind"] == b"send_modules_down")]
            now += len(sent) > 0
            most = max(most, now)
    return most


def refused(folder):
    for words, extra in (("serve.cost", [*TABLE[:4], "--serve.cost", "3,3; 3,3"]),
                         ("serve.profit", ["--serve.mode", "table"]),
                         ("serve.policy", [*TABLE, "--serve.policy", "greedy"]),
                         ("serve.policy", [*REAL, "--serve.policy", "oracle"]),
                         ("serve.policy", [*REAL, "--serve.policy", "mlcp, msip"]),
                         ("serve.demand", [*REAL, "--serve.demand", "1,2,3"]),
                         ("serve.demand", [*REAL, "--serve.demand", "1.5"]),
                         ("serve.curves", [*REAL, "--serve.curves", "0.1,0.2"]),
                         ("serve.profit", [*REAL, "--serve.profit", "1,2"]),
                         ("cloud.period", [*REAL, "--cloud.period", "1"]),
                         ("battery", [*REAL, "--device.client.battery", "1 kJ"]),
                         ("serve.rounds", [*REAL, "--serve.rounds", "0"])):
        output = folder / "refused.h5"
        done = serve(output, *extra)
        check(f"refused: {words} {extra[-1]}", done.returncode == 2 and words in done.stderr and not output.exists() and
              done.stderr.count("error") == 1, done.stderr[-300:])


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / "model.safetensors"
        done = subprocess.run([PROGRAM, "pretrain", *COMMON, "--pretrain.samples", "400", "--pretrain.epochs", "5", "--output",
                               str(model)], capture_output=True, text=True, timeout=150)
        check("pretrain", done.returncode == 0, done.stderr[-500:])
        tables(folder)
        decisions(folder, ["--model.weights", model])
        goes_on(folder, ["--model.weights", model])
        real_clock(folder, ["--model.weights", model])
        refused(folder)
    finish()


if __name__ == "__main__":
    main()
