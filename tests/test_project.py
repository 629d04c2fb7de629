"""What the project promises as a whole: its floors, its commands, its environments, its pages."""

import ast
import graphlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import nbformat
import pytest
import yaml

from helpers.storage import ROOT

# made of torch; everything else loads it only when it is needed
TORCH_MODULES = tuple(
    f"helpers.{name}"
    for name in (
        "training",
        "autoencoder",
        "irmae",
        "generation",
        "preprocessing",
        "checks.autoencoder",
        "checks.degrees_of_freedom",
        "checks.irmae",
    )
)
CONDA_NAMES = {"torch": "pytorch", "opencv-python": "opencv", "playwright": "playwright-python"}
PACKAGE_NAMES = {  # of packages that are imported under another name
    "IPython": "ipython",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "cvxpy": "cvxpy-base",
    "skdim": "scikit-dimension",
    "sklearn": "scikit-learn",
    "surprise": "scikit-surprise",
    "yaml": "pyyaml",
}
PART_OF = {  # what comes with a package that is asked for
    "cycler": "matplotlib",
    "docutils": "sphinx",
    "ipykernel": "jupyterlab",
    "ipython": "ipywidgets",
    "jupyter-client": "jupyterlab",
    "jupyter-server": "jupyterlab",
    "nbclient": "jupyterlab",
    "nbconvert": "jupyterlab",
    "nbformat": "jupyterlab",
    "py4j": "pyspark",
}
# rows of CONTRIBUTING.md's table of floors
ROWS = re.findall(r"^\| (\d) \| ([^|]+) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
FLOOR = {
    "helpers." + name.removesuffix("/").removesuffix(".py").replace("/", "."): int(floor)
    for floor, files in ROWS
    for name in re.findall(r"`([\w/.]+)`", files)
}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def modules() -> dict[str, Path]:
    paths = [p for p in (ROOT / "helpers").rglob("*.py") if p.name != "__init__.py"]
    return {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in paths}


def floor_of(name: str) -> int:
    """Of a file: its own, or that of its folder."""
    assert FLOOR.keys() & {name, name.rpartition(".")[0]}, f"give {name} a floor in CONTRIBUTING.md"
    return FLOOR.get(name, FLOOR.get(name.rpartition(".")[0]))


def imported_by(name: str) -> set[str]:
    """Files of the package that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(modules()[name].read_text())))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found & modules().keys()


@pytest.mark.parametrize("name", modules())
def test_module_imports_from_no_higher_floor(name):
    assert all(floor_of(other) <= floor_of(name) for other in imported_by(name)), imported_by(name)


def test_no_imports_go_round_in_a_circle():
    order = graphlib.TopologicalSorter({name: imported_by(name) for name in modules()})
    assert len(list(order.static_order())) == len(modules())


def raises_itself(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether a function, or the start of a class, has a ``raise`` of its own."""
    starts = [
        part
        for part in node.body
        if isinstance(node, ast.FunctionDef)
        or getattr(part, "name", "") in ("__init__", "__post_init__")
    ]
    inside = [found for part in starts for found in ast.walk(part)]
    return any(isinstance(found, ast.Raise) and found.exc is not None for found in inside)


def without_raises(source: str) -> list[str]:
    """Public functions and classes that raise errors and don't say which in their docstring."""
    return [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and node.name not in ("main", "run_here")  # they end a command
        and raises_itself(node)
        and "Raises\n" not in (ast.get_docstring(node) or "")
    ]


@pytest.mark.parametrize("name", modules())
def test_public_functions_say_what_they_raise(name):
    assert without_raises(modules()[name].read_text(encoding="utf-8")) == []


def test_a_function_that_hides_its_error_is_noticed():
    told = '"""Do.\n\n    Raises\n    ------\n    ValueError\n    """'
    assert without_raises("def f(x):\n    raise ValueError") == ["f"]
    assert without_raises(f"def f(x):\n    {told}\n    raise ValueError") == []
    assert without_raises("class C:\n    def __init__(self):\n        raise TypeError") == ["C"]
    assert without_raises("def _f(x):\n    raise ValueError") == []


def test_table_of_floors_names_files_that_exist():
    for name in FLOOR:
        path = ROOT / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), name


def test_every_module_has_a_test_file():
    names = ("_".join(name.split(".")[1:]).replace("__main__", "main") for name in modules())
    missing = [n for n in names if not (ROOT / "tests" / f"test_{n}.py").exists()]
    assert missing == []


