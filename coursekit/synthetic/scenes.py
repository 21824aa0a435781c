"""Small colour pictures of a few shaded shapes on a textured ground, drawn from known factors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from coursekit.synthetic.digits import BLOCK, CHUNK, Factors, draw_in_chunks

Array = NDArray[Any]  # float32 throughout
SIDE = 32
SHAPES = ("ball", "box", "tent", "ring")
TEXTURES = ("clouds", "stripes", "tiles")
MOST = 3  # shapes in a picture
WAVES = 6  # plane waves in a ground


def scenes(n: int, seed: int = 0) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Draw n colour scenes; the same n and seed give the same scenes.

    Args:
        n: how many, at least 1; the first of them do not depend on n.
        seed: another seed gives other scenes; not negative.

    Returns:
        Pictures, uint8 (n, 3, 32, 32); labels, int64 (n,): the shape in front, 0 ball, 1 box,
        2 tent, 3 ring; factors, each (n,): "count" (shapes, 1 to 3, int64), "x", "y" (middle of
        the front shape, pixels from the top left), "size" (its radius, pixels), "angle" (of it,
        radians), "hue" (of it, 0 to 1), "light" (where the light comes from, radians),
        "texture" (0 clouds, 1 stripes, 2 tiles, int64), "ground_hue" (0 to 1).

    Raises:
        CourseError: if n or seed is not a whole number in its range.

    Example:
        >>> pictures, labels, factors = scenes(10)
        >>> tuple(pictures.shape), int(factors["count"].max()) <= 3
        ((10, 3, 32, 32), True)
    """
    return draw_in_chunks(_draw_chunk, n, seed)


def _draw_chunk(n: int, seed: int, chunk: int) -> tuple[NDArray[np.uint8], Factors]:
    """Draw the first n of the CHUNK scenes that seed and chunk fix."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, chunk, 32])))

    def uniform(low: float, high: float, *shape: int) -> Array:
        return (low + (high - low) * rng.random((CHUNK, *shape), dtype=np.float32)).astype("f4")

    ground: Factors = {
        "texture": rng.integers(0, len(TEXTURES), CHUNK),
        "hue": uniform(0, 1),
        "colour": uniform(0.15, 0.7),
        "bright": uniform(0.45, 0.95),
        "contrast": uniform(0.12, 0.4),
        "way": uniform(0, 2 * np.pi, WAVES),
        "phase": uniform(0, 2 * np.pi, WAVES),
        "cycles": np.exp(uniform(np.log(0.7), np.log(4), WAVES)),
    }
    # The last shape is drawn last and so stands in front; those before it come farther behind.
    things: Factors = {
        "kind": rng.integers(0, len(SHAPES), (CHUNK, MOST)),
        "x": uniform(5, SIDE - 5, MOST),
        "y": uniform(7, SIDE - 5, MOST),
        "size": uniform(4, 8, MOST) + np.array((0, 0.5, 1.5), dtype=np.float32),
        "angle": uniform(-0.6, 0.6, MOST),
        "hue": uniform(0, 1, MOST),
        "colour": uniform(0.5, 1, MOST),
        "bright": uniform(0.65, 1, MOST),
    }
    count, light = rng.integers(1, MOST + 1, CHUNK), uniform(0, 2 * np.pi)
    pictures = np.empty((n, 3, SIDE, SIDE), dtype=np.uint8)
    for start in range(0, n, BLOCK):
        part = slice(start, min(start + BLOCK, n))
        scene = _ground({name: values[part] for name, values in ground.items()})
        for j in range(MOST):
            thing = {name: values[part, j] for name, values in things.items()}
            _add_shape(scene, thing, light[part], count[part] >= MOST - j)
        pictures[part] = np.round(255 * np.clip(scene, 0, 1)).astype(np.uint8)
    front = {name: things[name][:, -1] for name in ("x", "y", "size", "angle", "hue")}
    known = {"label": things["kind"][:, -1], "count": count, **front, "light": light,
             "texture": ground["texture"], "ground_hue": ground["hue"]}  # fmt: skip
    return pictures, {name: np.ascontiguousarray(values[:n]) for name, values in known.items()}


def _column(values: NDArray[Any]) -> Array:
    return values[:, None, None]


def _colour(hue: Array, colour: Array, bright: Array) -> Array:
    """Return red, green, blue (B, 3, 1, 1) of a hue in [0, 1], its depth and its brightness."""
    third = np.array((0, 1 / 3, 2 / 3), dtype=np.float32)
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue[:, None] - third))
    return ((1 - colour[:, None] * (1 - wheel)) * bright[:, None])[:, :, None, None]


def _ground(g: Factors) -> Array:
    """Return grounds (B, 3, SIDE, SIDE): clouds, stripes or tiles in shades of one colour."""
    line = np.arange(SIDE, dtype=np.float32) / SIDE
    y, x = line[None, :, None], line[None, None, :]
    waves = [
        np.sin(
            2 * np.pi * _column(g["cycles"][:, k])
            * (x * _column(np.cos(g["way"][:, k])) + y * _column(np.sin(g["way"][:, k])))
            + _column(g["phase"][:, k])
        )
        for k in range(WAVES)
    ]  # fmt: skip
    clouds = sum(wave / _column(g["cycles"][:, k] + 1) for k, wave in enumerate(waves))
    turn = 2 * np.pi * _column(g["cycles"][:, 0] + 2)
    along = x * _column(np.cos(g["way"][:, 0])) + y * _column(np.sin(g["way"][:, 0]))
    across = y * _column(np.cos(g["way"][:, 0])) - x * _column(np.sin(g["way"][:, 0]))
    stripes = np.tanh(3 * np.sin(turn * along + 0.5 * waves[1])) + 0.3 * clouds
    tiles = np.tanh(6 * np.sin(turn * along / 2) * np.sin(turn * across / 2)) + 0.3 * clouds
    kind = _column(g["texture"])
    relief = np.where(kind == 0, clouds, np.where(kind == 1, 0.7 * stripes, 0.7 * tiles))
    shade = 1 + _column(g["contrast"]) * relief
    return (_colour(g["hue"], g["colour"], g["bright"]) * shade[:, None]).astype(np.float32)


def _distance(kind: NDArray[np.int64], u: Array, v: Array) -> Array:
    """Signed distance to each shape's edge in units of its radius, negative inside."""
    far = np.sqrt(u**2 + v**2)
    box = np.maximum(np.abs(u), np.abs(v)) - 0.85
    tent = np.maximum(v - 0.6, 0.87 * np.abs(u) - 0.5 * v - 0.5)
    ring = np.abs(far - 0.72) - 0.28
    kind = _column(kind)
    return np.where(kind == 0, far - 1, np.where(kind == 1, box, np.where(kind == 2, tent, ring)))


