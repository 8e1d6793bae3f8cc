"""Changed weights of a resumed run are those of every process; one of them writes the record."""

from pathlib import Path

from small_runs import composed
from threaded_group import in_processes

from nerfloss.assembly.build import assemble
from nerfloss.training.callbacks.interventions import FILE, Interventions
from nerfloss.training.distributed.ddp import DistributedProcesses
from nerfloss.training.loggers.logger import Loggers


def test_every_process_of_a_resumed_run_has_the_changed_weights_and_one_writes(
    tmp_path: Path,
) -> None:
    state = {"made": [{"step": 4, "term": "eikonal", "old": 0.1, "new": 0.7}]}
    cfg = composed("trainer.watchdog=null", "trainer.preview_every=null")

    def resumed(group: DistributedProcesses) -> float:
        folder = tmp_path / str(group.rank)
        folder.mkdir()
        run = assemble(cfg.copy(), folder, group)
        callbacks = run.trainer.callbacks
        interventions = next(each for each in callbacks if isinstance(each, Interventions))
        interventions.load_state_dict(state)
        run._set_up_callbacks(Loggers())
        return run.recipe.terms["eikonal"].weight

    assert in_processes(2, resumed) == [0.7, 0.7]
    assert [(tmp_path / rank / FILE).is_file() for rank in "01"] == [True, False]
