"""The house rules of the source tree: who includes whom, how long a file may be, and that the documents are not stale.

Needs no compiler: pytest reads the files. The second half of this file shows on toy trees that every rule can fail.
"""

import fnmatch
import graphlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The rooms, which are the folders of src/, from the lowest to the highest. A room includes itself and those before it.
ROOMS = (
    "base",
    "text",
    "settings",
    "emulation",
    "scenario",
    "network",
    "data",
    "transport",
    "model",
    "runtime",
    "results",
    "roles",
    "rounds",
    "planning",
    "experiment",
)

# Rooms where torch, MPI, CUDA and NCCL may be included. No file of the others reaches a header of these.
HEAVY_ROOMS = ("transport", "model", "experiment")
HEAVY_HEADER = re.compile(r"(torch|ATen|c10|nccl|cuda)\b.*|(torch|mpi|mpi-ext|nccl\w*|cuda\w*|cu[a-z]+)\.h")

LONGEST_FILE = 550
MEASURED = (".cpp", ".hpp", ".py", ".sh", ".c")
# Data tables that may be longer: path -> reason.
LONG_TABLES: dict[str, str] = {}

DOCUMENTS = ("ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", *sorted(f"analysis/guide/{path.name}" for path in
                                                                       (ROOT / "analysis" / "guide").glob("*.md")))
FOLDERS = ("src", "jobs", "tests", "configs", "analysis", "slurm")
# Paths that the documents name and that need not exist: path -> reason.
FILES_OF_USERS = {"slurm/sites/local.env": "facts of a site, written by its users"}


# --- #include


def source_files(root):
    return sorted(file for file in (root / "src").rglob("*") if file.suffix in (".cpp", ".hpp"))


def included_names(file):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', file.read_text(), re.MULTILINE)


def include_graph(root):
    """Path below src/ -> the files of src/ that it includes."""
    src = root / "src"
    graph = {}
    for file in source_files(root):
        found = (candidate for name in included_names(file) for candidate in (src / name, file.parent / name))
        graph[str(file.relative_to(src))] = {
            str(target.resolve().relative_to(src.resolve())) for target in found if target.is_file()
        }
    return graph


def room_of(path):
    """The room of a path below src/; empty for a file that stands above all rooms."""
    return path.split("/")[0] if "/" in path else ""


def room_graph(graph):
    rooms = {}
    for file, targets in graph.items():
        rooms.setdefault(room_of(file), set()).update(room_of(target) for target in targets)
    return {room: targets - {room} for room, targets in rooms.items()}


def circle_in(graph):
    """A circle as a list whose first and last entries are equal; None where there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return None


def upward_includes(graph, rooms):
    floor = {room: number for number, room in enumerate(rooms)}
    top = len(rooms)  # gaisnet.hpp, which includes the rooms and is included by none
    return [
        f"{file} includes {target}"
        for file, targets in sorted(graph.items())
        for target in sorted(targets)
        if floor.get(room_of(target), top) > floor.get(room_of(file), top)
    ]


def heavy_includes(root, heavy_rooms):
    """Ways from the files of all other rooms to a heavy header, a shortest one each."""
    graph = include_graph(root)
    heavy = {
        file: next((name for name in included_names(root / "src" / file) if HEAVY_HEADER.fullmatch(name)), None)
        for file in graph
    }
    ways = []
    for start in (file for file in graph if room_of(file) and room_of(file) not in heavy_rooms):
        queue, seen = [[start]], {start}
        for way in queue:
            if heavy[way[-1]]:
                ways.append(" -> ".join([*way, heavy[way[-1]]]))
                break
            queue += ([*way, target] for target in sorted(graph[way[-1]] - seen))
            seen |= graph[way[-1]]
    return ways


# --- Length


def long_files(root, longest, exceptions=()):
    counts = {
        str(file.relative_to(root)): len(file.read_text().splitlines())
        for folder in ("src", "jobs", "tests")
        for file in sorted((root / folder).rglob("*"))
        if file.suffix in MEASURED
    }
    return [f"{name}: {lines} lines" for name, lines in counts.items() if lines > longest and name not in exceptions]


# --- Documents


def code_and_prose(text):
    """The lines of indented or fenced code, and the rest."""
    code, prose = [], []
    fenced = False
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        (code if fenced or fence or line.startswith("    ") else prose).append(line)
    return code, "\n".join(prose)


def backticked(text):
    """What stands in backticks, which may go on in the next line."""
    spans = re.findall(r"`((?:[^`\n]|\n(?!\n))+)`", code_and_prose(text)[1])
    return [" ".join(span.split()) for span in spans]


def named_paths(text, rooms=()):
    """Paths in backticks, links and code. In backticks a source file's path may begin with a room of src/."""

    def paths_in(part, folders):
        found = re.findall(rf"(?<![\w./~$-])(?:{'|'.join(folders)})/[\w./*-]*", part)
        return {path.rstrip(".") for path in found}

    def is_source(path):  # results/run.h5 is a file of a run, whatever rooms there are
        return Path(path).suffix in ("", ".cpp", ".hpp", ".*")

    paths = set()
    for span in backticked(text):
        paths |= paths_in(span, FOLDERS) | {path for path in paths_in(span, rooms) if rooms and is_source(path)}
    code, prose = code_and_prose(text)
    for line in code:
        paths |= paths_in(line, FOLDERS)
    links = re.findall(r"\]\(([^)#]+)", prose)
    return paths | {link for link in links if "://" not in link}


