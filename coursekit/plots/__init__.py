"""What the notebooks draw with: every function returns a matplotlib Figure, `show` displays it.

`display` holds the style and `show`, `pictures` the grids of pictures, `curves` the charts,
`points` scatter plots, `live` the loss plot during training, `vae` what explains notebook 01.
"""

from coursekit.plots.curves import bars, curves, estimators, gradient_variances
from coursekit.plots.display import CLASS_COLOURS, COLOURS, Picture, figure_png, show, style
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
    "manifold",
    "picture_grid",
    "pictures_beside",
    "prior_and_posterior",
    "scatter",
    "show",
    "style",
]
