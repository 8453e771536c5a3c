"""Numbers, lists and intervals in words."""

from collections.abc import Sequence

from temperament.record import Figure
from temperament.stats import Estimate

MINUS = "\u2212"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(value: float, places: int = 2, *, signed: bool = False) -> str:
    """A number, with one more place where it would otherwise read as 0 but is not."""
    if value and abs(value) < 0.5 * 10**-places:
        places += 1
    text = f"{abs(value):.{places}f}"
    if float(text) == 0:
        return text
    return f"{MINUS}{text}" if value < 0 else f"+{text}" if signed else text


def estimate(figure: Figure | Estimate | None, places: int = 2, *, signed: bool = False) -> str:
    """A figure or an estimate with its interval, such as '0.45 (0.31 to 0.60)'."""
    if figure is None:
        return "not measured"
    if figure.value is None:
        return "withheld"
    value = number(figure.value, places, signed=signed)
    if figure.lower is None or figure.upper is None:
        return f"{value} (interval withheld)"
    lower, upper = (number(bound, places, signed=signed) for bound in (figure.lower, figure.upper))
    return f"{value} ({lower} to {upper})"


def span(figures: Sequence[Figure | None], places: int = 2) -> str:
    """The estimate of one seed, or the lowest and highest value over several, and of how many where some lack one."""
    if len(figures) == 1:
        return estimate(figures[0], places)
    values = [figure.value for figure in figures if figure is not None and figure.value is not None]
    if not values:
        return "withheld"
    lowest, highest = number(min(values), places), number(max(values), places)
    both = lowest if lowest == highest else f"{lowest}\u2013{highest}"
    return both + part(len(values), len(figures), "seed")


def part(known: int, total: int, noun: str = "") -> str:
    """', 2 of 3 seeds' where a mean or a range is of fewer figures than there should be, or else nothing."""
    return "" if known >= total else f", {known} of {total} {noun + 's' if noun else ''}".rstrip()


def listed(parts: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def counted(n: int, noun: str, plural: str = "") -> str:
    """'1 reply', '2 replies'."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {plural or noun + 's'}"


def amount(n: int, noun: str = "") -> str:
    """'one trait', 'ten poles', '14 poles'; or the number alone."""
    words = NUMBERS[n] if n < len(NUMBERS) else str(n)
    return f"{words} {noun if n == 1 else noun + 's'}" if noun else words


def hits(figure: Figure | None) -> int | None:
    """How many answers a share counts."""
    return None if figure is None or figure.value is None else round(figure.value * figure.n)
