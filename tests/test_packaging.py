"""pyproject, constraints, conda's environment, the wheel and the README agree with each other."""

import importlib.metadata
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = {
    extra: [Requirement(line) for line in lines]
    for extra, lines in PROJECT["optional-dependencies"].items()
}
EVERYTHING = RUNTIME + EXTRAS["classroom"] + EXTRAS["test"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "dask": "dask-core"}
# Colab's stock image: the course must run there without replacing a package.
COLAB = {"torch": "2.11.0", "numpy": "2.1.3", "matplotlib": "3.10.0", "ipywidgets": "7.7.1"}
CUDA = ("nvidia-", "cuda-", "triton")


def pins():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    found = {canonicalize_name(pin.name): pin for pin in parsed}
    assert len(found) == len(parsed), "a package is pinned twice"
    return found


def pinned_version(pin):
    (specifier,) = pin.specifier
    assert specifier.operator == "==", f"{pin} is not an exact pin"
    return specifier.version


def ranges(requirements):
    return {(canonicalize_name(r.name), str(r.specifier)) for r in requirements}


def needed(requirements):
    """Every distribution that the requirements bring, as installed here."""
    found, queue, seen = {}, list(requirements), set()
    while queue:
        requirement = queue.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        distribution = importlib.metadata.distribution(requirement.name)
        found[key[0]] = distribution.version
        for line in distribution.requires or ():
            child = Requirement(line)
            extras = requirement.extras or {""}
            if child.marker is None or any(child.marker.evaluate({"extra": e}) for e in extras):
                queue.append(child)
    return found


def test_the_pins_are_exact_and_name_no_host():
    body = (ROOT / "constraints.txt").read_text("utf-8")
    assert "://" not in body
    assert "\n-" not in body
    assert len([pinned_version(pin) for pin in pins().values()]) > 100


def test_every_requirement_is_pinned_within_its_range():
    for requirement in EVERYTHING:
        pin = pins().get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not pinned in constraints.txt"
        assert requirement.specifier.contains(pinned_version(pin)), f"{pin} is not in {requirement}"


in_ci_environment = pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv"
    or sys.version_info[:2] != (3, 11)
    or sys.platform != "linux",
    reason="the pins are those of .venv with Python 3.11 on Linux",
)


@in_ci_environment
def test_the_pins_are_what_is_installed_no_more_and_no_less():
    installed, pinned = needed(EVERYTHING), pins()
    assert {name for name in installed if name not in pinned} == set()
    for name, version in installed.items():
        pin = pinned[name]
        if pin.marker is None or pin.marker.evaluate():
            # The CPU build calls itself 2.14.1+cpu.
            assert version.partition("+")[0] == pinned_version(pin), name
    superfluous = {n for n in pinned if n not in installed and not n.startswith(CUDA)}
    assert superfluous == set()


def test_colabs_stock_versions_are_in_the_ranges():
    specifiers = {requirement.name: requirement.specifier for requirement in RUNTIME}
    for name, version in COLAB.items():
        assert specifiers[name].contains(version), f"Colab has {name} {version}"
    assert SpecifierSet(PROJECT["requires-python"]).contains("3.13.0")


def test_the_library_needs_what_the_design_says_and_no_more():
    names = {"torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "tqdm", "safetensors"}
    assert {requirement.name for requirement in RUNTIME} == names | {"scikit-learn", "filelock"}


def conda_requirements(body):
    lines = [line for line in yaml.safe_load(body)["dependencies"] if isinstance(line, str)]
    return {
        (canonicalize_name(name), str(SpecifierSet(specifier)))
        for name, _, specifier in (line.partition(" ") for line in lines)
        if name != "pip"
    }


def wanted_from_conda():
    wanted = {
        (CONDA_NAMES.get(name, name), specifier)
        for name, specifier in ranges(RUNTIME + EXTRAS["classroom"])
    }
    return wanted | {("python", str(SpecifierSet(PROJECT["requires-python"])))}


def test_conda_gets_the_same_names_and_ranges():
    body = (ROOT / "environment.yml").read_text("utf-8")
    assert conda_requirements(body) == wanted_from_conda()
    assert yaml.safe_load(body)["dependencies"][-1] == {"pip": ["-e ."]}


@pytest.mark.parametrize(
    "change", [("numpy >=1.26,<3", "numpy >=1.25,<3"), ("  - tqdm >=4.64,<5\n", "")]
)
def test_a_conda_environment_that_differs_is_caught(change):
    body = (ROOT / "environment.yml").read_text("utf-8")
    assert change[0] in body
    assert conda_requirements(body.replace(*change)) != wanted_from_conda()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("coursekit-*.whl")
    return path


def test_the_wheel_holds_every_module_and_the_package_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        ledger = json.loads(archive.read("coursekit/results.json"))
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "coursekit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert names == sources | {"coursekit/results.json"}
    assert "coursekit/manifest.json" in names
    assert ledger == json.loads((ROOT / "data" / "results.json").read_text("utf-8"))


def test_the_wheel_works_away_from_the_repository(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import coursekit.ledger as ledger; "
        "print(ledger.__file__); print(len(ledger.records()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    where, count = done.stdout.splitlines()
    assert where.startswith(str(tmp_path))
    assert int(count) == len(json.loads((ROOT / "data" / "results.json").read_text("utf-8")))


def make_targets():
    body = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z-]+):", body, re.MULTILINE))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_a_page_names_exists(page):
    body = (ROOT / page).read_text("utf-8")
    fenced = re.findall(r"^make ([a-z-]+)", body, re.MULTILINE)
    inline = re.findall(r"`make ([a-z-]+)", body)
    assert {"test"} <= set(fenced + inline) <= make_targets()


def test_the_readme_gives_each_command_a_block_of_its_own():
    body = (ROOT / "README.md").read_text("utf-8")
    for command in ("make course", "make test", "make lab"):
        assert f"```\n{command}\n```" in body


def test_the_readme_links_exactly_the_notebooks_that_exist():
    body = (ROOT / "README.md").read_text("utf-8")
    linked = set(re.findall(r"\]\(notebooks/([\w.]+\.ipynb)\)", body))
    assert linked == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_the_readme_shows_the_ledgers_figures():
    from coursekit.ledger import fill_markers

    body = (ROOT / "README.md").read_text("utf-8")
    assert fill_markers(body) == body, "python -m coursekit publish markers writes them"