def is_there(root, path):
    """Whether a path exists. NAME stands for anything, and a suffix may be missing."""
    pattern = re.sub(r"\bNAME\b", "*", path).rstrip("/")
    return any(any(start.glob(each)) for start in (root, root / "src") for each in (pattern, pattern + ".*"))


def stale_paths(root, text):
    rooms = [folder.name for folder in (root / "src").iterdir() if folder.is_dir()]
    return sorted(
        path for path in named_paths(text, rooms) if path not in FILES_OF_USERS and not is_there(root, path)
    )


CODE_SUFFIXES = (".cpp", ".hpp", ".c", ".py", ".sh", ".sbatch", ".cfg", ".env", ".def", ".cmake", ".txt", ".in")


class Vocabulary:
    """What the tree says: its words, file names and settings."""

    def __init__(self, root):
        files = [
            file
            for folder in FOLDERS
            for file in (root / folder).rglob("*")
            if file.suffix in CODE_SUFFIXES and not file.is_relative_to(root / "tests/rules")
        ]
        files += [file for file in (root / "CMakeLists.txt", root / "CMakePresets.json") if file.exists()]
        self.texts = [file.read_text() for file in files]
        self.words_of = [set(re.findall(r"\w+", text)) for text in self.texts]
        self.words = set().union(*self.words_of)
        self.file_names = {file.name for file in files}
        self.literals = {
            literal
            for room in ("scenario", "settings")
            for file in (root / "src" / room).glob("*.[ch]pp")
            for literal in re.findall(r'"([^"\n]*)"', file.read_text())
        }

    def has_key(self, key):
        """Whether `link.d2d.rate` is a setting: `link.d2d` and `rate` are strings of the settings. * is any part."""

        def is_literal(pattern):
            return bool(fnmatch.filter(self.literals, pattern))

        dots = [place for place, letter in enumerate(key) if letter == "."]
        return is_literal(key) or any(is_literal(key[:dot]) and is_literal(key[dot + 1 :]) for dot in dots)

    def has_member(self, scoped):
        """Whether the parts of `class::member` stand in one file."""
        parts = set(scoped.split("::"))
        return any(parts <= words for words in self.words_of)

    def has_dotted(self, name):
        return self.has_key(name) or any(name in text for text in self.texts)


FILE_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*\.(?:cpp|hpp|c|py|sh|sbatch|cfg|env|def)")
DOTTED = re.compile(r"[a-z]\w*(?:\.(?:\w+|\*))+")


