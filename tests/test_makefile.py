"""The Makefile installs once, again when something changed, and never leaves a false stamp."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or sys.platform == "win32", reason="there is no make here"
)

# Stands in for Python: makes "environments" with itself inside and writes down what pip is asked.
FAKE = """#!/bin/sh
case "$*" in
  *version_info*) exit ${FAKE_TOO_OLD:-0} ;;
  "-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
  "-m pip --version") exit 0 ;;
  "-m pip"*) echo "$*" >> "$FAKE_LOG"; exit ${FAKE_PIP:-0} ;;
esac
"""
STAMP = ".venv/.installed"


@pytest.fixture
def course(tmp_path):
    folder = tmp_path / "a course"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (tmp_path / "python").write_text(FAKE)
    (tmp_path / "python").chmod(0o755)
    return folder


def make(folder, *arguments, **environment):
    log = folder.parent / "log"
    log.unlink(missing_ok=True)
    done = subprocess.run(
        ["make", f"PYTHON={folder.parent / 'python'}", *arguments],
        cwd=folder,
        env={**os.environ, "FAKE_LOG": str(log), "MAKEFLAGS": "", **environment},
        capture_output=True,
        text=True,
    )
    return done, log.read_text() if log.exists() else ""


def test_it_installs_once_with_the_pins(course):
    done, asked = make(course, STAMP)
    assert done.returncode == 0, done.stderr
    assert "-c constraints.txt" in asked
    assert "-e .[classroom,test]" in asked
    assert "--extra-index-url" not in asked
    assert (course / STAMP).is_file()
    assert make(course, STAMP)[1] == ""


def test_it_installs_again_when_a_pin_changed(course):
    make(course, STAMP)
    later = (course / STAMP).stat().st_mtime + 5
    os.utime(course / "constraints.txt", (later, later))
    assert make(course, STAMP)[1] != ""


def test_it_installs_again_where_the_folder_was_moved_or_python_is_gone(course):
    make(course, STAMP)
    moved = course.rename(course.parent / "moved")
    assert make(moved, STAMP)[1] != ""
    assert make(moved, STAMP)[1] == ""
    (moved / ".venv/bin/python").unlink()
    assert make(moved, STAMP)[1] != ""


def test_a_broken_installation_leaves_no_stamp(course):
    done, _ = make(course, STAMP, FAKE_PIP="1")
    assert done.returncode != 0
    assert not (course / STAMP).exists()
    make(course, STAMP)
    later = (course / STAMP).stat().st_mtime + 5
    os.utime(course / "pyproject.toml", (later, later))
    assert make(course, STAMP, FAKE_PIP="1")[0].returncode != 0
    assert not (course / STAMP).exists()


def test_cpu_takes_torchs_own_index(course):
    assert (
        "--extra-index-url https://download.pytorch.org/whl/cpu" in make(course, STAMP, "CPU=1")[1]
    )


def test_a_python_that_is_too_old_gets_one_sentence(course):
    done, asked = make(course, STAMP, FAKE_TOO_OLD="1")
    assert done.returncode != 0
    assert asked == ""
    assert "needs Python 3.10 or newer" in done.stderr.splitlines()[0]


@pytest.mark.parametrize("script", [".ci/run"])
def test_the_shell_scripts_parse(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)
