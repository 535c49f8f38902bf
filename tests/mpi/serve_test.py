"""gaisnet serve as a user runs it: policies on a table whose results are known, and decisions over real fine-tuning and
real answers, the same on any number of ranks."""

import itertools
import signal
import time

import pytest
from support.processes import wait_until
from support.results import checkpoints, table

COMMON = ("--overwrite", "on", "--log_level", "warning", "--progress", "none")
TABLE = ("--serve.mode", "table", "--serve.profit", "5,6,7; 4,5,7; 3,7,12", "--serve.cost", "3,3; 3,3; 2,2")
REAL = ("--data.samples", 240, "--network.edges", 2, "--network.clusters", 2, "--network.clients", 3,
        "--tuning.method", "head", "--serve.rounds", 5, "--serve.demand", "12,8", "--serve.price.energy", 0.001,
        "--serve.price.spectrum", 1e-8, "--serve.price.time", 0.1)


# Two edges with two start points each; of the second edge fewer requests come.
WAITING = (*REAL[:10], "--serve.rounds", 8, "--serve.cash", 1, "--serve.price.energy", 0.0001, "--serve.arrivals", "poisson",
           "--serve.rate", "12, 4", "--serve.requests", 60, "--serve.deadline", "4 s")


@pytest.fixture(scope="module")
def trained(gaisnet, foundation_model, tmp_path_factory):
    """Eight rounds of fine-tuning of the edges of all runs here: what a service brings and costs, by level, from a run
    that knows nothing of services."""
    output = tmp_path_factory.mktemp("trained") / "trained.h5"
    done = gaisnet("finetune", *COMMON, *REAL[:10], "--model.weights", foundation_model, "--train.rounds", 8, "--output", output)
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def serve(gaisnet):
    return gaisnet.bind("serve", *COMMON)


@pytest.fixture(scope="module")
def real(serve, foundation_model):
    """Decisions over a pre-trained model, not over a table."""
    return serve.bind(*REAL, "--model.weights", foundation_model)


@pytest.fixture(scope="module")
def answered(real, tmp_path_factory):
    """Five rounds of use of both models in turn."""
    output = tmp_path_factory.mktemp("answered") / "answers.h5"
    done = real("--output", output, "--serve.policy", "always_infer")
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def accuracies(answered, trained):
    """At validation, by edge and rounds of fine-tuning; those before any are what is expected of answers without any."""
    rows, rounds = services(answered), table(trained, "rounds")
    return [[rows["expected"][rows["model"] == b"edge%d" % edge][0], *rounds["accuracy"][rounds["edge"] == edge]]
            for edge in range(2)]


@pytest.fixture(scope="module")
def decided(real, tmp_path_factory):
    """The results file of five rounds on one rank."""
    output = tmp_path_factory.mktemp("decided") / "services.h5"
    done = real("--output", output)
    assert done.returncode == 0, done.stderr
    assert "regret" in done.stdout
    return output


def services(output):
    return table(output, "service")


def assert_same_services(output, other):
    """Bit by bit."""
    for name in ("service", "service_candidates", "service_clients", "service_policies"):
        rows, others = table(output, name), table(other, name)
        assert len(rows) == len(others), name
        assert not [column for column in rows.dtype.names if rows[column].tobytes() != others[column].tobytes()], name


def worth_by_validation(output, accuracies, cash):
    """Cash at the end when answers are as often right as at validation, and services cost what they did."""
    for row in services(output):
        cash -= row["cost"]
        if row["action"] == b"infer":
            cash += row["requests"] * accuracies[int(row["model"][4:])][row["level"]]
    return cash


def final_cash(output, policy):
    rows = services(output)
    return rows[rows["policy"] == policy.encode()]["cash"][-1]


class TestTable:
    def test_policies_end_with_the_cash_that_is_known(self, serve, tmp_path):
        output = tmp_path / "table.h5"
        done = serve("--output", output, *TABLE, "--serve.policy", "all")
        assert done.returncode == 0, done.stderr
        assert final_cash(output, "mlcp") == 85
        assert final_cash(output, "msip") == 50
        assert final_cash(output, "oracle") == 85
        assert "regret 35" in done.stdout

    def test_unlimited_cash_earns_more(self, serve, tmp_path):
        output = tmp_path / "unlimited.h5"
        done = serve("--output", output, *TABLE, "--serve.liquidity", "off")
        assert done.returncode == 0, done.stderr
        assert final_cash(output, "mlcp") == 92

    def test_only_the_first_round_earns_without_demand_later(self, serve, tmp_path):
        output = tmp_path / "demand.h5"
        serve("--output", output, *TABLE, "--serve.demand", "1; 0", "--serve.policy", "mlcp")
        assert final_cash(output, "mlcp") == 5


