"""Settings and groups that were renamed, and what they are called now: the only list of them."""

# Old dotted key -> new dotted key. A key stands for everything below it; the longest match wins.
RENAMED_SETTINGS: dict[str, str] = {
    "trainer.pace.checkpoint_every": "trainer.checkpoint_every",
    "trainer.pace.preview_every": "trainer.preview_every",
    "trainer.pace": "trainer.batch_size",
    "trainer.watchdog.after": "trainer.watchdog.grace_steps",
    "trainer.watchdog.patience": "trainer.watchdog.window",
    "trainer.watchdog.long": "trainer.watchdog.stall_window",
    "trainer.optimizer.warmup": "trainer.optimizer.warmup_steps",
    "trainer.optimizer.final": "trainer.optimizer.end_factor",
    "trainer.optimizer.cooldown": "trainer.optimizer.cooldown_fraction",
    "trainer.optimizer.clip": "trainer.optimizer.max_grad_norm",
    "model.optimizer.rates": "model.optimizer.learning_rates",
    "model.optimizer.waits": "model.optimizer.freeze_steps",
    "start": "initialization",
    "start.trust": "initialization.min_explained_variance",
    "start.doubt": "initialization.region_opacity_threshold",
    "start.reach": "initialization.region_margin",
    "start.scout": "initialization.warmup",
    "start.scout.network_rate": "initialization.warmup.network_learning_rate",
    "start.scout.final": "initialization.warmup.end_factor",
    "start.scout.warmup": "initialization.warmup.warmup_steps",
    "start.scout.resolution": "initialization.warmup.occupancy_resolution",
    "start.solidity": "initialization.free_space_carving",
    "start.solidity.most_votes": "initialization.free_space_carving.max_votes",
    "start.solidity.share": "initialization.free_space_carving.min_view_fraction",
    "start.solidity.spent": "initialization.free_space_carving.opacity_threshold",
    "start.solidity.views": "initialization.free_space_carving.max_views",
    "dataset.residence": "dataset.image_storage",
    "dataset.half_seen": "dataset.one_sided_views",
}

# (group, old choice) -> new "group=choice".
RENAMED_CHOICES: dict[tuple[str, str], str] = {
    ("start", "hull"): "initialization=visual_hull",
    ("start", "scout"): "initialization=density_warmup",
    ("experiment", "toy_sphere_start"): "experiment=toy_sphere_initialization",
}
