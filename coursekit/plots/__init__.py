"""What the notebooks draw with: every function returns a matplotlib Figure, `show` displays it.

`display` holds the style and `show`, `pictures` the grids of pictures, `curves` the charts,
`points` scatter plots, `live` the loss plot during training, `vae` what explains notebook 01,
`latents` what notebook 03 draws.
"""

from coursekit.plots.curves import bars, curves, estimators, gradient_variances
from coursekit.plots.display import CLASS_COLOURS, COLOURS, Picture, figure_png, show, style
from coursekit.plots.latents import histograms, marginals, matrix, posterior_scatter, scatters
from coursekit.plots.live import LiveCurves
from coursekit.plots.pictures import manifold, picture_grid, pictures_beside
from coursekit.plots.points import scatter
from coursekit.plots.vae import gaussian_kl_picture, prior_and_posterior

__all__ = [
    "CLASS_COLOURS",
    "COLOURS",
    "LiveCurves",
    "Picture",
    "bars",
    "curves",
    "estimators",
    "figure_png",
    "gaussian_kl_picture",
    "gradient_variances",
    "histograms",
    "manifold",
    "marginals",
    "matrix",
    "picture_grid",
    "pictures_beside",
    "posterior_scatter",
    "prior_and_posterior",
    "scatter",
    "scatters",
    "show",
    "style",
]