def stale_symbols(vocabulary, text, rooms=()):
    """Names in backticks that the tree does not have: files, settings, class::member, and every other word."""
    stale = set()
    paths = sorted(named_paths(text, rooms), key=len, reverse=True)
    for span in backticked(text):
        for path in paths:
            span = span.replace(path, " ")
        for token in re.findall(r"[\w:.*-]+", span):
            token = token.strip(":-")
            if token.endswith("..."):
                known = any(word.startswith(token.removesuffix("...")) for word in vocabulary.words)
            elif FILE_NAME.fullmatch(token):
                known = token in vocabulary.file_names
            elif "::" in token:
                known = vocabulary.has_member(token)
            elif DOTTED.fullmatch(token):
                known = vocabulary.has_dotted(token)
            else:
                words = [word for word in re.findall(r"\w+", token) if not word.isupper()]
                known = all(word in vocabulary.words or word.isdigit() for word in words)
            if not known:
                stale.add(token)
    return sorted(stale)


def stale_settings(vocabulary, text):
    """Settings with a section, as flags anywhere or in backticks, that the program does not have."""
    code, _ = code_and_prose(text)
    spans = backticked(text)
    flags = re.findall(r"(?<!\S)--([a-z]\w*(?:\.\w+)+)", "\n".join([*code, *spans]))
    sections = {literal.split(".")[0] for literal in vocabulary.literals}
    names = [span.split(" ")[0] for span in spans]
    keys = [
        name
        for name in names
        if DOTTED.fullmatch(name) and not FILE_NAME.fullmatch(name) and name.split(".")[0] in sections
    ]
    return sorted({key for key in flags + keys if not vocabulary.has_key(key)})


# --- Environment


def refused_variables(root):
    """Variables GAISNET_... that scripts and tests read or export and that the program, which inherits them, would refuse."""
    accepted = re.search(r"of_scripts\{(.*?)\}", (root / "src/settings/sources.cpp").read_text(), re.DOTALL)[1]
    pattern = re.compile(r"""(?:\$\{?|export |environ(?:\.get\(|\[)["'])(GAISNET_[A-Z_]+)""")
    used = {name for folder in ("jobs", "slurm", "tests") for file in (root / folder).rglob("*")
            if file.suffix in (".sh", ".sbatch", ".py") and file != Path(__file__) for name in pattern.findall(file.read_text())}
    return sorted(used - set(re.findall(r'"(\w+)"', accepted)))


# --- The tree keeps the rules


@pytest.fixture(scope="module")
def graph():
    return include_graph(ROOT)


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary(ROOT)


def check_none(violations):
    assert not violations, "\n".join(violations)


def document(name):
    return (ROOT / name).read_text()


def test_files_include_each_other_in_no_circle(graph):
    assert circle_in(graph) is None


def test_rooms_include_each_other_in_no_circle(graph):
    assert circle_in(room_graph(graph)) is None


def test_every_room_has_a_floor():
    assert sorted(folder.name for folder in (ROOT / "src").iterdir() if folder.is_dir()) == sorted(ROOMS)


def test_rooms_include_only_what_is_below_them(graph):
    check_none(upward_includes(graph, ROOMS))


def test_light_rooms_reach_neither_torch_nor_mpi_nor_cuda():
    check_none(heavy_includes(ROOT, HEAVY_ROOMS))


def test_no_file_is_too_long():
    check_none(long_files(ROOT, LONGEST_FILE, LONG_TABLES))


def test_long_tables_are_still_there():
    check_none([name for name in LONG_TABLES if not (ROOT / name).exists()])