def test_import_loads_nothing_heavy():
    code = "import sys, helpers; print(sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(name, *sorted({"torch", "cv2"} & set(sys.modules)))
"""


def heavy_imports(*names: str) -> list[str]:
    """Of modules imported one after the other: each with what is loaded of PyTorch and OpenCV."""
    command = [sys.executable, "-c", IMPORTS, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", TORCH_MODULES)
def test_networks_load_torch_on_import_and_not_opencv(name):
    assert heavy_imports(name) == [f"{name} torch"]


def test_nothing_else_loads_torch_or_opencv_on_import():
    names = sorted(modules().keys() - set(TORCH_MODULES))
    assert heavy_imports(*names) == names


def requirements() -> dict[str, str]:
    project = PYPROJECT["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["test"]
    return dict(re.fullmatch(r"([\w-]+)(.*)", line).groups() for line in lines)


def all_requirements() -> list[str]:
    """Names of the packages that the project asks for, with those of its extras."""
    project = PYPROJECT["project"]
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    return [re.match(r"[\w-]+", line)[0] for line in lines]


def imported_packages(path: Path) -> set[str]:
    """What a file imports, anywhere in it, that is neither the project's nor Python's own."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in found} - sys.stdlib_module_names - {"helpers", "tests"}


def test_every_package_that_is_imported_is_asked_for():
    asked_for = set(all_requirements())
    for path in sorted([*(ROOT / "helpers").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]):
        for package in imported_packages(path):
            name = PACKAGE_NAMES.get(package, package.replace("_", "-").lower())
            whole = PART_OF.get(name, name)
            assert whole in asked_for, f"{path.name} imports {package}: declare it"


@pytest.mark.parametrize("part", PART_OF)
def test_parts_come_with_what_is_asked_for(part):
    whole = PART_OF[part]
    try:
        lines = metadata.requires(whole)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{whole} is not installed here")
    needs = [re.match(r"[\w-]+", line)[0].lower().replace("_", "-") for line in lines]
    others = [
        metadata.requires(name) or [] for name in needs if name.startswith(("jupyter-", "nb"))
    ]
    assert any(
        re.match(rf"{part}\b", line.lower().replace("_", "-")) for line in [*lines, *chain(*others)]
    )


def flattened(lines: list) -> list[str]:
    """Packages of a conda environment, with those that pip brings."""
    return [name for line in lines for name in (line["pip"] if isinstance(line, dict) else [line])]


def test_conda_environment_has_the_same_packages_and_ranges():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    listed = flattened(listed)
    conda = dict(re.fullmatch(r"([\w-]+)(.*)", line).groups() for line in listed)
    assert conda.pop("python") == PYPROJECT["project"]["requires-python"]
    assert conda.pop("pip") == ""
    assert conda == {CONDA_NAMES.get(name, name): spec for name, spec in requirements().items()}


def test_binder_has_the_environment_without_tests_and_without_cuda():
    full, binder = (
        yaml.safe_load((ROOT / folder / "environment.yml").read_text())
        for folder in ("", ".binder")
    )
    tests = {CONDA_NAMES.get(name, name) for name in names_for_tests()}
    lines = flattened(full["dependencies"])
    expected = [line for line in lines if re.match(r"[\w-]+", line)[0] not in tests]
    found = [
        line.replace("pytorch-cpu", "pytorch") for line in flattened(binder.pop("dependencies"))
    ]
    assert found == expected
    assert binder == {key: full[key] for key in ("name", "channels")}
    assert os.access(ROOT / ".binder" / "postBuild", os.X_OK)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="nothing to clone")
def test_the_cell_for_colab_finds_the_course_without_a_restart(tmp_path):
    readme = (ROOT / "README.md").read_text()
    cell = re.search(r"^    !git clone .*?(?=\n\n)", readme, re.M | re.S)[0]
    cell = cell.replace("ADDRESS", f"'{ROOT.as_uri()}'")
    with_cell = f"get_ipython().run_cell({textwrap.dedent(cell)!r}).raise_error()"
    code = f"{with_cell}; import helpers.pca; print(helpers.pca.__file__)"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = Path(done.stdout.splitlines()[-1])
    assert found.resolve() == (tmp_path / "course" / "helpers" / "pca.py").resolve()


