"""Every command of README and the guide is run as it stands there, in a folder that has what they name. Environment variables
make runs small."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", *sorted(f"analysis/guide/{path.name}" for path in (PROJECT / "analysis" / "guide").glob("*.md")))
RUN = ("build/release/gaisnet", "jobs/", "python3 -m analysis.")
SMALL = {"GAISNET_TRAIN_ROUNDS": "2", "GAISNET_DATA_SAMPLES": "200", "GAISNET_PRETRAIN_SAMPLES": "60", "GAISNET_PRETRAIN_EPOCHS": "1",
         "GAISNET_OVERWRITE": "on", "GAISNET_INFER_REQUESTS": "4", "GAISNET_SERVE_ROUNDS": "3", "GAISNET_PLAN_EFFORT": "200"}
# Commands that are not run here, by a part of their text, and what does instead.
ELSEWHERE = {
    "jobs/quickstart.sh": "builds and installs; its commands are run here one by one",
    "jobs/llm.sh": "tests/jobs/llm_test.py, with small models",
    "jobs/schemes.sh": "tests/jobs/schemes_test.py",
    "build/cuda": "needs a GPU: tests/gpu/run.sh",
    "jobs/paper": "tests/paper",
    "smollm2": "needs a model that jobs/llm.sh downloads",
    "vit_tiny": "needs photographs and weights",
    "gguf2safetensors": "tests/analysis/gguf_test.py",
    "--measure": "trains for minutes: tests/planning/tuning_trial_test.py",
}


def code_of(document):
    """The indented code of a document, block by block: lines that end in a backslash are joined."""
    lines = (PROJECT / document).read_text(encoding="utf-8").splitlines()
    blocks, before = [], ""
    for number, line in enumerate(lines, start=1):
        if line.startswith("    "):
            if not before.startswith("    "):
                blocks.append([])
            blocks[-1].append((number, line[4:]))
        before = line if line else before if before.startswith("    ") and not blocks else line
    return blocks


def commands_of(document):
    found = []
    for block in code_of(document):
        joined = ""
        for number, line in block:
            joined += line
            if joined.endswith("\\"):
                joined = joined[:-1]
                continue
            command = re.split(r"\s{2,}#", joined)[0].strip()
            if command.startswith(RUN) or re.match(r"[A-Z]+=\S.* jobs/", command):
                found.append((f"{pathlib.Path(document).name}:{number}", command))
            joined = ""
    return found


COMMANDS = [command for document in DOCUMENTS for command in commands_of(document)]
PROGRAMS = [(f"{pathlib.Path(document).name}:{block[0][0]}", "\n".join(line for _, line in block))
            for document in DOCUMENTS for block in code_of(document) if re.match(r"(import|from) \w+", block[0][1])]


@pytest.fixture(scope="module")
def shell(gaisnet, tmp_path_factory):
    """Runs a line in the folder that the documents speak of."""
    folder = tmp_path_factory.mktemp("guide")
    for name in ("configs", "jobs", "analysis", "slurm"):
        (folder / name).symlink_to(PROJECT / name)
    (folder / "build" / "release").mkdir(parents=True)
    (folder / "build" / "release" / "gaisnet").symlink_to(gaisnet.program)
    (folder / "results").mkdir()
    environment = {**os.environ, **SMALL, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHON": sys.executable,
                   "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "analysis"), os.environ.get("TENSORBOARDX_PACKAGES", "")]), "GAISNET": str(gaisnet.program), "HOME": str(folder)}
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(sys.executable)

    def run(line):
        return subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=280,
                              stdin=subprocess.DEVNULL)

    def make(line):
        done = run(line)
        assert done.returncode == 0, f"{line}\n{done.stderr}"

    program = "build/release/gaisnet"
    make(f"{program} pretrain --config configs/quickstart.cfg --output results/fm_small.safetensors --progress none")
    make(f"{program} finetune --config configs/quickstart.cfg --model.weights results/fm_small.safetensors "
         "--output results/quickstart.h5 --progress none")
    text = f"{program} finetune --model.family llama --model.weights random --network.edges 2 --cloud.period 1 --progress none"
    make(f"{text} --output a.h5")
    make(f"{text} --tuning.method lora --output b.h5")
    make(f"{program} plan --config configs/phones_lte.cfg --output before.h5")
    make(f"{program} plan --config configs/phones_lte.cfg --optimise order --output after.h5")
    make(f"{program} plan --optimise split --pareto latency,energy --output plans.h5")
    shutil.copy(folder / "results" / "fm_small.safetensors", folder / "fm.safetensors")
    shutil.copy(folder / "results" / "fm_small.safetensors", folder / "model.safetensors")
    shutil.copy(PROJECT / "configs" / "phones_lte.cfg", folder / "phones.cfg")
    shutil.copy(PROJECT / "configs" / "factory_60ghz.cfg", folder / "robots.cfg")
    return run


def test_the_documents_have_commands():
    assert len(COMMANDS) > 40
    assert len(PROGRAMS) > 2


@pytest.mark.parametrize("where, command", [pytest.param(*one, id=one[0]) for one in COMMANDS])
def test_a_command_does_what_it_says(shell, where, command):
    for part, instead in ELSEWHERE.items():
        if part in command:
            pytest.skip(f"{where}: {part}: {instead}")
    done = shell(command)
    if "module 'tensorboardX'" in done.stderr:
        pytest.skip(f"{where}: there is no tensorboardX")
    assert done.returncode == 0, f"{where}: {command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("where, text", [pytest.param(*one, id=one[0]) for one in PROGRAMS])
def test_a_program_of_python_runs(shell, where, text):
    if "analysis.vit" in text:
        pytest.skip(f"{where}: needs images: tests/analysis/vit_test.py")
    pytest.importorskip("plotly")
    done = shell(f"python3 - <<'PROGRAM'\n{text}\nPROGRAM")
    assert done.returncode == 0, f"{where}\n{done.stderr[-3000:]}"


def test_links_between_documents_lead_somewhere():
    for document in (*DOCUMENTS, "CONTRIBUTING.md", "ARCHITECTURE.md"):
        path = PROJECT / document
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{document}: {target}"
