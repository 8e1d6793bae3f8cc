"""Maps of loss terms: the unreduced values of a recipe's terms, drawn on the pixels of a view."""

from nerfloss.assembly.loss_maps.conflict_map import ConflictMap, conflict_map
from nerfloss.assembly.loss_maps.map_views import batch_constants, map_view, without_targets
from nerfloss.assembly.loss_maps.term_map import TermMap, TermMaps
from nerfloss.assembly.loss_maps.term_maps import term_maps

__all__ = [
    "ConflictMap",
    "TermMap",
    "TermMaps",
    "batch_constants",
    "conflict_map",
    "map_view",
    "term_maps",
    "without_targets",
]
