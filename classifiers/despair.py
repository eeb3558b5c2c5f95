"""Plain words of suicide and self-harm, which must be noticed even where there is little to learn from."""

from __future__ import annotations

import re

_PHRASES = (
    # English
    r"kill(ing)? (my ?self|me ?self)",
    r"(?<!0 )kms",
    r"end(ing)? (my life|it all|my own life)",
    r"tak(e|ing) my (own )?life",
    r"(want|wanna|going|gonna|rather|wish i could|ready) (to )?(die|be dead)",
    r"wish i (was|were) dead",
    r"suicid\w*",
    r"(don ?t|do not) (want to|wanna) (live|be alive|go on living)",
    r"(can ?t|cannot) (go on living|(live|go on) (like this|this way|with this|with myself|any ?more))",
    r"(don ?t|do not) (want to|wanna) (be here|exist|wake up)",
    r"better off (dead|without me)",
    r"(hurt|harm|cut)(ing|ting)? my ?self",
    r"no reason to (live|go on)",
    r"(my )?life is over",
    # French, Spanish, Portuguese, Italian
    r"me (suicider|foutre en l air)",
    r"(?<!va )(?<!vont )me tuer",
    r"envie de (mourir|crever)",
    r"veux (plus vivre|mourir|crever)",
    r"en finir avec la vie",
    r"(quiero|voy a|prefiero|quisiera) (morir|morirme|matarme|suicidarme)",
    r"me (voy a|quiero) (matar|morir|suicidar)",
    r"no quiero (vivir|seguir viviendo)",
    r"quitarme la vida",
    r"(quero|vou|prefiro|queria) (morrer|me matar|me suicidar)",
    r"n[aã]o quero (mais )?viver",
    r"acabar com a minha vida",
    r"tirar a minha vida",
    r"(voglio|vorrei|preferisco) (morire|ammazzarmi|uccidermi|farla finita)",
    r"mi (ammazzo|uccido|tolgo la vita)",
    r"non voglio pi[uù] vivere",
    # German, Dutch, Polish, Turkish, Romanian
    r"(?<!wird )(?<!werden )mich umbringen",
    r"(mich umbringe|mir das leben nehmen)",
    r"will (nicht mehr leben|sterben)",
    r"(bring|bringe) mich um",
    r"selbstmord",
    r"(wil|ga) (dood|niet meer leven|mezelf iets aandoen)",
    r"(maak|maken) er een eind aan",
    r"zelfmoord",
    r"mezelf van kant",
    r"(chc[eę]|wol[eę]) (umrze[cć]|nie [zż]y[cć]|si[eę] zabi[cć])",
    r"zabij[eę] si[eę]",
    r"nie chc[eę] ([zż]y[cć]|ju[zż] [zż]y[cć])",
    r"samob[oó]j\w*",
    r"(ölmek|olmek) istiyorum",
    r"intihar\w*",
    r"ya[sş]amak istemiyorum",
    r"(vreau|prefer) s[aă] mor",
    r"m[aă] (omor|sinucid)",
    r"nu mai vreau s[aă] tr[aă]iesc",
    # Russian, Ukrainian
    r"(хочу|лучше) (умереть|сдохнуть)",
    r"не хочу (больше )?жить",
    r"поконч\w+ с собой",
    r"уб(ью|ить) себя",
    r"хочу (померти|вмерти)",
    r"не хочу (більше )?жити",
    r"накла\w+ на себе руки",
)
_DESPAIR = re.compile(rf"(?<!\w)(?:{'|'.join(_PHRASES)})(?!\w)")

_APOSTROPHE = re.compile(r"\s*['’‘`ʼ]\s*")


def shows_despair(words: list[str]) -> bool:
    """Return whether a line in normal form speaks of suicide or self-harm; it may be in jest, a person decides."""
    return _DESPAIR.search(_APOSTROPHE.sub(" ", " ".join(words))) is not None
