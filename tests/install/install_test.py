"""The installed package: a program of 20 lines is built against it and trains, on one rank and on two.
Usage: install_test.py BUILD MPIRUN. BUILD is a build folder of the project."""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checks import check, finish

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parents[1]


def done(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, **more)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build, mpirun = (pathlib.Path(word).resolve() for word in sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        result = done("cmake", "--install", build, "--prefix", folder / "there")
        check("the package is installed", result.returncode == 0 and (folder / "there/bin/gaisnet").exists(),
              result.stderr[-2000:])
        result = done("cmake", "-S", HERE, "-B", folder / "guest", "-G", "Ninja",
                      f"-DCMAKE_PREFIX_PATH={folder / 'there'}", "-DCMAKE_BUILD_TYPE=Release")
        check("... found by CMake", result.returncode == 0, result.stdout[-1000:] + result.stderr[-2000:])
        result = done("cmake", "--build", folder / "guest")
        check("... and a program is built against it", result.returncode == 0, result.stdout[-4000:])
        guest = folder / "guest" / "guest"
        if guest.exists():
            rows = []
            for ranks in (1, 2):
                result = done(*([mpirun, "-n", ranks] if ranks > 1 else []), guest,
                              PROJECT / "configs/quickstart.cfg", folder / f"on{ranks}.h5", cwd=folder)
                lines = [line for line in result.stdout.splitlines() if line.startswith("round ")]
                check(f"... which trains on {ranks} rank(s)", result.returncode == 0 and len(lines) == 2 and
                      (folder / f"on{ranks}.safetensors").exists(), result.stdout + result.stderr[-2000:])
                rows.append((lines, (folder / f"on{ranks}.safetensors").read_bytes()))
            check("... to the same modules", rows[0] == rows[1], str([lines for lines, _ in rows]))
            for ranks in (1, 2):
                result = done(*([mpirun, "-n", ranks] if ranks > 1 else []), guest,
                              PROJECT / "configs/quickstart.cfg", folder / "on1.h5", cwd=folder)
                check(f"... and hears what is wrong on {ranks} rank(s), once", result.returncode == 2 and
                      result.stderr.count("gaisnet: error:") == 1 and "on1.h5" in result.stderr, result.stderr)
    finish()


if __name__ == "__main__":
    main()
