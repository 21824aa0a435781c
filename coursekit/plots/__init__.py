"""What the notebooks draw with: every function returns a matplotlib Figure, `show` displays it.

`display` holds the style and `show`, `pictures` the grids of pictures, `curves` the charts,
`points` scatter plots, `live` the loss plot during training, `vae` what explains notebook 01,
`latents` what notebook 03 draws, `flows` what notebook 06 does, `gans` what notebook 07 does.
"""

from coursekit.plots.codes import (
    cells_in_plane,
    map_and_edits,
    projected_codebook,
    rate_and_distortion,
    seen_places,
    usage,
)
from coursekit.plots.curves import bars, curves, estimators, gradient_variances
from coursekit.plots.display import CLASS_COLOURS, COLOURS, Picture, figure_png, show, style
from coursekit.plots.flows import (
    curves_and_lines,
    densities_in_plane,
    layer_by_layer,
    norms_along,
)
from coursekit.plots.gans import game_paths, judge_on_a_line, points_on_a_ring
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
    "cells_in_plane",
    "coarse",
    "curves",
    "curves_and_lines",
    "densities_in_plane",
    "estimators",
    "figure_png",
    "game_paths",
    "gaussian_kl_picture",
    "gradient_variances",
    "histograms",
    "judge_on_a_line",
    "layer_by_layer",
    "manifold",
    "map_and_edits",
    "marginals",
    "matrix",
    "norms_along",
    "picture_grid",
    "pictures_beside",
    "points_on_a_ring",
    "posterior_scatter",
    "prior_and_posterior",
    "projected_codebook",
    "rate_and_distortion",
    "scatter",
    "scatters",
    "seen_places",
    "show",
    "style",
    "usage",
]
