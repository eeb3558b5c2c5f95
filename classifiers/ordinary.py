"""How often Haven would cry wolf in ordinary chat."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from classifiers.assessment import Kind, Level, Sensitivity
from classifiers.classifier import Classifier
from classifiers.conversation import Message
from classifiers.corpus import conversations_of
from classifiers.exchange import Conversation
from classifiers.model import Model
from classifiers.tables import Table


def false_alerts(model: Model, files: Iterable[Path]) -> Table:
    """Return how often real, harmless chat would have alerted; files are transcripts, one a community."""
    classifier = Classifier(model)
    rows = []
    for file in files:
        conversations = conversations_of(file)
        messages = sum(map(len, conversations))
        cells = [file.stem, f"{len(conversations):,}", f"{messages:,}"]
        for sensitivity in Sensitivity:
            alerts = dict.fromkeys(Kind, 0)
            advised = 0
            for conversation in conversations:
                reached = _reached(classifier, conversation, sensitivity)
                for (kind, _), level in reached.items():
                    alerts[kind] += level >= Level.ALERT
                    advised += level >= Level.ADVISE
            cells += [f"{count / max(messages, 1) * 1e5:.1f}" for count in (*alerts.values(), advised)]
        rows.append(tuple(cells))
    heads = [f"{s}: {what}" for s in Sensitivity for what in ("threat", "disclosure", "advised")]
    return Table(
        "Alerts per 100,000 messages of real chat",
        "An alert is one account in one conversation, as a threat or as a disclosure; *advised* are those that reach"
        " the level of a private warning.",
        ("community", "conversations", "messages", *heads),
        tuple(rows),
    )


def _reached(
    classifier: Classifier, messages: Sequence[Message], sensitivity: Sensitivity
) -> dict[tuple[Kind, object], Level]:
    """Return the highest level per kind and account, which is what becomes a case."""
    found: dict[tuple[Kind, object], Level] = defaultdict(lambda: Level.NONE)
    if messages:
        conversation = Conversation(messages[0].sent_at)
        for message in messages:
            for assessment in classifier.assess(conversation, message, sensitivity):
                key = (assessment.kind, assessment.sender or assessment.target)
                found[key] = max(found[key], assessment.level)
    return found
