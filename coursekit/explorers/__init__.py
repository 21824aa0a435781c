"""Interactive parts of the notebooks: sliders in, a picture out.

Each explorer is ipywidgets only and sees only callables (a `decode` function), never a model.
Its render function is public and turns values into PNG bytes; its static twin is a matplotlib
figure that says the same where widgets do not run.
"""

from coursekit.explorers.gaussian import gaussian_kl, gaussian_kl_static, render_gaussian_kl
from coursekit.explorers.layout import Explorer
from coursekit.explorers.plane import (
    latent_ground,
    latent_plane,
    latent_plane_static,
    render_latent_plane,
)
from coursekit.explorers.posterior import posterior, posterior_static, render_posterior

__all__ = [
    "Explorer",
    "gaussian_kl",
    "gaussian_kl_static",
    "latent_ground",
    "latent_plane",
    "latent_plane_static",
    "posterior",
    "posterior_static",
    "render_gaussian_kl",
    "render_latent_plane",
    "render_posterior",
]
