"""Side-effect budgets: how strong an edit may be before it does more than was allowed to all else."""

from dataclasses import dataclass

from temperament.report.finding import number_of, rows_of, text_of, words_of
from temperament.run import Row, Run

LIMITS = {
    "perplexity": "perplexity of neutral text, as a multiple",
    "kl": "neutral text moved, nats a token",
    "gibberish": "rise of the share of gibberish",
    "off_target": "change of another trait",
}


@dataclass(frozen=True)
class Spent:
    """One side effect on the half that was looked at once, against its limit, in words."""

    what: str
    found: str
    most: str


@dataclass(frozen=True)
class Budget:
    """One edit.

    Attributes:
        strength: up to which it stays within the limits, in words.
        verdict: whether the other half of the questions confirms it.
        note: what else was said.
        file: that it stands in.
    """

    name: str
    strength: str
    verdict: str
    note: str
    spent: list[Spent]
    file: str


def budgets(run: Run) -> list[Budget]:
    """The budgets among the findings of a run."""
    found = {name: _inner(row) for name, row in run.findings.items() if name.startswith("budget")}
    return [_budget(name, row) for name, row in found.items() if "strength" in row]


def _inner(row: Row) -> Row:
    """The budget itself, also where what it is of stands around it."""
    inner = row.get("budget")
    return inner if isinstance(inner, dict) else row


def _budget(name: str, row: Row) -> Budget:
    account = row.get("confirmation") or row.get("search")
    strength, binding = number_of(row, "strength"), text_of(row, "binding")
    words = "not recorded" if strength is None else f"{strength:g}"
    return Budget(
        name=name.removeprefix("budget").strip("-").replace("-", " "),
        strength=words + (f", stopped by {LIMITS.get(binding, binding)}" if binding else ""),
        verdict=_verdict(row),
        note=text_of(row, "note"),
        spent=[_spent(cost) for cost in rows_of(account.get("costs"))] if isinstance(account, dict) else [],
        file=f"findings/{name}.json",
    )


def _verdict(row: Row) -> str:
    if row.get("is_certain") is True:
        return "confirmed on the other half, intervals and all"
    return "confirmed on the other half" if row.get("is_confirmed") is True else "not confirmed on the other half"


def _spent(cost: Row) -> Spent:
    limit, trait, most = text_of(cost, "limit"), text_of(cost, "measured_trait"), number_of(cost, "most")
    what = LIMITS.get(limit, limit) + (f": {trait}" if trait else "")
    return Spent(what, words_of(cost.get("estimate")), "none" if most is None else f"{most:g}")
