"""Where files stand, and that they are written whole or not at all; the budgets' table."""

from __future__ import annotations

import hashlib
import math
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

import coursekit
from coursekit import files, profiles
from coursekit.errors import CourseError
from coursekit.files import atomic_path, data_folder, data_folder_and_reason, repository, sha256

# --- folders -----------------------------------------------------------------------------------


def course(folder: Path) -> Path:
    (folder / "notebooks" / "deep").mkdir(parents=True)
    (folder / "coursekit").mkdir()
    (folder / "coursekit" / "__init__.py").touch()
    return folder


def test_repository_is_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = course(tmp_path / "course")
    assert repository(root) == repository(root / "notebooks" / "deep") == root.resolve()
    assert repository(tmp_path) is None
    monkeypatch.chdir(root / "notebooks")
    assert repository() == root.resolve()


def test_half_a_course_is_none(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    assert repository(tmp_path) is None
    (tmp_path / "coursekit").mkdir()
    assert repository(tmp_path) is None


def test_data_folder_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = course(tmp_path / "course")
    monkeypatch.chdir(root / "notebooks")
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "mine"
    monkeypatch.setenv("COURSEKIT_DATA", "~/pictures")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert data_folder() == tmp_path / "pictures"
    monkeypatch.setenv("COURSEKIT_DATA", "")
    assert data_folder() == root.resolve() / "data"
    monkeypatch.delenv("COURSEKIT_DATA")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")
    folder, reason = data_folder_and_reason()
    assert folder == tmp_path / "cache" / "coursekit"
    assert "COURSEKIT_DATA" in reason


def test_data_folder_need_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / "not" / "there"))
    assert not data_folder().exists()


def test_package_repository_is_where_the_package_lies(tmp_path: Path) -> None:
    assert files.package_repository() == Path(coursekit.__file__).resolve().parent.parent


# --- whole or not at all -----------------------------------------------------------------------


def test_atomic_path_makes_folders_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "a.txt"
    for text in ("one", "two"):
        with atomic_path(target) as temporary:
            assert temporary.parent == target.parent and temporary.suffix == ".txt"
            assert not target.exists() or target.read_text() == "one"
            temporary.write_text(text)
    assert target.read_text() == "two"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [True, False])
def test_a_failure_leaves_the_old_file(
    tmp_path: Path, failure: type[BaseException], old: bool
) -> None:
    target = tmp_path / "a.txt"
    if old:
        target.write_text("old")
    with pytest.raises(failure), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert [path.name for path in tmp_path.iterdir()] == (["a.txt"] if old else [])
    assert not old or target.read_text() == "old"


def test_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with atomic_path("a.txt") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such permissions")
def test_others_may_read_what_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("shared")
        assert os.umask(0o022) == 0o022, "the umask was changed"
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_an_unwritable_folder_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CourseError, match="COURSEKIT_DATA") as caught,
        atomic_path(tmp_path / "file" / "a.txt"),
    ):
        pytest.fail("the body must not run")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_two_writers_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as one, atomic_path(tmp_path / "a.txt") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a.txt").read_text() == "one"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 5])
def test_sha256(tmp_path: Path, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    (tmp_path / "a").write_bytes(content[:size])
    assert sha256(tmp_path / "a") == hashlib.sha256(content[:size]).hexdigest()


# --- seeds and budgets -------------------------------------------------------------------------


def test_seed_everything() -> None:
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        draws = []
        for seed in (3, 3, 4):
            coursekit.seed_everything(seed)
            numpy_draw = np.random.rand()  # noqa: NPY002
            draws.append((random.random(), numpy_draw, torch.rand(1).item()))
        assert draws[0] == draws[1]
        assert all(one != other for one, other in zip(draws[0], draws[2], strict=True))
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])  # noqa: NPY002


@pytest.mark.parametrize("value", ["smoke", "quick", "full", " Smoke "])
def test_profile_from_the_environment(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSEKIT_PROFILE", value)
    assert profiles.profile() == value.strip().lower()


@pytest.mark.parametrize(("gpu", "expected"), [(True, "full"), (False, "quick")])
def test_profile_by_default(gpu: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSEKIT_PROFILE", "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert profiles.profile() == expected


def test_unknown_profiles_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSEKIT_PROFILE", "fast")
    with pytest.raises(CourseError, match=r"'fast'.*smoke, quick, full"):
        profiles.profile()
    with pytest.raises(CourseError, match=r"'ful'.*smoke, quick, full"):
        profiles.budget("vae-mlp", "ful")
    with pytest.raises(CourseError, match="vae-mlp"):
        profiles.budget("vae", "smoke")


@pytest.mark.parametrize("run", profiles._TABLE)
def test_budgets_grow_with_the_profile(run: str) -> None:
    smoke, quick, full = (profiles.budget(run, name) for name in profiles.PROFILES)
    assert 1 <= smoke.epochs <= quick.epochs <= full.epochs
    sizes = [math.inf if b.pictures is None else b.pictures for b in (smoke, quick, full)]
    assert sizes == sorted(sizes) and 1 <= sizes[0] < math.inf
    if run.startswith(("vae", "study")):  # fit refuses fewer pictures than one batch
        assert all(n >= b.batch_size for n, b in zip(sizes, (smoke, quick, full), strict=True))