def names_for_tests() -> list[str]:
    return [
        re.match(r"[\w-]+", line)[0]
        for line in PYPROJECT["project"]["optional-dependencies"]["test"]
    ]


def test_citation_and_settings_for_editors_can_be_read():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (PYPROJECT["project"]["version"], "MIT")
    assert json.loads((ROOT / ".vscode" / "settings.json").read_text())
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    steps = [s.get("run") for job in workflow["jobs"].values() for s in job["steps"]]
    assert {".ci/run", "make pages"} <= set(steps)


def test_jupyter_s_configuration_names_the_hook():
    path = ROOT / "helpers" / "assets" / "jupyter_server_config.json"
    name = json.loads(path.read_text())["FileContentsManager"]["pre_save_hook"]
    module, function = name.rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), function))


def test_every_package_of_the_environment_has_its_reason():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    packages = [line for line in lines if re.match(r" +- (?!conda-forge|pip:)", line)]
    assert [line for line in packages if "#" not in line and "python>=" not in line] == []


def test_pages_link_to_files_that_exist():
    for page in ("README.md", "CONTRIBUTING.md", "data/README.md"):
        text = (ROOT / page).read_text()
        targets = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src="([^"]+)"', text)
        for target in targets:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_readme_lists_every_chapter():
    text = (ROOT / "README.md").read_text()
    for chapter in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"(notebooks/{chapter.name})" in text
        assert f"notebooks/covers/{chapter.stem}.png" in text


# ---- the Makefile, in a folder of its own


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the set-up needs, in a folder whose name has what shells trip over."""
    folder = tmp_path / "Prof's cours é, $x"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "helpers/assets/jupyter_server_config.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def make(folder, *arguments, **environment):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")} | environment,
        capture_output=True,
        text=True,
    )


def script(path: Path, body: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_make_alone_lists_the_commands(checkout):
    listed = make(checkout).stdout.splitlines()
    names = [line.split("\t")[0] for line in listed]
    assert names == [
        "help",
        "lab",
        "test",
        "test-all",
        "run",
        "portable",
        "check",
        "oldest",
        "data",
        "slides",
        "pages",
        "benchmark",
        "lint",
        "clean",
    ]
    assert all(len(line.split("\t")[1]) > 10 for line in listed)


@pytest.mark.parametrize(
    ("python", "words"),
    [
        (None, "no python-of-nowhere"),
        ('case "$*" in -V) echo Python 3.9.2;; *version_info*) exit 1;; esac', "is Python 3.9.2"),
        ('case "$*" in *ensurepip*) exit 1;; esac', "sudo apt-get install python3-venv"),
    ],
    ids=["no Python", "old Python", "no venv"],
)
def test_what_is_missing_is_named(checkout, python, words):
    name = "python-of-nowhere" if python is None else script(checkout.parent / "python", python)
    done = make(checkout, "test", f"PYTHON={name}")
    assert done.returncode != 0
    assert words in done.stdout
    assert not (checkout / ".venv").exists()


def test_full_disk_is_named(checkout):
    script(checkout.parent / "bin" / "df", "echo header; echo disk 1 1 3000000 1% /")
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    for arguments, needed in (((), 9), (("TORCH=cpu",), 4)):
        done = make(checkout, "test", *arguments, PATH=path)
        assert done.returncode != 0
        assert f"The disk has 3 GB left; torch and the rest take up to {needed}." in done.stdout


def fake_python(checkout, opencv="exit 0"):
    """A Python whose environments only note what they are asked to do."""
    inside = checkout / "inside"
    script(inside, f'echo "$*" >> calls\ncase "$*" in *cv2*) {opencv};; esac')
    body = 'case "$*" in "-m venv .venv") mkdir -p .venv/bin; cp inside .venv/bin/python;; esac'
    return script(checkout.parent / "python", body)


def test_missing_library_of_opencv_is_named_and_setup_is_not_taken_for_done(checkout):
    python = fake_python(checkout, opencv="echo libGL.so.1 >&2; exit 1")
    done = make(checkout, "test", f"PYTHON={python}")
    assert done.returncode != 0
    assert "libgl1 libglib2.0-0" in done.stdout
    assert not (checkout / ".venv" / "ready").exists()


def test_second_start_installs_nothing_unless_the_folder_was_moved(checkout):
    python = fake_python(checkout)
    assert make(checkout, "lab", f"PYTHON={python}").returncode == 0
    assert (checkout / ".venv/etc/jupyter/jupyter_server_config.json").exists()
    calls = (checkout / "calls").read_text()
    assert "pip install" in calls
    assert "jupyterlab --ip=127.0.0.1" in calls
    assert "default_url=/lab/tree/work/01_pca_svd.ipynb" in calls
    assert calls.index("-m helpers.copies") < calls.index("-m jupyterlab --ip")
    (checkout / "calls").unlink()
    assert make(checkout, "lab", f"PYTHON={python}").returncode == 0
    assert "pip install" not in (checkout / "calls").read_text()
    moved = checkout.rename(checkout.parent / "moved")
    python = fake_python(moved)
    assert make(moved, "lab", f"PYTHON={python}").returncode == 0
    assert "pip install" in (moved / "calls").read_text()


def without_uv() -> str:
    """A PATH on which uv is not found."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(f for f in folders if not (Path(f) / "uv").exists())


