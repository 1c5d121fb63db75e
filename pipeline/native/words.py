"""The words that matter inside tokens with digits, as tables of one automaton that reads a byte a step.

Words that the grammar protects keep their digits, prefixes end before a token begins, and words that may tell of
a secret must be seen even where a token is wiped. All are looked for without regard to case: to see one too many
only makes kinds finer, or leaves a line to be read.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from pipeline.grammar import Ruleset
from pipeline.redact import HIDDEN_WORDS

#: What a state may say of the bytes up to here: they end with a protected word, with a prefix, with a word that may
#: tell of a secret, or with what stands before the digits of a protected word of several tokens.
WORD, PREFIX, SECRET, OPENING = 1, 2, 4, 8
_TOKENS = re.compile(r"[0-9A-Za-z_.:\-]+")
_FIRST = re.compile(r"[0-9A-Za-z_.:\-]*")
_DIGIT = re.compile(r"[0-9]")


class Words(NamedTuple):
    """``step[state + fold[byte]]`` is the next state, the first one is 0; from ``silent`` on states say something.

    Those say the bits above, ``says[state]``, and the length of the longest protected word that ends there,
    ``longest[state]``.
    """

    fold: np.ndarray
    step: np.ndarray
    silent: int
    says: np.ndarray
    longest: np.ndarray


def words_of(ruleset: Ruleset) -> Words:
    """The tables for a ruleset's protected words and prefixes."""
    says: dict[str, int] = {}
    for word in ruleset.protected:
        before = opening(word)
        bit = PREFIX if _DIGIT.search(word) is None else WORD if before is None else OPENING
        # only its first token may be the end of a longer one
        text = word if before is None else _FIRST.findall(before)[0]
        says[text.lower()] = says.get(text.lower(), 0) | bit
    for word in HIDDEN_WORDS.split("|"):
        says[word.lower()] = says.get(word.lower(), 0) | SECRET
    says.pop("", None)
    return _automaton(says)


def opening(word: str) -> str | None:
    """Of a protected word of several tokens, what stands before the first one with a digit; None for one token."""
    if _TOKENS.fullmatch(word):
        return None
    return next(word[: token.start()] for token in _TOKENS.finditer(word) if _DIGIT.search(token[0]))


def _automaton(says: Mapping[str, int]) -> Words:
    """Aho and Corasick's automaton (https://doi.org/10.1145/360825.360855), with all its failures followed."""
    letters = {letter: n for n, letter in enumerate(sorted(set("".join(says))), start=1)}
    children: list[dict[int, int]] = [{}]
    bits, longest = [0], [0]
    for word, bit in says.items():
        state = 0
        for letter in word:
            state = _child(children, bits, longest, state, letters[letter])
        bits[state] |= bit
        longest[state] = len(word) if bit & WORD else 0
    step = np.zeros((len(children), len(letters) + 1), np.uint16)
    failure = [0] * len(children)
    waiting = deque([0])
    while waiting:
        state = waiting.popleft()
        bits[state] |= bits[failure[state]]
        longest[state] = max(longest[state], longest[failure[state]])
        step[state] = step[failure[state]]
        for column, child in children[state].items():
            failure[child] = int(step[state, column]) if state else 0
            step[state, column] = child
            waiting.append(child)
    return _placed(_folds(letters), step, np.array(bits, np.uint8), np.array(longest, np.int32))


def _placed(fold: np.ndarray, step: np.ndarray, bits: np.ndarray, longest: np.ndarray) -> Words:
    """The tables with states that say nothing first, each named by the place of its row in one long table."""
    order = np.argsort(bits != 0, kind="stable")
    width = step.shape[1]
    names = np.empty(len(order), np.int32)
    names[order] = np.arange(len(order)) * width
    return Words(
        fold,
        names[step[order]].ravel(),
        int(np.count_nonzero(bits == 0)) * width,
        np.repeat(bits[order], width),
        np.repeat(longest[order], width),
    )


def _child(children: list[dict[int, int]], bits: list[int], longest: list[int], state: int, letter: int) -> int:
    if letter not in children[state]:
        children[state][letter] = len(children)
        children.append({})
        bits.append(0)
        longest.append(0)
    return children[state][letter]


def _folds(letters: Mapping[str, int]) -> np.ndarray:
    fold = np.zeros(256, np.uint8)
    for letter, number in letters.items():
        fold[ord(letter)] = fold[ord(letter.upper())] = number
    return fold


def openings(words: Iterable[str]) -> list[str]:
    """What stands before the digits of protected words of several tokens, each once."""
    return sorted({before for word in words if (before := opening(word)) is not None})
