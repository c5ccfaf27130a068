"""Everything that instruments can do to a world, by the name under which the ledger records it."""

from digital_twin.actions.registry import ACTIONS, BOOKKEEPING, Effect, Preparation

__all__ = ["ACTIONS", "BOOKKEEPING", "Effect", "Preparation"]