class TestDecisions:
    ROUNDS = range(1, 6)

    def row(self, output, number):
        rows = services(output)
        assert rows["round"].tolist() == list(self.ROUNDS)
        return rows[number - 1]

    def test_two_ranks_decide_the_same(self, real, decided, tmp_path):
        output = tmp_path / "services.h5"
        done = real("--output", output, ranks=2)
        assert done.returncode == 0, done.stderr
        assert "regret" in done.stdout
        assert_same_services(decided, output)

    def test_income_is_value_less_cost_and_cash_adds_up(self, decided):
        rows = services(decided)
        assert abs(rows["value"] - rows["cost"] - rows["income"]).max() < 1e-12
        assert abs(rows["income"].cumsum() - rows["cash"]).max() < 1e-9

    @pytest.mark.parametrize("number", ROUNDS)
    def test_energy_is_that_of_the_energy_table(self, decided, number):
        row, energy = self.row(decided, number), table(decided, "energy")
        spent = energy["total_j"][energy["round"] == number].sum()
        assert abs(spent - row["energy_j"]) < 1e-9 * row["energy_j"]

    @pytest.mark.parametrize("number", ROUNDS)
    def test_spectrum_is_that_of_the_links_and_the_cost_follows(self, decided, number):
        row, links = self.row(decided, number), table(decided, "communication/links")
        spectrum = links["airtime_hz_s"][links["round"] == number].sum()
        assert abs(spectrum / row["spectrum_hz_s"] - 1) < 1e-9
        price = 0.1 * row["latency_s"] + 0.001 * row["energy_j"] + 1e-8 * row["spectrum_hz_s"]
        assert abs(price - row["cost"]) < 1e-9 * price

    @pytest.mark.parametrize("number", ROUNDS)
    def test_requests_are_answered_or_a_model_is_trained(self, decided, number):
        row, answers = self.row(decided, number), table(decided, "inference")
        answers = answers[answers["round"] == number]
        if row["action"] == b"infer":
            assert len(answers) == row["requests"]
            assert (answers["label"] == answers["predicted"]).sum() == row["right"] == round(row["value"])
        else:
            assert len(answers) == 0
            assert number in table(decided, "rounds")["round"]

    def test_mlcp_invests_in_training_before_it_earns(self, decided):
        rows = services(decided)
        assert b"fine_tune" in rows["action"]
        assert rows["accuracy"][-1] > 0.5

    def test_a_version_is_delivered_once_to_each_cluster(self, decided):
        rows, events = services(decided), table(decided, "events")
        delivering = set(events["round"][events["kind"] == b"send_modules_down"])
        for requester in set(rows["requester"]) - {b""}:
            deliveries = 0
            for row in rows:
                if row["action"] == b"fine_tune":
                    deliveries = 0
                elif row["requester"] == requester:
                    deliveries += row["round"] in delivering
                    assert deliveries <= 1, requester

    def test_what_decisions_are_worth_adds_up(self, decided, accuracies):
        (row,) = table(decided, "service_policies")
        assert abs(row["decisions"] - worth_by_validation(decided, accuracies, 0)) < 1e-9
        assert abs(row["regret"] - (row["oracle"] - row["decisions"])) < 1e-9

    def test_the_oracle_is_the_best_of_all_sequences(self, answered, accuracies, trained):
        """All of them are tried out here, with accuracies and costs of a run of fine-tuning alone."""
        rows = services(answered)
        used = [rows[rows["model"] == b"edge%d" % edge] for edge in range(2)]
        asked, answer = [12, 8], [own["cost"].sum() / own["requests"].sum() for own in used]
        energy, events, nodes = (table(trained, name) for name in ("energy", "events", "topology/nodes"))
        rounds = table(trained, "rounds")
        edge_of = dict(zip(nodes["node"], nodes["edge"]))
        tuning = [[], []]
        for edge, number in itertools.product(range(2), range(1, 6)):
            spent = sum(row["total_j"] for row in energy if row["round"] == number and edge_of[row["node"]] == edge)
            spectrum = sum(row["airtime_hz_s"] for row in events if row["round"] == number and edge_of[row["node"]] == edge)
            latency = rounds["latency_s"][(rounds["round"] == number) & (rounds["edge"] == edge)][0]
            tuning[edge].append(0.1 * latency + 0.001 * spent + 1e-8 * spectrum)
        assert tuning[0][0] > 1.01 * tuning[0][1]  # modules and samples come with the first round

        def most(left, cash, levels):
            """With liquidity."""
            if left == 0:
                return cash
            best = most(left - 1, cash, levels)
            for edge in range(2):
                earned = asked[edge] * (accuracies[edge][levels[edge]] - answer[edge])
                paid = tuning[edge][levels[edge]]
                if earned >= 0 or cash + earned >= 0:
                    best = max(best, most(left - 1, cash + earned, levels))
                if cash >= paid:
                    higher = [level + (other == edge) for other, level in enumerate(levels)]
                    best = max(best, most(left - 1, cash - paid, higher))
            return best

        (row,) = table(answered, "service_policies")
        assert abs(row["oracle"] - most(5, 0, [0, 0])) < 1e-6 * row["oracle"]
        assert row["exact"] == 1

    @pytest.mark.parametrize("policy", ["msip", "random", "always_infer"])
    def test_other_policies_run(self, real, tmp_path, policy):
        output = tmp_path / "services.h5"
        done = real("--output", output, "--serve.policy", policy, "--serve.regret", "off", "--serve.rounds", 3)
        assert done.returncode == 0, done.stderr
        assert len(services(output)) == 3


