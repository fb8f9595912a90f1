"""What the ablations in the rendered world share: its clips and black box, and the worth of a training."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from benchmarks.ablations import Fields, Job
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.sources import load_clips
from privacy_mllm.experiment import Experiment
from privacy_mllm.leakage import Attackers
from privacy_mllm.methods import Anonymizer, NetworkAnonymizer
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.train import Training


@cache
def experiment_with(clips: int, pool: int, calls: float, test_clips: int, split: str = "test") -> Experiment:
    """Clips and black box, rendered once a process; starts that do not come with the package are this process's own.

    Args:
        clips: Training clips.
        pool: Of these, those that are asked about.
        calls: Calls for each of the pool.
        test_clips: Clips that are judged.
        split: Where these are from: "test", or "validation" for choosing settings.
    """
    config = TrainConfig(clips=clips, pool=pool, calls_per_sample=calls)
    train, test = load_clips("world", "train", clips), load_clips("world", split, test_clips)
    folder = Path(tempfile.mkdtemp(prefix="zoopt_mo_"))
    return Experiment(config, OracleConfig(), train, train, test, test, None, folder)


def worth(job: Job, experiment: Experiment, training: Training) -> Fields:
    """Right answers and leakage, in percent; attackers start from the raw reviewer and from the training's own.

    Args:
        job: The job.
        experiment: Its clips and black box.
        training: Its training, at the end.
    """
    return worth_of(job, experiment, NetworkAnonymizer(training.anonymizer, job.method), training.reviewer)


def worth_of(job: Job, experiment: Experiment, method: Anonymizer, insider: AttributeNetwork | None = None) -> Fields:
    """The same of any method.

    Args:
        job: The job.
        experiment: Its clips and black box.
        method: The method.
        insider: A reviewer that learned along with it.
    """
    with experiment.desk(None) as desk:
        row = experiment.evaluator(desk, Attackers(steps=int(job["attacker_steps"]))).judge(method, insider)
    return {"utility": row.action, "attacker_cmap": row.attacker_cmap, "frozen_cmap": row.frozen_cmap}
