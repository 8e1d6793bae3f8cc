"""Maps of loss terms: the unreduced values of a recipe's terms, drawn on the pixels of a view."""

from nerfloss.assembly.loss_maps.map_views import batch_constants, map_view
from nerfloss.assembly.loss_maps.term_map import TermMap, TermMaps
from nerfloss.assembly.loss_maps.term_maps import term_maps

__all__ = ["TermMap", "TermMaps", "batch_constants", "map_view", "term_maps"]
