"""The tiny run that a term or a recipe needs: model, batch, head and sampler follow from needs.

The vocabulary says of every quantity which choices bring it in: ``(model=neus, model=volsdf)``.
"""

import inspect
import re

from small_runs import TINY_PATCHES

from nerfloss.assembly.config_files import conf_dir
from nerfloss.cli.reference.term_files import recipe_files, term_files
from nerfloss.losses.volume import GridField
from nerfloss.quantities.signature import underlying
from nerfloss.quantities.vocabulary import VOCABULARY

TERMS, RECIPES = term_files(conf_dir()), recipe_files(conf_dir())
LARGER_PATCHES = [
    *(
        "batch.height=18",
        "batch.width=18",
        "trainer.batch_size.rays=324",
        "trainer.batch_size.max_rays=648",
    )
]
# A recipe that each model is fed anyway.
PLAIN = {"nerf": "nerf", "neus": "neus_eikonal", "volsdf": "volsdf"}
# What a choice asks for in a tiny run. Patches of 18 pixels: a network's last layer has one left.
ROOM = {
    "batch=patch": [*TINY_PATCHES[1:], *LARGER_PATCHES],
    "+model/head=semantic": ["dataset.scene=toys"],
    "+model/head=features": ["dataset.scene=toys"],
    "cameras=refine": ["cameras.delay=0", "cameras.focal=per_view", "cameras.distortion=per_view"],
}


def choices(quantity):
    """What brings a quantity in, as its error message says: ``{"model=neus", "model=volsdf"}``."""
    return set(re.findall(r"[+\w/]+=\w+", VOCABULARY[quantity].source))


def models_for(term):
    """The models that offer everything that a term needs."""
    needs = set(term.needs)
    field = inspect.signature(underlying(term.function)).parameters.get("field")
    if field is not None and field.annotation is not GridField:
        needs.add("sdf")  # which is what all others ask a field for, first of all
    models = [set(PLAIN)]
    for need in needs:
        named = {choice.removeprefix("model=") for choice in choices(need) if "model=" in choice}
        models.append(named or set(PLAIN))
    return set.intersection(*models)


def settings_for(terms):
    """What terms need beside a model: patches, a head, a sampler that proposes."""
    fitting = {}
    for need in {need for term in terms for need in term.needs}:
        named = {choice for choice in choices(need) if not choice.startswith("model=")}
        for group in {choice.partition("=")[0] for choice in named}:
            those = {choice for choice in named if choice.partition("=")[0] == group}
            # Two heads are added to one another; of other groups one choice has to serve all.
            key = min(those) if group.startswith("+") else group
            fitting[key] = fitting.get(key, those) & those
    found = sorted(min(those) for those in fitting.values())
    return tuple(setting for choice in found for setting in (choice, *ROOM.get(choice, [])))


def needed(name):
    """The terms of a recipe that weigh anything."""
    return [term for term in RECIPES[name].terms.values() if term.weight != 0]


def fed_by(name):
    """The models that can feed a recipe, and the settings that it needs beside them."""
    terms = needed(name)
    return set.intersection(*map(models_for, terms)), settings_for(terms)
