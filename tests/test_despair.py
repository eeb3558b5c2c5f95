"""Words of suicide and self-harm are noticed, and everyday words that look like them are not."""

from __future__ import annotations

import pytest

from classifiers.despair import shows_despair
from classifiers.words import words


@pytest.mark.parametrize(
    "text",
    [
        "i want to die",
        "I'd rather die than let mum see it",
        "im going to kill myself",
        "k1ll mys3lf, that is all thats left",
        "i wanna k i l l myself",
        "gonna kms tonight",
        "i should just end it all",
        "i will take my own life",
        "wish I were dead",
        "thinking about suicide",
        "they would be better off without me",
        "i keep cutting myself",
        "I can't live like this",
        "i can't go on anymore",
        "my life is over",
        "i won't be here tomorrow",
        "i'm not going to be around to read it",
        "I'd rather not be alive than face them",
        "i just want to vanish",
        "there's no way out of this",
        "everyone would be better off if i wasn't here",
        "j'ai plus envie d'être là demain",
        "j'ai des idées noires",
        "ya no quiero seguir vivo",
        "quisiera desaparecer",
        "não quero mais estar aqui",
        "vorrei sparire",
        "ich will nicht mehr da sein",
        "ik wil er niet meer zijn",
        "skończę ze sobą",
        "kendimi öldüreceğim",
        "بدي اموت",
        "main jeena nahi chahta",
        "gusto ko na mamatay",
        "aku pengen mati",
        "j'ai envie de mourir",
        "je veux mourir",
        "je ne veux plus vivre",
        "je vais me tuer",
        "j'ai envie de me foutre en l'air",
        "me quiero morir",
        "no quiero seguir viviendo",
        "eu não quero mais viver",
        "quero morrer",
        "voglio morire",
        "non voglio più vivere",
        "ich will mich umbringen",
        "ich bring mich um",
        "ich will nicht mehr leben",
        "ik wil niet meer leven",
        "chcę się zabić",
        "nie chcę już żyć",
        "ÖLMEK İSTİYORUM",
        "İntihar edeceğim",
        "nu mai vreau să trăiesc",
        "я не хочу больше жить",
        "покончу с собой",
        "я не хочу жити",
        "i took all the pills",
        "took a whole bottle of my meds",
        "ill end it tonight",
        "there is no point in living",
        "i might as well be dead",
        "then i have no reason to be alive",
        "I don't see a reason to live anymore",
        "i have nothing left to live for",
        "i cant go on",
        "goodbye everyone, tell mum i love her",
        "you win. tomorrow i wont be here",
        "it would be easier if i just wasnt here tomorrow",
        "i wanna dye i cnt take it nomore",
        "i'm standing on the bridge",
        "im going to jump off the roof",
        "i wont make it through the night",
        "main marna chahta hu",
        "أريد أن أموت",
        "سأقتل نفسي",
        "chcem umrieť",
        "ne želim više živjeti",
        "meg akarok halni",
        "jag vill dö",
        "muốn chết",
    ],
)
def test_despair_is_noticed_in_many_languages(text: str) -> None:
    assert shows_despair(words(text))
    assert shows_despair(words(f"ok. {text}!! 😭"))


@pytest.mark.parametrize("apostrophe", ["", "'", "’", "‘", "`", "´", "ʼ", " ", " ' "])
@pytest.mark.parametrize("text", ["i don{}t want to live anymore", "i DON{}T wanna be here", "i can{}t go on living"])
def test_any_apostrophe_or_none_will_do(text: str, apostrophe: str) -> None:
    assert shows_despair(words(text.format(apostrophe)))


@pytest.mark.parametrize("quotes", ["''", "‘’", '""', "«»", "()"])
def test_despair_is_noticed_between_quotation_marks(quotes: str) -> None:
    assert shows_despair(words(f"she wrote {quotes[0]}suicide{quotes[1]} on it"))
    assert shows_despair(words(f"all i think is {quotes[0]}i want to die{quotes[1]}"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "he wants to die on that hill",
        "you are killing me",
        "the deadline is killing us",
        "mum will kill me",
        "this game is to die for",
        "do it or die trying",
        "i want to diet, or to dye my hair",
        "i don't live there",
        "they dont live here any more",
        "i can't live without coffee",
        "i do not exist on facebook",
        "the package does not exist",
        "i'm not going to be there for a while",
        "the repeater won't be around",
        "it is 5 kms away, or 5kms",
        "that took half my life",
        "i was cutting my hair myself",
        "mes parents vont me tuer",
        "ma mère va me tuer",
        "meine mutter wird mich umbringen",
        "te quiero matar",
        "я убью тебя",
        "me muero de risa",
        "i took my meds",
        "i wanna dye my hair",
        "there is no point in arguing",
        "tell mum i said hi",
        "we can end it at six",
        "gonna jump in the shower",
        "standing on the stage",
        "no reason to worry",
    ],
)
def test_everyday_words_are_no_despair(text: str) -> None:
    assert not shows_despair(words(text))


def test_a_phrase_may_not_span_other_words_or_letters() -> None:
    assert not shows_despair(words("i want a pet to die for"))
    assert not shows_despair(words("skms"))
    assert not shows_despair(words("i want to dien"))
