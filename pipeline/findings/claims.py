"""Causes held against an incident: ranked claims with evidence for, against and missing.

Confidence: the yes answers of required and supporting questions add up as 1 - prod(1 - weight); each yes of a
contradicting question multiplies it by (1 - weight), each question nobody could look into by (1 - unseen), and
an incident of which only one end was observed by ``ONE_END``. A required question answered no, or not
answerable, rules the cause out. Below ``ENOUGH`` no cause is claimed: the answer is ``undetermined``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pipeline.findings.case import Case
from pipeline.findings.catalogue import UNDETERMINED, Catalogue, Cause, Question
from pipeline.findings.describe import common_fields, ends_paragraph, unseen_proofs
from pipeline.findings.proofs import Proof, Sign
from pipeline.findings.signals import evaluate

ENOUGH = 0.5
"""Below this a claim is as likely wrong as right."""
WORTH_TELLING = 0.15
"""A candidate below this is not listed, except to say by which fact it was ruled out."""
MOST = 0.98
"""No claim from logs is certain."""
ONE_END = 0.9
"""What remains when only one end of the sessions was observed: the other may hold the cause."""
ALSO = "also: "
"""Begins the further records of a sign whose first one carries the sentence."""
SUPPORTS, CONTRADICTS, MISSING = "supports", "contradicts", "missing"


@dataclass(frozen=True, slots=True)
class Claim:
    """A cause claimed, or ruled out, for an incident. Evidence is (role, proof), strongest first."""

    cause: Cause
    confidence: float
    summary: str
    remedy: str
    evidence: tuple[tuple[str, Proof], ...]
    ruled_out: bool = False


def judge(case: Case, catalogue: Catalogue) -> list[Claim]:
    """Claims for one incident, the strongest first; never empty."""
    fitting = [c for c in catalogue.causes.values() if _applies(c, case)]
    weighed = [_weigh(case, cause) for cause in fitting if cause.id != UNDETERMINED]
    ranked = sorted(weighed, key=lambda claim: (-claim.confidence, claim.cause.id))
    candidates = [claim for claim in ranked if not claim.ruled_out and claim.confidence >= WORTH_TELLING]
    if candidates and candidates[0].confidence >= ENOUGH:
        rest = candidates[1:3]
        like = candidates[0].cause.look_alikes
        known = {claim.cause.id for claim in candidates[:3]}
        out = [_weigh(case, catalogue.causes[name], thorough=True) for name in like if name not in known]
        told = [claim for claim in out if any(role == CONTRADICTS for role, _ in claim.evidence)]
        return [candidates[0], *rest, *sorted(told, key=lambda claim: (-claim.confidence, claim.cause.id))]
    return [_undetermined(case, catalogue.causes[UNDETERMINED], candidates[:3]), *candidates[:3]]


def _applies(cause: Cause, case: Case) -> bool:
    if case.incident.kind not in cause.applies_to:
        return False
    return case.incident.kind != "record" or not cause.categories or case.incident.category in cause.categories


def _weigh(case: Case, cause: Cause, *, thorough: bool = False) -> Claim:
    """Ask a cause's questions. One that is ruled out is only asked on to tell why (``thorough``)."""
    if not thorough and any(q.role == "required" and not _ask(case, q).seen for q in cause.questions):
        return Claim(cause, 0.0, "", "", (), ruled_out=True)
    fields: dict[str, str] = dict(case.remembered("fields", lambda: common_fields(case)))
    evidence: list[tuple[str, Proof]] = []
    doubt, kept, ruled_out = 1.0, 1.0, False
    for question in cause.questions:
        sign = _ask(case, question)
        if sign.seen is None:
            kept *= 1 - question.unseen
            ruled_out |= question.role == "required"
            if question.missing:
                evidence.append((MISSING, Proof(_sentence(question.missing, {**fields, **sign.fields}) or "")))
            continue
        if sign.seen and question.role != "contradicts":
            # What speaks against a cause never fills in its sentences.
            fields.update(sign.fields)
        if question.role == "context":
            continue
        if sign.seen and question.role == "contradicts":
            kept *= 1 - question.weight
        elif sign.seen:
            doubt *= 1 - question.weight
        elif question.role == "required":
            ruled_out = True
        evidence += _told(question, sign, {**fields, **sign.fields})
    confidence = min(MOST, (1 - doubt) * kept)
    if cause.needs_both_ends and case.incident.kind != "record" and not case.both_seen:
        confidence *= ONE_END
        evidence += [(MISSING, proof) for proof in unseen_proofs(case)]
    if ruled_out:
        confidence = min(confidence, WORTH_TELLING / 2)
        evidence = [pair for pair in evidence if pair[0] != MISSING]
    summary = _sentences(cause.summary, fields)
    ends: str = case.remembered("ends", lambda: ends_paragraph(case))
    remedy = _sentences(cause.remedy, fields)
    return Claim(
        cause, round(confidence, 3), "\n\n".join(filter(None, ("\n".join(summary), ends))),
        "\n".join(remedy), tuple(_ordered(evidence)), ruled_out,
    )  # fmt: skip


