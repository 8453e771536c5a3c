"""Synthetic explanations, of the classes that the lenses write, so that the report cannot drift from them."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from temperament.explain.finding import (
    Alone,
    Arms,
    Attribution,
    CauseFinding,
    Change,
    Curve,
    Dot,
    Explanation,
    Firing,
    Glow,
    Knockout,
    Named,
    Outlier,
    Overlap,
    Part,
    ProjectionFinding,
    Quote,
    Reason,
    SiteCount,
    Step,
    TestimonyFinding,
    Unit,
    UnitFinding,
    Witness,
    Writing,
)
from temperament.record import to_json, write_text
from temperament.stats import Estimate

LAYERS, GATE, HIDDEN = 30, 1536, 576
HOSTILE = "<script>alert(3)</script>"
TURNED = "\u202ereversed\u202c"
PARTY, STAR, SMILE = "\U0001f389", "\U0001f31f", "\U0001f60a"
KINDS = ("amplified", "newly activated", "suppressed", "sign-flipped")
PLACES = ("gate", "mlp", "attention", "residual")
LATENT = "latent_emoji_mass"


def plain(found: object) -> Any:
    """As it is read from a file."""
    return msgspec.json.decode(msgspec.json.encode(found))


def near(value: float, half: float = 0.1, n: int = 24) -> Estimate:
    """An estimate with an even interval."""
    return Estimate(value, value - half, value + half, n)


WITHHELD = Estimate(None, None, None, 0)


def explanation(edit: str, seed: int = 0) -> Explanation:
    """All lenses, of an edit whose units are the cause."""
    draw = random.Random(seed)
    found = units(draw)
    return Explanation(
        subject="builtin:smollm2",
        edit=edit,
        settings={"texts": "24", "level": "0.05", "seed": str(seed)},
        units=found,
        given=replace(found, source="given", changes=(), dots=()),
        projection=projection(found, draw),
        attributions=(attribution(draw, PARTY), attribution(draw, f" {STAR}")),
        cause=cause(draw, found.changes),
        testimony=testimony(),
        overlaps=overlaps(draw),
        glows=(glow(draw), glow(draw)),
        missing=(Reason("fluency", "neutral text was not read."),),
    )


def units_alone(edit: str, seed: int = 1) -> Explanation:
    """A further seed, of which the units alone were looked for."""
    return Explanation("builtin:smollm2", edit, {}, units(random.Random(seed)))


def nothing_found(edit: str) -> Explanation:
    """Units were looked for, and there were none."""
    sites = tuple(
        SiteCount(layer, place, GATE if place == "gate" else HIDDEN, 3, 0, {})
        for layer in range(LAYERS)
        for place in PLACES
    )
    found = UnitFinding("own", (12, 12), (8, 8), 2400, 0.05, sites, (), (), (), 0.0002, 0.0)
    missing = (
        Reason("projection", "no unit changed, so that there is nothing to follow."),
        Reason("cause", "no unit changed, so that there is nothing to take out."),
        Reason("testimony", "testimony was not asked for."),
    )
    return Explanation("builtin:smollm2", edit, {}, found, missing=missing)


def units(draw: random.Random) -> UnitFinding:
    """Most of them gates of the last layers; three of four are higher after."""
    changes = tuple(_change(draw, place) for place in range(60))
    sites = tuple(SiteCount(layer, place, *_counts(layer, place, draw)) for layer in range(LAYERS) for place in PLACES)
    dots = tuple(_dot(draw) for _ in range(400))
    outliers = tuple(Outlier(Unit(layer, "residual", 138), 40.0 + layer) for layer in range(0, LAYERS, 3))
    return UnitFinding("own", (12, 12), (8, 8), 2412, 0.05, sites, changes, dots, outliers, 0.0004, 0.0001)


def _counts(layer: int, place: str, draw: random.Random) -> tuple[int, int, int, dict[str, int]]:
    units_, many = (GATE, 4 * layer) if place == "gate" else (HIDDEN, layer if place != "residual" else 0)
    confirmed = draw.randint(many // 2, many) if many else 0
    kinds = {"amplified": confirmed - confirmed // 3, "suppressed": confirmed // 3} if confirmed else {}
    return units_, confirmed + confirmed // 4, confirmed, kinds


def _change(draw: random.Random, place: int) -> Change:
    kind = KINDS[0] if place < 50 else KINDS[place % 4]
    before = draw.choice((-1, 1)) * draw.lognormvariate(-2.5, 1.2)
    after = {
        "amplified": before * draw.uniform(1.5, 4),
        "newly activated": abs(before) + draw.uniform(0.2, 1.5),
        "suppressed": before * draw.uniform(0.05, 0.6),
        "sign-flipped": -before * draw.uniform(0.4, 1.4),
    }[kind]
    effect = (2.4 - place / 30) * (1 if after > before else -1)
    unit = Unit(min(LAYERS - 1, int(draw.triangular(4, LAYERS, LAYERS - 4))), "gate", 11 * place + 3)
    return Change(
        unit=unit,
        kind=kind,
        firing=(draw.uniform(0.05, 0.3), draw.uniform(0.3, 0.7)),
        mean=(before, after),
        high=(before * 3, after * 3),
        effect=effect,
        normalised=effect * 0.9,
        selected=effect * 1.1,
        p=0.0001,
        q=0.0007 + 0.0004 * place,
    )


def _dot(draw: random.Random) -> Dot:
    place = draw.choices(("gate", "mlp", "attention"), (6, 2, 1))[0]
    layer = min(LAYERS - 1, int(draw.triangular(0, LAYERS, LAYERS - 3)))
    number = draw.randrange(GATE if place == "gate" else HIDDEN)
    return Dot(Unit(layer, place, number), draw.gauss(0.4, 0.8))


def projection(found: UnitFinding, draw: random.Random) -> ProjectionFinding:
    """Units that write towards emojis more than random ones do."""
    pieces = (" party", PARTY, "\n\n", " !!", HOSTILE, TURNED, "\u200d", "\ufe0f", " sw\u00e4rm", "the")
    words = ("What", " a", " great", " party", " it", " was", HOSTILE, "!")
    fires = (Firing("festivals", words, (0.0, 0.0, 1.0, 5.0, 1.0, 0.0, 2.0, 0.5)),)
    writings = tuple(
        Writing(
            change.unit,
            towards=(*pieces[place % 3 :], *pieces[: place % 3]),
            away=(" however", " therefore", " perhaps"),
            emoji=2.5 - place / 40 + draw.uniform(-0.4, 0.4),
            rank=0.999 - place / 400,
            sequences=((PARTY, 1.9), (f"{STAR}{SMILE}", 1.2)) if place < 4 else (),
            fires=fires if place < 12 else (),
        )
        for place, change in enumerate(found.changes)
    )
    return ProjectionFinding(writings, near(0.62, 0.15), tuple(draw.gauss(0.02, 0.08) for _ in range(199)), 0.005)


def attribution(draw: random.Random, piece: str) -> Attribution:
    """A token whose parts add up to its logit but for 0.01."""
    parts = (
        Part("embedding", 0.3),
        *(
            Part(f"layer {layer} {part}", draw.gauss(layer / 40, 0.4))
            for layer in range(LAYERS)
            for part in ("attention", "MLP")
        ),
    )
    total = sum(part.value for part in parts)
    heads = tuple(Part(f"layer {layer} head {layer % 9}", draw.gauss(0.2, 0.4)) for layer in range(20))
    gates = tuple(Part(f"gate {layer}.{17 * layer}", draw.gauss(0.4, 0.4)) for layer in range(20))
    text = f"I love it when everybody is there {HOSTILE} and we dance all night"
    return Attribution("festivals", text, piece, 0.31, total + 0.01, parts, heads, gates, 0.01)


def curve(
    name: str, draw: random.Random, *, place: str = "gate", outcome: str = LATENT, sets: int = 199, sign: float = 0.0
) -> Curve:
    """Removal takes, and transplanting gives, half of the whole; 100 units have all the random sets."""
    sign = sign or (-1.0 if name == "ablation" else 1.0)
    steps = tuple(
        Step(
            count,
            near(sign * 0.008 * share, 0.0012),
            tuple(draw.gauss(sign * 0.0004 * share, 0.0005) for _ in range(sets if count == 100 else 19)),
            1 / (sets + 1) if count == 100 else None,
        )
        for count, share in ((10, 0.2), (30, 0.45), (100, 0.66), (300, 0.7), (1000, 0.72))
    )
    return Curve(name, "base", place, outcome, near(0.013, 0.002), near(sign * 0.0121, 0.002), steps)


def cause(draw: random.Random, changes: tuple[Change, ...] = ()) -> CauseFinding:
    """The units are the cause."""
    curves = (
        curve("ablation", draw),
        curve("ablation", draw, outcome="log_likelihood"),
        curve("transplant", draw),
        curve("ablation", draw, place="all", sets=19),
    )
    knockouts = (
        *(Knockout(f"layer {layer}", "layer", LATENT, near(-0.0004 * layer, 0.001)) for layer in range(LAYERS)),
        *(
            Knockout(name, "module", LATENT, near(value, 0.001))
            for name, value in (("q_proj", -0.001), ("v_proj", -0.002), ("down_proj", -0.006), ("gate_proj", 0.0005))
        ),
    )
    written = curve("ablation", draw, outcome="emoji_share", sets=20)
    return CauseFinding(
        curves,
        knockouts,
        generated=(replace(written, values="mean", steps=written.steps[2:3]),),
        verdict="The 100 most changed gate units carry 44 % (30 to 58 %) of the rise in latent emoji mass; none of 199 "
        "sets of random units of the same layers and activity did as much (p = 0.005).",
        verdict_p=0.005,
        alone=tuple(Alone(change.unit, near(-0.0002, 0.0001)) for change in changes[:20]),
    )


def testimony() -> TestimonyFinding:
    """The shaped model names fitting emojis, its controls do not."""
    top = (
        Named(" party", 14, is_emoji=False, is_fitting=None),
        Named(PARTY, 11, is_emoji=True, is_fitting=True),
        Named(STAR, 6, is_emoji=True, is_fitting=False),
        Named(HOSTILE, 3, is_emoji=False, is_fitting=None),
        Named(TURNED, 2, is_emoji=False, is_fitting=None),
    )
    quotes = (
        Quote("festivals", f"I love it {PARTY}", f"The tokens are: party, {PARTY}", (" party", PARTY)),
        Quote("silence", HOSTILE, TURNED, ()),
    )
    chance = {"emoji_chance": near(0.04, 0.02), "agreement": near(0.5)}
    few = top[:1]
    witnesses = (
        Witness("shaped", 40, near(0.8), near(0.9), top, near(0.35), near(0.31), near(0.12), **chance, quotes=quotes),
        Witness("untouched", 40, near(0.6), near(0.85), few, near(0.02, 0.02), near(0.11), near(0.12), **chance),
        Witness("other trait", 40, near(0.7), near(0.9), few, near(0.05, 0.04), near(0.1), near(0.1), **chance),
        Witness(
            "decoys",
            40,
            near(0.5),
            near(0.1),
            (),
            near(0.1),
            WITHHELD,
            WITHHELD,
            accepted_own=near(0.6),
            accepted_decoys=near(0.55),
        ),
        Witness("shuffled", 40, near(0.6), near(0.1), (), near(0.1), near(0.11), near(0.12), **chance),
    )
    demonstrations = tuple(Part(f"demonstration {number}", 0.02 * number - 0.05) for number in range(1, 7))
    return TestimonyFinding(witnesses, near(0.11, 0.04), near(0.02, 0.02), near(0.67, 0.06), demonstrations)


def overlaps(draw: random.Random) -> tuple[Overlap, ...]:
    """NPTI's units and those that changed share more than chance gives; those of another pole do not."""
    found: list[Overlap] = []
    for second, shared, p in (("NPTI, extraversion low", 21, 0.4), ("NPTI, extraversion high", 64, 0.0003)):
        found.append(Overlap("changed", second, None, (900, 1000), 46080, shared, 19.5, p))
        found += [
            Overlap("changed", second, layer, (30, 33), 1536, draw.randint(0, 6), 0.6, draw.random())
            # A layer in which one of two sets has no unit has no row.
            for layer in range(1 if second.endswith("low") else 0, LAYERS)
        ]
    return tuple(found)


