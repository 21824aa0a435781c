"""Data sets: reading with checks, fixed splits, and what `prepare` and its kin do to bytes."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import torch
from fake_data import TEST, TRAIN, idx, idx_files, use_small_sets, write_mnist
from torch import Tensor

from coursekit import data, synthetic
from coursekit.data import DataSet, Split, formats, load
from coursekit.data.splits import fixed_shuffle
from coursekit.errors import CourseError

IMAGES = "train-images-idx3-ubyte"


def message(call, *args, **keywords) -> str:
    """The one sentence a bad input earns."""
    with pytest.raises(CourseError) as caught:
        call(*args, **keywords)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and text.count(". ") == 0
    return text


def numbers(pictures: Tensor) -> list[int]:
    """The number that each fake picture carries."""
    return (pictures[:, 0, 0, 0].int() * 256 + pictures[:, 0, 0, 1].int()).tolist()


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a small, sound MNIST."""
    files = idx_files()
    use_small_sets(monkeypatch, files)
    write_mnist(tmp_path, files)
    return tmp_path


class TestPublished:
    def test_shapes_types_and_names(self, mnist: Path) -> None:
        loaded = load("mnist", folder=mnist)
        assert (loaded.name, loaded.title, loaded.shape, loaded.dims) == (
            "mnist", "MNIST", (1, 28, 28), 784,
        )  # fmt: skip
        assert loaded.class_names == tuple("0123456789")
        assert "fixed shuffle" in loaded.note and "500" in loaded.note
        sizes = {"train": TRAIN - TEST, "validation": TEST, "test": TEST}
        for name, n in sizes.items():
            split = getattr(loaded, name)
            assert split.pictures.shape == (n, 1, 28, 28) and split.pictures.dtype == torch.uint8
            assert split.labels.shape == (n,) and split.labels.dtype == torch.int64
            assert split.pictures.is_contiguous() and split.factors is None and len(split) == n

    def test_splits_are_disjoint_complete_and_fixed(self, mnist: Path) -> None:
        loaded = load("mnist", folder=mnist)
        train, validation = numbers(loaded.train.pictures), numbers(loaded.validation.pictures)
        assert sorted(train + validation) == list(range(TRAIN))
        assert train + validation == fixed_shuffle(TRAIN).tolist()
        assert train != sorted(train)
        assert numbers(loaded.test.pictures) == list(range(10_000, 10_000 + TEST))
        again = load("mnist", folder=mnist)
        assert numbers(again.train.pictures) == train

    def test_labels_stay_with_their_pictures(self, mnist: Path) -> None:
        loaded = load("mnist", folder=mnist)
        for split in (loaded.train, loaded.validation, loaded.test):
            assert [n % 10 for n in numbers(split.pictures)] == split.labels.tolist()

    def test_the_shuffle_never_changes(self) -> None:
        order = fixed_shuffle(60_000)
        assert order[:5].tolist() == [3048, 19563, 58303, 8870, 40228]
        assert order[-2:].tolist() == [43567, 2732]
        assert order.sort().values.equal(torch.arange(60_000))
        assert order.dtype == torch.int64

    def test_limit_takes_the_first(self, mnist: Path) -> None:
        whole, some = load("mnist", folder=mnist), load("mnist", folder=mnist, limit=50)
        assert numbers(some.train.pictures) == numbers(whole.train.pictures)[:50]
        assert len(some.validation) == len(some.test) == TEST  # at least 200 are wanted
        assert len(load("mnist", folder=mnist, limit=10**6).train) == TRAIN - TEST

    def test_packed_files_are_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = idx_files()
        use_small_sets(monkeypatch, files)
        write_mnist(tmp_path, files, packed=True)
        assert len(load("mnist", folder=tmp_path).train) == TRAIN - TEST

    def test_nothing_is_downloaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import socket

        def no_network(*_: object, **__: object) -> None:
            raise AssertionError("load opened a connection")

        monkeypatch.setattr(socket, "socket", no_network)
        for name in ("mnist", "fashion_mnist", "cifar10"):
            assert f"download {name}`" in message(load, name, folder=tmp_path)
        load("auto", folder=tmp_path, limit=5)