def _add_shape(scene: Array, t: Factors, light: Array, there: NDArray[np.bool_]) -> None:
    """Draw a shape and its shadow into the scenes (B, 3, SIDE, SIDE), in place."""
    pixel = np.arange(SIDE, dtype=np.float32)
    x, y = pixel[None, None, :] - _column(t["x"]), pixel[None, :, None] - _column(t["y"])
    cos, sin, size = _column(np.cos(t["angle"])), _column(np.sin(t["angle"])), _column(t["size"])
    lx, ly = _column(np.cos(light)), _column(np.sin(light))

    def distance(right: Array, down: Array) -> Array:
        u, v = (cos * right + sin * down) / size, (cos * down - sin * right) / size
        return size * _distance(t["kind"], u, v)

    shadow = np.clip(0.5 - distance(x + 2.5 * lx, y + 2.5 * ly) / 3, 0, 1) * _column(there)
    scene *= (1 - 0.45 * shadow)[:, None]
    edge = distance(x, y)
    # Round things have a normal that turns over to the edge; flat ones fall off towards it.
    across = (x * lx + y * ly) / size
    height = np.sqrt(np.clip(1 - (x**2 + y**2) / size**2, 0, 1))
    ball = 0.35 + 0.65 * np.clip(0.75 * across + 0.65 * height, 0, 1)
    flat = 0.75 + 0.2 * across - 0.3 * np.clip(1 + edge / 1.5, 0, 1)
    tube = 0.5 + 0.35 * across + 0.35 * np.clip(-edge / (0.28 * size), 0, 1)
    kind = _column(t["kind"])
    shade = np.where(kind == 0, ball, np.where(kind == 3, tube, flat))
    gleam = np.where(kind == 0, np.clip(0.75 * across + 0.65 * height - 0.82, 0, 1) * 3, 0)
    body = _colour(t["hue"], t["colour"], t["bright"]) * shade[:, None] + gleam[:, None]
    cover = (np.clip(0.5 - edge, 0, 1) * _column(there))[:, None]
    scene += cover * (body - scene)
