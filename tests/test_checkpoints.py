"""Checkpoints: exact round trips, one sentence for each kind of bad file, nothing half-written."""

from __future__ import annotations

import dataclasses
import http.server
import json
import os
import pickle
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import save_file
from torch import nn

from coursekit import checkpoints
from coursekit.checkpoints import load_weights, manifest, pretrained, save_weights
from coursekit.data import DataSet
from coursekit.errors import CourseError
from coursekit.files import package_repository, sha256
from coursekit.networks import count_parameters

ARGUMENTS: dict[str, Any] = {"latent_size": 2, "hidden": [40], "shape": [1, 4, 8]}
CARD = {"builder": "mlp_vae", "arguments": ARGUMENTS, "dataset": "digits", "prepare": "dynamic",
        "command": "python -m coursekit train tiny", "seed": 0}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, a manifest and a checkpoint folder that are not the course's own."""
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.setattr(checkpoints, "_MANIFEST", tmp_path / "manifest.json")
    monkeypatch.setattr(checkpoints, "package_repository", lambda: None)
    monkeypatch.setattr(checkpoints, "address", lambda: ("", ""))
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / "data"))
    return tmp_path


def model(seed: int = 0) -> Any:
    return tiny.vae(seed, hidden=(40,), shape=(1, 4, 8))


def left_over(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def one_sentence(error: BaseException) -> bool:
    return "\n" not in str(error) and str(error).endswith(".")


# --- round trips -------------------------------------------------------------------------------


def test_full_precision_comes_back_to_the_bit(tmp_path: Path) -> None:
    for make in (tiny.vae, tiny.conv, lambda seed: tiny.vae(seed, prior="vamp", components=3)):
        one, other = make(1), make(2)
        save_weights(one, tmp_path / "a.safetensors")
        load_weights(other, tmp_path / "a.safetensors")
        assert tiny.same(tiny.weights(one), tiny.weights(other))
    assert left_over(tmp_path) == ["a.safetensors"]


def test_half_precision_is_close_and_small(tmp_path: Path) -> None:
    one, other = model(1), model(2)
    save_weights(one, tmp_path / "full.safetensors")
    save_weights(one, tmp_path / "half.safetensors", half=True)
    load_weights(other, tmp_path / "half.safetensors")
    kept = tiny.weights(one)
    for name, value in tiny.weights(other).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, kept[name], rtol=1e-3, atol=1e-6)
        if value.numel() <= 1024:
            assert torch.equal(value, kept[name]), "small tensors cost nothing at full precision"
    assert not tiny.same(kept, tiny.weights(other))
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < sizes[1]


def test_saving_leaves_the_model_alone(tmp_path: Path) -> None:
    one = model()
    before = tiny.weights(one)
    save_weights(one, tmp_path / "a.safetensors", half=True)
    assert tiny.same(before, tiny.weights(one))
    assert all(p.requires_grad and p.dtype == torch.float32 for p in one.parameters())


def test_a_write_that_fails_leaves_the_older_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints.save("a", model(1), CARD)
    kept = path.read_bytes(), (place / "manifest.json").read_text()

    def full_disk(_tensors: Any, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full_disk)
    for write in (
        lambda: save_weights(model(2), path),
        lambda: checkpoints.save("a", model(2), CARD),
    ):
        with pytest.raises(OSError, match="No space"):
            write()
    assert (path.read_bytes(), (place / "manifest.json").read_text()) == kept
    assert left_over(path.parent) == ["a.safetensors"]


# --- bad files ---------------------------------------------------------------------------------


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "cut", "one byte short",
                                  "pickle", "torch.save"])  # fmt: skip
def test_bad_files_get_one_sentence(tmp_path: Path, kind: str) -> None:
    path, sprung, other = tmp_path / "a.safetensors", tmp_path / "sprung", model(2)
    save_weights(model(1), path)
    whole = path.read_bytes()
    if kind in ("missing", "folder"):
        path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("<html>404</html>")
    elif kind == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "one byte short":
        path.write_bytes(whole[:-1])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(_Trap(sprung)))
    elif kind == "torch.save":
        torch.save({"weight": _Trap(sprung)}, path)
    before = tiny.weights(other)
    with pytest.raises(CourseError, match=r"a\.safetensors") as caught:
        load_weights(other, path)
    assert "\n" not in str(caught.value)
    assert not sprung.exists(), "code in the file was run"
    assert tiny.same(before, tiny.weights(other))