def stop_after_each_step(program, output):
    """Resumes a run until it ends, in turn on one rank and on two, and stops it at each new checkpoint. Returns what resumes it."""
    resume = program.bind("--output", output, "--resume", "auto", "--overwrite", "off", "--log_level", "info")
    stops = 0
    for turn in range(20):
        before = checkpoints(output)
        with resume.start(ranks=2 if turn % 2 else None) as process:
            wait_until(lambda: set(checkpoints(output)) - set(before) or process.poll() is not None, step=0.01)
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=100)
        if process.returncode != 75:
            break
        stops += 1
    assert process.returncode == 0, stderr
    assert stops > 1
    return resume


def test_stopped_after_each_step_in_turn_it_goes_on_to_the_same_bits(real, decided, tmp_path):
    """On one rank and on two."""
    output = tmp_path / "stopped.h5"
    resume = stop_after_each_step(real, output)
    assert_same_services(decided, output)
    for name in ("inference", "energy", "events"):
        rows, others = table(decided, name), table(output, name)
        different = [column for column in rows.dtype.names if column != "rank" and (rows[column] != others[column]).any()]
        assert not different, name
    done = resume()
    assert done.returncode == 0, done.stderr
    assert "nothing is left" in done.stderr


def test_the_real_clock_does_the_same_and_not_before_its_time(real, tmp_path):
    clock, virtual = tmp_path / "clock.h5", tmp_path / "virtual.h5"
    short = real.bind("--serve.rounds", 3, "--serve.regret", "off")
    begin = time.monotonic()
    done = short("--output", clock, "--clock", "real", "--time_scale", 0.25, ranks=2)
    took = time.monotonic() - begin
    assert done.returncode == 0, done.stderr
    done = short("--output", virtual)
    assert done.returncode == 0, done.stderr
    rows, others = services(clock), services(virtual)
    for name in ("action", "model", "requests", "cost"):
        assert (rows[name] == others[name]).all()
    assert took > 0.25 * rows["latency_s"].sum() > 0.2
    late = table(clock, "fidelity")
    assert set(late["round"]) == {1, 2, 3}
    assert (late["late_s"] >= 0).all()


