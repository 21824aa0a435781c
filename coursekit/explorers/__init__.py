"""Interactive parts of the notebooks: sliders in, a picture out.

Each explorer is ipywidgets only and sees only callables (a `decode` function), never a model.
Its render function is public and turns values into PNG bytes; its static twin is a matplotlib
figure that says the same where widgets do not run.
"""

from coursekit.explorers.ascent import follow, standard_masks
from coursekit.explorers.codes import CodeGrid, code_map, code_map_static, render_code_map
from coursekit.explorers.conditional import (
    label_sliders,
    label_sliders_static,
    render_label_sliders,
)
from coursekit.explorers.densities import densities, densities_static, render_densities
from coursekit.explorers.flows import (
    interpolation,
    interpolation_static,
    render_interpolation,
    render_temperature,
    temperatures,
    temperatures_static,
    three_paths,
)
from coursekit.explorers.gaussian import gaussian_kl, gaussian_kl_static, render_gaussian_kl
from coursekit.explorers.inference import render_stepper, stepper, stepper_static
from coursekit.explorers.latents import latents, latents_static, render_latents
from coursekit.explorers.layout import Explorer
from coursekit.explorers.plane import (
    latent_ground,
    latent_plane,
    latent_plane_static,
    render_latent_plane,
)
from coursekit.explorers.posterior import posterior, posterior_static, render_posterior
from coursekit.explorers.snapshots import (
    latent_walk,
    latent_walk_static,
    render_snapshot,
    render_walk,
    snapshots,
    snapshots_static,
)
from coursekit.explorers.writing import render_number, write_number, write_number_static

__all__ = [
    "CodeGrid",
    "Explorer",
    "code_map",
    "code_map_static",
    "densities",
    "densities_static",
    "follow",
    "gaussian_kl",
    "gaussian_kl_static",
    "interpolation",
    "interpolation_static",
    "label_sliders",
    "label_sliders_static",
    "latent_ground",
    "latent_plane",
    "latent_plane_static",
    "latent_walk",
    "latent_walk_static",
    "latents",
    "latents_static",
    "posterior",
    "posterior_static",
    "render_code_map",
    "render_densities",
    "render_gaussian_kl",
    "render_interpolation",
    "render_label_sliders",
    "render_latent_plane",
    "render_latents",
    "render_number",
    "render_posterior",
    "render_snapshot",
    "render_stepper",
    "render_temperature",
    "render_walk",
    "snapshots",
    "snapshots_static",
    "standard_masks",
    "stepper",
    "stepper_static",
    "temperatures",
    "temperatures_static",
    "three_paths",
    "write_number",
    "write_number_static",
]