@pytest.mark.parametrize("change", [{"hidden": (41,)}, {"hidden": (40, 40)}, {"latent_size": 3},
                                    {"prior": "mixture"}, {"shape": (1, 8, 4)}])  # fmt: skip
def test_another_architecture_is_refused_whole(tmp_path: Path, change: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"hidden": (40,), "shape": (1, 4, 8)} | change
    other = tiny.vae(2, **settings)
    save_weights(model(1), tmp_path / "a.safetensors")
    before = tiny.weights(other)
    if change == {"shape": (1, 8, 4)}:  # weights cannot tell: as many pixels, the same layers
        load_weights(other, tmp_path / "a.safetensors")
        return
    with pytest.raises(CourseError, match="another architecture"):
        load_weights(other, tmp_path / "a.safetensors")
    assert tiny.same(before, tiny.weights(other))


def test_a_tensor_too_many_or_too_few_is_refused(tmp_path: Path) -> None:
    weights = tiny.weights(model(1))
    name = next(iter(weights))
    more = weights | {"extra": torch.zeros(1)}
    fewer = {key: value for key, value in weights.items() if key != name}
    for tensors, word in ((more, "extra"), (fewer, name)):
        save_file(tensors, tmp_path / "a.safetensors")
        with pytest.raises(CourseError, match=word):
            load_weights(model(2), tmp_path / "a.safetensors")


# --- save and pretrained -----------------------------------------------------------------------


def test_save_then_pretrained(place: Path) -> None:
    one = model(1)
    path = checkpoints.save("tiny", one, CARD, half=False)
    assert path == place / "data" / "checkpoints" / "tiny.safetensors"
    found = pretrained("tiny")
    assert tiny.same(tiny.weights(one), tiny.weights(found))
    assert not found.training
    card = manifest()["tiny"]
    assert found.card == card
    assert card["sha256"] == sha256(path) and card["bytes"] == path.stat().st_size
    assert card | CARD == card
    assert checkpoints.available("digits") == ["tiny"]
    assert checkpoints.available("mnist") == []


def test_save_replaces_and_keeps_other_entries(place: Path) -> None:
    checkpoints.save("a", model(1), CARD)
    checkpoints.update_card("a", {"figures": {"a/test": 1.0}})
    checkpoints.save("b", model(2), CARD)
    checkpoints.save("a", model(3), CARD)
    assert sorted(manifest()) == ["a", "b"]
    assert manifest()["a"]["figures"] == {"a/test": 1.0}
    assert pretrained("a").encoder(torch.zeros(1, 1, 4, 8))[0].shape == (1, 2)
    assert left_over(place / "data" / "checkpoints") == ["a.safetensors", "b.safetensors"]
    assert left_over(place) == ["data", "manifest.json"]


def test_a_checkpoint_that_is_too_large_is_not_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.save("a", model(1), CARD)
    kept = (place / "manifest.json").read_text()
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 1000)
    for name in ("a", "b"):
        with pytest.raises(CourseError, match="limit"):
            checkpoints.save(name, model(2), CARD)
    assert left_over(place / "data" / "checkpoints") == ["a.safetensors"]
    assert (place / "manifest.json").read_text() == kept
    pretrained("a")


