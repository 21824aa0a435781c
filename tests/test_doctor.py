"""The doctor describes everything, and breaks on nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_data import idx_files, use_small_sets, write_mnist

from coursekit import __version__, checkpoints, data, doctor, ledger
from coursekit.doctor import report
from coursekit.errors import CourseError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path))
    monkeypatch.delenv("COURSEKIT_PROFILE", raising=False)
    return tmp_path


def line(start: str) -> str:
    (found,) = [text for text in report().splitlines() if text.strip().startswith(start)]
    return found.strip()


def test_versions_and_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy
    import torch

    monkeypatch.setenv("COURSEKIT_PROFILE", "smoke")
    text = report()
    assert text.startswith(f"coursekit {__version__}")
    for expected in (f"torch {torch.__version__.partition('+')[0]}", f"numpy {numpy.__version__}",
                     "safetensors ", f"torch uses {torch.get_num_threads()} of"):  # fmt: skip
        assert expected in text
    assert line("profile") == "profile: smoke (from COURSEKIT_PROFILE)"
    assert line("device").startswith("device: ")


def test_a_package_that_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("torch", "no-such-package"))
    assert line("no-such-package") == "no-such-package is not installed"


def test_the_data_folder_and_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"{folder}: COURSEKIT_DATA says so" in report()
    assert "GB free" in line("writable")
    monkeypatch.setenv("COURSEKIT_DATA", str(folder / "not" / "there"))
    assert "does not exist yet" in report()
    (folder / "file").write_text("")
    monkeypatch.setenv("COURSEKIT_DATA", str(folder / "file"))
    assert f"{folder / 'file'} is a file" in report()


def test_a_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As root every folder can be written, so the answer is put into its mouth.
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "set COURSEKIT_DATA" in line("not writable")


def test_data_sets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert line("MNIST:") == "MNIST: absent: python -m coursekit download mnist"
    assert "download cifar10" in line("CIFAR-10:")
    files = idx_files()
    use_small_sets(monkeypatch, files)
    raw = write_mnist(folder, files)
    assert line("MNIST:") == "MNIST: sound"
    labels = raw / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:100])
    assert "train-labels-idx1-ubyte is cut off" in line("MNIST:")
    assert "python -m coursekit download mnist" in line("MNIST:")


def test_synthetic_caches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "SYNTHETIC_SIZES", {"train": 20, "validation": 5, "test": 5})
    assert "drawn when asked for" in line("synthetic digits:")
    data.load("digits")
    assert line("synthetic digits:") == "synthetic digits: kept, sound"
    data.synthetic_cache("digits", folder).write_bytes(b"damaged")
    assert "damaged" in line("synthetic digits:")


def test_checkpoints(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coursekit.files import sha256

    weights = folder / "checkpoints" / "good.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    (weights.parent / "bad.safetensors").write_bytes(b"others")
    right = sha256(weights)
    cards = {
        name: {"file": f"{name}.safetensors", "dataset": "mnist", "sha256": right}
        for name in ("good", "bad", "gone")
    }
    monkeypatch.setattr(checkpoints, "manifest", lambda: cards)
    assert line("good") == "good (mnist): sound"
    assert "damaged" in line("bad") and "bad.safetensors" in line("bad")
    assert line("gone") == "gone (mnist): absent"
    monkeypatch.setattr(checkpoints, "manifest", dict)
    assert "the manifest lists none" in report()


def test_a_broken_part_is_told_and_the_rest_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise CourseError("results.json is not sound JSON; restore it from git.")

    monkeypatch.setattr(ledger, "records", broken)
    monkeypatch.setenv("COURSEKIT_PROFILE", "enormous")
    text = report()
    assert "restore it from git" in text and "'enormous'" in text and "Data sets" in text


def test_the_ledger_is_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "records", lambda: {"a": {}, "b": {}})
    assert line("2 figures in").endswith("results.json")


def test_the_sums_in_the_readme_are_the_ones_used() -> None:
    from coursekit.data import downloads, formats

    text = (Path(__file__).parent.parent / "data" / "README.md").read_text("utf-8")
    for name in formats.PUBLISHED:
        for _, md5, _, files in downloads._parcels(name):
            assert md5 in text
            if name != "cifar10":
                assert all(formats.sums_of(name)[file] in text for file in files)


def test_the_command_prints_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from coursekit.__main__ import main

    assert main(["doctor"]) == 0
    assert str(folder) in capsys.readouterr().out
