"""Titles and decimals of metrics, and where on the page they stand."""

from temperament.report.emoji import COLUMNS as EMOJI
from temperament.report.emoji import LOWER, UPPER
from temperament.report.grid import Column
from temperament.report.inventory import BIASES
from temperament.report.judge import JUDGED
from temperament.report.trust import Choice
from temperament.report.wording import number

READINGS = (
    "trait_alignment_5",
    "trait_alignment_without_emoji",
    "trait_alignment_5_without_emoji",
    "trait_alignment_forced",
)
UNSURE = Column("unsure_share", "the classifier cannot place, as a share")
TPEI = Column("tpei", "nearer to the target (TPEI, nats)")
FLUENCY: dict[str, tuple[Column, ...]] = {
    "Whether replies are answers, and how long they are": (
        Column("gibberish_share", "gibberish"),
        Column("refusal_share", "refusals"),
        Column("disclaimer_share", "answers behind a disclaimer"),
        Column("words", "words a reply", 1),
        Column("finished_share", "ended by the model itself"),
        Column("broken_share", "never came: no finite number was left"),
        Column("same_reply_share", "one and the same to several questions"),
    ),
    "How varied replies are": (
        Column("distinct_1", "different words, as a share"),
        Column("distinct_2", "different pairs of words, as a share"),
        Column("distinct_3", "different threes of words, as a share"),
        Column("repetition", "stands in a run that occurs twice, as a share"),
        Column("ngram_entropy", "entropy of runs, bits"),
        Column("ngram_entropy_share", "of the highest entropy that it can have"),
    ),
    "How surprising replies are": (
        Column("perplexity", "perplexity under the untouched model, median", 1),
        Column("log_perplexity", "the same, mean of logarithms"),
    ),
    "What became of texts that the model was given to read": (
        Column("edit_success", "edit success, 0 to 1"),
        Column("drawdown", "drawdown, nats a token"),
        Column("neutral_perplexity", "perplexity of neutral text", 1),
        Column("broken_text_share", "left without a finite number"),
    ),
}
SHOWN = {
    "trait_alignment",
    *READINGS,
    UNSURE.metric,
    TPEI.metric,
    "pole_share",
    "trait_share",
    "emoji_share",
    *(column.metric for column in EMOJI),
    LOWER,
    UPPER,
    *(column.metric for columns in FLUENCY.values() for column in columns),
    "inventory_score",
    *(column.metric for column in BIASES),
    *JUDGED,
}


def readings(told_apart: Choice) -> list[Column]:
    """Other readings of the replies; among the poles of one trait there is no trait to be chosen."""
    poles, traits = (
        f", chance {number(chance)}" if chance else "" for chance in (told_apart.chance_poles, told_apart.chance_traits)
    )
    among = {
        READINGS[0]: f"among {told_apart.among_traits}{traits}",
        READINGS[1]: f"among {told_apart.among_poles}, emojis removed{poles}",
        READINGS[2]: f"among {told_apart.among_traits}, emojis removed{traits}",
        READINGS[3]: f"among {told_apart.among_poles}, the classifier never unsure{poles}",
    }
    kept = [metric for metric in READINGS if told_apart.traits != 1 or "_5" not in metric]
    return [*(Column(metric, among[metric]) for metric in kept), UNSURE, TPEI]
