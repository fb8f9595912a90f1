"""How payloads are judged: one after another, on any executor, or many at a time."""

from zoopt_mo.evaluation._concurrent import concurrent
from zoopt_mo.evaluation._judges import Judge, Outcome, WholeJudge, until_stopped
from zoopt_mo.evaluation._keys import payload_key
from zoopt_mo.evaluation._outcomes import Failure, QueryError, Reply, TooManyFailures, Usage
from zoopt_mo.evaluation._parallel import parallel

__all__ = [
    "Failure",
    "Judge",
    "Outcome",
    "QueryError",
    "Reply",
    "TooManyFailures",
    "Usage",
    "WholeJudge",
    "concurrent",
    "parallel",
    "payload_key",
    "until_stopped",
]
