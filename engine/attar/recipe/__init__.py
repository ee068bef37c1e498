"""The recipe language: from a YAML file to a `LoadedRecipe`, every fault with its place."""

from attar.recipe.load import load

__all__ = ["load"]
