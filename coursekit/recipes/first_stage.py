"""A prior starts from the trained VQ-VAE of another recipe, which it holds and leaves as it is."""

from __future__ import annotations

from coursekit.checkpoints import load_weights, manifest, pretrained
from coursekit.errors import CourseError
from coursekit.files import data_folder
from coursekit.models.base import Model
from coursekit.models.code_prior import CodePrior
from coursekit.recipes.plan import Recipe


def load_first_stage(plan: Recipe, model: Model) -> None:
    """Fill the VQ-VAE of a code prior with the weights of the recipe's `first`, if it has one.

    The weights are those in the data folder's `runs`, else the shipped checkpoint's.

    Raises:
        CourseError: where that recipe has not been trained, or has trained another network.
    """
    if plan.first is None:
        return
    assert isinstance(model, CodePrior)
    path = data_folder() / "runs" / f"{plan.first}-0.safetensors"
    if path.is_file():
        load_weights(model.vqvae, path)
        return
    card = manifest().get(plan.first)
    if card is None:
        raise CourseError(
            f"The prior needs the trained VQ-VAE {plan.first!r} first: "
            f"python -m coursekit train {plan.first}."
        )
    if card["arguments"] != plan.arguments["vqvae"]:
        raise CourseError(
            f"The checkpoint {plan.first!r} is another network than the prior's VQ-VAE; train it "
            f"anew: python -m coursekit train {plan.first}."
        )
    model.vqvae.load_state_dict(pretrained(plan.first).state_dict())
