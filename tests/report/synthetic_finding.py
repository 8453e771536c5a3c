"""Findings of synthetic runs; what parts of the package write is made of their own classes, so that it cannot drift."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthetic_world import TOPICS, World

from temperament.measure.classifier import Assessment, Card
from temperament.measure.inventory.card import Balance, InventoryCard
from temperament.measure.inventory.convergence import Convergence
from temperament.measure.inventory.reliability import Reliability
from temperament.measure.judge.bench import JudgeFinding
from temperament.measure.judge.calibration import Agreement
from temperament.measure.judge.calibration import Assessment as Trial
from temperament.measure.judge.score import Tally
from temperament.record import Figure, read_records, to_json, write_text
from temperament.stats import Estimate, share
from temperament.study.crosstalk import write_crosstalk
from temperament.study.dose import write_dose
from temperament.study.family import Row
from temperament.subject.cost import Cost
from temperament.trait import Target


def write_findings(folder: Path, world: World) -> None:
    """What every run has beside records, scores and figures."""
    write_text(folder / "provenance.json", to_json(_provenance()))
    write_text(folder / "timing.json", to_json(_timing(folder, world)))
    write_text(folder / "findings" / "classifier.json", to_json(_card(world.labels)))
    write_text(folder / "findings" / "fluency.json", to_json(_fluency()))
    for method in world.methods:
        for target in world.targets:
            name = f"{method}-{target.trait}-{target.pole}"
            write_text(folder / "findings" / f"training-{name}.json", to_json(_training(method, target)))


def write_derived(folder: Path, world: World, figures: Sequence[Figure]) -> None:
    """Doses, cross-talk, the family of tests, and the cards of inventory and judge."""
    write_dose(folder)
    write_crosstalk(folder)
    write_text(folder / "findings" / "family.json", to_json(family_of(figures)))
    write_text(folder / "findings" / "inventory.json", to_json(_inventory(world)))
    write_text(folder / "findings" / "judge.json", to_json(judge_of(world)))


def family_of(figures: Sequence[Figure]) -> dict[str, Any]:
    """The changes of a run as a family, with p-values that go with their intervals."""
    rows: list[Row] = []
    for figure in figures:
        if not figure.metric.endswith("_change") or figure.value is None:
            continue
        is_apart = figure.lower is not None and figure.upper is not None and (figure.lower > 0 or figure.upper < 0)
        p = 0.0004 if is_apart else 0.4
        keys = ("method", "condition", "strength", "trait", "pole", "seed", "n")
        rows.append(
            Row(
                **{key: getattr(figure, key) for key in keys},
                metric=figure.metric.removesuffix("_change"),
                test="McNemar",
                topics=8,
                p=p,
                p_adjusted=min(1.0, 3 * p),
                effect_size=figure.value * 2,
                effect_name="Cohen's h",
            )
        )
    power = (
        "of trait alignment, with n = 40 on 8 topics you can see differences of 0.30 or more (80 % power, alpha .05)"
    )
    return {"rows": rows, "power": power}


def judge_of(world: World) -> JudgeFinding:
    """A judge that tells the poles apart as well as the world says."""
    area = at(world.area, 0.05)
    agreement = Agreement(at(0.8), at(0.4))
    trial = Trial(
        asked="traits",
        area=area,
        by_trait={trait.name: area for trait in world.traits},
        correlation=at(0.7),
        low=at(2.1),
        high=at(3.9),
        spread=1.1,
        order_bias=at(0.2),
        length_bias=at(0.1),
        wording=agreement,
        direction=agreement,
        outside=at(0.02, 0.01),
        tally=Tally(200, 198, 2, {"unparsable": 2}, ""),
    )
    return JudgeFinding(
        judge="judge-7b",
        kind="local",
        split="validation",
        answers=100,
        topics=12,
        is_counterbalanced=True,
        traits=trial,
        adjectives=None,
        cost=Cost(200, 40_000, 400, 0),
        price=None,
        says=f"It tells the poles apart with an area of {area}.",
        tallies={},
        run_cost=Cost(600, 120_000, 600, 0),
        run_price=0.25,
    )


def at(value: float, half: float = 0.1) -> Estimate:
    """An estimate with an even interval."""
    return Estimate(value, value - half, value + half, 40)


def _inventory(world: World) -> InventoryCard:
    withheld = Estimate(None, None, None, 4)
    names = [trait.name for trait in world.traits]
    return InventoryCard(
        inventory="short",
        fingerprint="cd" * 8,
        note="It was never tried on people.",
        caution="What a model says of itself need not be how it writes: read the scores beside the convergence.",
        statements=50,
        labels=("letters", "digits"),
        orders=("accurate-first", "inaccurate-first"),
        balance=tuple(Balance(name, 5, 5) for name in names),
        respondents=46,
        reliability=tuple(
            Reliability(name, at(0.8), withheld, 46, 10, "omega is withheld: it needs more respondents")
            for name in names
        ),
        convergence=tuple(
            Convergence(name, tuple("abcd"), (3.0,) * 4, (0.1,) * 4, at(0.3, 0.5), at(0.2, 0.5)) for name in names
        ),
        raters=(),
    )


def _provenance() -> dict[str, Any]:
    return {
        "versions": {"temperament": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "transformers": "5.23.0"},
        "hashes": {"model": "5a" * 32, "data": "c0" * 32, "code": "7e" * 32},
        "hardware": {"processor": "2 cores, AVX2", "memory_gib": 15.6, "has_gpu": False},
        "seeds": list(range(3)),
    }


def _card(labels: tuple[str, ...]) -> Card:
    assessments = tuple(
        _assessment(name, draw, labels) for name, draw in (("measure, by cross-validation", 7), ("test", 8))
    )
    return Card(
        embedder="builtin:minilm",
        learned_from="unique answers of the split 'measure'",
        poles=labels,
        answers=400,
        topics=10,
        chance_poles=1 / len(labels),
        chance_traits=2 / len(labels),
        word_weight=1.0,
        inverse_penalty=4.0,
        temperature=0.9,
        seed=0,
        assessments=assessments,
    )


def _assessment(name: str, seed: int, labels: tuple[str, ...]) -> Assessment:
    draw = random.Random(seed)
    shown = [(label, TOPICS[index % 8]) for label in labels for index in range(40)]
    topics = [topic for _, topic in shown]
    taken = [label if draw.random() < 0.72 else draw.choice(labels) for label, _ in shown]
    confusion = {label: dict.fromkeys(labels, 0) for label in labels}
    for (label, _), other in zip(shown, taken, strict=True):
        confusion[label][other] += 1
    poles = share([label == other for (label, _), other in zip(shown, taken, strict=True)], topics)
    hits = [one[0].split(":")[0] == other.split(":")[0] for one, other in zip(shown, taken, strict=True)]
    traits = share(hits, topics)
    return Assessment(name, len(shown), 8, poles, traits, {}, {}, confusion, 0.064, 0.91)


def _timing(folder: Path, world: World) -> dict[str, float]:
    """Asking takes ten milliseconds a token."""
    found = {"loading": 2.5, "peak_memory_gb": 3.1}
    for method in world.methods:
        for seed in world.seeds:
            found[f"fitting {method}  s{seed}"] = 12.3 * len(method)
    for path in sorted((folder / "records").glob("*.jsonl")):
        tokens = sum(record.tokens or 0 for record in read_records(path))
        found[f"asking {path.stem}"] = 0.01 * tokens
    return found


def _fluency() -> dict[str, Any]:
    """As `temperament.measure.gibberish.Card`."""
    known = {"answers of the split 'test'": 0.0, "loops": 1.0, "words shuffled, read by the model": 0.95}
    return {
        "rule": {"most_unknown": 0.5},
        "vocabulary": 12100,
        "known": [
            {"texts": name, "is_gibberish": share > 0, "called": share_of(share)} for name, share in known.items()
        ],
        "unread": "",
    }


def share_of(value: float) -> Estimate:
    """A share of forty texts on eight topics."""
    return share([number < 40 * value for number in range(40)], [TOPICS[number % 8] for number in range(40)])


def _training(method: str, target: Target) -> dict[str, Any]:
    draw = random.Random(str(target))
    steps = [
        {"step": step, "loss": 1.1 + 2.3 * 0.97**step + draw.uniform(-0.15, 0.15), "learning_rate": 2e-4}
        for step in range(1, 101)
    ]
    place = {"trait": target.trait, "pole": target.pole}
    return {
        "method": method,
        "condition": "demo",
        "target": place,
        "seed": 0,
        "rows": 400,
        "tokens": 23456,
        "steps": steps,
    }
