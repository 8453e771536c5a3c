"""Statistics: numbers with an honest 95 % interval, from answers that cluster by topic.

Answers on one topic resemble each other, so the topic and not the answer is the observation. Every function takes
``clusters``, one name per value; without it each value stands for itself.

How large: `share`, `ratio`, `average`, `correlation`. How different: `paired_difference` of the same items,
`unpaired_difference` of others, `cohens_d`, `cohens_h`, `risk_difference`. How surprising: `paired_test`, `mcnemar`,
`unpaired_test`, and `discoveries` over a family of tests. What can be seen: `power_note`. All of it: `compared`.
"""

from temperament.stats.association import correlation
from temperament.stats.change import paired_difference, unpaired_difference
from temperament.stats.comparison import Comparison, compared
from temperament.stats.effect import cohens_d, cohens_d_paired, cohens_h, cohens_h_paired, risk_difference
from temperament.stats.estimate import CONFIDENCE, Estimate
from temperament.stats.evidence import Evidence, mcnemar, paired_test, unpaired_test
from temperament.stats.family import Discovery, discoveries
from temperament.stats.mean import average, ratio
from temperament.stats.power import Visible, power_note, visible_change, visible_share_change, visible_share_difference
from temperament.stats.proportion import share
from temperament.stats.resample import RESAMPLES

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "Comparison",
    "Discovery",
    "Estimate",
    "Evidence",
    "Visible",
    "average",
    "cohens_d",
    "cohens_d_paired",
    "cohens_h",
    "cohens_h_paired",
    "compared",
    "correlation",
    "discoveries",
    "mcnemar",
    "paired_difference",
    "paired_test",
    "power_note",
    "ratio",
    "risk_difference",
    "share",
    "unpaired_difference",
    "unpaired_test",
    "visible_change",
    "visible_share_change",
    "visible_share_difference",
]
