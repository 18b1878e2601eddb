"""Does a language model remember whether its subject was one or many? Pairs of sentences that differ in the verb alone.

"The dogs, after playing in the park for a long time, sleep" against "... sleeps": as in Linzen, Dupoux and Goldberg 2016,
with the same words put between subject and verb at every distance, so that only the distance changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SUBJECTS = (
    ("dog", "dogs"), ("boy", "boys"), ("girl", "girls"), ("man", "men"), ("woman", "women"), ("company", "companies"),
    ("bank", "banks"), ("price", "prices"), ("share", "shares"), ("rate", "rates"), ("lawyer", "lawyers"),
    ("analyst", "analysts"), ("official", "officials"), ("house", "houses"), ("king", "kings"), ("film", "films"),
)  # fmt: skip
VERBS = (("is", "are"), ("was", "were"), ("has", "have"), ("does", "do"), ("says", "say"), ("sleeps", "sleep"))
BETWEEN = (
    "",
    "in the city",
    "in the city near the park",
    "in the city near the park for a long time",
    "in the city near the park for a long time after the end of the year",
)


@dataclass(frozen=True)
class Agreement:
    """Right answers at one distance.

    Attributes:
        distance: words between subject and verb.
        right: pairs whose verb in the right number is the more probable one.
        pairs: how many there are.
    """

    distance: int
    right: int
    pairs: int


def measure_agreement(
    probabilities: Callable[[Sequence[str], Sequence[str]], Sequence[float]], known: Callable[[str], bool]
) -> list[Agreement]:
    """Ask a model for the verb of many subjects at growing distance.

    Args:
        probabilities: texts, and what may come next after each -> log P of that.
        known: whether the model knows a word; pairs with one that it does not know are left out.

    Returns:
        One entry a distance; none if the model knows too few of the words to tell (fewer than ten pairs).
    """
    found = []
    for between in BETWEEN:
        words = ["the", *between.split()]
        if not all(map(known, words)):
            continue
        prompts: list[str] = []
        verbs: list[tuple[str, str]] = []
        for subjects in SUBJECTS:
            for forms in VERBS:
                if not all(map(known, (*subjects, *forms))):
                    continue
                for number in (0, 1):
                    prompts.append(" ".join(["the", subjects[number], *between.split()]))
                    verbs.append((forms[number], forms[1 - number]))
        if len(prompts) < 10:
            return []
        right, wrong = (probabilities(prompts, [pair[i] for pair in verbs]) for i in (0, 1))
        hits = sum(r > w for r, w in zip(right, wrong, strict=True))
        found.append(Agreement(len(between.split()), hits, len(prompts)))
    return found