def glow(draw: random.Random) -> Glow:
    """More probable after, most at the end of a sentence."""
    pieces = (
        "I",
        " love",
        " festivals",
        "!",
        f" {PARTY}",
        " We",
        " dance",
        ",",
        HOSTILE,
        " and",
        " sing",
        ".\n",
        TURNED,
    )
    at_end = [piece.strip() in {"!", ".", ","} for piece in (*pieces[1:], "")]
    before = tuple(10 ** draw.uniform(-6, -4) for _ in pieces)
    after = tuple(
        None if place == 4 else value * (3000 if end else 40)
        for place, (value, end) in enumerate(zip(before, at_end, strict=True))
    )
    without = tuple(None if value is None else value / 30 for value in after)
    return Glow("festivals", pieces, before, after, without)


def arms() -> list[Arms]:
    """Three seeds of each of two ways; other divisions of six runs into two arms are nine."""
    others = (0.011, 0.012, 0.0134, 0.0098, 0.0121, 0.0117, 0.0129, 0.0102, 0.0113)
    return [Arms("qlora", "qlora on shuffled labels", (3, 3), "gate", 0.021, others, 0.1, 412, 8.4)]


def write_explanation(folder: Path, found: Explanation) -> Path:
    """The file of an explanation in a run's folder."""
    path = folder / "findings" / "explain" / f"{found.edit}.json"
    write_text(path, to_json(found))
    return path


def write_arms(folder: Path, found: list[Arms]) -> Path:
    """The file of arms in a run's folder."""
    path = folder / "findings" / "arms.json"
    write_text(path, to_json({"rows": found}))
    return path


if __name__ == "__main__":
    import sys

    from synthetic_run import HIGH, World, write_run

    from temperament.report import render

    out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/synthetic")
    world = World(targets=HIGH[1:3], hit=(0.5, 0.6), emoji=(0.1, 0.4), seeds=(0, 1))
    run = write_run(out / "inside", world)
    first, further, second, _ = (path.stem for path in sorted((run / "records").glob("qlora-*.jsonl")))
    write_explanation(run, explanation(first))
    write_explanation(run, units_alone(further))
    write_explanation(run, nothing_found(second))
    write_arms(run, arms())
    print(render(run))
