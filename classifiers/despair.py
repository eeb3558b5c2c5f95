"""Plain words of suicide and self-harm, which must be noticed even where there is little to learn from."""

from __future__ import annotations

import re
from itertools import chain

from classifiers.recent import Recent

# Each phrase with a word that stands in it, however it is said: where that is missing, the phrase need not be sought.
_PHRASES = (
    # English
    (r"kill", r"kill(ing)? (my ?self|me ?self)"),
    (r"^kms$", r"(?<!0 )kms"),
    (r"^end(ing)?$", r"end(ing)? (my life|it all|my own life)"),
    (r"^life$", r"tak(e|ing) my (own )?life"),
    (r"^(die|dead)$", r"(want|wanna|going|gonna|rather|wish i could|ready) (to )?(die|be dead)"),
    (r"^dead$", r"wish i (was|were) dead"),
    (r"^suicid", r"suicid\w*"),
    (r"^(live|alive|living)$", r"(don ?t|do not) (want to|wanna) (live|be alive|go on living)"),
    (
        r"^(go|live)$",
        r"(can ?t|cannot) (go on living|(live|go on) (like this|this way|with this|with myself|any ?more))",
    ),
    (r"^(here|exist|wake)$", r"(don ?t|do not) (want to|wanna) (be here|exist|wake up)"),
    (r"^off$", r"better off (dead|without me)"),
    (r"^(hurt|harm|cut)", r"(hurt|harm|cut)(ing|ting)? my ?self"),
    (r"^reason$", r"no reason to (live|go on)"),
    (r"^life$", r"(my )?life is over"),
    (
        r"^(here|around|alive)$",
        r"(won ?t|will not|not going to|not gonna|don ?t think i ?(will|ll)) be (here|around|alive)"
        r" (any ?more|tomorrow|tonight|to (see|read)|for you|when|after|next|(mon|tues|wednes|thurs|fri|satur|sun)day)",
    ),
    (r"^rather$", r"rather not (be alive|be here|exist|wake up)"),
    (
        r"^(vanish|disappear|existing|around|here|alive)$",
        r"(want|wanna|like|wish i could) (to )?(vanish|disappear|stop existing|not be (around|here|alive))",
    ),
    (r"^wake$", r"(restful|easier|better|simpler|relief) (to )?(not )?(to )?wake up"),
    (r"^way$", r"no way out( of this| for me| any ?more)?"),
    (
        r"^(better|easier|simpler)$",
        r"(better|easier|simpler) (off )?if i (was ?n ?t|were ?n ?t|am not|m not) (here|around|in it|alive)",
    ),
    (r"^better$", r"(everyone|they|you|he|she) ?(d|would be|is|are|will be)? better (off )?if i ?m (out|gone|dead)"),
    (r"^alive$", r"not be found alive"),
    (r"^(done|finished)$", r"(be|being|am|m|i am) (done|finished) with all of it"),
    # French, Spanish, Portuguese, Italian
    (r"^(suicider|foutre)$", r"me (suicider|foutre en l air)"),
    (r"^tuer$", r"(?<!va )(?<!vont )me tuer"),
    (r"^envie$", r"envie de (mourir|crever)"),
    (r"^(vivre|mourir|crever)$", r"veux (plus vivre|mourir|crever)"),
    (r"^finir$", r"en finir( avec (la vie|tout))?"),
    (r"^envie$", r"plus envie (d ?(être|etre) (là|la)|de vivre|d ?(être|etre) (ici|sur terre))"),
    (r"^(mourir|crever)$", r"(préfère|prefere|préfererais) (mourir|crever)"),
    (r"^noires$", r"id[ée]es noires"),
    (r"^(sans|sois)$", r"(sans moi|que je sois plus là|que je ne sois plus là)"),
    (r"^(morir|morirme|matarme|suicidarme)$", r"(quiero|voy a|prefiero|quisiera) (morir|morirme|matarme|suicidarme)"),
    (r"^(matar|morir|suicidar)$", r"me (voy a|quiero) (matar|morir|suicidar)"),
    (r"^(vivir|viviendo)$", r"no quiero (vivir|seguir viviendo)"),
    (r"^quitarme$", r"quitarme la vida"),
    (r"^quiero$", r"(ya )?no quiero (seguir|estar) (vivo|viva|aqu[ií]|as[ií])"),
    (r"^desaparecer$", r"(quiero|quisiera) desaparecer"),
    (r"^mejor$", r"mejor (no estar|estar muert[oa])"),
    (r"^mejor$", r"sin m[ií] estar[ií]an mejor"),
    (r"^(morrer|matar|suicidar)$", r"(quero|vou|prefiro|queria) (morrer|me matar|me suicidar)"),
    (r"^viver$", r"n[aã]o quero (mais )?viver"),
    (r"^acabar$", r"acabar com a minha vida"),
    (r"^tirar$", r"tirar a minha vida"),
    (r"^quero$", r"n[aã]o quero (mais )?(estar aqui|existir|acordar)"),
    (r"^(sumir|desaparecer)$", r"(quero|queria) (sumir|desaparecer)( de vez| deste mundo)?"),
    (r"^acabar$", r"acabar com tudo"),
    (
        r"^(morire|ammazzarmi|uccidermi|farla)$",
        r"(voglio|vorrei|preferisco) (morire|ammazzarmi|uccidermi|farla finita)",
    ),
    (r"^(ammazzo|uccido|tolgo)$", r"mi (ammazzo|uccido|tolgo la vita)"),
    (r"^voglio$", r"non voglio pi[uù] (vivere|esserci|svegliarmi)"),
    (r"^finita$", r"(la faccio|farla) finita"),
    (r"^(sparire|esserci)$", r"(voglio|vorrei) (sparire|non esserci pi[uù])"),
    (r"^(morto|morta)$", r"meglio (morto|morta)"),
    # German, Dutch, Polish, Turkish, Romanian
    (r"^umbringen$", r"(?<!wird )(?<!werden )mich umbringen"),
    (r"^(umbringe|nehmen)$", r"(mich umbringe|mir das leben nehmen)"),
    (r"^(nicht|sterben)$", r"will (nicht mehr( leben| da sein| hier sein| aufwachen)?|sterben)"),
    (r"^nicht$", r"nicht mehr (leben|da sein|aufwachen|weiterleben)"),
    (r"^lieber$", r"lieber (tot|sterben)"),
    (r"^ausweg$", r"(sehe )?keinen ausweg( mehr)?"),
    (r"^besser$", r"ohne mich besser"),
    (r"^bringe?$", r"(bring|bringe) mich um"),
    (r"^selbstmord$", r"selbstmord"),
    (r"^(dood|leven|mezelf)$", r"(wil|ga) (dood|niet meer leven|mezelf iets aandoen)"),
    (r"^eind$", r"(maak|maken) er een eind aan"),
    (r"^(wil|hoef)$", r"(wil|hoef) (er )?niet meer (zijn|te leven|wakker worden)"),
    (r"^zijn$", r"er niet meer (zijn|wil zijn|te zijn)"),
    (r"^dood$", r"liever dood"),
    (r"^zelfmoord$", r"zelfmoord"),
    (r"^mezelf$", r"mezelf van kant"),
    (r"^(chc|wol)[eę]$", r"(chc[eę]|wol[eę]) (umrze[cć]|nie [zż]y[cć]|si[eę] zabi[cć])"),
    (r"^zabij[eę]$", r"zabij[eę] si[eę]"),
    (r"^chc[eę]$", r"nie chc[eę] ([zż]y[cć]|ju[zż] [zż]y[cć])"),
    (r"^samob[oó]j", r"samob[oó]j\w*"),
    (r"^chc[eę]$", r"nie chc[eę] (ju[zż] )?(tu )?by[cć]"),
    (r"^sko[nń]cz", r"sko[nń]cz\w* ze sob[aą]"),
    (r"^(chc|wol)[eę]$", r"(chc[eę]|wol[eę]) (znikn[aą][cć]|si[eę] nie obudzi[cć])"),
    (r"^istiyorum$", r"(ölmek|olmek) istiyorum"),
    (r"^intihar", r"intihar\w*"),
    (r"^istemiyorum$", r"ya[sş]amak istemiyorum"),
    (r"^(kendimi|can[ıi]ma)$", r"(kendimi|can[ıi]ma) (öldür|oldur|k[ıi]y)\w*"),
    (r"^[öo]lsem$", r"(ölsem|olsem) (daha iyi|de kurtulsam)"),
    (r"^yok$", r"yok olmak istiyorum"),
    (r"^mor$", r"(vreau|prefer) s[aă] mor"),
    (r"^(omor|sinucid)$", r"m[aă] (omor|sinucid)"),
    (r"^vreau$", r"nu mai vreau (s[aă] (tr[aă]iesc|fiu|exist)|nimic)"),
    # Arabic, Hindi, Tagalog, Indonesian
    (r"^[اأ](موت|نتحر)$", r"(بدي|اريد|أريد|عايز|عايزة|نفسي|ودي) (اموت|أموت|انتحر|أنتحر)"),
    (r"^[اأ]عيش$", r"(ما بدي|مش عايز|مش عايزة|ما ابي|لا اريد|لا أريد) (اعيش|أعيش)"),
    (r"^حياتي$", r"(انهي|أنهي) حياتي"),
    (r"^انتحر$", r"انتحر"),
    (r"^mar$", r"mar (jaun?|jaaun|jaunga|jaungi|jana chahta|jana chahti|jaata|jaati)"),
    (r"^(jeena|jina|zinda)$", r"(jeena|jina|zinda rehna) (nahi|nhi|nai) (chahta|chahti|hai)"),
    (r"^jaan$", r"jaan de (dun|dunga|dungi|du)"),
    (r"^khud", r"khud ?kushi"),
    (r"^(mamatay|mawala)$", r"(gusto|gustong) (ko )?(na )?(ng |nang )?(mamatay|mawala)"),
    (r"^ayoko$", r"ayoko na(ng)? (mabuhay|mabuhay pa)"),
    (r"^magpakamatay$", r"magpakamatay"),
    (r"^(mati|bunuh|akhiri)$", r"(mau|pengen|pingin|ingin) (mati|bunuh diri|akhiri hidup)"),
    (r"^hidup$", r"(gak|ga|ngga|nggak|tidak) (mau|pengen|ingin) hidup( lagi)?"),
    # Russian, Ukrainian
    (r"^(умереть|сдохнуть)$", r"(хочу|лучше) (умереть|сдохнуть)"),
    (r"^жить$", r"не хочу (больше )?жить"),
    (r"^поконч", r"поконч\w+ с собой"),
    (r"^себя$", r"уб(ью|ить) себя"),
    (r"^(померти|вмерти)$", r"хочу (померти|вмерти)"),
    (r"^жити$", r"не хочу (більше )?жити"),
    (r"^накла", r"накла\w+ на себе руки"),
)
_SOUGHT = [(re.compile(word), re.compile(rf"(?<!\w)(?:{phrase})(?!\w)")) for word, phrase in _PHRASES]
_ANY_PART = re.compile("|".join(part for part, _ in _PHRASES))
_APOSTROPHE = re.compile(r"\s*['’‘`ʼ]\s*")


def shows_despair(words: list[str]) -> bool:
    """Return whether a line in normal form speaks of suicide or self-harm; it may be in jest, a person decides."""
    possible = {*chain.from_iterable(map(_phrases_with.__getitem__, words))}
    if not possible:
        return False
    line = _APOSTROPHE.sub(" ", " ".join(words))
    return any(phrase.search(line) for phrase in possible)


def _with(word: str) -> tuple[re.Pattern[str], ...]:
    if not _ANY_PART.search(word):
        return ()
    return tuple(phrase for part, phrase in _SOUGHT if part.search(word))


_phrases_with = Recent(_with, 20_000)
