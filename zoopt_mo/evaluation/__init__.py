"""How payloads are judged: one after another, on any executor, with failures counted and answers kept."""

from zoopt_mo.evaluation._outcomes import Failure, QueryError, Reply, Usage

__all__ = ["Failure", "QueryError", "Reply", "Usage"]
