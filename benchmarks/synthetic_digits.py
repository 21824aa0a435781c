"""How fast the synthetic digits are drawn, and how hard they are beside real MNIST.

Prints one line of JSON: seconds to draw 60,000; test accuracy of a linear classifier and of a
small convolutional network, each trained on 60,000 pictures and tested on 10,000 others.

    python benchmarks/synthetic_digits.py [--mnist] [--epochs 3] [--threads 2]
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch import Tensor, nn

from coursekit import seed_everything
from coursekit.data import load
from coursekit.synthetic import digits


def accuracy(
    model: nn.Module, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], epochs: int
) -> float:
    """Train with Adam and a falling step, and return the share of test labels told right."""
    (x, y), (x_test, y_test), batch = train, test, 100
    steps = epochs * (len(x) // batch)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x))[: len(x) // batch * batch].split(batch):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[chosen].float() / 255), y[chosen]).backward()
            optimiser.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        told = torch.cat([model(part.float() / 255).argmax(1) for part in x_test.split(1000)])
    return (told == y_test).float().mean().item()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", action="store_true", help="measure on real MNIST instead")
    parser.add_argument("--epochs", type=int, default=3, help="of the convolutional network")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    seed_everything(0)
    if arguments.mnist:
        data = load("mnist")
        x, y = (
            torch.cat([getattr(data.train, part), getattr(data.validation, part)])
            for part in ("pictures", "labels")
        )
        x_test, y_test, seconds = data.test.pictures, data.test.labels, None
    else:
        start = time.perf_counter()
        x, y, _ = digits(60_000, seed=0)
        seconds = round(time.perf_counter() - start, 2)
        x_test, y_test, _ = digits(10_000, seed=2)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    conv = nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    result = {
        "data": "mnist" if arguments.mnist else "digits",
        "threads": arguments.threads,
        "seconds_to_draw_60000": seconds,
        "linear_accuracy": round(accuracy(linear, (x, y), (x_test, y_test), 8), 4),
        "conv_accuracy": round(accuracy(conv, (x, y), (x_test, y_test), arguments.epochs), 4),
        "conv_parameters": sum(p.numel() for p in conv.parameters()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