def test_what_runs_leave_is_not_in_the_tree():
    """Plans name the absolute path of their network."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout of git")
    left = (".plan.cfg", ".plan.json", ".network.json", ".predictions.csv", ".ckpt")
    check_none([name for name in listed.stdout.splitlines() if name.endswith(left)])


def test_the_architecture_names_every_room():
    text = document("ARCHITECTURE.md")
    check_none([room for room in ROOMS if f"src/{room}/" not in text])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_paths_in_documents_exist(name):
    links = r"\]\([^)]*\)"  # they are relative to the document: tests/guide follows them
    check_none(stale_paths(ROOT, re.sub(links, "]", document(name))))


def test_symbols_in_the_architecture_exist(vocabulary):
    check_none(stale_symbols(vocabulary, document("ARCHITECTURE.md"), ROOMS))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_settings_in_documents_exist(name, vocabulary):
    check_none(stale_settings(vocabulary, document(name)))


def test_the_program_accepts_the_variables_of_scripts():
    check_none(refused_variables(ROOT))


# --- The rules can fail


@pytest.fixture
def toy(tmp_path):
    """Makes a tree of files from their paths and texts."""

    def make(files):
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return make


def including(*names):
    return "#pragma once\n" + "".join(f'#include "{name}"\n' for name in names)


def test_a_circle_of_files_is_found(toy):
    root = toy({
        "src/low/a.hpp": including("low/b.hpp"),
        "src/low/b.hpp": including("c.hpp"),  # beside it
        "src/low/c.hpp": "#pragma once\n  #  include <low/a.hpp>\n",
    })
    circle = circle_in(include_graph(root))
    assert circle[0] == circle[-1]
    assert set(circle) == {"low/a.hpp", "low/b.hpp", "low/c.hpp"}


def test_a_file_that_includes_itself_is_a_circle(toy):
    assert circle_in(include_graph(toy({"src/low/a.hpp": including("low/a.hpp")}))) is not None


def test_a_circle_of_rooms_without_one_of_files_is_found(toy):
    graph = include_graph(toy({
        "src/low/a.hpp": "",
        "src/low/b.hpp": including("high/b.hpp"),
        "src/high/a.hpp": including("low/a.hpp"),
        "src/high/b.hpp": "",
    }))
    assert circle_in(graph) is None
    assert set(circle_in(room_graph(graph))) == {"low", "high"}


def test_a_tree_without_circles_passes(toy):
    graph = include_graph(toy({
        "src/low/a.hpp": including("vector", "low/b.hpp"),
        "src/low/b.hpp": "",
        "src/high/a.cpp": including("low/a.hpp", "low/b.hpp"),
    }))
    assert graph["high/a.cpp"] == {"low/a.hpp", "low/b.hpp"}
    assert circle_in(graph) is None
    assert circle_in(room_graph(graph)) is None


def test_an_include_from_below_is_found(toy):
    graph = include_graph(toy({
        "src/low/a.cpp": including("low/a.hpp", "high/a.hpp", "all.hpp"),
        "src/low/a.hpp": "",
        "src/high/a.hpp": including("low/a.hpp"),
        "src/all.hpp": including("high/a.hpp"),
    }))
    assert upward_includes(graph, ("low", "high")) == ["low/a.cpp includes all.hpp", "low/a.cpp includes high/a.hpp"]
    assert upward_includes(graph, ("high", "low")) == ["high/a.hpp includes low/a.hpp", "low/a.cpp includes all.hpp"]


@pytest.mark.parametrize(
    "header",
    ["ATen/ATen.h", "ATen/ops/cat.h", "c10/core/Allocator.h", "cuda_runtime_api.h", "mpi-ext.h", "mpi.h", "nccl.h",
     "torch/version.h"],
)
def test_a_heavy_header_is_found_through_project_headers(toy, header):
    root = toy({
        "src/light/a.cpp": including("light/a.hpp"),
        "src/light/a.hpp": including("vector", "mixed/a.hpp"),
        "src/mixed/a.hpp": f"#include <{header}>\n",
    })
    assert heavy_includes(root, ("mixed", "heavy")) == [
        f"light/a.cpp -> light/a.hpp -> mixed/a.hpp -> {header}",
        f"light/a.hpp -> mixed/a.hpp -> {header}",
    ]


def test_light_headers_pass(toy):
    root = toy({
        "src/light/a.cpp": including("vector", "nlohmann/json.hpp", "light/torch_words.hpp", "fmt/format.h", "cmath"),
        "src/light/torch_words.hpp": including("sys/mman.h"),
        "src/heavy/a.cpp": including("light/torch_words.hpp", "mpi.h"),
    })
    assert heavy_includes(root, ("mixed", "heavy")) == []


def test_a_long_file_is_found(toy):
    root = toy({
        "src/low/a.cpp": "\n" * 11,
        "src/low/b.cpp": "\n" * 10,
        "jobs/run.sh": "\n" * 12,
        "tests/oracle/table.py": "\n" * 99,
        "tests/oracle/table.csv": "\n" * 99,
    })
    exceptions = {"tests/oracle/table.py": "a table"}
    assert long_files(root, 10, exceptions) == ["src/low/a.cpp: 11 lines", "jobs/run.sh: 12 lines"]


def test_a_stale_path_is_found(toy):
    there = ("src/low/a.cpp", "src/low/a.hpp", "src/low/kinds/one.cpp", "jobs/run.sh", "NEWS.md")
    root = toy(dict.fromkeys(there, ""))
    text = """
