"""How reviewers judge an anonymizer and learn along with it, each scheme in its own file."""

from privacy_mllm.reviewers.alternate import Alternate
from privacy_mllm.reviewers.attack import Attack, attack, worst_attack
from privacy_mllm.reviewers.ensemble import Ensemble
from privacy_mllm.reviewers.factory import SCHEMES, build_scheme
from privacy_mllm.reviewers.protocol import PrivacyLoss, ReviewerScheme
from privacy_mllm.reviewers.restart import Restart

__all__ = [
    "SCHEMES",
    "Alternate",
    "Attack",
    "Ensemble",
    "PrivacyLoss",
    "Restart",
    "ReviewerScheme",
    "attack",
    "build_scheme",
    "worst_attack",
]
