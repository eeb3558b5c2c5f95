"""WhatsApp's text exports, of Android and iOS, in the ways of writing dates of many countries."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath

from bot.archives import media
from bot.archives.dates import STAMP, START, Calendar
from bot.archives.export import Conversation, Entry, Format, recipients
from bot.archives.text import HEAD, lines
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

_PLATFORM = "whatsapp"
_LONGEST = 1 << 24

# Marks of direction that WhatsApp scatters; the two around the name of a mention are kept until it is read.
_MARKS = dict.fromkeys((0xFEFF, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2066, 0x2067))
_MENTION = re.compile("@\u2068([^\u2068\u2069\n]{1,100})\u2069")
_HEADER = re.compile(rf"\[?{STAMP}\s?(?:\]|[-–]|:)\s(?P<rest>.*)", re.DOTALL)

_ATTACHED = re.compile(r"<[^<>:\n]{2,30}:\s([^<>\n]{1,200}\.\w{2,5})>")
_FILE = re.compile(
    r"^([^\n]{1,200}\.\w{2,5}) \((?:file attached|datei angehängt|archivo adjunto|fichier joint"
    r"|file allegato|arquivo anexado|ficheiro anexado|bestand bijgevoegd|plik dołączony|файл добавлен)\)",
    re.IGNORECASE,
)
_UNNAMED = re.compile(
    r"<(?:media omitted|medien ausgeschlossen|multimedia omitido|archivo omitido|médias omis|media omessi"
    r"|mídia oculta|media weggelaten|pominięto multimedia|medya dahil edilmedi|без медиафайлов)>",
    re.IGNORECASE,
)
_LEFT_OUT = re.compile(
    r"(?:.{1,200} • .{1,40} )?(?P<what>\w{3,12}(?: \w{3,12})?) (?:omitted|omitid[oa]|ocultad[oa]|ocult[oa]|omess[oa]"
    r"|omise?|absente?|weggelassen|ausgeschlossen|weggelaten|dahil edilmedi|pominięto)\.?",
    re.IGNORECASE,
)
_KINDS = {
    kind: word
    for word, kinds in (
        (media.PHOTO, ("image", "imagen", "imagem", "bild", "immagine", "afbeelding", "görüntü", "gif")),
        (media.VIDEO, ("video", "vídeo", "vidéo", "video note")),
        (media.AUDIO, ("audio", "áudio", "ses")),
        (media.STICKER, ("sticker", "pegatina", "figurinha", "adesivo", "autocollant", "çıkartma")),
        (media.FILE, ("document", "documento", "dokument", "belge", "contact card", "kontaktkarte")),
    )
    for kind in kinds
}
_TITLE = re.compile(r".*whatsapp.*?(?: - | (?:with|mit|con|avec|com|met|z) )(.+)", re.IGNORECASE)


@dataclass(slots=True)
class _Draft:
    """A message whose further lines may still come."""

    name: str
    sent_at: datetime
    lines: list[str] = field(default_factory=list)
    length: int = 0


def _recognises(_filename: str, head: bytes) -> bool:
    return any(map(_header, head.decode(errors="ignore").split("\n")))


def _read(text: io.BufferedReader, source: str) -> Iterator[Conversation]:
    name = _title(PurePath(source))
    yield Conversation(name, _entries(text, source, name))


def _title(path: PurePath) -> str:
    """Return whom a chat is with: in the file's name, or its folder's where the file is "_chat.txt"."""
    title = path.parent.name or path.stem if path.stem == "_chat" else path.stem
    found = _TITLE.fullmatch(title)
    return found[1].strip() if found else title


def _entries(text: io.BufferedReader, source: str, chat: str) -> Iterator[Entry]:
    for position, draft in enumerate(_drafts(text, source)):
        author = Account(_PLATFORM, draft.name)
        written = "\n".join(draft.lines)
        named = [Account(_PLATFORM, _person(name)) for name in _MENTION.findall(written)]
        yield Entry(
            Message(
                id=str(position),
                space=chat,
                channel=chat,
                author=author,
                text=_with_media(_MENTION.sub(r"@\1", written).strip()),
                sent_at=draft.sent_at,
                to=recipients(author, named),
            ),
            draft.name,
        )


def _drafts(text: io.BufferedReader, source: str) -> Iterator[_Draft]:
    calendar = Calendar()
    for line in text.peek(HEAD).decode(errors="ignore").split("\n"):
        if header := _header(line):
            calendar.learn(header)
    sent_at = START
    draft: _Draft | None = None
    for number, raw in enumerate(lines(text, source), 1):
        line = raw.decode().rstrip("\r\n").translate(_MARKS)
        if header := _HEADER.match(line):
            if draft:
                yield draft
            sent_at = calendar.moment(header) or sent_at
            name, colon, line = f"{header['rest'].rstrip()} ".partition(": ")
            line = line.rstrip()
            name = _person(name)
            draft = _Draft(name, sent_at) if colon and _is_name(name) else None
        if draft:
            draft.lines.append(line)
            draft.length += len(line)
            if draft.length > _LONGEST:
                raise InputError(f"{source}, line {number}: a message of more than {_LONGEST:,} characters")
    if draft:
        yield draft


def _header(line: str) -> re.Match[str] | None:
    return _HEADER.match(line.translate(_MARKS))


def _is_name(name: str) -> bool:
    """Tell a name from the beginning of a notice such as `Ann changed the subject to “Plan: B”`."""
    return name != "" and not name.count('"') % 2 and name.count("“") == name.count("”")


def _person(name: str) -> str:
    """Return a name without the tilde of people who are no contacts."""
    return name.strip().removeprefix("~").strip()


def _with_media(text: str) -> str:
    """Replace what stands for pictures and files by their words."""
    if (left_out := _LEFT_OUT.fullmatch(text)) and left_out["what"].lower() in _KINDS:
        return _KINDS[left_out["what"].lower()]
    text = _ATTACHED.sub(lambda found: media.word(found[1]), text)
    text = _FILE.sub(lambda found: media.word(found[1]), text)
    return _UNNAMED.sub(media.PHOTO, text)


FORMAT = Format(_PLATFORM, "a WhatsApp export", _recognises, _read)
