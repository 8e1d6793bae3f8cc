"""A field, a sampler and a renderer as one model, and the protocols of its parts."""

from nerfloss.models.model import Model
from nerfloss.models.parts import Appearance, Background, Renderer, Sampler, TrainedCameras

__all__ = ["Appearance", "Background", "Model", "Renderer", "Sampler", "TrainedCameras"]
