"""How long an epoch of the MLP VAE takes, against the plain DataLoader loop; and the import.

Run on an idle machine: `python benchmarks/training_speed.py`. Both loops train the same network
on the same 60,000 pictures (training and validation ones together) with the same optimiser and
batch size, in one process, by turns; the median of the ratios goes into the ledger.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import replace

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from coursekit import seed_everything
from coursekit.data import DataSet, Split, load
from coursekit.ledger import record
from coursekit.models.vae import VAE, mlp_vae
from coursekit.training import fit

BATCH = 128
ROUNDS = 3
COMMAND = "python benchmarks/training_speed.py"


class Pictures(Dataset):
    """One PIL picture at a time, as torchvision's data sets give them."""

    def __init__(self, split: Split) -> None:
        self.split = split
        steps = [transforms.ToTensor(), transforms.Normalize((0.0,), (1.0,))]
        self.transform = transforms.Compose([transforms.ToPILImage(), *steps])

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.split.pictures[i]), int(self.split.labels[i])


def network() -> VAE:
    """The network of both loops: 784-512-512-2*20 and back."""
    seed_everything(0)
    return mlp_vae(latent_size=20, hidden=(512, 512))


def plain_epoch(split: Split, workers: int) -> float:
    """Seconds of one epoch of the loop that tutorials show."""
    model = network()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(
        Pictures(split), batch_size=BATCH, shuffle=True, drop_last=True, num_workers=workers
    )
    began = time.perf_counter()
    model.train()
    total = 0.0
    for x, _ in loader:
        x = torch.bernoulli(x)
        loss = model.loss(x).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item()
    return time.perf_counter() - began


def our_epoch(data: DataSet) -> float:
    """Seconds of one epoch of `fit`."""
    model = network()
    began = time.perf_counter()
    fit(model, data, epochs=1, batch_size=BATCH, progress=False)
    return time.perf_counter() - began


def import_seconds() -> float:
    """Seconds that importing the package's blocks takes once torch is there."""
    code = (
        "import torch, time; t = time.perf_counter(); "
        "import coursekit, coursekit.data, coursekit.models.vae, coursekit.training, "
        "coursekit.evaluation, coursekit.inference; print(time.perf_counter() - t)"
    )
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    return statistics.median(runs)


def main() -> None:
    """Measure by turns and write the ledger."""
    data = load("mnist")
    both = [torch.cat(parts) for parts in zip(
        (data.train.pictures, data.train.labels),
        (data.validation.pictures, data.validation.labels), strict=True,
    )]  # fmt: skip
    split = Split(both[0], both[1])
    data = replace(data, train=split, validation=Split(both[0][:0], both[1][:0]))
    rows = []
    for _ in range(ROUNDS):
        row = {
            "fit": our_epoch(data),
            "DataLoader, 0 workers": plain_epoch(split, 0),
            "DataLoader, 2 workers": plain_epoch(split, 2),
        }
        print({key: round(value, 2) for key, value in row.items()})
        rows.append(row)
    # the faster of the two plain loops is the one to beat
    plain = [min(row["DataLoader, 0 workers"], row["DataLoader, 2 workers"]) for row in rows]
    ratios = [row["fit"] / other for row, other in zip(rows, plain, strict=True)]
    threads = torch.get_num_threads()
    common = {"command": COMMAND, "device": f"cpu, {threads} threads", "profile": "full"}
    record(common | {
        "id": "speed/vae-mlp-epoch-vs-dataloader",
        "value": statistics.median(ratios),
        "unit": "ratio",
        "spread": statistics.stdev(ratios),
        "dataset": data.title,
        "split": "train",
        "preprocessing": "dynamic",
        "estimator": f"median of {ROUNDS} rounds by turns, 60,000 pictures, batch {BATCH}; "
        "plain loop with 0 or 2 workers, whichever was faster in the round",
        "note": f"fit {statistics.median(row['fit'] for row in rows):.1f} s, plain loop "
        f"{statistics.median(plain):.1f} s an epoch",
    })  # fmt: skip
    seconds = import_seconds()
    record(common | {
        "id": "speed/import",
        "value": seconds,
        "unit": "seconds",
        "dataset": "none",
        "estimator": "median of 5 fresh processes, files in the disk cache",
        "note": "coursekit with data, models, training, evaluation, inference; torch before it",
    })  # fmt: skip
    print(f"ratio {statistics.median(ratios):.2f}, import {seconds:.2f} s")


if __name__ == "__main__":
    main()
