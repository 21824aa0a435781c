"""How long encoder-free inference takes: 1,000 pictures, 500 steps, an MLP decoder.

    python benchmarks/inference_speed.py

writes `inference/seconds_1000x500` to the ledger. Patience is switched off, so that every picture
takes all 500 steps; the fixed-draw comparisons that choose the best answer are in the time.
"""

from __future__ import annotations

import statistics
import time

import torch

from coursekit import seed_everything
from coursekit.data import load, prepare
from coursekit.inference import infer
from coursekit.ledger import record
from coursekit.models.vae import mlp_vae

COMMAND = "python benchmarks/inference_speed.py"
PICTURES, STEPS, ROUNDS = 1000, 500, 3
LATENTS, HIDDEN = 20, (512, 512)  # the time does not depend on what the weights are


def seconds() -> float:
    """One run, from the call to the answer."""
    data = load("mnist")
    seed_everything(0)
    model = mlp_vae(LATENTS, HIDDEN).eval()
    x = prepare(data.test.pictures[:PICTURES], "dynamic", torch.Generator().manual_seed(0))
    began = time.perf_counter()
    found = infer(
        model.decoder, model.likelihood, model.prior, x, steps=STEPS, patience=STEPS,
        generator=torch.Generator().manual_seed(0), progress=True,
    )  # fmt: skip
    taken = time.perf_counter() - began
    assert int(found.steps.min()) == STEPS, "a picture stopped early"
    return taken


def main() -> None:
    """Measure and write the ledger."""
    runs = [seconds() for _ in range(ROUNDS)]
    print([round(run, 1) for run in runs])
    record({
        "id": "inference/seconds_1000x500",
        "value": statistics.median(runs),
        "unit": "seconds",
        "spread": statistics.stdev(runs),
        "dataset": load("mnist").title,
        "split": "test",
        "preprocessing": "dynamic",
        "estimator": f"median of {ROUNDS} runs, {PICTURES:,} pictures, {STEPS} steps each",
        "command": COMMAND,
        "profile": "full",
        "device": f"cpu, {torch.get_num_threads()} threads",
        "note": "decoder 20-512-512-784, untrained; 8 noise draws compared every 10 steps",
    })  # fmt: skip


if __name__ == "__main__":
    main()