def _ask(case: Case, question: Question) -> Sign:
    """The first option that says yes; else no if anybody could look, else unknown."""
    answers = [evaluate(case, *option) for option in question.options]
    yes = next((answer for answer in answers if answer.seen), None)
    if yes is not None:
        return yes
    return next((answer for answer in answers if answer.seen is False), answers[0])


def _told(question: Question, sign: Sign, fields: dict[str, str]) -> list[tuple[str, Proof]]:
    """Evidence rows of one answer: its sentence on the first record, the other records beside it."""
    if not sign.seen:
        sentence = _sentence(question.absent, fields)
        return [(CONTRADICTS, Proof(sentence))] if sentence else []
    role = CONTRADICTS if question.role == "contradicts" else SUPPORTS
    sentence = _sentence(question.text, fields)
    if not sign.proofs:
        return [(role, Proof(sentence))] if sentence else []
    first, *others = sign.proofs
    head = replace(first, text=f"{sentence}: {first.text}" if sentence else first.text)
    return [(role, head), *((role, replace(proof, text=f"{ALSO}{proof.text}")) for proof in others)]


def _ordered(evidence: list[tuple[str, Proof]]) -> list[tuple[str, Proof]]:
    order = {SUPPORTS: 0, CONTRADICTS: 1, MISSING: 2}
    seen: set[tuple[str, Proof]] = set()
    unique = [pair for pair in evidence if pair[1].text and not (pair in seen or seen.add(pair))]  # type: ignore[func-returns-value]
    return sorted(unique, key=lambda pair: order[pair[0]])


_NAMES = re.compile(r"\{(\w+)\}")


def _sentence(template: str, fields: dict[str, str]) -> str | None:
    """The template filled in; None when it needs a field that is not known."""
    if not template or any(not fields.get(name, "") and name not in _MAY_BE_EMPTY for name in _NAMES.findall(template)):
        return None
    return _NAMES.sub(lambda found: fields.get(found.group(1), ""), template)


_MAY_BE_EMPTY = frozenset({"optmem_how"})


def _sentences(templates: tuple[str, ...], fields: dict[str, str]) -> list[str]:
    return [text for text in (_sentence(template, fields) for template in templates) if text]


def _undetermined(case: Case, cause: Cause, candidates: list[Claim]) -> Claim:
    """Say what is known, which causes remain possible, and what to collect to tell them apart."""
    fields = common_fields(case)
    if candidates:
        fields["candidates"] = "; ".join(f"{c.cause.title} ({c.confidence:.0%})" for c in candidates)
    evidence: list[tuple[str, Proof]] = [(MISSING, proof) for proof in unseen_proofs(case)]
    for claim in candidates:
        evidence += [(MISSING, Proof(text)) for text in claim.cause.collect]
        evidence += [pair for pair in claim.evidence if pair[0] == MISSING]
    if not candidates:
        evidence += [(MISSING, Proof(text)) for text in cause.collect]
    proofs = [pair for claim in candidates[:1] for pair in claim.evidence if pair[0] == SUPPORTS]
    summary = "\n\n".join(filter(None, ("\n".join(_sentences(cause.summary, fields)), ends_paragraph(case))))
    top = candidates[0].confidence if candidates else 0.0
    remedy = _sentences(cause.remedy, fields)
    return Claim(cause, round(top, 3), summary, "\n".join(remedy), tuple(_ordered([*proofs, *evidence])))
