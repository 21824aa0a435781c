"""How each shipped checkpoint and each reported figure is made: one recipe a model.

`plan` says what a recipe is; `vaes`, `autoencoders`, `likelihoods` and `inference` list them;
`measures` and `conditional_measures` hold what is measured; `running` follows a recipe from the
first epoch to the ledger.
"""

from coursekit.recipes.plan import Figure, Recipe
from coursekit.recipes.running import MEASURES, RECIPES, build, recipe, train

__all__ = ["MEASURES", "RECIPES", "Figure", "Recipe", "build", "recipe", "train"]
