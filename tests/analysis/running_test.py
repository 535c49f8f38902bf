"""`import gaisnet`: runs from Python."""

import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

pandas = pytest.importorskip("pandas")

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SMALL = {"data.samples": 60, "network.clients": 3, "train.rounds": 2, "model.weights": "random"}


@pytest.fixture(scope="module")
def module(gaisnet):
    """The package as `pip install ./analysis` would bring it, with the program that is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT)
        patch.syspath_prepend(PROJECT / "analysis")
        patch.setenv("GAISNET", str(gaisnet.program))
        import gaisnet as package
        yield package


@pytest.fixture(scope="module")
def run(module, tmp_path_factory):
    return module.finetune(settings=SMALL, ranks=2, progress=False, output=tmp_path_factory.mktemp("run") / "run.h5")


class TestRuns:
    def test_tables_are_dataframes_with_units(self, run):
        assert list(run.rounds["round"]) == [1, 2]
        assert run.rounds.attrs["units"]["latency_s"] == "s"
        assert run["topology/nodes"]["role"].isin(["edge", "client"]).all()
        assert run.status == "complete"
        assert run.settings["train.rounds"] == "2"
        assert run.totals["energy_j"].iloc[-1] == pytest.approx(run.energy["total_j"].sum())
        assert run.accuracy == pytest.approx(run.rounds["accuracy"].iloc[-1])

    def test_a_table_is_the_readers_own(self, run):
        run.rounds["accuracy"] = 7
        assert run.rounds["accuracy"].max() <= 1

    def test_the_ranks_are_those_that_were_asked_for(self, run):
        assert len(run["topology/ranks"]) == 2

    def test_tables_that_are_not_there_are_named(self, run):
        with pytest.raises(AttributeError, match="rounds"):
            run.losses  # noqa: B018
        with pytest.raises(KeyError, match="topology/nodes"):
            run["topology/hosts"]
        assert "rounds" in dir(run)

    def test_keywords_are_settings(self, module, tmp_path):
        made = module.plan(settings=SMALL, train__rounds=1, network__edges=2, tuning__method="lora", cluster__size=None,
                           output=tmp_path / "plan.h5")
        assert made.settings["network.edges"] == "2"
        assert made.settings["tuning.method"] == "lora"
        assert len(made.rounds) == 2

    def test_opened_results_are_those_of_the_run(self, module, run):
        assert module.open(run.path).rounds.equals(run.rounds)

    def test_results_lie_in_a_folder_of_their_own_unless_told_otherwise(self, module, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        first, second = module.plan(settings=SMALL), module.plan(settings=SMALL)
        assert first.path != second.path
        assert first.path.parent == second.path.parent == pathlib.Path("gaisnet-runs")


class TestErrors:
    def test_refused_settings_are_an_exception_with_the_message(self, module, tmp_path):
        with pytest.raises(module.UsageError, match='train.lr = fast.*"fast" is not a finite number') as caught:
            module.finetune(settings=SMALL, train__lr="fast", progress=False, output=tmp_path / "a.h5")
        assert caught.value.code == 2

    def test_on_several_ranks_the_message_comes_once(self, module, tmp_path):
        with pytest.raises(module.UsageError) as caught:
            module.finetune(settings=SMALL, model__weights="missing.safetensors", ranks=2, progress=False, output=tmp_path / "a.h5")
        assert str(caught.value).count("missing.safetensors") == 1

    def test_a_file_that_is_no_result_is_refused(self, module, tmp_path):
        with pytest.raises(module.UnreadableFile, match="no such file"):
            module.open(tmp_path / "none.h5")

    def test_a_program_that_is_missing_is_named(self, module):
        with pytest.raises(module.UnreadableFile, match="/no/such/gaisnet"):
            module.plan(program="/no/such/gaisnet")

    def test_warnings_are_logged(self, module, tmp_path, caplog):
        with caplog.at_level(logging.WARNING, "gaisnet"):
            module.finetune(settings=SMALL, train__rounds=1, progress=False, output=tmp_path / "a.h5")
        assert any("not pre-trained" in record.getMessage() for record in caplog.records)

    def test_an_interruption_ends_the_program_and_is_told(self, module, tmp_path):
        """In a process of its own, since it is its main thread that is interrupted."""
        script = ("import gaisnet, sys\n"
                  "try:\n"
                  "    gaisnet.finetune(settings={'data.samples': 3000, 'train.rounds': 500, 'model.weights': 'random'}, progress=False,"
                  " output=sys.argv[1])\n"
                  "except gaisnet.Stopped as stopped:\n"
                  "    print('stopped', stopped.code)\n")
        output = tmp_path / "long.h5"
        child = subprocess.Popen([sys.executable, "-c", script, str(output)], stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'analysis'}"})
        while not output.exists() and child.poll() is None:
            time.sleep(0.05)
        timer = threading.Timer(1.0, child.send_signal, (signal.SIGINT,))
        timer.start()
        assert child.communicate(timeout=60)[0].strip() == "stopped 130"


def test_progress_is_shown(module, tmp_path, capfd):
    pytest.importorskip("tqdm")
    module.finetune(settings=SMALL, output=tmp_path / "a.h5")
    assert "round 2/2" in capfd.readouterr().err


def test_the_notebook_runs_and_draws(module, gaisnet, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    book = nbformat.read(PROJECT / "analysis" / "quickstart.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in book.cells), "outputs are made when it is run"
    kernels = tmp_path / "kernels" / "tested"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps({
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "tested", "language": "python",
        "env": {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'analysis'}", "GAISNET": str(gaisnet.program)}}))
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient.client import KernelManager  # noqa: F401
    manager_class = nbclient.NotebookClient(book).create_kernel_manager().__class__
    manager = manager_class(kernel_name="tested", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")]))
    nbclient.NotebookClient(book, km=manager, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    kinds = {kind for cell in book.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