def test_samples_stand_for_weights_that_are_too_large(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = CARD | {"parameters": 123_456}
    folder = place / "data" / "checkpoints"
    checkpoints.save("tiny", model(1), card)
    pictures = torch.rand(6, 4, 8, 1).permute(0, 3, 1, 2)  # not contiguous, as samples may be
    checkpoints.save_samples("tiny", pictures, card)
    assert left_over(folder) == ["tiny-samples.safetensors"], "the weights were left behind"
    assert manifest()["tiny"] | card == manifest()["tiny"]
    assert (checkpoints.samples_of("tiny") - pictures).abs().max() <= 0.5 / 255 + 1e-6
    with pytest.raises(CourseError, match=r"123,456.*too large.*coursekit train tiny") as error:
        pretrained("tiny")
    assert one_sentence(error.value) or str(error.value).count(". ") == 1
    data = pictures_of("digits", monkeypatch)
    assert checkpoints.shipped("tiny", dataclasses.replace(data, name="mnist")) is None
    path = folder / "tiny-samples.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CourseError, match="checksum"):
        checkpoints.samples_of("tiny")
    checkpoints.save("tiny", model(1), card)
    assert left_over(folder) == ["tiny.safetensors"], "the samples were left behind"
    assert pretrained("tiny").card["samples_only"] is False
    for name in ("tiny", "nobody"):
        with pytest.raises(CourseError, match="no stored samples"):
            checkpoints.samples_of(name)


def test_unknown_name_lists_the_names(place: Path) -> None:
    with pytest.raises(CourseError, match="the names are none"):
        pretrained("tiny")
    checkpoints.save("tiny", model(1), CARD)
    with pytest.raises(CourseError, match=r"'tinny'.*the names are tiny"):
        pretrained("tinny")


def test_missing_and_damaged_files_name_the_command(place: Path) -> None:
    path = checkpoints.save("tiny", model(1), CARD)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CourseError, match=r"checksum.*coursekit train tiny") as damaged:
        pretrained("tiny")
    path.unlink()
    with pytest.raises(CourseError, match="coursekit train tiny") as missing:
        pretrained("tiny")
    assert one_sentence(damaged.value) and one_sentence(missing.value)


