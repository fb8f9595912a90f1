"""A record of every paid query: cache, bill and replay log in one SQLite file."""

from zoopt_mo.ledger._ledger import Entry, Ledger, Place
from zoopt_mo.ledger._reading import BillLine, LedgerReader

__all__ = ["BillLine", "Entry", "Ledger", "LedgerReader", "Place"]