class TestRequestsThatWait:
    @pytest.fixture(scope="class")
    def waiting(self, serve, foundation_model):
        return serve.bind(*WAITING, "--model.weights", foundation_model)

    @pytest.fixture(scope="class")
    def served(self, waiting, tmp_path_factory):
        output = tmp_path_factory.mktemp("served") / "waiting.h5"
        done = waiting("--output", output)
        assert done.returncode == 0, done.stderr
        assert "Requests of clients" in done.stdout
        assert "regret" in done.stdout
        return output

    def test_two_ranks_serve_the_same(self, waiting, served, tmp_path):
        output = tmp_path / "waiting.h5"
        done = waiting("--output", output, ranks=2)
        assert done.returncode == 0, done.stderr
        assert_same_services(served, output)

    def test_what_came_was_answered_or_expired_or_waits(self, served):
        rows, clients = services(served), table(served, "service_clients")
        assert len(clients) == 4
        assert (clients["arrived"] == clients["answered"] + clients["expired"] + clients["waiting"]).all()
        assert clients["answered"].sum() == rows["requests"].sum() == len(table(served, "inference")) > 0
        assert clients["right"].sum() == rows["right"].sum()
        known = clients[clients["answered"] > 0]
        assert (known["longest_wait_s"] <= 4).all()
        assert (known["wait_s"] <= known["longest_wait_s"]).all()

    def test_latencies_of_requests_begin_when_they_come(self, served):
        rows, answers = services(served), table(served, "inference")
        begin = dict(zip(rows["round"], rows["latency_s"].cumsum() - rows["latency_s"]))
        waits = [begin[row["round"]] - row["arrival_s"] for row in answers]
        assert min(waits) > -1e-9
        assert all(row["queue_s"] > wait - 1e-9 for row, wait in zip(answers, waits))
        ends = [row["arrival_s"] + row["latency_s"] for row in answers]
        assert all(end > begin[row["round"]] for row, end in zip(answers, ends))
        clients = table(served, "service_clients")
        mean = (clients["answered"] * clients["wait_s"])[clients["answered"] > 0].sum() / len(waits)
        assert abs(mean - sum(waits) / len(waits)) < 1e-9

    def test_candidates_are_all_edges_and_whose_requests_wait(self, served):
        rows, candidates = services(served), table(served, "service_candidates")
        for row in rows:
            own = candidates[candidates["round"] == row["round"]]
            assert set(own["model"][own["action"] == b"fine_tune"]) == {b"edge0", b"edge1"}
            chosen = own[own["chosen"] == 1]
            assert len(chosen) == (row["action"] != b"none")
            for one in chosen:
                assert (one["action"], one["model"], one["requester"]) == (row["action"], row["model"], row["requester"])
                assert one["requests"] == row["requests"]
                if one["action"] == b"infer":  # the ledger's forecast is what the ledger then charges
                    assert abs(one["latency_s"] - row["latency_s"]) < 1e-9 * row["latency_s"]
                    assert abs(one["cost"] - row["cost"]) < 1e-9 * row["cost"]

    def test_what_decisions_are_worth_adds_up(self, served, accuracies):
        (row,) = table(served, "service_policies")
        assert row["policy"] == b"mlcp"
        assert row["cash"] == services(served)["cash"][-1]
        assert abs(row["decisions"] - worth_by_validation(served, accuracies, 1)) < 1e-9
        assert abs(row["regret"] - (row["oracle"] - row["decisions"])) < 1e-9

    def test_who_knows_what_the_oracle_knows_has_no_regret(self, waiting, accuracies, tmp_path):
        curves = "; ".join(",".join(f"{value:.17g}" for value in edge) for edge in accuracies)
        regrets, oracles = {}, set()
        for policy in ("mlcp", "always_infer"):
            output = tmp_path / f"{policy}.h5"
            done = waiting("--output", output, "--serve.forecast", "known", "--serve.curves", curves, "--serve.policy", policy)
            assert done.returncode == 0, done.stderr
            (row,) = table(output, "service_policies")
            assert abs(row["decisions"] - worth_by_validation(output, accuracies, 1)) < 1e-9
            oracles.add(row["oracle"])
            regrets[policy] = row["regret"]
        assert max(oracles) - min(oracles) < 1e-9 * max(oracles), "it does not depend on what was done"
        assert 0 <= regrets["mlcp"] < 1e-3 * max(oracles)
        assert regrets["always_infer"] > 0.1 * max(oracles)

    def test_fair_serves_the_longest_wait_and_never_tunes(self, waiting, tmp_path):
        output = tmp_path / "fair.h5"
        done = waiting("--output", output, "--serve.policy", "fair", "--serve.regret", "off", "--serve.per_session", 2)
        assert done.returncode == 0, done.stderr
        candidates = table(output, "service_candidates")
        asking = candidates[candidates["action"] == b"infer"]
        assert b"fine_tune" not in services(output)["action"]
        for row in asking[asking["chosen"] == 1]:
            assert row["wait_s"] == asking["wait_s"][asking["round"] == row["round"]].max()
            assert row["requests"] <= 2
        assert len(table(output, "service_policies")) == 0

    @pytest.mark.parametrize("policy", ["msip", "random", "always_infer"])
    def test_other_policies_run_on_a_burst(self, waiting, tmp_path, policy):
        output = tmp_path / "burst.h5"
        done = waiting("--output", output, "--serve.policy", policy, "--serve.regret", "off", "--serve.arrivals", "burst",
                       "--serve.requests", 5, "--serve.rounds", 4)
        assert done.returncode == 0, done.stderr
        assert (table(output, "service_clients")["arrived"] == 5).all()

    def test_a_trace_says_who_asks_when(self, waiting, tmp_path):
        trace, output = tmp_path / "trace.csv", tmp_path / "trace.h5"
        trace.write_text("client, time\ne1.c0.0, 0\ne1.c0.0, 10 ms\n")
        done = waiting("--output", output, "--serve.arrivals", "trace", "--serve.trace", trace, "--serve.policy", "fair",
                       "--serve.regret", "off", "--serve.rounds", 3)
        assert done.returncode == 0, done.stderr
        rows = services(output)
        assert rows["requester"].tolist() == [b"e1.c0.0", b"e1.c0.0", b""]
        assert rows["requests"].tolist() == [1, 1, 0]

    def test_a_trace_of_nobody_is_refused(self, waiting, tmp_path):
        trace = tmp_path / "trace.csv"
        trace.write_text("nobody, 0\n")
        done = waiting("--output", tmp_path / "none.h5", "--serve.arrivals", "trace", "--serve.trace", trace)
        assert done.returncode == 2, done.stderr
        assert "serve.trace: there is no start point nobody" in done.stderr

    def test_stopped_it_goes_on_to_the_same_services(self, waiting, served, tmp_path):
        output = tmp_path / "stopped.h5"
        stop_after_each_step(waiting, output)
        assert_same_services(served, output)
        assert table(served, "inference").tobytes() == table(output, "inference").tobytes()