def pictures_of(name: str, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """A tiny data set under another one's name; nothing has been said about it yet."""
    monkeypatch.setattr(checkpoints, "_said", set())
    return dataclasses.replace(tiny.data(), name=name)


def test_shipped_is_the_long_run_on_the_data_loaded(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = model(1)
    checkpoints.save("tiny", one, CARD | {"dataset": "mnist"}, half=False)
    checkpoints.save("tiny-digits", model(2), CARD, half=False)
    for name, seed in (("mnist", 1), ("digits", 2)):
        found = checkpoints.shipped("tiny", pictures_of(name, monkeypatch))
        assert tiny.same(tiny.weights(found), tiny.weights(model(seed)))
        assert found.card["dataset"] == name and not found.training
    assert capsys.readouterr().out == ""


def test_what_is_not_shipped_is_said_once(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints.save("tiny-digits", model(), CARD, half=False)
    data = pictures_of("digits", monkeypatch)
    assert [checkpoints.shipped("large", data) for _ in range(3)] == [None] * 3
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert data.title in said and said.endswith(
        "python -m coursekit train large-digits makes it.\n"
    )
    # No recipe is for somebody's own pictures, so no command is named.
    assert checkpoints.shipped("tiny", dataclasses.replace(data, name="folder:mine")) is None
    assert "tiny-folder:mine" in (said := capsys.readouterr().out) and "train" not in said


def test_shipped_is_none_where_the_file_is_missing_and_refuses_a_damaged_one(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checkpoints.save("tiny-digits", model(), CARD)
    data = pictures_of("digits", monkeypatch)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(CourseError, match="checksum"):
        checkpoints.shipped("tiny", data)
    path.unlink()
    assert checkpoints.shipped("tiny", data) is None
    assert "python -m coursekit train tiny" in capsys.readouterr().out
    path.write_bytes(whole)
    assert checkpoints.shipped("tiny", data) is not None


def test_checkout_is_the_second_place_to_look(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints.save("tiny", model(1), CARD)
    monkeypatch.setattr(checkpoints, "package_repository", lambda: place)  # place/data/checkpoints
    monkeypatch.setenv("COURSEKIT_DATA", str(place / "elsewhere"))
    pretrained("tiny")


def test_the_address_stands_in_pyproject(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(checkpoints, "package_repository", lambda: place)
    assert checkpoints.address() == ("", "")
    text = '[tool.a]\nref = "no"\n[tool.coursekit]\nrepository = "https://a/b"\nref = "v1"\n'
    (place / "pyproject.toml").write_text(text + '[tool.b]\nrepository = "no"\n')
    assert checkpoints.address() == ("https://a/b", "v1")


# --- fetching ----------------------------------------------------------------------------------

BODY = bytes(range(256)) * 1000


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind = self.path.strip("/").split("/")[0]
        if kind == "garbled":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            return
        self.send_response(404 if kind == "missing" else 200)
        if kind == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"fa00\r\n" + BODY[:100])
            return
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[:1000] if kind == "cut" else BODY)

    def log_message(self, *_args: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def _sum(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_fetch(server: str, tmp_path: Path) -> None:
    checkpoints.fetch(f"{server}/ok", tmp_path / "new" / "a.bin", _sum(BODY))
    assert (tmp_path / "new" / "a.bin").read_bytes() == BODY
    assert left_over(tmp_path / "new") == ["a.bin"]


@pytest.mark.parametrize("kind", ["missing", "cut", "chunked", "garbled", "wrong sum", "no server",
                                  "no address"])  # fmt: skip
@pytest.mark.parametrize("old", [None, b"older"])
def test_a_failed_fetch_leaves_everything_as_it_was(
    server: str, tmp_path: Path, kind: str, old: bytes | None
) -> None:
    url, expected = f"{server}/{kind.replace(' ', '')}", _sum(BODY)
    if kind == "wrong sum":
        expected = "0" * 64
    elif kind == "no server":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/a"
    elif kind == "no address":
        url = "no-address"
    target = tmp_path / "a.bin"
    if old is not None:
        target.write_bytes(old)
    with pytest.raises(CourseError) as caught:
        checkpoints.fetch(url, target, expected)
    assert url in str(caught.value) and one_sentence(caught.value)
    assert left_over(tmp_path) == ([] if old is None else ["a.bin"])
    assert old is None or target.read_bytes() == old


def test_pretrained_fetches_what_is_missing(
    server: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints.save("tiny", model(1), CARD)
    content = path.read_bytes()
    path.unlink()
    asked: list[str] = []

    class Answer(_Handler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{running.server_port}"
        monkeypatch.setattr(checkpoints, "address", lambda: (host, "v1"))
        for _ in range(2):
            assert tiny.same(tiny.weights(pretrained("tiny")), tiny.weights(pretrained("tiny")))
        running.shutdown()
    assert asked == ["/raw/v1/data/checkpoints/tiny.safetensors"], "fetched once, then kept"


# --- what the course ships ---------------------------------------------------------------------


def shipped() -> list[str]:
    return sorted(manifest())


@pytest.mark.parametrize("name", shipped())
def test_shipped_checkpoint(name: str) -> None:
    card = manifest()[name]
    root = package_repository()
    assert root is not None, "these tests run from a checkout"
    path = root / "data" / "checkpoints" / card["file"]
    assert path.is_file() or checkpoints.address()[0], f"{path} is neither here nor fetchable"
    assert path.stat().st_size == card["bytes"] <= 8_000_000
    assert sha256(path) == card["sha256"]
    assert {"dataset", "prepare", "command", "seed", "figures", "history"} <= set(card)
    if card.get("samples_only"):
        pictures = checkpoints.samples_of(name)
        assert pictures.ndim == 4 and len(pictures) >= 50 and pictures.std() > 0.05
        assert pictures.min() >= 0 and pictures.max() <= 1
        return
    found: nn.Module = checkpoints.BUILDERS[card["builder"]](**card["arguments"])
    load_weights(found, path)
    assert all(torch.isfinite(value).all() for value in found.state_dict().values())
    assert count_parameters(found) == card["parameters"]


def test_shipped_checkpoints_stay_small() -> None:
    cards = list(manifest().values())
    cards += [card["snapshots"] for card in cards if "snapshots" in card]
    assert sum(card["bytes"] for card in cards) <= 60_000_000
    root = package_repository()
    assert root is not None
    listed = {card["file"] for card in cards}
    here = {path.name for path in (root / "data" / "checkpoints").glob("*.safetensors")}
    assert here <= listed, f"{here - listed} stand in no manifest"


def test_the_manifest_is_plain_json() -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    text = checkpoints._MANIFEST.read_text("utf-8")
    json.loads(text, parse_constant=refuse)
