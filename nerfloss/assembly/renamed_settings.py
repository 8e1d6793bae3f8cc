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
}

# (group, old choice) -> new "group=choice".
RENAMED_CHOICES: dict[tuple[str, str], str] = {}
