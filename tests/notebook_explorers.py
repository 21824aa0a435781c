"""The explorers of the notebooks, each built by the notebook's own cell on small data.

The cell that shows an explorer, and the functions it is given, are taken from the notebook; what
they need besides (a model, latents) is prepared here, from the weights shipped for the synthetic
digits where there are some.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SHARED = """\
import torch
from coursekit import explorers, inference, synthetic
from coursekit.checkpoints import shipped
from coursekit.data import DataSet, Split, prepare
from coursekit.inference import DiagonalGaussian
from coursekit.models.autoencoder import mlp_autoencoder
from coursekit.models.classifier import digit_classifier
from coursekit.models.cvae import mlp_cvae
from coursekit.models.flows import mlp_flow
from coursekit.models.gan import dcgan
from coursekit.models.vae import conv_vae, mlp_vae
from coursekit.models.vqvae import vqvae
from coursekit.models.writing import number_image
from coursekit.plots import coarse

torch.manual_seed(0)
pictures, labels, _ = synthetic.digits(400, seed=0)
split = Split(pictures, labels)
data = DataSet("digits", split, split, split, tuple("0123456789"))
test = prepare(data.test.pictures, "dynamic", torch.Generator().manual_seed(0))

def rng(number=0):
    return torch.Generator().manual_seed(number)
"""


@dataclass(frozen=True)
class Shown:
    """An explorer of a notebook.

    Attributes:
        notebook: the beginning of the notebook's name.
        prepared: code that defines what the explorer's cell needs, but for the functions.
        functions: those of the notebook that the cell needs.
        call: what is called, to tell two explorers of a notebook apart.
        sliders: how many can be seen at the start.
    """

    notebook: str
    call: str
    sliders: int
    prepared: str = ""
    functions: tuple[str, ...] = ()


EXPLORERS = {
    "plane": Shown(
        "00",
        "latent_plane",
        2,
        """\
best_ae = (shipped("ae-mlp-latent2", data) or mlp_autoencoder(2, shape=data.shape)).eval()
with torch.no_grad():
    z = best_ae.encode(prepare(data.test.pictures, "grey"))
centre = z.median(dim=0).values
unit = (z - centre).abs().quantile(0.97).item() / 3
placed = (z - centre) / unit
""",
        ("decode_placed",),
    ),
    "posterior": Shown(
        "01",
        "posterior",
        8,
        """\
best_conv = (shipped("vae-conv-dynamic", data) or conv_vae(16, shape=data.shape)).eval()
shown = test[:20]
""",
    ),
    "densities": Shown("02", "densities", 2),
    "latents": Shown(
        "03",
        "latents",
        17,
        """\
deep = (shipped("vae-conv-dynamic", data) or conv_vae(16, shape=data.shape)).eval()
with torch.no_grad():
    deep_mu, _ = deep.encode(test)
shown, deep_labels, names = test[:40], labels, list(data.class_names)
""",
    ),
    "stepper": Shown(
        "04",
        "stepper",
        2,
        """\
vae = shipped("vae-mlp-dynamic", data) or mlp_vae(20, hidden=(256, 256), shape=data.shape)
vae.eval()
parts, K = (vae.decoder, vae.likelihood, vae.prior), vae.latent_size
judging = torch.randn(16, 1, K, generator=rng(11))
shown = test[:20]
masks = explorers.standard_masks(*data.shape[1:], seed=0)
""",
        ("ascend", "optimise", "seen_elbo"),
    ),
    "writing": Shown(
        "05",
        "write_number",
        1,
        """\
cvae = shipped("cvae-labels", data) or mlp_cvae(20, (256, 256), classes=10, shape=data.shape)
cvae.eval()
""",
        ("write",),
    ),
    "labels": Shown(
        "05", "label_sliders", 6, "active = list(range(cvae.latent_size))", ("decode_label",)
    ),
    "interpolation": Shown(
        "06",
        "interpolation",
        3,
        """\
best_flow = shipped("flow-realnvp-5", data) or mlp_flow(5, shape=data.shape)
best_flow.eval()
with torch.no_grad():
    z_digits, _ = best_flow.encode((data.test.pictures[:10].float() + 0.5) / 256)
""",
    ),
    "temperatures": Shown("06", "temperatures", 1),
    "snapshots": Shown(
        "07",
        "snapshots",
        1,
        """\
film = {epoch: pictures[epoch : epoch + 36] for epoch in range(7)}
film_logits = {"real": [0.1, 0.5, 0.9, 1.0, 1.1, 1.0], "made": [0.0, -0.4, -0.8, -1.0, -1.0, -0.9]}
""",
    ),
    "walk": Shown(
        "07",
        "latent_walk",
        1,
        """\
best_gan = (shipped("gan-dcgan", data) or dcgan(shape=data.shape)).eval()
stops = best_gan.draw_latents(6, rng(9))
reader = (shipped("classifier", data) or digit_classifier(shape=data.shape)).eval()
""",
    ),
    "codes": Shown(
        "08",
        "code_map",
        2,
        """\
vq_best = vqvae(8, 4, codes=64, size=4, shape=data.shape).eval()
editable = prepare(data.test.pictures[:8], "grey")
maps_best = vq_best.codes_of(editable)
""",
    ),
}


def code_of(notebook: str) -> list[str]:
    """The code cells of a notebook."""
    (path,) = NOTEBOOKS.glob(f"{notebook}_*.ipynb")
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def shown_by(source: str) -> str | None:
    """Which explorer a code cell shows: the call that is its last line."""
    try:
        last = ast.parse(source).body[-1]
    except (SyntaxError, IndexError):  # a cell with IPython magic, or an empty one
        return None
    match last:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("explorers"), name))):
            return name
    return None


def function(notebook: str, name: str) -> str:
    """The source of one function of a notebook."""
    for source in code_of(notebook):
        if f"def {name}(" in source:
            for statement in ast.parse(source).body:
                if isinstance(statement, ast.FunctionDef) and statement.name == name:
                    return ast.unparse(statement)
    raise LookupError(f"notebook {notebook} has no function {name}")


def cell(shown: Shown) -> str:
    """The code that shows an explorer as its notebook does."""
    functions = [function(shown.notebook, name) for name in shown.functions]
    (own,) = [source for source in code_of(shown.notebook) if shown_by(source) == shown.call]
    # What the notebook's cell takes from its own data is prepared already.
    call = ast.unparse(ast.parse(own).body[-1])
    return "\n\n".join([shown.prepared, *functions, call])
