"""Any folder of pictures as a data set: layouts, splits, the cache, and bad folders."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from coursekit.data import folders as picture_folders
from coursekit.data import load
from coursekit.errors import CourseError


def picture(path: Path, number: int, mode: str = "RGB", size: tuple[int, int] = (6, 4)) -> None:
    """A picture of width 6 and height 4 whose red (or grey) value is its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = number if mode == "L" else (number, 100, 200)
    Image.new("L" if mode == "L" else "RGB", size, colour).convert(mode).save(path)


def message(folder: Path | str, where: Path) -> str:
    with pytest.raises(CourseError) as caught:
        load(f"folder:{folder}", folder=where)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


def numbers(split) -> list[int]:
    return split.pictures[:, 0, 0, 0].tolist()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "mine"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_train_and_test_with_classes(root: Path, kept: Path) -> None:
    for i in range(24):
        picture(root / "train" / ("cat" if i % 2 else "dog") / f"{i:02}.png", i)
    for i in range(5):
        picture(root / "test" / "cat" / f"{i}.png", 100 + i)
    loaded = load(f"folder:{root}", folder=kept)
    assert loaded.class_names == ("cat", "dog") and loaded.title == "pictures in mine"
    assert loaded.shape == (3, 4, 6) and loaded.name == f"folder:{root}"
    assert [len(s) for s in (loaded.train, loaded.validation, loaded.test)] == [20, 4, 5]
    assert sorted(numbers(loaded.train) + numbers(loaded.validation)) == list(range(24))
    assert sorted(numbers(loaded.test)) == [100, 101, 102, 103, 104]
    assert loaded.test.labels.tolist() == [0] * 5
    for split in (loaded.train, loaded.validation):
        assert split.labels.tolist() == [1 - n % 2 for n in numbers(split)]
    assert loaded.train.pictures[0, 1:, 0, 0].tolist() == [100, 200]
    assert loaded.train.pictures.dtype == torch.uint8


