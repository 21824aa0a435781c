"""How much a notebook trains: one small table for the three profiles.

`COURSEKIT_PROFILE` is `smoke` (a first look and continuous integration), `quick` (the default on
a CPU) or `full` (the default on a GPU, and what the reported figures use).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from coursekit.errors import CourseError

PROFILES = ("smoke", "quick", "full")


@dataclass(frozen=True)
class Budget:
    """What one training run may cost.

    Attributes:
        epochs: passes over the training pictures.
        pictures: how many training pictures are used; all if None.
        batch_size: pictures in a step.
    """

    epochs: int
    pictures: int | None
    batch_size: int


# run: (epochs, pictures, batch) for smoke, quick, full
_TABLE: dict[str, tuple[Budget, Budget, Budget]] = {
    "data": (Budget(1, 2000, 128), Budget(1, None, 128), Budget(1, None, 128)),
    "ae-mlp": (Budget(6, 2000, 50), Budget(8, 20000, 128), Budget(15, None, 128)),
    "ae-sweep": (Budget(4, 2000, 25), Budget(4, 15000, 64), Budget(20, None, 128)),
    "dae": (Budget(4, 1000, 25), Budget(4, 8000, 64), Budget(20, None, 128)),
    "dae-width": (Budget(2, 600, 20), Budget(3, 6000, 64), Budget(10, None, 128)),
    "vae-mlp": (Budget(3, 2000, 128), Budget(8, 20000, 128), Budget(80, None, 128)),
    "vae-conv": (Budget(2, 1000, 64), Budget(4, 8000, 128), Budget(60, None, 256)),
    "vae-grey": (Budget(2, 2000, 128), Budget(4, 15000, 128), Budget(10, None, 128)),
    "vae-prior": (Budget(2, 2000, 128), Budget(5, 8000, 128), Budget(60, None, 128)),
    "study": (Budget(3, 1000, 50), Budget(5, 6000, 100), Budget(20, None, 128)),
    "latent2": (Budget(8, 2000, 64), Budget(8, 15000, 128), Budget(80, None, 128)),
    # training pictures whose posteriors are probed, and test pictures drawn by t-SNE
    "probe": (Budget(1, 1500, 128), Budget(1, 10000, 128), Budget(1, None, 128)),
    "tsne": (Budget(1, 250, 128), Budget(1, 1000, 128), Budget(1, 3000, 128)),
    "likelihood": (Budget(2, 1000, 64), Budget(3, 4000, 50), Budget(10, None, 128)),
    # test pictures on which each likelihood is measured
    "likelihood-test": (Budget(1, 200, 128), Budget(1, 2000, 128), Budget(1, None, 128)),
    "cvae": (Budget(6, 2000, 50), Budget(6, 15000, 128), Budget(60, None, 128)),
    "quadrants": (Budget(3, 1000, 50), Budget(4, 10000, 128), Budget(60, None, 128)),
    "judge": (Budget(2, 2000, 100), Budget(2, 10000, 128), Budget(24, None, 128)),
    # test pictures that are completed, and those whose conditional likelihood is estimated
    "completions": (Budget(1, 50, 128), Budget(1, 300, 128), Budget(1, 2000, 128)),
    "cll": (Budget(1, 30, 128), Budget(1, 200, 128), Budget(1, 1000, 128)),
    "infer-vae": (Budget(10, 2000, 50), Budget(10, 20000, 128), Budget(60, None, 128)),
    # encoder-free inference: gradient steps (each uses every picture once), test pictures, and
    # in place of a batch the importance samples that stand for log p(x)
    "infer": (Budget(100, 20, 500), Budget(500, 1000, 2000), Budget(500, 1000, 5000)),
    "infer-gap": (Budget(60, 10, 500), Budget(300, 100, 2000), Budget(500, 1000, 5000)),
    "infer-study": (Budget(60, 8, 128), Budget(300, 40, 128), Budget(500, 200, 128)),
    "infer-masked": (Budget(60, 10, 128), Budget(200, 60, 128), Budget(500, 300, 128)),
    # flows: points of the toy an epoch; steps without noise; test pictures of short runs
    "flow-toy": (Budget(15, 2560, 128), Budget(40, 10000, 256), Budget(40, 10000, 256)),
    "flow-needle": (Budget(11, 2000, 50), Budget(30, 2000, 50), Budget(30, 2000, 50)),
    "flow-preprocessing": (Budget(3, 2000, 100), Budget(5, 10000, 128), Budget(20, None, 256)),
    "flow-mlp": (Budget(2, 2000, 100), Budget(3, 10000, 128), Budget(20, None, 256)),
    "flow-test": (Budget(1, 300, 128), Budget(1, 2000, 128), Budget(1, None, 128)),
    # GANs: in place of epochs the turns on the ring; pictures in each set that is judged
    "gan-ring": (Budget(200, 2000, 128), Budget(1500, 2000, 128), Budget(4000, None, 128)),
    "gan-mlp": (Budget(5, 2000, 50), Budget(20, 10000, 128), Budget(250, None, 128)),
    "gan-dcgan": (Budget(1, 1000, 50), Budget(3, 10000, 128), Budget(30, None, 128)),
    "gan-losses": (Budget(2, 2000, 100), Budget(5, 8000, 128), Budget(25, None, 128)),
    "gan-collapse": (Budget(2, 2000, 50), Budget(8, 10000, 128), Budget(20, None, 128)),
    "gan-wgan-gp": (Budget(1, 1000, 50), Budget(4, 10000, 128), Budget(50, None, 128)),
    "gan-judged": (Budget(1, 400, 128), Budget(1, 2000, 128), Budget(1, 10000, 128)),
    # VQ-VAEs: the run to watch, the short runs compared, digits and the priors over their codes
    "vqvae": (Budget(2, 500, 10), Budget(4, 4000, 32), Budget(20, None, 128)),
    "vqvae-study": (Budget(2, 160, 8), Budget(3, 1500, 16), Budget(5, 20000, 128)),
    "vqvae-digits": (Budget(2, 700, 10), Budget(3, 5000, 25), Budget(15, None, 128)),
    "vqvae-prior": (Budget(2, 300, 10), Budget(4, 3000, 25), Budget(30, None, 128)),
    # test pictures of these runs, and samples that are judged
    "vqvae-test": (Budget(1, 200, 128), Budget(1, 2000, 128), Budget(1, None, 128)),
    "vqvae-samples": (Budget(1, 100, 128), Budget(1, 1000, 128), Budget(1, 10000, 128)),
    # test pictures on which the expensive estimators are measured
    "iwae": (Budget(1, 5, 128), Budget(1, 50, 128), Budget(1, 2000, 128)),
}


def profile() -> str:
    """Name the profile in force.

    Returns:
        `COURSEKIT_PROFILE` if set, else "full" where a CUDA device is at hand, else "quick".

    Raises:
        CourseError: if the variable names no profile.
    """
    chosen = os.environ.get("COURSEKIT_PROFILE", "").strip().lower()
    if not chosen:
        import torch

        return "full" if torch.cuda.is_available() else "quick"
    if chosen not in PROFILES:
        raise CourseError(
            f"COURSEKIT_PROFILE is {chosen!r}; set it to one of {', '.join(PROFILES)}."
        )
    return chosen


def budget(run: str, name: str | None = None) -> Budget:
    """Look up what a training run may cost.

    Args:
        run: a row of the table, such as "vae-mlp".
        name: the profile; the one in force if None.

    Returns:
        Epochs, pictures and batch size.

    Raises:
        CourseError: for a run that is not in the table, or an unknown profile.

    Example:
        >>> budget("vae-mlp", "full").epochs
        80
    """
    if run not in _TABLE:
        raise CourseError(f"There is no budget for {run!r}; the runs are {', '.join(_TABLE)}.")
    if name is not None and name not in PROFILES:
        raise CourseError(f"There is no profile {name!r}; the profiles are {', '.join(PROFILES)}.")
    return _TABLE[run][PROFILES.index(name or profile())]
