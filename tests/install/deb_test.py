"""The package of Debian that cpack makes: what is in it, what it needs, and that its program runs."""

import pathlib
import shutil
import subprocess

import pytest

for program in ("cpack", "dpkg-deb", "dpkg-shlibdeps"):
    if not shutil.which(program):
        pytest.skip(f"there is no {program}", allow_module_level=True)


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, **options)


@pytest.fixture(scope="module")
def package(build_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    done = run("cpack", "-G", "DEB", "--config", build_folder / "CPackConfig.cmake", "-B", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not installed" not in done.stdout + done.stderr
    return next(folder.glob("gaisnet_*.deb"))


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    assert run("dpkg-deb", "-x", package, folder).returncode == 0
    return folder / "usr"


def test_it_names_what_it_needs(package):
    needed = run("dpkg-deb", "-f", package, "Depends").stdout
    for library in ("libtorch", "libhdf5-cpp", "libopenmpi3", "libboost-program-options", "openmpi-bin"):
        assert library in needed


def test_the_program_in_it_runs(unpacked):
    done = run(unpacked / "bin" / "gaisnet", "plan", "--config", unpacked / "share" / "gaisnet" / "configs" / "quickstart.cfg")
    assert done.returncode == 0, done.stderr
    assert "Bottleneck" in done.stdout
    done = run(unpacked / "bin" / "gaisnet-mpirun", "-n", 2, unpacked / "bin" / "gaisnet", "--version")
    assert done.stdout.startswith("gaisnet "), done.stderr


def test_the_manual_page_has_every_key(unpacked):
    page = (unpacked / "share" / "man" / "man1" / "gaisnet.1").read_text()
    keys = [line.split()[0] for line in run(unpacked / "bin" / "gaisnet", "--help").stdout.splitlines() if line.startswith("  --")]
    assert len(keys) > 150
    for key in keys:
        assert f".B {key.replace('-', chr(92) + '-')}" in page
    if shutil.which("man"):
        shown = run("man", "--warnings", "-l", unpacked / "share" / "man" / "man1" / "gaisnet.1", env={"MANWIDTH": "100", "PATH": "/usr/bin:/bin"})
        assert "--train.lr 0.02" in shown.stdout
        assert not shown.stderr


def test_shells_complete_its_words(unpacked):
    script = unpacked / "share" / "bash-completion" / "completions" / "gaisnet"
    done = run("bash", "-c", f"source {script}; COMP_WORDS=(gaisnet wa) COMP_CWORD=1; _gaisnet; echo ${{COMPREPLY[@]}}")
    assert done.stdout.strip() == "watch"
    assert (unpacked / "share" / "zsh" / "site-functions" / "_gaisnet").stat().st_size > 1000


def test_what_is_in_it_is_a_users(unpacked):
    assert pathlib.Path(unpacked / "include" / "gaisnet" / "gaisnet.hpp").is_file()
    assert not list(unpacked.rglob("*_test*"))
