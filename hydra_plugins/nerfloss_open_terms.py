"""Settings of loss terms on the command line: ``loss.terms.<term>.fn.<setting>=...`` without a +.

Hydra refuses a key that no YAML file states. A term's settings are stated by the signature of its
function, so below ``loss.terms`` Hydra accepts every key, and the recipe refuses unknown ones by
name. conf/train.yaml takes the node from its defaults; Hydra imports this package when it starts.
"""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

_open = OmegaConf.create({"loss": {"terms": {}}})
OmegaConf.set_struct(_open.loss.terms, False)
ConfigStore.instance().store(name="open_terms", node=_open)