@pytest.mark.parametrize("settings", [REAL, WAITING], ids=["given", "waiting"])
def test_a_dry_run_forecasts_and_writes_nothing(serve, foundation_model, tmp_path, settings):
    output = tmp_path / "dry.h5"
    dry = serve.bind(*settings, "--model.weights", foundation_model, "--output", output, "--dry-run")
    done = dry(ranks=2)
    assert done.returncode == 0, done.stderr
    for part in ("edge0", "c1.2", "fine-tuning, round 1", "fine-tuning, round 2", "a session of"):
        assert part in done.stdout
    assert "Cash at the end" not in done.stdout
    assert not list(tmp_path.iterdir())
    output.write_bytes(b"of another run")
    assert dry("--overwrite", "on").returncode == 0
    done = dry("--overwrite", "off")
    assert done.returncode == 2
    assert "overwrite" in done.stderr
    assert output.read_bytes() == b"of another run"
    assert list(tmp_path.iterdir()) == [output]
    done = dry("--device.client.memory", "1 MB")
    assert done.returncode == 2
    assert "memory" in done.stderr


@pytest.mark.parametrize("key, settings", [
    ("serve.cost", (*TABLE[:4], "--serve.cost", "3,3; 3,3")),
    ("serve.profit", ("--serve.mode", "table")),
    ("serve.policy", (*TABLE, "--serve.policy", "greedy")),
    ("serve.policy", (*REAL, "--serve.policy", "oracle")),
    ("serve.policy", (*REAL, "--serve.policy", "mlcp, msip")),
    ("serve.demand", (*REAL, "--serve.demand", "1,2,3")),
    ("serve.demand", (*REAL, "--serve.demand", "1.5")),
    ("serve.curves", (*REAL, "--serve.curves", "0.1,0.2")),
    ("serve.profit", (*REAL, "--serve.profit", "1,2")),
    ("cloud.period", (*REAL, "--cloud.period", "1")),
    ("battery", (*REAL, "--device.client.battery", "1 kJ")),
    ("serve.rounds", (*REAL, "--serve.rounds", "0")),
    ("serve.policy", (*REAL, "--serve.policy", "fair")),
    ("serve.arrivals", (*WAITING, "--serve.arrivals", "soon")),
    ("serve.rate", (*WAITING, "--serve.rate", "1,2,3")),
    ("serve.trace", (*WAITING, "--serve.arrivals", "trace")),
    ("serve.deadline", (*WAITING, "--serve.deadline", "never")),
], ids=lambda value: value[-1] if isinstance(value, tuple) else value)
def test_settings_that_are_refused(serve, tmp_path, key, settings):
    output = tmp_path / "refused.h5"
    done = serve("--output", output, *settings)
    assert done.returncode == 2, done.stderr
    assert key in done.stderr
    assert done.stderr.count("error") == 1
    assert not output.exists()
