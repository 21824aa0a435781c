"""The flow of notebook 06's two Gaussians, five seeds, measured on points it has not seen.

    python benchmarks/toy_flow.py

writes `flow-toy/test_bpd_median5` to the ledger. Base N(0, 0.3^2 I), 6 affine couplings of width
128, batches of 256, Adam at 1e-3 with cosine decay, 40 epochs of 10,000 points, drawn afresh for
each: the target can be sampled without end, so that nothing need be learned by heart.
"""

from __future__ import annotations

import math
import statistics

import torch

from coursekit import seed_everything
from coursekit.ledger import record
from coursekit.models.flows import TwoGaussians, toy_flow

COMMAND = "python benchmarks/toy_flow.py"
SEEDS, EPOCHS, POINTS, BATCH, HELD_OUT = 5, 40, 10_000, 256, 100_000


def bits(nats: float) -> float:
    """Nats of a point to bits for each of its two coordinates."""
    return nats / (2 * math.log(2))


def held_out_bits(seed: int) -> float:
    """Train one flow; its mean bits/dim on held-out points."""
    seed_everything(seed)
    generator = torch.Generator().manual_seed(seed)
    target, flow = TwoGaussians(), toy_flow()
    test = target.sample(HELD_OUT, torch.Generator().manual_seed(10_000 + seed))
    optimiser = torch.optim.Adam(flow.parameters(), lr=1e-3)
    steps = POINTS // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * steps)
    for _ in range(EPOCHS):
        for points in target.sample(steps * BATCH, generator).split(BATCH):
            loss = -flow.log_prob(points).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        return bits(-flow.log_prob(test).mean().item())


def main() -> None:
    """Measure and write the ledger."""
    values = []
    for seed in range(SEEDS):
        values.append(held_out_bits(seed))
        print(f"seed {seed}: {values[-1]:.4f} bits/dim", flush=True)
    record({
        "id": "flow-toy/test_bpd_median5",
        "value": statistics.median(values),
        "unit": "bits/dim",
        "spread": statistics.stdev(values),
        "seeds": list(range(SEEDS)),
        "dataset": "two Gaussians",
        "split": "test",
        "preprocessing": "none",
        "estimator": f"median of {SEEDS} seeds, exact density, {HELD_OUT:,} held-out points each",
        "command": COMMAND,
        "profile": "full",
        "device": "cpu",
        "note": f"entropy {TwoGaussians().entropy_bits():.3f} bits/dim",
    })  # fmt: skip


if __name__ == "__main__":
    main()
