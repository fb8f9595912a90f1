"""The settings of a training run, a line each. The command line is made from these fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from privacy_mllm.settings import check_choices, setting

INITS = ("warm", "identity")
ESTIMATORS = (
    "critical-history",
    "spsa",
    "recommended",
    "prior-guided",
    "guide-corrected",
    "guide-taught",
    "guide-gated",
    "guide-alone",
)
"""The last two are controls: the black box is asked for its loss alone and teaches nobody, or is not asked at all."""
SCALARIZERS = ("augmented-tchebycheff", "tchebycheff", "weighted-sum")
UTILITY_LOSSES = ("logprob", "rank", "similarity", "text", "vqa", "vqa_plain")
SCHEDULES = ("uniform", "adaptive")
PRIVACY_LOSSES = ("reverse_kl", "uniform_bce")
PRECISIONS = ("float32", "bfloat16")
APART = 0.25
"""Seconds between the two pictures of a user's video that an anonymizer of motion compares."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that a training run depends on, beside the code.

    The paper gives the form of the method; its constants are in a supplement that is not available. All values here
    are ours, chosen on the validation split.
    """

    data: str = setting("world", "what to train on: 'world' (rendered), 'folder:DIR' (yours), 'hmdb51:DIR' or another")
    privacy_data: str = setting("", "labelled pictures for the reviewer, where 'data' has no labels; empty for 'data'")
    clips: int = setting(1500, "labelled training clips that are rendered; a folder gives all it has")
    pool: int = setting(256, "of these, the clips whose questions are put to the black box")
    question: str = setting("", "the main question; empty takes the first of the data")
    hold_out: str = setting(
        "",
        "what training is not shown and the evaluation reports apart: 'attribute=NAME', 'question=QUESTION', or "
        "'answer=ANSWER' (a place, an action)",
    )
    question_share: float = setting(0.75, "share of queries that put the main question; the rest draw from the others")
    calls_per_sample: float = setting(15.0, "budget: black-box calls for each clip of the pool")
    anonymizer: str = setting(
        "small",
        "'small'; 'unet-W', the paper's U-Net; 'motion' (what moves, 8 parameters) or 'motion-L' with L levels; "
        "'regions' (parts of the picture, 64 parameters) or 'regions-N' with N rows and columns",
    )
    reviewer: str = setting("small", "the reviewer's network", choices=("small", "resnet50"))
    reviewer_weights: str = setting("", "file of public weights that the reviewer starts from (torchvision, timm)")
    reviewer_scheme: str = setting(
        "alternate",
        "how reviewers learn along: one step each, with restarts, or several of which the best counts",
        choices=("alternate", "restart", "ensemble"),
    )
    network_device: str = setting("cpu", "where anonymizer and reviewer are trained, such as 'cuda'")
    precision: str = setting(
        "float32",
        "how anonymizer and reviewer compute: 'bfloat16' is faster on a GPU; weights and gradients stay float32",
        choices=PRECISIONS,
    )
    start_steps: int = setting(2000, "steps of each stage that makes a start which does not come with the package")
    init: str = setting("warm", "start: 'warm' hides already (no call), 'identity' is the paper's", choices=INITS)
    estimator: str = setting("critical-history", "how the black box's gradient is estimated", choices=ESTIMATORS)
    scalarizer: str = setting("augmented-tchebycheff", "how the two losses become one", choices=SCALARIZERS)
    utility_loss: str = setting(
        "logprob",
        "loss of an answer; what the service tells decides how smooth it can be",
        choices=UTILITY_LOSSES,
    )
    privacy_loss: str = setting("reverse_kl", "loss of privacy, by the reviewer's verdict", choices=PRIVACY_LOSSES)
    batch: int = setting(16, "clips in each query's mean (one call a clip); half of them where two pairs are asked")
    privacy_batch: int = setting(16, "pictures that the reviewer judges in a step")
    utility_weight: float = setting(0.2, "lambda_1; lambda_2 is the rest to 1")
    utility_ideal: float = setting(0.3, "z*_1, the loss of utility within reach")
    margin: float = setting(0.05, "epsilon, how far beyond the ideal point distances are measured")
    augmentation: float = setting(0.05, "sigma, weight of the sum beside the maximum")
    radius: float = setting(0.005, "c_0, first distance of the probes, in units of the parameters")
    utility_lr: float = setting(2e-3, "first step along the estimated gradient")
    utility_max_norm: float = setting(0.0, "length at which the estimated gradient is clipped; 0 for never")
    privacy_lr: float = setting(0.15, "first step along the exact gradient")
    privacy_max_norm: float = setting(1.0, "length at which the exact gradient is clipped")
    stability: float = setting(50.0, "A of Spall's gains, in steps")
    capacity: int = setting(5, "m, gradients in the critical history")
    decay: float = setting(0.9, "d, how fast a past gradient's score falls")
    blend: float = setting(0.6, "gamma, share of the present gradient")
    magnitude: float = setting(1.0, "b, range of the step's adjustment")
    schedule: str = setting(
        "uniform", "which clips are asked about: all in turn, or those more often that need it", choices=SCHEDULES
    )
    reuse_more: bool = setting(default=False, help_text="let the critical history grow as the budget is spent")
    early_stop: bool = setting(default=False, help_text="stop when the scalarized loss falls no more than its noise")
    guide_steps: int = setting(900, "first steps of the guide, a small network that answers too, where there is one")
    guide_refreshes: int = setting(1, "steps of the guide after each step, on what the anonymizer has become")
    guide_lessons: int = setting(3, "steps of the guide of 'guide-taught' after each step, on the black box's answers")
    guide_memory: int = setting(512, "answers that the taught guide remembers, each with its clip")
    guide_lr: float = setting(0.45, "first step along a gradient that is followed, a guide's or the bound's")
    guide_radius: float = setting(7.5e-4, "first distance of the pair of probes along the guide's gradient")
    guide_weight: float = setting(300.0, "weight of what that pair finds; 1 is unbiased, but random pairs are longer")
    reviewer_lr: float = setting(1e-3, "step of the reviewer, which learns along (one step a step)")
    reviewer_refreshes: int = setting(0, "further steps of the reviewer after each step, on pictures of their own")
    seed: int = setting(0, "seed of all random draws")

    def __post_init__(self) -> None:
        """Check what the parts that use a value do not check themselves."""
        check_choices(self)
        positive = ("clips", "pool", "batch", "privacy_batch", "calls_per_sample", "start_steps")
        for name in (*positive, "guide_steps", "guide_memory", "guide_lr"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}.")
        for name in ("guide_refreshes", "guide_lessons", "reviewer_refreshes", "utility_max_norm"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")
        if self.hides_as_it_is and self.init != "warm":
            raise ValueError(f'`init` must be "warm" for an anonymizer that hides as it is, got {self.init!r}.')
        if not 0 <= self.question_share <= 1:
            raise ValueError(f"`question_share` must be in [0, 1], got {self.question_share}.")
        if not 0 < self.utility_weight < 1:
            raise ValueError(f"`utility_weight` must be in (0, 1), got {self.utility_weight}.")

    @property
    def shows_motion(self) -> bool:
        """Whether the anonymizer looks at whole clips and shows what moves in them."""
        return _kind(self.anonymizer) == "motion"

    @property
    def hides_as_it_is(self) -> bool:
        """Whether the anonymizer hides by what it is made of, so that it needs no training to begin with."""
        return _kind(self.anonymizer) in _SETTINGS


_SETTINGS: dict[str, dict[str, Any]] = {
    "motion": {
        "radius": 0.15,
        "utility_lr": 0.45,
        "utility_max_norm": 1.0,
        "privacy_lr": 0.4,
        "guide_lr": 1.2,
        "reviewer_refreshes": 4,
        "utility_weight": 0.1,
    },
    "regions": {
        "estimator": "recommended",
        "radius": 0.3,
        "utility_lr": 1.0,
        "utility_max_norm": 1.0,
        "privacy_lr": 1.0,
        "guide_lr": 1.0,
        "reviewer_refreshes": 4,
        "utility_weight": 0.6,
    },
}
"""By the kind of anonymizer that hides by what it is made of."""


def settings_of(anonymizer: str) -> dict[str, Any]:
    """Settings that fit a kind of anonymizer where they are not the usual ones; a new dictionary.

    Args:
        anonymizer: Its name.
    """
    return dict(_SETTINGS.get(_kind(anonymizer), {}))


def _kind(anonymizer: str) -> str:
    return anonymizer.partition("-")[0]
