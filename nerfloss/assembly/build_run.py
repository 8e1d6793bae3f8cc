"""Build a run, its trainer and its callbacks, from parts that are built and checked."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nerfloss.assembly.preview import Preview
from nerfloss.assembly.reference_scores import check_protocol
from nerfloss.assembly.run import Run, RunSettings
from nerfloss.assembly.viewer.viewer_address import ViewerAddress
from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.initialization.initialization import Initialization
from nerfloss.models import Model
from nerfloss.recipe import LossRecipe
from nerfloss.training.batch_size import BatchSize
from nerfloss.training.budget import Budget
from nerfloss.training.callbacks.callback import Callback
from nerfloss.training.callbacks.checkpointing import Checkpointing
from nerfloss.training.callbacks.interventions import Interventions
from nerfloss.training.callbacks.metrics_logging import MetricsLogging
from nerfloss.training.callbacks.nonfinite_check import NonFiniteCheck
from nerfloss.training.callbacks.pixel_errors import ErrorGuided, PixelErrors
from nerfloss.training.callbacks.watchdog import Watchdog
from nerfloss.training.distributed.process_group import ProcessGroup
from nerfloss.training.optimizer import Optimizer
from nerfloss.training.protocols import BatchSource
from nerfloss.training.timer import Timer
from nerfloss.training.trainer import Trainer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunParts:
    """Parts of a run, as its configuration names them.

    ``batch`` makes a source of batches from views, ``optimizer`` an optimizer from parameter
    groups. ``preview_every``, ``watchdog``, ``diagnostics`` and ``viewer`` may be None, and
    ``torch_threads``.
    """

    scene: Scene
    model: Model
    recipe: LossRecipe
    batch: Callable[..., Any]
    optimizer: Callable[..., Optimizer]
    budget: Budget
    batch_size: BatchSize
    checkpoint_every: int
    preview_every: int | None
    watchdog: Watchdog | None
    diagnostics: Callback | None
    evaluator: Evaluator
    initialization: Initialization
    torch_threads: int | None = 1
    viewer: ViewerAddress | None = None


def build_run(
    parts: RunParts, settings: RunSettings, config: str, process_group: ProcessGroup
) -> Run:
    """Build a run; ``config`` is its configuration as text."""
    scene = parts.scene.resolve_background(
        parts.model.field.offers, masks_compared=parts.recipe.mentions("target_mask")
    )
    check_protocol(scene, parts.evaluator)
    _warn_of_surroundings(scene, parts.model)
    scene = replace(scene, train=scene.train.stored_for_training(settings.device))
    parts = replace(parts, scene=scene)
    if parts.model.appearance is not None:
        parts.model.appearance.set_images(scene.train.cameras.all_sizes)
    if parts.model.cameras is not None:
        parts.model.cameras.set_cameras(scene.train.cameras, settings.device)
        _say_what_stays_unrefined(parts.recipe)
    return Run(
        settings,
        scene=parts.scene,
        recipe=parts.recipe,
        trainer=_trainer(parts, settings, config, process_group),
        initialization=parts.initialization,
        evaluator=parts.evaluator,
        watchdog=parts.watchdog,
        process_group=process_group,
    )


def _warn_of_surroundings(scene: Scene, model: Model) -> None:
    """Log a warning where whole photographs are to be explained by what lies in the region."""
    if scene.train.mask is None and scene.sdf is None and model.background is None:
        log.warning(
            "no object masks and no model of the background: whatever else the images show is "
            "built inside of the region, as walls before the cameras; add background=contracted, "
            "with loss=photos_sdf (model=nerf: loss=photos), or give the scene masks"
        )


def _say_what_stays_unrefined(recipe: LossRecipe) -> None:
    """Log the terms that project with the cameras of the data while others refine them."""
    projecting = [
        name
        for name, term in recipe.terms.items()
        if term.weight > 0 and "view_projections" in term.needs
    ]
    if projecting:
        log.info(
            "cameras: terms that compare views (%s) use the cameras as the data states them, "
            "without their corrections",
            ", ".join(projecting),
        )


def _trainer(
    parts: RunParts, settings: RunSettings, config: str, process_group: ProcessGroup
) -> Trainer:
    model, recipe, scene, timer = parts.model, parts.recipe, parts.scene, Timer()
    groups, own = model.parameter_groups(), recipe.trainable_parameters()
    with timer.running():
        batches = parts.batch(
            scene.train,
            background=scene.background,
            seed=settings.seed,
            device=settings.device,
            needs=model.primitives(recipe.all_needs()),
        )
    return Trainer(
        model,
        process_group.recipe(recipe),
        process_group.inputs(model, batches, device=settings.device, seed=settings.seed),
        parts.optimizer({**groups, "recipe": own} if own else groups),
        clock=process_group.clock(parts.budget, timer),
        batch_size=parts.batch_size.times(process_group.size),
        callbacks=_callbacks(parts, batches, settings, config, process_group),
        torch_threads=parts.torch_threads,
    )


def _callbacks(
    parts: RunParts,
    batches: BatchSource,
    settings: RunSettings,
    config: str,
    process_group: ProcessGroup,
) -> list[Callback]:
    """Return the callbacks in the order in which they run.

    Checks come first, so that what they find is logged. Interventions are part of the state of
    every process: after a checkpoint is loaded all have the same weights. A preview comes after
    logging, because its scores complete the row of the step, and before the checkpoint: a run that
    is killed after it has the whole row.
    """
    deferred = NonFiniteCheck.can_defer(settings.device, parts.recipe, process_group)
    interventions = Interventions(parts.recipe)
    check = NonFiniteCheck(config=config, interventions=interventions, deferred=deferred)
    callbacks: list[Callback] = [check]
    if isinstance(batches, ErrorGuided):
        callbacks.append(PixelErrors(batches, parts.recipe, process_group))
    if parts.diagnostics is not None:
        callbacks.append(parts.diagnostics)
    if not process_group.is_main:
        return [*callbacks, interventions]
    if parts.watchdog is not None:
        callbacks.append(parts.watchdog)
    callbacks.append(MetricsLogging())
    if parts.preview_every is not None:
        every = parts.preview_every
        callbacks.append(Preview(parts.scene, parts.model, parts.evaluator, every=every))
    if parts.viewer is not None:
        # Imported here: a run without a viewer starts sooner.
        from nerfloss.assembly.viewer.shown_model import ShownParts
        from nerfloss.assembly.viewer.training_viewer import TrainingViewer

        shown = ShownParts(parts.model, parts.recipe, parts.scene, parts.evaluator, given={})
        callbacks.append(TrainingViewer(parts.viewer, shown, interventions))
    # After the viewer and before the checkpoint, which then has what was just asked for.
    callbacks.append(interventions)
    several = process_group.size > 1
    callbacks.append(Checkpointing(every=parts.checkpoint_every, after_first_step=several))
    return callbacks
