"""Characters that pass for others, and words written backwards: the tables of the normaliser."""

from __future__ import annotations

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def _pairs(text: str) -> dict[str, str]:
    return {pair[0]: pair[1] for pair in text.split()}


def _ranges(*ranges: tuple[int, int]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


# Letters that NFKC leaves as signs: small capitals, brackets, negative circles and squares.
_SMALL = _pairs("ᴀa ʙb ᴄc ᴅd ᴇe ꜰf ɢg ʜh ɪi ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ʀr ꜱs ᴛt ᴜu ᴠv ᴡw ʏy ᴢz ᶦi ᶧi ᶫl ᶰn ᶸu ɡg ɑa")
DRAWN = {
    **_SMALL,
    **{chr(first + i): letter for first in (0x249C, 0x1F110, 0x1F150, 0x1F170) for i, letter in enumerate(_ALPHABET)},
    "\u2800": " ",
}
DRAWN_LETTERS = "".join(_SMALL) + "\u2800" + _ranges((0x249C, 0x24B5), (0x1F110, 0x1F189))

# Regional indicators show as flags in twos, and a row of them is letters when it is not all flags.
INDICATORS = "".join(chr(0x1F1E6 + i) for i in range(26))
FROM_INDICATORS = str.maketrans(INDICATORS, _ALPHABET)
_COUNTRIES = (
    "a:cdefgilmoqrstuwxz b:abdefghijlmnoqrstvwyz c:acdfghiklmnopruvwxyz d:egjkmoz e:acegrhstu f:ijkmor "
    "g:abdefghilmnpqrstuwy h:kmnrtu i:cdelmnoqrst j:emop k:eghimnprwyz l:abcikrstuvy m:acdefghklmnopqrstuvwxyz "
    "n:acefgilopruz o:m p:aefghklmnrstwy q:a r:eosuw s:abcdeghijklmnorstvxyz t:acdfghjklmnortvwz u:agmnsyz "
    "v:aceginu w:fs x:k y:et z:amw"
)
FLAG = "|".join(f"{row[0]}[{row[2:]}]" for row in _COUNTRIES.translate(str.maketrans(_ALPHABET, INDICATORS)).split())

# What shows as nothing, and what readers of Arabic do without: vowel signs and the stretching stroke.
INVISIBLE = _ranges(
    (0xAD, 0xAD),
    (0x61C, 0x61C),
    (0x640, 0x640),
    (0x64B, 0x652),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE01EF),
)

# Marks over, under and through letters, and of these the ones that strike a letter out.
PILED = _ranges((0x300, 0x36F), (0x483, 0x489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))
STRUCK = _ranges((0x334, 0x338), (0x488, 0x489))

# Letters that look just like a Latin one in the case they are in.
SAME = _pairs(
    "аa сc еe оo рp хx уy іi јj ѕs һh ԁd ԛq ԝw АA ВB СC ЕE НH ІI ЈJ КK МM ОO РP ЅS ТT ХX УY ҮY ԚQ ԜW ӀI "
    "οo ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX"
)

# Letters that pass for a Latin one between letters of another script. NFKC makes a final sigma of the lunate one.
CYRILLIC = {twin: letter for twin, letter in SAME.items() if "\u0400" <= twin <= "\u052f"} | _pairs(
    "вb кk мm нh тt ёe ЁE їi ЇI єe ЄE гr ГR пn ПN иn ИN яr ЯR шw ШW ьb ЬB"
)
GREEK = {twin: letter for twin, letter in SAME.items() if "\u0370" <= twin <= "\u03ff"} | _pairs(
    "αa βb γy εe ηn ιi κk νv ρp σo ςc τt υu χx ωw ϳj ΣE"
)
ARMENIAN = _pairs("օo ՕO սu ՍU հh ոn ցg զq յj լl ԼL ռn քp ֆs աw ՏS")
_CHEROKEE = _pairs("ᎪA ᏴB ᏟC ᎠD ᎬE ᏀG ᎻH Ꮒh Ꭵi ᎫJ ᏦK ᏞL ᎷM ᏢP ᎡR ᏒR ᏚS ᎢT ᏙV ᏔW ᎳW ᎩY ᎽY ᏃZ Ꮟb Ꮷd")
CHEROKEE = _CHEROKEE | {twin.lower(): letter for twin, letter in _CHEROKEE.items()}
SIGNS = _pairs("∂d ƒf")

# Reversal in general cannot be told from ordinary words, so only the crime's own words are read backwards, and of these
# only those that are no word or name that we know: not "yap", "dnes" (Czech and Bulgarian: today), "kael" or "dekan".
REVERSED = (
    "oediv soediv sotohp otohp serutcip sedun yenom tnemyap lapyap nioctib ylimaf sdneirf srewollof stcatnoc "
    "koobecaf margatsni tahcpans erahs esopxe enoyreve ecilop eteled"
)