def test_uv_installs_where_there_is_one_and_pip_otherwise(checkout):
    python = fake_python(checkout)
    make(checkout, "lab", f"PYTHON={python}", PATH=without_uv())
    assert "-m pip install --disable-pip-version-check --editable .[test]" in calls_of(checkout)
    uv = script(checkout.parent / "a bin" / "uv", 'echo "uv $*" >> calls')
    with_uv = f"{Path(uv).parent}:{without_uv()}"
    shutil.rmtree(checkout / ".venv")
    make(checkout, "lab", f"PYTHON={python}", PATH=with_uv)
    calls = calls_of(checkout)
    assert "uv pip install --python .venv/bin/python --editable .[test]" in calls
    assert "-m pip" not in calls


def test_torch_for_the_cpu_comes_through_uv_which_pip_brings(checkout):
    python = fake_python(checkout)
    make(checkout, "lab", f"PYTHON={python}", PATH=without_uv())
    calls_of(checkout)
    assert make(checkout, "test", "-n", PATH=without_uv()).stdout.count("install") == 0
    make(checkout, "lab", "TORCH=cpu", f"PYTHON={python}", PATH=without_uv())
    calls = calls_of(checkout)
    assert "-m pip install --quiet --disable-pip-version-check uv" in calls
    reinstalled = "--reinstall-package torch --reinstall-package torchvision"
    wanted = f"--python .venv/bin/python --torch-backend cpu {reinstalled} --editable .[test]"
    assert f"-m uv pip install {wanted}" in calls
    for again in (("TORCH=cpu",), ()):  # it is there now, and stays
        make(checkout, "lab", *again, f"PYTHON={python}", PATH=without_uv())
        assert "install" not in calls_of(checkout)


def calls_of(checkout) -> str:
    """What the fake Python was asked to do since the last time."""
    calls = (checkout / "calls").read_text()
    (checkout / "calls").unlink()
    return calls


def test_without_a_display_the_address_is_printed_instead(checkout):
    python = fake_python(checkout)
    if sys.platform == "darwin":
        pytest.skip("macOS always has a display")
    make(checkout, "lab", f"PYTHON={python}", DISPLAY="", WAYLAND_DISPLAY="")
    assert "--no-browser" in (checkout / "calls").read_text()
    (checkout / "calls").unlink()
    make(checkout, "lab", f"PYTHON={python}", DISPLAY=":0")
    assert "--no-browser" not in (checkout / "calls").read_text()


def test_notebooks_pass_where_no_home_can_be_written(tmp_path):
    cell = nbformat.v4.new_code_cell("import matplotlib.pyplot", execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python",
        "language": "python",
    }
    nbformat.write(notebook, tmp_path / "one.ipynb")
    home = {"HOME": os.devnull, "XDG_CONFIG_HOME": os.devnull, "XDG_CACHE_HOME": os.devnull}
    own = {"JUPYTER_RUNTIME_DIR": str(tmp_path), "IPYTHONDIR": str(tmp_path)}
    environment = {k: v for k, v in os.environ.items() if k != "MPLCONFIGDIR"}
    command = "-m pytest -q -p conftest -p no:cacheprovider --nbval --nbval-current-env --rootdir"
    done = subprocess.run(
        [sys.executable, *command.split(), str(tmp_path), str(tmp_path / "one.ipynb")],
        cwd=ROOT,
        env=environment | home | own,
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout
