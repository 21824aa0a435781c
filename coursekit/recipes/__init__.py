"""How each shipped checkpoint and each reported figure is made: one recipe a model.

`plan` says what a recipe is; `vaes`, `autoencoders`, `likelihoods`, `inference`, `flows`, `gans`
and `vqvaes` list them; `measures` and the modules that end in `_measures` hold what is measured;
`loops` trains; `running` follows a recipe from the first epoch to the ledger.
"""

from coursekit.recipes.plan import Figure, Recipe
from coursekit.recipes.running import MEASURES, RECIPES, build, recipe, train

__all__ = ["MEASURES", "RECIPES", "Figure", "Recipe", "build", "recipe", "train"]
