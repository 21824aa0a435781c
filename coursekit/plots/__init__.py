"""What the notebooks draw with: every function returns a matplotlib Figure, `show` displays it.

`display` holds the style and `show`, `pictures` the grids of pictures, `curves` the charts,
`points` scatter plots, `live` the loss plot during training, `vae` what explains notebook 01,
`latents` what notebook 03 draws, `flows` what notebook 06 does.
"""

from coursekit.plots.curves import bars, curves, estimators, gradient_variances
from coursekit.plots.display import CLASS_COLOURS, COLOURS, Picture, figure_png, show, style
from coursekit.plots.flows import (
    curves_and_lines,
    densities_in_plane,
    layer_by_layer,
    norms_along,
)
from coursekit.plots.latents import histograms, marginals, matrix, posterior_scatter, scatters
from coursekit.plots.live import LiveCurves
from coursekit.plots.pictures import coarse, manifold, picture_grid, pictures_beside
from coursekit.plots.points import scatter
from coursekit.plots.vae import gaussian_kl_picture, prior_and_posterior

__all__ = [
    "CLASS_COLOURS",
    "COLOURS",
    "LiveCurves",
    "Picture",
    "bars",
    "coarse",
    "curves",
    "curves_and_lines",
    "densities_in_plane",
    "estimators",
    "figure_png",
    "gaussian_kl_picture",
    "gradient_variances",
    "histograms",
    "layer_by_layer",
    "manifold",
    "marginals",
    "matrix",
    "norms_along",
    "picture_grid",
    "pictures_beside",
    "posterior_scatter",
    "prior_and_posterior",
    "scatter",
    "scatters",
    "show",
    "style",
]