class TestBrokenFiles:
    """Each names the file, what is wrong, and the command that mends it."""

    def check(self, folder: Path, *parts: str, file: str = IMAGES) -> None:
        text = message(load, "mnist", folder=folder)
        for part in (file, "python -m coursekit download mnist", *parts):
            assert part in text, text
        assert message(load, "auto", folder=folder) == text  # auto never falls back silently
        assert formats.state("mnist", folder) == text

    def test_missing(self, mnist: Path) -> None:
        (mnist / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
        self.check(mnist, "missing", file="t10k-labels-idx1-ubyte")

    @pytest.mark.parametrize("keep", [0, 3, 10, 16, 5000])
    def test_truncated(self, mnist: Path, keep: int) -> None:
        path = mnist / "MNIST/raw" / IMAGES
        path.write_bytes(path.read_bytes()[:keep])
        self.check(mnist, "cut off")

    def test_too_long(self, mnist: Path) -> None:
        with (mnist / "MNIST/raw" / IMAGES).open("ab") as file:
            file.write(b"more")
        self.check(mnist, "too long")

    def test_one_wrong_byte(self, mnist: Path) -> None:
        path = mnist / "MNIST/raw" / IMAGES
        content = bytearray(path.read_bytes())
        content[4000] ^= 1
        path.write_bytes(content)
        self.check(mnist, "MD5")

    def test_labels_in_place_of_pictures(self, mnist: Path) -> None:
        raw = mnist / "MNIST/raw"
        (raw / IMAGES).write_bytes((raw / "train-labels-idx1-ubyte").read_bytes())
        self.check(mnist, "0x0801")

    def test_a_web_page_in_place_of_pictures(self, mnist: Path) -> None:
        (mnist / "MNIST/raw" / IMAGES).write_bytes(b"<html>not found</html>")
        self.check(mnist, "starts with")

    def test_wrong_shape(self, mnist: Path) -> None:
        import numpy as np

        (mnist / "MNIST/raw" / IMAGES).write_bytes(idx(np.zeros((TRAIN, 14, 14), np.uint8)))
        self.check(mnist, "(600, 14, 14)", "(600, 28, 28)")

    def test_packed_and_cut_off(self, mnist: Path) -> None:
        path = mnist / "MNIST/raw" / IMAGES
        packed = gzip.compress(path.read_bytes())
        path.unlink()
        (path.parent / f"{IMAGES}.gz").write_bytes(packed[: len(packed) // 2])
        self.check(mnist, "cannot be read")

    def test_packed_nonsense(self, mnist: Path) -> None:
        path = mnist / "MNIST/raw" / IMAGES
        path.unlink()
        (path.parent / f"{IMAGES}.gz").write_bytes(b"not a gzip file")
        self.check(mnist, "cannot be read")

    def test_sound_and_absent_are_told(self, mnist: Path, tmp_path: Path) -> None:
        assert formats.state("mnist", mnist) == "sound"
        assert formats.state("fashion_mnist", tmp_path) == "absent"


class TestCifar10:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        import hashlib
        import pickle

        import numpy as np

        kind, base = formats.torchvision_class("cifar10"), tmp_path / "cifar-10-batches-py"
        base.mkdir()
        n, sums = 40, {}
        for i, (file, _) in enumerate((*kind.train_list, *kind.test_list)):
            pixels = np.full((n, 3072), i, np.uint8)
            pixels[:, :1024] = np.arange(n)[:, None]  # red carries the number
            content = pickle.dumps({"data": pixels, "labels": [j % 10 for j in range(n)]})
            (base / file).write_bytes(content)
            sums[file] = hashlib.md5(content).hexdigest()
        meta = pickle.dumps({"label_names": list("abcdefghij")})
        (base / "batches.meta").write_bytes(meta)
        monkeypatch.setattr(kind, "train_list", [[f, sums[f]] for f, _ in kind.train_list])
        monkeypatch.setattr(kind, "test_list", [[f, sums[f]] for f, _ in kind.test_list])
        monkeypatch.setattr(kind, "meta", kind.meta | {"md5": hashlib.md5(meta).hexdigest()})
        monkeypatch.setattr(data, "CHOOSE", 40)
        return tmp_path

    def test_is_read(self, folder: Path) -> None:
        loaded = load("cifar10", folder=folder)
        assert loaded.shape == (3, 32, 32) and loaded.title == "CIFAR-10"
        assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (160, 40, 40)
        assert loaded.test.pictures[7, 0].unique().tolist() == [7]
        assert loaded.test.pictures[7, 1].unique().tolist() == [5]
        assert loaded.test.labels[17] == 7 and loaded.class_names[0] == "airplane"

    def test_a_wrong_sum_is_told_before_anything_is_unpickled(self, folder: Path) -> None:
        path = folder / "cifar-10-batches-py" / "data_batch_3"
        path.write_bytes(b"cos\nsystem\n(S'touch " + bytes(folder / "harm") + b"'\ntR.")
        text = message(load, "cifar10", folder=folder)
        assert "data_batch_3" in text and "download cifar10" in text and "MD5" in text
        assert not (folder / "harm").exists()

    def test_missing(self, folder: Path) -> None:
        (folder / "cifar-10-batches-py" / "test_batch").unlink()
        assert "test_batch is missing" in message(load, "cifar10", folder=folder)


class TestAutoAndNames:
    def test_auto_takes_mnist(self, mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert load(folder=mnist).name == "mnist"
        assert capsys.readouterr().out == ""

    def test_auto_says_that_it_draws(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert load(folder=tmp_path, limit=10).name == "digits"
        line = capsys.readouterr().out
        assert line.count("\n") == 1 and "synthetic digits" in line
        assert "python -m coursekit download mnist" in line and str(tmp_path) not in line

    def test_the_data_folder_is_the_default(
        self, mnist: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COURSEKIT_DATA", str(mnist))
        assert load().name == "mnist"

    @pytest.mark.parametrize("name", ["MNIST", "", "imagenet", "folder", "fashion-mnist"])
    def test_unknown_name(self, name: str, tmp_path: Path) -> None:
        text = message(load, name, folder=tmp_path)
        for known in ("auto", "mnist", "fashion_mnist", "cifar10", "digits", "scenes"):
            assert known in text

    @pytest.mark.parametrize("limit", [0, -1, 2.5, True, "10"])
    def test_bad_limit(self, limit: object, tmp_path: Path) -> None:
        assert "limit" in message(load, "digits", limit=limit, folder=tmp_path)


class TestSyntheticSets:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes = {"train": 1200, "validation": 300, "test": 300}
        monkeypatch.setattr(data, "SYNTHETIC_SIZES", sizes)

    @pytest.mark.parametrize("name", ["digits", "scenes"])
    def test_the_cache_gives_the_same(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn = load(name, folder=tmp_path)
        cache = data.synthetic_cache(name, tmp_path)
        assert cache.is_file() and len(list(cache.parent.iterdir())) == 1

        def never(*_: object) -> None:
            raise AssertionError("drawn although it was kept")

        monkeypatch.setattr(synthetic, name, never)
        kept = load(name, folder=tmp_path)
        for split in ("train", "validation", "test"):
            a, b = getattr(drawn, split), getattr(kept, split)
            assert a.pictures.equal(b.pictures) and a.labels.equal(b.labels)
            assert a.factors is not None and b.factors is not None
            assert set(a.factors) == set(b.factors)
            assert all(a.factors[k].equal(b.factors[k]) for k in a.factors)
        assert len(load(name, folder=tmp_path, limit=7).train) == 7

    def test_a_limit_draws_the_same_first_ones_and_keeps_nothing(self, tmp_path: Path) -> None:
        some = load("digits", folder=tmp_path, limit=1050)
        assert list(tmp_path.iterdir()) == []
        assert (len(some.train), len(some.validation), len(some.test)) == (1050, 210, 210)
        whole = load("digits", folder=tmp_path)
        assert whole.train.pictures[:1050].equal(some.train.pictures)
        assert whole.test.pictures[:210].equal(some.test.pictures)

    def test_no_picture_stands_in_two_splits(self, tmp_path: Path) -> None:
        loaded = load("digits", folder=tmp_path)
        splits = (loaded.train, loaded.validation, loaded.test)
        rows = [tuple(row) for split in splits for row in split.pictures.flatten(1).tolist()]
        assert len(set(rows)) == len(rows) == 1800

    @pytest.mark.parametrize("harm", ["flip", "cut", "empty", "other"])
    def test_a_damaged_cache_is_drawn_anew(self, harm: str, tmp_path: Path) -> None:
        drawn = load("digits", folder=tmp_path)
        cache = data.synthetic_cache("digits", tmp_path)
        content = bytearray(cache.read_bytes())
        content[-1000] ^= 255
        changed = {"flip": content, "cut": content[:5000], "empty": b"", "other": b"x" * 999}
        cache.write_bytes(changed[harm])
        assert load("digits", folder=tmp_path).train.pictures.equal(drawn.train.pictures)
        assert cache.read_bytes() != changed[harm]

    def test_a_folder_that_cannot_be_written(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # A file where the folder should be: works for root as well, whom permissions do not stop.
        blocked = tmp_path / "data"
        blocked.write_text("")
        assert len(load("digits", folder=blocked).train) == 1200
        assert capsys.readouterr().out.count("\n") == 1

    def test_a_full_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from coursekit.data import caches

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(caches, "save_file", full)
        assert len(load("digits", folder=tmp_path).train) == 1200
        assert "No space left" in capsys.readouterr().out
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def every_byte() -> Tensor:
    """All 256 values in one picture."""
    return torch.arange(256).to(torch.uint8).view(1, 1, 16, 16)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestPrepare:
    @pytest.mark.parametrize("how", sorted(data.PREPARATIONS))
    def test_type_shape_range_and_input_untouched(self, how: str) -> None:
        v = torch.randint(0, 256, (5, 3, 4, 6), generator=seeded()).to(torch.uint8)
        before = v.clone()
        x = data.prepare(v, how)
        assert x.dtype == torch.float32 and x.shape == v.shape
        assert x.min() >= 0 and x.max() <= 1 and v.equal(before)

    def test_grey(self) -> None:
        expected = torch.tensor([i / 255 for i in range(256)])
        assert data.prepare(every_byte(), "grey").flatten().allclose(expected, atol=1e-7)

    def test_threshold_is_above_one_half(self) -> None:
        x = data.prepare(every_byte(), "threshold").flatten()
        assert x[:128].sum() == 0 and x[128:].sum() == 128

    def test_dynamic_has_the_right_means(self) -> None:
        v = every_byte().expand(4000, 1, 16, 16)
        x = data.prepare(v, "dynamic", seeded())
        assert set(x.unique().tolist()) == {0.0, 1.0}
        p = torch.arange(256) / 255
        spread = (p * (1 - p) / 4000).sqrt()
        assert ((x.mean(0).flatten() - p).abs() <= 4.5 * spread + 1e-7).all()
        assert x[..., 0, 0].sum() == 0 and x[..., 15, 15].sum() == 4000  # 0 never, 255 always

    @pytest.mark.parametrize("u", [0.0, 1 - 2**-24])
    def test_black_stays_black_and_white_white(
        self, u: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Even for the smallest and the largest number that torch.rand can give."""
        monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.full(shape, u))
        x = data.prepare(every_byte(), "dynamic").flatten()
        assert x[0] == 0 and x[255] == 1 and x[100] == float(u == 0)
        assert data.binarise(torch.tensor([0.0, 1.0])).tolist() == [0.0, 1.0]

    def test_dequantised_stays_in_its_bin(self) -> None:
        x = data.prepare(every_byte().expand(3000, 1, 16, 16), "dequantised", seeded())
        u = x * 256 - every_byte()
        assert u.min() >= 0 and u.max() < 1 and x.max() < 1
        assert u.mean().sub(0.5).abs() < 0.002 and u.std().sub(12**-0.5).abs() < 0.002

    def test_dequantised_never_rounds_into_the_next_bin(self) -> None:
        # In float32 255 + u is 256 for the largest u; a few in 4 million draws would show it.
        v = torch.full((4_000_000,), 255, dtype=torch.uint8)
        x = data.dequantise(v, seeded())
        assert x.max() < 1 and data.quantise(x, 256).eq(255).all()

    @pytest.mark.parametrize("how", ["dynamic", "dequantised"])
    def test_draws_are_fresh_and_follow_the_generator(self, how: str) -> None:
        v = torch.full((2, 1, 28, 28), 100, dtype=torch.uint8)
        generator = seeded()
        first, second = data.prepare(v, how, generator), data.prepare(v, how, generator)
        assert not first.equal(second) and not first[0].equal(first[1])
        assert first.equal(data.prepare(v, how, seeded()))
        assert not first.equal(data.prepare(v, how, seeded(1)))
        torch.manual_seed(5)
        a = data.prepare(v, how)
        assert not a.equal(data.prepare(v, how))
        torch.manual_seed(5)
        data.prepare(v, how, seeded())  # a generator given leaves torch's own alone
        assert a.equal(data.prepare(v, how))

    @pytest.mark.parametrize("how", ["grey", "threshold"])
    def test_the_others_draw_nothing(self, how: str) -> None:
        generator = seeded()
        before = generator.get_state()
        data.prepare(every_byte(), how, generator)
        assert generator.get_state().equal(before)

    def test_bad_input(self) -> None:
        text = message(data.prepare, every_byte(), "binary")
        assert all(name in text for name in data.PREPARATIONS)
        assert "float" in message(data.prepare, every_byte() / 255, "grey")
        assert "int64" in message(data.prepare, every_byte().long(), "dynamic")
        assert "list" in message(data.prepare, [[1]], "grey")
        assert "(28, 28)" in message(data.prepare, torch.zeros(28, 28, dtype=torch.uint8), "grey")

    def test_an_empty_batch_stays_empty(self) -> None:
        v = torch.zeros(0, 1, 28, 28, dtype=torch.uint8)
        assert all(len(data.prepare(v, how)) == 0 for how in data.PREPARATIONS)
        assert len(data.binarise(v.float())) == 0


class TestTransformations:
    def test_binarise(self) -> None:
        x = torch.full((200, 1, 10, 10), 0.3)
        b = data.binarise(x, seeded())
        assert b.dtype == torch.float32 and set(b.unique().tolist()) == {0.0, 1.0}
        assert b.mean().sub(0.3).abs() < 0.015 and x.unique().numel() == 1
        assert b.equal(data.binarise(x, seeded())) and not b.equal(data.binarise(x, seeded(1)))
        assert data.binarise(torch.ones(1000)).sum() == 1000
        assert data.binarise(torch.zeros(1000)).sum() == 0
        assert data.binarise(x.double()).dtype == torch.float64

    def test_threshold(self) -> None:
        x = torch.tensor([0.0, 0.4999, 0.5, 0.5001, 1.0])
        assert data.threshold(x).tolist() == [0, 0, 0, 1, 1] and x[0] == 0

    def test_quantise(self) -> None:
        grey = every_byte().flatten() / 255
        assert data.quantise(grey, 256).equal(torch.arange(256))
        assert data.quantise(grey, 4).bincount().tolist() == [64, 64, 64, 64]
        assert data.quantise(grey, 2).dtype == torch.int64
        assert data.quantise(torch.tensor([0.0, 1.0]), 5).tolist() == [0, 4]

    @pytest.mark.parametrize("bins", [1, 0, -4, 2.0, True])
    def test_bad_bins(self, bins: object) -> None:
        assert "bins" in message(data.quantise, torch.zeros(2), bins)

    def test_add_noise(self) -> None:
        x = torch.full((4, 1, 100, 100), 0.5)
        y = data.add_noise(x, 0.1, seeded())
        assert y.mean().sub(0.5).abs() < 0.002 and y.std().sub(0.1).abs() < 0.002
        assert y.equal(data.add_noise(x, 0.1, seeded())) and x.unique().numel() == 1
        loud = data.add_noise(x, 5.0, seeded())
        assert loud.min() == 0 and loud.max() == 1
        assert data.add_noise(x, 0.0).equal(x)

    @pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
    def test_bad_sigma(self, sigma: float) -> None:
        assert "sigma" in message(data.add_noise, torch.zeros(2), sigma)

    def test_mask(self) -> None:
        x = torch.rand(3, 2, 4, 6, generator=seeded()) + 0.0
        keep = torch.zeros(4, 6, dtype=torch.bool)
        keep[:, :3] = True
        seen = data.mask(x, keep)
        assert seen[..., :3].equal(x[..., :3]) and seen[..., 3:].sum() == 0
        assert x[..., 3:].sum() > 0
        each = torch.rand(3, 1, 4, 6, generator=seeded()) > 0.5
        assert data.mask(x, each).equal(x * each)
        assert data.mask(x, each.expand(3, 2, 4, 6)).equal(x * each)
        assert data.mask(x, each[0].expand(2, 4, 6)).equal(x * each[:1])

    def test_bad_masks(self) -> None:
        x = torch.zeros(3, 2, 4, 6)
        assert "bool" in message(data.mask, x, torch.ones(4, 6))
        assert "(6, 4)" in message(data.mask, x, torch.ones(6, 4, dtype=torch.bool))
        assert "(6,)" in message(data.mask, x, torch.ones(6, dtype=torch.bool))
        assert "(B, C, H, W)" in message(data.mask, x[0], torch.ones(4, 6, dtype=torch.bool))

    @pytest.mark.parametrize(
        "call",
        [
            data.binarise,
            data.threshold,
            lambda x: data.quantise(x, 4),
            lambda x: data.add_noise(x, 0.1),
            lambda x: data.mask(x, torch.ones(2, 2, dtype=torch.bool)),
        ],
        ids=["binarise", "threshold", "quantise", "add_noise", "mask"],
    )
    def test_what_is_no_picture_in_0_1(self, call) -> None:
        x = torch.zeros(1, 1, 2, 2)
        for value in (-0.01, 1.01, 255.0, float("nan")):
            bad = x.clone()
            bad[0, 0, 1, 1] = value
            assert "[0, 1]" in message(call, bad)
        assert "uint8" in message(call, x.to(torch.uint8))
        assert "int64" in message(call, x.long())

    def test_dequantise_takes_bytes(self) -> None:
        assert "uint8" in message(data.dequantise, torch.zeros(2, 2))
        x = data.dequantise(every_byte(), seeded())
        assert x.dtype == torch.float32 and data.quantise(x, 256).equal(every_byte().long())

    def test_a_generator_on_another_device(self) -> None:
        v = torch.zeros(1, 1, 2, 2, dtype=torch.uint8, device="meta")
        assert "generator lives on cpu" in message(data.prepare, v, "dynamic", seeded())
        assert "generator lives on cpu" in message(data.dequantise, v, seeded())

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_on_a_gpu(self) -> None:
        v = every_byte().cuda()
        generator = torch.Generator("cuda").manual_seed(0)
        for how in data.PREPARATIONS:
            assert data.prepare(v, how, generator).device.type == "cuda"
        x = v.float() / 255
        assert data.binarise(x, generator).is_cuda and data.add_noise(x, 0.1, generator).is_cuda


class TestSplitAndDataSet:
    def make(self, n: int = 40) -> DataSet:
        def split(start: int, count: int) -> Split:
            number = torch.arange(start, start + count)
            pictures = number.to(torch.uint8)[:, None, None, None].expand(count, 1, 2, 3)
            return Split(pictures.contiguous(), number % 3, {"number": number.float()})

        return DataSet("digits", split(0, n), split(100, 10), split(200, 10), ("a", "b", "c"))

    def test_take_and_subset(self) -> None:
        made = self.make()
        some = made.subset(20)
        assert (len(some.train), len(some.validation), len(some.test)) == (20, 4, 4)
        assert some.train.pictures.equal(made.train.pictures[:20])
        assert some.train.labels.equal(made.train.labels[:20])
        assert some.train.factors is not None
        assert some.train.factors["number"].tolist() == list(range(20))
        assert len(made.train) == 40 and len(made.subset(1000).train) == 40
        assert len(made.subset(2).test) == 1
        assert made.shape == (1, 2, 3) and made.dims == 6 and made.title == "synthetic digits"

    @pytest.mark.parametrize("n", [0, -1, 1.5, True])
    def test_bad_counts(self, n: object) -> None:
        assert "subset" in message(self.make().subset, n)
        assert "take" in message(self.make().train.take, n)

    def test_to_moves_everything(self) -> None:
        moved = self.make().to("meta")
        for split in (moved.train, moved.validation, moved.test):
            assert split.pictures.is_meta and split.labels.is_meta
            assert split.factors is not None and split.factors["number"].is_meta

    def test_frozen(self) -> None:
        with pytest.raises(AttributeError):
            self.make().train.labels = torch.zeros(1)  # type: ignore[misc]

    def test_parts_that_do_not_fit(self) -> None:
        pictures, labels = torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(4).long()
        assert "uint8" in message(Split, pictures.float(), labels)
        assert "(N, C, H, W)" in message(Split, pictures[0], labels)
        assert "int64" in message(Split, pictures, labels.int())
        assert "labels of that length" in message(Split, pictures, labels[:3])
        assert "size of that" in message(Split, pictures, labels, {"size": torch.zeros(3)})


@pytest.mark.skipif(
    not (Path(os.environ.get("COURSEKIT_DATA", "")) / "MNIST/raw" / IMAGES).is_file()
    or not os.environ.get("COURSEKIT_DATA"),
    reason="needs the real MNIST in COURSEKIT_DATA",
)
def test_the_real_mnist() -> None:
    loaded = load("mnist")
    assert [len(s) for s in (loaded.train, loaded.validation, loaded.test)] == [
        50_000, 10_000, 10_000,
    ]  # fmt: skip
    assert loaded.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert loaded.test.labels.bincount().tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    both = torch.cat([loaded.train.labels, loaded.validation.labels])
    assert both.bincount().tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    grey = data.prepare(loaded.train.pictures, "grey")
    assert abs(grey.mean().item() - 0.1307) < 0.001
    assert abs((grey > 0).float().mean().item() - 0.191) < 0.002
