"""Plain words of suicide and self-harm, which must be noticed even where there is little to learn from."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

# Each phrase with words (or their beginnings, with a star) of which one stands in it, however it is said: where they
# are missing, the phrase need not be sought.
_PHRASES = (
    # English
    ("kill*", r"kill(ing)? (my ?self|me ?self)"),
    ("kms", r"(?<!0 )kms"),
    ("end ending", r"end(ing)? (my life|it all|my own life)"),
    ("life", r"tak(e|ing) my (own )?life"),
    ("die dead", r"(want|wanna|going|gonna|rather|wish i could|ready) (to )?(die|be dead)"),
    ("dead", r"wish i (was|were) dead"),
    ("suicid*", r"suicid\w*"),
    ("live alive living", r"(don ?t|do not) (want to|wanna) (live|be alive|go on living)"),
    (
        "go live",
        r"(can ?t|cannot) (go on living|(live|go on) (like this|this way|with this|with myself|any ?more))",
    ),
    ("here exist wake", r"(don ?t|do not) (want to|wanna) (be here|exist|wake up)"),
    ("off", r"better off (dead|without me)"),
    ("hurt* harm* cut*", r"(hurt|harm|cut)(ing|ting)? my ?self"),
    ("reason", r"(no|any|a) reason (to (live|go on|be alive|stay alive|exist)|for (living|going on))"),
    ("point", r"(no|the|any) point (in|of) (living|being alive|going on)"),
    ("live", r"nothing (left )?to live for"),
    ("live", r"(don ?t|do not) deserve to live"),
    ("living", r"(not|isn ?t|is ?n ?t) worth living"),
    ("dead die", r"(might|may) as well (be dead|die)"),
    ("go", r"i (just )?(can ?t|cannot) go on"),
    ("life living alive", r"(done|tired|sick) (with|of) (life|living|this life|my life|being alive)"),
    ("tonight now today all", r"end it (tonight|now|today|all)"),
    (
        "pills tablets meds medication",
        r"(take|took|taken|taking|swallow|swallowed) (all|too many|(a|the) (lot|bunch|handful|bottle|whole bottle))"
        r"( of)?( the| my| these| her| his)? (pills|tablets|meds|medication)",
    ),
    ("overdos*", r"(i|gonna|going to|want to|wanna|ll|will|just) overdos\w*"),
    (
        "jump jumping",
        r"jump(ing)? (off|from|out of) (the|a|this|my) (bridge|roof|rooftop|balcony|building|window|cliff)",
    ),
    ("front", r"(jump|walk|step|run)(ing)? in front of (a|the) (train|bus|car|truck|tram|lorry)"),
    (
        "bridge roof rooftop ledge balcony tracks",
        r"(standing|sitting) (up )?(on|at) (the|a) (edge of the )?(bridge|roof|rooftop|ledge|balcony|(train )?tracks)",
    ),
    ("hang* drown* shoot* throw*", r"(hang|drown|shoot|throw)(ing)? my ?self"),
    ("wrist*", r"(cut|cutting|slit|slitting|slash) my wrists?"),
    ("dye dy", r"(want|wanna|going|gonna) (to |too |0 )?dye?(?! (my|it|the|her|his|your|a|some) )(?! hair)"),
    (
        "tell",
        r"tell (my )?(mum|mom|mam|mama|dad|family|parents|kids|children|wife|husband|sister|brother|daughter|son)"
        r" (that )?i (love|loved|always loved|m sorry|am sorry)",
    ),
    (
        "here around alive",
        r"(tomorrow|tonight|soon|by then) (i|ill|i ll) (won ?t|will not|wont) be (here|around|alive)",
    ),
    (
        "tomorrow night morning tonight",
        r"(won ?t|will not|not going to|not gonna) (see|make it (to|till|until|through))"
        r" (tomorrow|tonight|the (night|morning))",
    ),
    ("life", r"(my )?life is over"),
    (
        "here around alive",
        r"(won ?t|will not|not going to|not gonna|don ?t think i ?(will|ll)) be (here|around|alive)"
        r" (any ?more|tomorrow|tonight|to (see|read)|for you|when|after|next|(mon|tues|wednes|thurs|fri|satur|sun)day)",
    ),
    ("rather", r"rather not (be alive|be here|exist|wake up)"),
    (
        "vanish disappear existing around here alive",
        r"(want|wanna|like|wish i could) (to )?(vanish|disappear|stop existing|not be (around|here|alive))",
    ),
    ("wake", r"(restful|easier|better|simpler|relief) (to )?(not )?(to )?wake up"),
    ("way", r"no way out( of this| for me| any ?more)?"),
    (
        "better easier simpler",
        r"(better|easier|simpler) (off )?if i (just )?(was ?n ?t|were ?n ?t|am not|m not) (here|around|in it|alive)",
    ),
    ("better", r"(everyone|they|you|he|she) ?(d|would be|is|are|will be)? better (off )?if i ?m (out|gone|dead)"),
    ("alive", r"not be found alive"),
    ("done finished", r"(be|being|am|m|i am) (done|finished) with all of it"),
    # French, Spanish, Portuguese, Italian
    ("suicider foutre", r"me (suicider|foutre en l air)"),
    ("tuer", r"(?<!va )(?<!vont )me tuer"),
    ("envie", r"envie de (mourir|crever)"),
    ("vivre mourir crever", r"veux (plus vivre|mourir|crever)"),
    ("finir", r"en finir( avec (la vie|tout))?"),
    ("envie", r"plus envie (d ?(être|etre) (là|la)|de vivre|d ?(être|etre) (ici|sur terre))"),
    ("mourir crever", r"(préfère|prefere|préfererais) (mourir|crever)"),
    ("noires", r"id[ée]es noires"),
    ("sans sois", r"(sans moi|que je sois plus là|que je ne sois plus là)"),
    ("morir morirme matarme suicidarme", r"(quiero|voy a|prefiero|quisiera) (morir|morirme|matarme|suicidarme)"),
    ("matar morir suicidar", r"me (voy a|quiero) (matar|morir|suicidar)"),
    ("vivir viviendo", r"no quiero (vivir|seguir viviendo)"),
    ("quitarme", r"quitarme la vida"),
    ("quiero", r"(ya )?no quiero (seguir|estar) (vivo|viva|aqu[ií]|as[ií])"),
    ("desaparecer", r"(quiero|quisiera) desaparecer"),
    ("mejor", r"mejor (no estar|estar muert[oa])"),
    ("mejor", r"sin m[ií] estar[ií]an mejor"),
    ("morrer matar suicidar", r"(quero|vou|prefiro|queria) (morrer|me matar|me suicidar)"),
    ("viver", r"n[aã]o quero (mais )?viver"),
    ("acabar", r"acabar com a minha vida"),
    ("tirar", r"tirar a minha vida"),
    ("quero", r"n[aã]o quero (mais )?(estar aqui|existir|acordar)"),
    ("sumir desaparecer", r"(quero|queria) (sumir|desaparecer)( de vez| deste mundo)?"),
    ("acabar", r"acabar com tudo"),
    (
        "morire ammazzarmi uccidermi farla",
        r"(voglio|vorrei|preferisco) (morire|ammazzarmi|uccidermi|farla finita)",
    ),
    ("ammazzo uccido tolgo", r"mi (ammazzo|uccido|tolgo la vita)"),
    ("voglio", r"non voglio pi[uù] (vivere|esserci|svegliarmi)"),
    ("finita", r"(la faccio|farla) finita"),
    ("sparire esserci", r"(voglio|vorrei) (sparire|non esserci pi[uù])"),
    ("morto morta", r"meglio (morto|morta)"),
    # German, Dutch, Polish, Turkish, Romanian
    ("umbringen", r"(?<!wird )(?<!werden )mich umbringen"),
    ("umbringe nehmen", r"(mich umbringe|mir das leben nehmen)"),
    ("nicht sterben", r"will (nicht mehr( leben| da sein| hier sein| aufwachen)?|sterben)"),
    ("nicht", r"nicht mehr (leben|da sein|aufwachen|weiterleben)"),
    ("lieber", r"lieber (tot|sterben)"),
    ("ausweg", r"(sehe )?keinen ausweg( mehr)?"),
    ("besser", r"ohne mich besser"),
    ("bring bringe", r"(bring|bringe) mich um"),
    ("selbstmord", r"selbstmord"),
    ("dood leven mezelf", r"(wil|ga) (dood|niet meer leven|mezelf iets aandoen)"),
    ("eind", r"(maak|maken) er een eind aan"),
    ("wil hoef", r"(wil|hoef) (er )?niet meer (zijn|te leven|wakker worden)"),
    ("zijn", r"er niet meer (zijn|wil zijn|te zijn)"),
    ("dood", r"liever dood"),
    ("zelfmoord", r"zelfmoord"),
    ("mezelf", r"mezelf van kant"),
    ("chce chcę wole wolę", r"(chc[eę]|wol[eę]) (umrze[cć]|nie [zż]y[cć]|si[eę] zabi[cć])"),
    ("zabije zabiję", r"zabij[eę] si[eę]"),
    ("chce chcę", r"nie chc[eę] ([zż]y[cć]|ju[zż] [zż]y[cć])"),
    ("samoboj* samobój*", r"samob[oó]j\w*"),
    ("chce chcę", r"nie chc[eę] (ju[zż] )?(tu )?by[cć]"),
    ("skoncz* skończ*", r"sko[nń]cz\w* ze sob[aą]"),
    ("chce chcę wole wolę", r"(chc[eę]|wol[eę]) (znikn[aą][cć]|si[eę] nie obudzi[cć])"),
    ("istiyorum", r"(ölmek|olmek) istiyorum"),
    ("intihar*", r"intihar\w*"),
    ("istemiyorum", r"ya[sş]amak istemiyorum"),
    ("kendimi canıma canima", r"(kendimi|can[ıi]ma) (öldür|oldur|k[ıi]y)\w*"),
    ("ölsem olsem", r"(ölsem|olsem) (daha iyi|de kurtulsam)"),
    ("yok", r"yok olmak istiyorum"),
    ("mor", r"(vreau|prefer) s[aă] mor"),
    ("omor sinucid", r"m[aă] (omor|sinucid)"),
    ("vreau", r"nu mai vreau (s[aă] (tr[aă]iesc|fiu|exist)|nimic)"),
    # Arabic, Hindi, Tagalog, Indonesian
    ("اموت أموت انتحر أنتحر", r"(بدي|اريد|أريد|عايز|عايزة|نفسي|ودي) (ان |أن )?(اموت|أموت|انتحر|أنتحر)"),
    ("اعيش أعيش", r"(ما بدي|مش عايز|مش عايزة|ما ابي|لا اريد|لا أريد) (اعيش|أعيش)"),
    ("حياتي", r"(انهي|أنهي) حياتي"),
    ("انتحر", r"انتحر"),
    ("mar", r"mar (jaun?|jaaun|jaunga|jaungi|jana chahta|jana chahti|jaata|jaati)"),
    ("jeena jina zinda", r"(jeena|jina|zinda rehna) (nahi|nhi|nai) (chahta|chahti|hai)"),
    ("jaan", r"jaan de (dun|dunga|dungi|du)"),
    ("khud*", r"khud ?kushi"),
    ("mamatay mawala", r"(gusto|gustong) (ko )?(na )?(ng |nang )?(mamatay|mawala)"),
    ("ayoko", r"ayoko na(ng)? (mabuhay|mabuhay pa)"),
    ("magpakamatay", r"magpakamatay"),
    ("mati bunuh akhiri", r"(mau|pengen|pingin|ingin) (mati|bunuh diri|akhiri hidup)"),
    ("hidup", r"(gak|ga|ngga|nggak|tidak) (mau|pengen|ingin) hidup( lagi)?"),
    ("marna", r"marna chaht[aie]"),
    ("نفسي", r"(سأقتل|ساقتل|هقتل|رح اقتل|أقتل|اقتل|بقتل|هموت|حموت) نفسي"),
    ("mati", r"nak mati"),
    # Czech and Slovak, Croatian and Serbian, Bulgarian, Hungarian, Greek
    ("umr* umř* zomr* zem*", r"(chcem|chci|chcel by som) (umr[iíř][eiíyý]?\w*|umřít|zomrie[tť]|zem[rř][ií]t)"),
    ("zabijem zabiju zabiji", r"zabij(em|u|i) s[aei]"),
    ("umrijeti umreti umrem", r"(želim|zelim|hoću|hocu) (da )?(umrijeti|umreti|umrem)"),
    ("živjeti zivjeti živeti ziveti", r"ne (želim|zelim) (više |vise )?([žz]ivjeti|[žz]iveti)"),
    ("умра", r"искам да умра"),
    ("halni", r"meg akarok halni"),
    ("élni elni", r"nem akarok (élni|elni)"),
    ("πεθάνω πεθανω", r"θ[έε]λω να πεθ[άα]νω"),
    # Swedish, Danish, Norwegian, Finnish, Vietnamese, Swahili, Welsh, Hebrew, Persian
    ("dö dø", r"(vill|vil) (dö|dø)"),
    ("livet", r"(ta|tage) livet a[vf] m(ig|eg)"),
    ("kuolla", r"haluan kuolla"),
    ("chết", r"muốn chết"),
    ("kufa", r"nataka kufa"),
    ("marw", r"eisiau marw"),
    ("למות", r"רוצה למות"),
    ("بمیرم", r"(میخوام|میخواهم|می خواهم) بمیرم"),
    # Russian, Ukrainian
    ("умереть сдохнуть", r"(хочу|лучше) (умереть|сдохнуть)"),
    ("жить", r"не хочу (больше )?жить"),
    ("поконч*", r"поконч\w+ с собой"),
    ("себя", r"уб(ью|ить) себя"),
    ("померти вмерти", r"хочу (померти|вмерти)"),
    ("жити", r"не хочу (більше )?жити"),
    ("накла*", r"накла\w+ на себе руки"),
)
_BY_WORD: defaultdict[str, list[re.Pattern[str]]] = defaultdict(list)
_BY_STEM: defaultdict[str, list[re.Pattern[str]]] = defaultdict(list)
for _words, _phrase in _PHRASES:
    for _word in _words.split():
        _kept = _BY_STEM if _word.endswith("*") else _BY_WORD
        _kept[_word.removesuffix("*")].append(re.compile(rf"(?<!\w)(?:{_phrase})(?!\w)"))
_STEMS = tuple(_BY_STEM)
_APOSTROPHE = re.compile(r"\s*['’‘`ʼ]\s*")


def may_show_despair(word: str) -> bool:
    """Return whether a line may speak of suicide or self-harm because this word stands in it."""
    return word in _BY_WORD or word.startswith(_STEMS)


def shows_despair(words: list[str]) -> bool:
    """Return whether a line in normal form speaks of suicide or self-harm; it may be in jest, a person decides."""
    telling = {word for word in words if word in _BY_WORD or word.startswith(_STEMS)}
    if not telling:
        return False
    line = _APOSTROPHE.sub(" ", " ".join(words))
    return any(phrase.search(line) for word in telling for phrase in _phrases_with(word))


def _phrases_with(word: str) -> Iterator[re.Pattern[str]]:
    yield from _BY_WORD.get(word, ())
    for stem, phrases in _BY_STEM.items():
        if word.startswith(stem):
            yield from phrases
