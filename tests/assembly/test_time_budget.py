"""A time budget that ends before the first step is not passed over."""

import logging

from small_runs import assembled


def test_a_budget_that_the_initialization_used_up_is_named(tmp_path, caplog):
    run = assembled(tmp_path, "trainer.max_seconds=1e-9")
    with caplog.at_level(logging.WARNING, logger="nerfloss"):
        assert run.train()
    assert run.trainer.step == 0
    assert "no training step was made" in caplog.text


def test_a_run_that_made_its_steps_says_nothing(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="nerfloss"):
        assert assembled(tmp_path).train()
    assert "no training step" not in caplog.text