`src/low/` and `src/low/a.*` and `low/a` and `low/a.cpp` are there, and `src/low/kinds/NAME.cpp`, `jobs/run.sh --help`.
`low/run.h5` is a file of a run.
`src/low/b.cpp`, `low/b`, `src/gone/` and `src/gone/NAME.cpp` are not; `results/b.h5` is nobody's. src/prose/ is prose.
See [news](NEWS.md), [licence](LICENCE) and [a page](https://example.org/src/page).

    jobs/run.sh build/jobs/gone.sh | jobs/gone.sh     # configs/gone.cfg

```
src/fenced.cpp
```
"""
    assert stale_paths(root, text) == [
        "LICENCE", "configs/gone.cfg", "jobs/gone.sh", "low/b", "src/fenced.cpp", "src/gone/", "src/gone/NAME.cpp",
        "src/low/b.cpp",
    ]


def words(toy):
    return Vocabulary(toy({
        "src/scenario/training.hpp": 'section key{"train"};\nint rounds = key.count("rounds", "3");\n',
        "src/scenario/links.hpp": 'section("link.d2d");\nkey.drawn("rate");\n',
        "src/roles/edge.hpp": "struct edge_role { void play_round(); void check_links(); };\n",
        "src/roles/client.hpp": "struct client_role { void serve(); };\n",
        "tests/rules/tree_test.py": "gone_symbol\n",
    }))


@pytest.mark.parametrize(
    "span",
    ["edge_role", "edge_role::play_round", "play_round()", "check_...", "train.rounds", "train.rounds = 3",
     "train.rounds = N", "link.*.rate", "link.d2d.*", "key.count", "edge.hpp", "--rounds 5", "src/gone.cpp"],
)
def test_a_symbol_of_the_tree_passes(toy, span):
    assert stale_symbols(words(toy), f"Of `{span}`.") == []


@pytest.mark.parametrize(
    ("span", "stale"),
    [("gone_symbol", "gone_symbol"), ("edge_role::serve", "edge_role::serve"), ("gone()", "gone"),
     ("gone_...", "gone_..."), ("train.rate_of", "train.rate_of"), ("gone.rounds", "gone.rounds"),
     ("link.d2d.rounds_left = 3", "link.d2d.rounds_left"), ("gone.hpp", "gone.hpp"), ("--gone 5", "gone"),
     ("train.rounds\n= gone", "gone")],
)
def test_a_stale_symbol_is_found(toy, span, stale):
    assert stale_symbols(words(toy), f"Of `{span}`, and of\n`edge_role`.") == [stale]


def test_a_stale_setting_is_found(toy):
    text = """
`train.rounds` and `link.d2d.rate`, `link.*` and `file.attrs`; not `train.gone = 3` or `--train.lost 3`.

    gaisnet plan --train.rounds 3 --link.d2d.speed 5
"""
    assert stale_settings(words(toy), text) == ["link.d2d.speed", "train.gone", "train.lost"]


def test_a_variable_that_the_program_would_refuse_is_found(toy):
    root = toy({
        "src/settings/sources.cpp": 'const std::set<std::string> of_scripts{"GAISNET_ROOT"};\n',
        "jobs/run.sh": "cd $GAISNET_ROOT\nexport GAISNET_SHELL\n",
        "tests/a_test.py": 'os.environ.get("GAISNET_ROOT") or os.environ["GAISNET_PYTEST"]\n',
    })
    assert refused_variables(root) == ["GAISNET_PYTEST", "GAISNET_SHELL"]
