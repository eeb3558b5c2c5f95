"""Payment handles in what somebody writes: wallets, tags, accounts and telephone numbers, each in one written form.

Only what is somebody's own counts; the brand of a gift card, which everybody shares, does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

_MOST = 4000  # characters that are looked at
_CASED_WALLET = re.compile(
    r"\b(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}"  # Bitcoin
    r"|[LM][1-9A-HJ-NP-Za-km-z]{26,33}"  # Litecoin
    r"|T[1-9A-HJ-NP-Za-km-z]{33}"  # Tron, where most Tether is
    r"|D[1-9A-HJ-NP-Za-km-z]{33}"  # Dogecoin
    r"|[48][1-9A-HJ-NP-Za-km-z]{94})\b"  # Monero
)
_WALLET = re.compile(r"\b(?:(?:bc|ltc)1[02-9ac-hj-np-z]{38,58}|0x[0-9a-f]{40})\b", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.IGNORECASE)
_LINK = re.compile(
    r"\b(?P<where>paypal\.me|paypal\.com/paypalme|cash\.app|revolut\.me|venmo\.com(?:/u)?|monzo\.me|wise\.com/pay/me|ko-fi\.com)"
    r"/(?P<who>[$@]?[\w.-]{3,40})",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"\b(?:(?P<dollar>cash ?app|chime)|(?P<at>venmo|revolut|revtag))\b[ :]{0,3}(?:(?:me|is|to|at|tag|my)[ :]{1,2}){0,2}"
    r"(?(dollar)\$|@)(?P<who>[a-z0-9][\w-]{2,29})",
    re.IGNORECASE,
)
_APP = re.compile(r"\b(?P<app>pay ?pal|zelle|skrill|wise|pix)\b(?P<rest>.{0,60})", re.IGNORECASE | re.DOTALL)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{2,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,3}\b")
_PHONE = re.compile(r"(?<![\w+])(?:\+|00)[1-9](?:[ .()/-]{0,2}\d){7,14}(?!\d)")
_PLACES = {"paypal.com/paypalme": "paypal", "venmo.com/u": "venmo", "cash.app": "cashapp", "revtag": "revolut"}
_EVERYBODY = ("somebody", "everyone", "here", "channel")  # what platforms make of mentions
_OWN = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def handles(text: str, *, phones: bool = True) -> frozenset[str]:
    """Return the handles in a text, each as `kind:handle`; `phones` says whether telephone numbers count."""
    plain = unicodedata.normalize("NFKC", text[:_MOST])
    if not plain.isascii():
        plain = "".join(one for one in plain if unicodedata.category(one) != "Cf")
    return frozenset((*_wallets(plain), *_accounts(plain), *_tags(plain), *(_phones(plain) if phones else ())))


def _wallets(text: str) -> Iterator[str]:
    for found in _CASED_WALLET.finditer(text):
        if _is_mixed(found[0]):
            yield f"wallet:{found[0]}"
    for found in _WALLET.finditer(text):
        yield f"wallet:{found[0].lower()}"


def _is_mixed(word: str) -> bool:
    """Return whether a word is no number and nobody's shout."""
    return any(one.isdigit() for one in word) and word.upper() != word != word.lower()


def _accounts(text: str) -> Iterator[str]:
    for found in _IBAN.finditer(text):
        iban = found[0].replace(" ", "").upper()
        turned = "".join(str(int(one, 36)) for one in iban[4:] + iban[:4])
        if int(turned) % 97 == 1:
            yield f"iban:{iban}"


def _tags(text: str) -> Iterator[str]:
    for found in _LINK.finditer(text):
        yield _tag(found["where"].lower(), found["who"])
    for found in _TAG.finditer(text):
        if found["who"].lower() not in _EVERYBODY:
            yield _tag((found["dollar"] or found["at"]).lower().replace(" ", ""), found["who"])
    for found in _APP.finditer(text):
        if mail := _MAIL.search(found["rest"]):
            yield f"{found['app'].lower().replace(' ', '')}:{mail[0].lower()}"


def _tag(where: str, who: str) -> str:
    app = _PLACES.get(where, where.partition(".")[0])
    return f"{app}:{who.strip('$@.-').lower()}"


def _phones(text: str) -> Iterator[str]:
    """Yield mobile numbers that exist, written with their country: no helpline, and no row of noughts."""
    for found in _PHONE.finditer(text):
        written = re.sub(r"^00", "+", found[0])
        try:
            number = phonenumbers.parse(written, None)
        except NumberParseException:
            continue
        if phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in _OWN:
            yield f"phone:{phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)}"
