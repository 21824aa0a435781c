"""`python -m coursekit`: help, exit statuses, one sentence for bad input."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_recipes import place  # noqa: F401 - a fixture

from coursekit.__main__ import main, parser
from coursekit.ledger import records, references


def commands() -> list[str]:
    choices = [a.choices for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return sorted(choices[0])


def call(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        status = main(arguments)
    except SystemExit as error:  # what argparse does
        status = int(error.code or 0)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("command", commands())
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call([command, "--help"], capsys)
    assert status == 0
    assert f"python -m coursekit {command}" in out
    _, top, _ = call(["--help"], capsys)
    assert f"  {command} " in top, "it should stand in the list with a line of its own"


def test_the_commands_of_the_design_are_there() -> None:
    assert {"doctor", "download", "train", "results"} <= set(commands())


@pytest.mark.parametrize("arguments", [[], ["trian"], ["train", "--seeds", "many"]])
def test_what_argparse_refuses(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(arguments, capsys)
    assert (status, out) == (2, "")
    assert "usage:" in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["train"], "--list"),
        (["train", "vae"], "'vae'"),
        (["train", "tiny", "--seeds", "0"], "seeds is 0"),
        (["train", "tiny", "--device", "tpu"], "'tpu'"),
        (["results", "nowhere"], "'nowhere'"),
        (["download", "imagenet"], "imagenet"),
        (["download", "digits"], "digits"),
    ],
)
def test_bad_input_gets_status_2_and_one_sentence(
    arguments: list[str],
    word: str,
    place: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    if arguments[0] == "results":
        (place / "results.json").write_text("[]")
    status, out, err = call(arguments, capsys)
    assert (status, out) == (2, "")
    assert err.startswith("coursekit: ") and word in err
    assert err.count("\n") == 1 and err.endswith(".\n")


def test_train_list(capsys: pytest.CaptureFixture[str]) -> None:
    from coursekit.recipes import RECIPES

    status, out, _ = call(["train", "--list"], capsys)
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(RECIPES)


def test_train_end_to_end(place: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    status, out, _ = call(["train", "tiny", "--device", "cpu"], capsys)
    assert status == 0
    path = place / "checkpoints" / "tiny.safetensors"
    assert out.splitlines()[-1] == str(path) and path.is_file()
    assert "tiny/test_nelbo" in records()
    status, out, _ = call(["train", "tiny", "--device", "cpu"], capsys)
    assert status == 0 and "already trained" in out
    status, out, _ = call(["results"], capsys)
    assert status == 0 and "`tiny/test_nelbo`" in out


def test_ctrl_c_says_how_to_go_on(
    place: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from coursekit.recipes import loops

    def stop(*_args: Any, **_settings: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loops, "fit", stop)
    status, _, err = call(["train", "tiny"], capsys)
    assert status == 130
    assert "goes on" in err and "Traceback" not in err


def test_results_prints_a_part_or_everything(capsys: pytest.CaptureFixture[str]) -> None:
    status, whole, _ = call(["results"], capsys)
    assert status == 0
    assert all(f"`{key}`" in whole for key in {*references(), *records()})
    part = next(iter(references().values()))["part"]
    status, some, _ = call(["results", part], capsys)
    wanted = [key for key, row in references().items() if row["part"] == part]
    assert status == 0
    assert len(some.splitlines()) == len(wanted) + 2


def test_as_a_program() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "coursekit", "results", "nowhere"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr.startswith("coursekit: There is no part 'nowhere'")
    assert "Traceback" not in answer.stderr
