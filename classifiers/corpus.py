"""The labelled conversations that the model learns from, with who wrote them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classifiers.assessment import Kind, Marker
from classifiers.conversation import Account, Message
from classifiers.errors import InputError
from classifiers.transcript import Transcript, parse, to_messages

KINDS = ("sextortion", "hard_negative", "victim_disclosure", "benign")
POSITIVE = {Kind.THREAT: "sextortion", Kind.DISCLOSURE: "victim_disclosure"}
_PAIR = re.compile(r"pair (\d+)")
_BEGUN = {Marker.PAYMENT_DEMAND, Marker.SHARE_THREAT, Marker.CONTACTS_THREAT, Marker.COMPLIANCE_DEMAND}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One conversation of the corpus: its messages, their markers, and who threatens whom.

    `pair` is the number that twins share, empty for the rest. `crisis` says that somebody targeted speaks of not
    wanting to live; only test sets are marked for it.
    """

    id: str
    writer: str
    lang: str
    kind: str
    messages: tuple[Message, ...]
    markers: tuple[frozenset[Marker], ...]
    offenders: frozenset[Account]
    targets: frozenset[Account]
    surface: str = "dm"
    pair: str = ""
    crisis: bool = False

    @property
    def english(self) -> bool:
        """Whether it is in English."""
        return self.lang == "en"

    def label(self, kind: Kind, position: int) -> bool | None:
        """Return what its author has done by that message, None where it is not for the model to say.

        A threat has begun once an offender has demanded or threatened; before, an offender's lines
        teach nothing. A disclosure has begun once the author has disclosed.
        """
        author = self.messages[position].author
        done: set[Marker] = set()
        for message, markers in zip(self.messages[: position + 1], self.markers, strict=False):
            if message.author == author:
                done |= markers
        if kind is Kind.DISCLOSURE:
            return Marker.VICTIM_DISCLOSURE in done
        if self.kind != "sextortion" or author not in self.offenders:
            return False
        return True if done & _BEGUN else None


@dataclass(frozen=True, slots=True)
class Corpus:
    """All conversations and a hash of the files they came from."""

    conversations: tuple[Labelled, ...]
    sha256: str

    @property
    def writers(self) -> list[str]:
        """The names of the writers, sorted."""
        return sorted({conversation.writer for conversation in self.conversations})


def load_corpus(folder: Path) -> Corpus:
    """Read every `*.jsonl` of a folder, one writer a file; InputError naming file and line when one is bad."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise InputError(f"{folder}: no corpus here (expected one .jsonl file per writer)")
    return load_files(files)


def load_files(files: Sequence[Path]) -> Corpus:
    """Read labelled transcripts, one writer a file, ids unique over all of them.

    InputError naming file and line when one is bad.
    """
    digest = hashlib.sha256()
    conversations: list[Labelled] = []
    seen: set[str] = set()
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise InputError(f"{file}: cannot read: {error.strerror}") from None
        digest.update(file.name.encode() + b"\0" + content)
        for number, line in enumerate(content.split(b"\n"), 1):
            if not line.strip():
                continue
            labelled = _labelled(parse(line, f"{file}:{number}"), file.stem, f"{file}:{number}")
            if labelled.id in seen:
                raise InputError(f"{file}:{number}: the id {labelled.id!r} is taken")
            seen.add(labelled.id)
            conversations.append(labelled)
    if not conversations:
        raise InputError(f"{', '.join(map(str, files))}: no conversations here")
    return Corpus(tuple(conversations), digest.hexdigest())


def conversations_of(file: Path) -> Sequence[list[Message]]:
    """Read the conversations of one transcript file without labels."""
    with file.open("rb") as lines:
        return [
            to_messages(parse(line, f"{file}:{number}"), f"{file.stem}:{number}")
            for number, line in enumerate(lines, 1)
            if line.strip()
        ]


def _labelled(transcript: Transcript, writer: str, where: str) -> Labelled:
    if transcript.id is None or transcript.kind not in KINDS:
        raise InputError(f"{where}: needs an id and a kind of {', '.join(KINDS)}")
    messages = to_messages(transcript, str(transcript.id))
    if not messages:
        raise InputError(f"{where}: has no messages")
    if transcript.kind == "sextortion" and not {*transcript.offenders} & {m.author for m in transcript.messages}:
        raise InputError(f"{where}: sextortion needs offenders who speak in it")
    platform = messages[0].author.platform
    return Labelled(
        id=str(transcript.id),
        writer=writer,
        lang=transcript.lang,
        kind=transcript.kind,
        messages=tuple(messages),
        markers=tuple(frozenset(message.markers or ()) for message in transcript.messages),
        offenders=frozenset(Account(platform, name) for name in transcript.offenders),
        targets=frozenset(Account(platform, name) for name in transcript.targets),
        surface=transcript.surface,
        pair=match[1] if (match := _PAIR.match(transcript.subkind)) else "",
        crisis=transcript.crisis,
    )