def test_a_folder_of_the_data_folder_needs_no_path(
    root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(6):
        picture(kept / "mine" / f"{i}.png", i)
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    loaded = load("folder:mine", folder=kept)
    assert (loaded.name, loaded.title) == ("folder:mine", "pictures in mine")
    assert sum(len(s) for s in (loaded.train, loaded.validation, loaded.test)) == 6
    # one at the path itself comes first
    for i in range(9):
        picture(elsewhere / "mine" / f"{i}.png", i)
    loaded = load("folder:mine", folder=kept)
    assert sum(len(s) for s in (loaded.train, loaded.validation, loaded.test)) == 9
    with pytest.raises(CourseError, match="no folder 'yours'"):
        load("folder:yours", folder=kept)


def test_the_first_pictures_of_each_split_are_of_all_classes(root: Path, kept: Path) -> None:
    for part in ("train", "val", "test"):
        for start, kind in ((0, "cat"), (100, "dog")):
            for i in range(40):
                picture(root / part / kind / f"{i}.png", start + i)
    loaded = load(f"folder:{root}", folder=kept)
    for split in (loaded.train, loaded.validation, loaded.test):
        assert split.take(12).labels.unique().tolist() == [0, 1]
        for number, label in zip(numbers(split), split.labels.tolist(), strict=True):
            assert (number >= 100) == bool(label)


@pytest.mark.parametrize("name", ["validation", "val"])
def test_a_validation_folder_is_taken(name: str, root: Path, kept: Path) -> None:
    for part, n in (("train", 6), (name, 3), ("test", 2)):
        for i in range(n):
            picture(root / part / "a" / f"{i}.png", i)
    loaded = load(f"folder:{root}", folder=kept)
    assert [len(s) for s in (loaded.train, loaded.validation, loaded.test)] == [6, 3, 2]


def test_classes_alone(root: Path, kept: Path) -> None:
    for i in range(20):
        picture(root / f"class {i % 4}" / "deeper" / f"{i}.jpg", i * 10)
    loaded = load(f"folder:{root}", folder=kept)
    splits = (loaded.train, loaded.validation, loaded.test)
    assert [len(s) for s in splits] == [16, 2, 2]
    assert loaded.class_names == ("class 0", "class 1", "class 2", "class 3")
    found = sorted(round(n / 10) for split in splits for n in numbers(split))
    assert found == list(range(20))  # disjoint and complete; JPEG may be off by a few


def test_pictures_alone_and_what_is_passed_over(root: Path, kept: Path) -> None:
    for i in range(10):
        picture(root / f"{i}.png", i, "L")
    (root / "notes.txt").write_text("not a picture")
    (root / ".hidden.png").write_text("not read")
    (root / ".cache").mkdir()
    (root / ".cache" / "a.png").write_text("not read")
    loaded = load(f"folder:{root}", folder=kept)
    assert loaded.shape == (1, 4, 6) and loaded.class_names == ("pictures",)
    assert [len(s) for s in (loaded.train, loaded.validation, loaded.test)] == [8, 1, 1]
    assert sorted(numbers(loaded.train) + numbers(loaded.validation) + numbers(loaded.test)) == (
        list(range(10))
    )
    assert numbers(loaded.train) == numbers(load(f"folder:{root}", folder=kept / "b").train)
    assert numbers(loaded.train) != sorted(numbers(loaded.train))


def test_one_coloured_picture_makes_all_coloured(root: Path, kept: Path) -> None:
    for i, mode in enumerate(["L", "L", "RGB", "P", "RGBA", "1"]):
        picture(root / f"{i}.png", 255 if mode == "1" else 50 + i, mode)
    loaded = load(f"folder:{root}", folder=kept)
    assert loaded.shape == (3, 4, 6)
    whole = torch.cat([s.pictures for s in (loaded.train, loaded.validation, loaded.test)])
    grey = whole[(whole[:, 0] == whole[:, 2]).flatten(1).all(1)]
    assert sorted(grey[:, 1, 0, 0].tolist())[:2] == [50, 51]


def test_limit(root: Path, kept: Path) -> None:
    for i in range(30):
        picture(root / f"{i}.png", i)
    assert len(load(f"folder:{root}", folder=kept, limit=5).train) == 5


def test_kept_until_the_folder_changes(
    root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(10):
        picture(root / f"{i}.png", i)
    first = load(f"folder:{root}", folder=kept)
    read: list[str] = []
    decode = picture_folders._decode
    monkeypatch.setattr(
        picture_folders, "_decode", lambda file: (read.append(file), decode(file))[1]
    )
    again = load(f"folder:{root}", folder=kept)
    assert read == [] and again.train.pictures.equal(first.train.pictures)
    assert again.class_names == first.class_names and again.note == first.note
    picture(root / "0.png", 77)
    os.utime(root / "0.png", (1, 1))
    changed = load(f"folder:{root}", folder=kept)
    whole = numbers(changed.train) + numbers(changed.validation) + numbers(changed.test)
    assert 77 in whole and 0 not in whole and len(read) >= 10


def test_missing_and_empty(root: Path, kept: Path) -> None:
    assert str(root) in message(root, kept) and "no folder" in message(root, kept)
    assert "no folder" in message("", kept)
    root.mkdir()
    assert "no pictures" in message(root, kept) and str(root) in message(root, kept)
    (root / "class").mkdir()
    assert "no pictures" in message(root, kept)
    picture(root / "train" / "a" / "1.png", 1)
    assert "no test/" in message(root, kept)
    (root / "test").mkdir()
    assert f"no pictures in {root / 'test'}" in message(root, kept)


def test_too_few(root: Path, kept: Path) -> None:
    picture(root / "1.png", 1)
    picture(root / "2.png", 2)
    assert "too few" in message(root, kept)


def test_mixed_sizes(root: Path, kept: Path) -> None:
    for i in range(5):
        picture(root / f"{i}.png", i)
    picture(root / "5.png", 5, size=(6, 5))
    text = message(root, kept)
    assert "6 x 4" in text and "6 x 5" in text and "5.png" in text and "0.png" in text
    assert not kept.exists()


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_damaged_picture(content: bytes | None, root: Path, kept: Path) -> None:
    for i in range(5):
        picture(root / f"{i}.png", i)
    broken = root / "3.png"
    broken.write_bytes(broken.read_bytes()[:50] if content is None else content)
    assert "3.png cannot be read" in message(root, kept)


def test_sixteen_bits(root: Path, kept: Path) -> None:
    root.mkdir()
    for i in range(3):
        Image.fromarray(np.full((4, 6), 60000, np.uint16)).save(root / f"{i}.png")
    assert "8 bits" in message(root, kept)


def test_more_than_fits_in_memory(root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(5):
        picture(root / f"{i}.png", i)
    monkeypatch.setattr(picture_folders, "MOST_BYTES", 5 * 6 * 4 * 3 - 1)
    assert "memory" in message(root, kept)
    monkeypatch.setattr(picture_folders, "MOST_BYTES", 5 * 6 * 4 * 3)
    assert len(load(f"folder:{root}", folder=kept).train) == 3


def test_works_where_nothing_can_be_kept(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(5):
        picture(root / f"{i}.png", i)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert len(load(f"folder:{root}", folder=blocked).train) == 3
    assert capsys.readouterr().out.count("\n") == 1
