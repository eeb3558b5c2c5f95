"""The words that stand for what a message carries beside its text."""

from __future__ import annotations

PHOTO = "[photo]"
VIDEO = "[video]"
AUDIO = "[audio]"
STICKER = "[sticker]"
FILE = "[file]"

_EXTENSIONS = {
    **dict.fromkeys(("jpg", "jpeg", "jfif", "png", "gif", "webp", "heic", "heif", "avif", "bmp", "tiff"), PHOTO),
    **dict.fromkeys(("mp4", "m4v", "mov", "webm", "mkv", "avi", "3gp", "mpg", "mpeg"), VIDEO),
    **dict.fromkeys(("mp3", "m4a", "ogg", "oga", "opus", "wav", "flac", "aac", "amr"), AUDIO),
}


_TYPES = {"image": PHOTO, "video": VIDEO, "audio": AUDIO}


def word(name: str, mime: str = "") -> str:
    """Return the word for a file, by the ending of its name or address, else by its MIME type."""
    ending = name.split("?")[0].rpartition(".")[2].lower()
    return _EXTENSIONS.get(ending) or _TYPES.get(mime.partition("/")[0], FILE)


def append(text: str, words: list[str]) -> str:
    """Return the text with the words behind it."""
    return " ".join([text, *words] if text else words)
