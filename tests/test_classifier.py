"""What a conversation reads like, message by message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from byhand import Meaning, adding_model

from classifiers.artefact import bundled, load
from classifiers.assessment import Assessment, Kind, Level, Marker, Sensitivity
from classifiers.classifier import COERCIVE, Answer, Classifier
from classifiers.conversation import Account, Message
from classifiers.corpus import load_corpus
from classifiers.exchange import RING, Conversation
from classifiers.model import FEATURES, GROUPS, HIDDEN, MARKERS, Model, Scale, Thresholds
from classifiers.words import words

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
WORDS = {
    "pay": (Marker.PAYMENT_DEMAND, Kind.THREAT),
    "post": (Marker.SHARE_THREAT, Kind.THREAT),
    "contacts": (Marker.CONTACTS_THREAT, Kind.THREAT),
    "have": (Marker.IMAGE_CLAIM, Kind.THREAT),
    "obey": (Marker.COMPLIANCE_DEMAND, Kind.THREAT),
    "hurry": (Marker.PRESSURE, Kind.THREAT),
    "show": (Marker.IMAGE_SOLICITATION, Kind.THREAT),
    "secret": (Marker.ISOLATION, Kind.THREAT),
    "despair": (Marker.DISTRESS, None),
    "blackmailed": (Marker.VICTIM_DISCLOSURE, Kind.DISCLOSURE),
    "ominous": (None, Kind.THREAT),
    "confiding": (None, Kind.DISCLOSURE),
}


def a_model() -> Model:
    """Return a model by hand: each word above clearly shows its marker and counts towards its kind."""
    meanings = {
        word: Meaning(
            markers=[marker] if marker else [],
            mine={kind: 2} if kind else {},
            theirs={kind: -0.25} if kind else {},
        )
        for word, (marker, kind) in WORDS.items()
    }
    thresholds = dict.fromkeys(GROUPS, Thresholds(0.4, 0.6, 0.9))
    return replace(
        adding_model(meanings),
        scales=dict.fromkeys(Kind, Scale(2.0, 0.0)),
        thresholds={kind: dict.fromkeys(Sensitivity, thresholds) for kind in Kind},
    )


def account(name: str) -> Account:
    return Account("test", name)


A, B, C = map(account, "ABC")


def said(*turns: str) -> list[Message]:
    """Turn "A: words" into messages, a minute apart."""
    return [
        Message(
            id=str(position),
            space="space",
            channel="channel",
            author=account(turn[0]),
            text=turn[3:],
            sent_at=START + timedelta(minutes=position),
        )
        for position, turn in enumerate(turns)
    ]


def assess(
    messages: Sequence[Message], sensitivity: Sensitivity = Sensitivity.NORMAL, model: Model | None = None
) -> list[tuple[Assessment, Assessment]]:
    classifier, conversation = Classifier(model or a_model()), Conversation(messages[0].sent_at)
    return [read(classifier, conversation, message, sensitivity) for message in messages]


def read(
    classifier: Classifier,
    conversation: Conversation,
    message: Message,
    sensitivity: Sensitivity = Sensitivity.NORMAL,
) -> tuple[Assessment, Assessment]:
    return classifier.assess(conversation, message, sensitivity)


def found_in(classifier: Classifier, conversation: Conversation, message: Message) -> Answer | None:
    """Return what the quick path finds."""
    (heard,) = classifier.hear([message])
    question = classifier.take(conversation, message, heard, Sensitivity.NORMAL)
    return classifier.answer([question])[0] if question else None


def explained(messages: Sequence[Message], model: Model | None = None) -> list[Assessment]:
    """Return how each message reads as a threat, with the words that carried it."""
    classifier, conversation = Classifier(model or a_model()), Conversation(messages[0].sent_at)
    readings = []
    for message in messages:
        found, _ = read(classifier, conversation, message)
        readings.append(classifier.explain(conversation, found))
    return readings


def threat(*turns: str) -> Assessment:
    """Return how the last message reads as a threat."""
    return assess(said(*turns))[-1][0]


def disclosure(*turns: str) -> Assessment:
    return assess(said(*turns))[-1][1]


def test_two_coercive_markers_are_a_threat_from_its_sender_to_its_target() -> None:
    found = threat("B: hello", "A: pay", "B: what", "A: or i post it")
    assert (found.kind, found.level) == (Kind.THREAT, Level.ADVISE)
    assert (found.sender, found.target) == (A, B)
    assert found.score > 0.9
    assert {evidence.marker for evidence in found.evidence} == {Marker.PAYMENT_DEMAND, Marker.SHARE_THREAT}


@pytest.mark.parametrize("word", WORDS)
def test_one_coercive_marker_is_no_more_than_noticed_and_others_not_even_that(word: str) -> None:
    found = threat("B: hello", f"A: {word}", "A: ominous", "A: ominous", f"A: {word}")
    assert found.score > 0.9
    assert found.level is (Level.NOTICE if WORDS[word][0] in COERCIVE else Level.NONE)


def test_two_of_the_coercive_markers_suffice_and_the_others_do_not_count() -> None:
    enough = {
        (first, second)
        for first, (one, _) in WORDS.items()
        for second, (other, _) in WORDS.items()
        if one != other and threat("B: hello", "A: ominous", f"A: {first}", f"A: {second}").level > Level.NOTICE
    }
    coercive = {word for word, (marker, _) in WORDS.items() if marker in COERCIVE}
    assert len(coercive) == 6
    assert enough == {(first, second) for first in coercive for second in coercive if first != second}


def test_markers_of_two_people_are_not_added_up() -> None:
    assert threat("A: pay ominous", "B: post ominous", "A: ominous").level is Level.NOTICE


def test_without_a_target_nobody_is_advised() -> None:
    found = threat("A: pay", "A: or i post it", "A: i have it")
    assert found.score > 0.9
    assert (found.level, found.target) == (Level.ALERT, None)


def test_words_that_are_quoted_are_not_blamed_on_who_quotes_them() -> None:
    first, second = said("B: hello", "A: i got this")
    quoting = replace(second, quoted="pay or i post it, i have it")
    (_, (as_threat, as_disclosure)) = assess([first, quoting])
    assert assess([first, second])[-1] == (as_threat, as_disclosure)
    assert (as_threat.level, as_threat.evidence) == (Level.NONE, ())


def test_words_that_are_forwarded_are_not_blamed_on_who_forwards_them() -> None:
    first, second, third = said("B: hello", "A: pay or i post it, i have it", "A: what is this")
    found = assess([first, replace(second, forwarded=True), third])
    assert [each.level for pair in found for each in pair] == [Level.NONE] * 6
    assert [each.evidence for pair in found for each in pair] == [()] * 6
    assert assess([first, second, third])[-1][0].level >= Level.ALERT


def test_a_disclosure_is_its_authors_and_names_no_sender() -> None:
    found = disclosure("B: confiding", "A: yes?", "B: i am blackmailed")
    assert (found.kind, found.level) == (Kind.DISCLOSURE, Level.ADVISE)
    assert (found.sender, found.target) == (None, B)
    assert [evidence.marker for evidence in found.evidence] == [Marker.VICTIM_DISCLOSURE]


def test_what_only_sounds_like_a_disclosure_is_not_even_noticed() -> None:
    found = disclosure("A: yes?", "B: confiding", "B: confiding")
    assert found.score > 0.9
    assert found.level is Level.NONE


def test_a_disclosure_is_no_threat_and_a_threat_no_disclosure() -> None:
    assert threat("A: yes?", "B: confiding", "B: i am blackmailed").level is Level.NONE
    assert disclosure("B: hello", "A: pay", "A: or i post it").level is Level.NONE


@pytest.mark.parametrize(
    ("turns", "kind", "crisis"),
    [
        pytest.param(["A: pay", "B: despair", "A: post it"], Kind.THREAT, True, id="the target despairs"),
        pytest.param(["A: pay", "B: hello", "A: post it in despair"], Kind.THREAT, False, id="the sender despairs"),
        pytest.param(["A: pay", "B: hello", "A: post it"], Kind.THREAT, False, id="nobody despairs"),
        pytest.param(["B: i am blackmailed", "B: despair"], Kind.DISCLOSURE, True, id="who tells of it despairs"),
        pytest.param(["A: despair", "B: i am blackmailed"], Kind.DISCLOSURE, False, id="who listens despairs"),
    ],
)
def test_a_crisis_is_the_despair_of_the_target(turns: list[str], kind: Kind, crisis: bool) -> None:
    (found,) = [each for each in assess(said(*turns))[-1] if each.kind is kind]
    assert found.crisis is crisis


@pytest.mark.parametrize(("probability", "crisis"), [(0.94, False), (0.96, True)])
def test_a_crisis_is_despair_that_is_likely(probability: float, crisis: bool) -> None:
    column = np.arange(FEATURES) == HIDDEN + MARKERS.index(Marker.DISTRESS)
    biases = np.where(column, np.float32(np.log(probability / (1 - probability))), a_model().biases)
    found = assess(said("A: hello"), model=replace(a_model(), biases=biases))[-1]
    assert found[1].crisis is crisis


@pytest.mark.parametrize("text", ["i'd rather die", "je ne veux plus vivre", "не хочу жить"])
def test_plain_words_of_despair_are_a_crisis_whatever_the_model_makes_of_them(text: str) -> None:
    turns = said("A: pay", f"B: {text}", "A: or i post it")
    (_, (_, own), (as_threat, _)) = assess(turns)
    assert (own.target, own.crisis, own.level) == (B, True, Level.NONE)
    assert [(each.marker, each.probability, each.excerpt) for each in own.evidence] == [(Marker.DISTRESS, 1.0, text)]
    assert (as_threat.target, as_threat.crisis) == (B, True)
    quoted = assess([turns[0], replace(turns[1], text="what", quoted=text), turns[2]])
    assert [each.crisis for pair in quoted for each in pair] == [False] * 6
    forwarded = assess([turns[0], replace(turns[1], forwarded=True), turns[2]])
    assert [each.crisis for pair in forwarded for each in pair] == [False] * 6


def test_the_target_is_whom_the_coercive_lines_name() -> None:
    hello, hi, lovely, nice, pay, post = said(
        "B: hello", "C: hi", "A: lovely weather", "A: so nice", "A: pay", "A: or i post it"
    )
    to_c = [replace(each, to=(C,)) for each in (lovely, nice)]
    to_b = [replace(each, to=(B,)) for each in (pay, post)]
    assert assess([hello, hi, *to_c, *to_b])[-1][0].target == B
    found = assess([hello, hi, *to_c, to_b[0], replace(post, to=(C,))])[-1][0]
    assert (found.target, found.level) == (None, Level.ALERT)


def test_among_three_standing_next_to_a_threat_makes_nobody_its_target_but_somebody_likely() -> None:
    turns = said("B: hello", "C: hi", "A: pay", "C: what", "A: or i post it", "C: no", "A: i have it")
    found = explained(turns)[-1]
    assert found.score > 0.9
    assert (found.target, found.level, found.likely) == (None, Level.ALERT, C)


def test_an_assessment_explains_itself_even_when_it_finds_nothing() -> None:
    (message,) = said("A: lovely weather")
    as_threat, as_disclosure = assess([message])[0]
    for found, kind in ((as_threat, Kind.THREAT), (as_disclosure, Kind.DISCLOSURE)):
        assert found.kind is kind
        assert (found.message_id, found.space, found.channel, found.at) == ("0", "space", "channel", START)
        assert (found.level, found.evidence, found.crisis) == (Level.NONE, (), False)
        assert 0 < found.score < 0.2
    assert (as_threat.sender, as_disclosure.target) == (A, A)


def test_evidence_is_the_strongest_line_of_each_marker_likeliest_first() -> None:
    padding = " so" * 5
    found = threat("B: hello", f"A: post{padding}", "A: post", "A: post again", f"A: pay{padding}", "A: fine")
    assert [(each.marker, each.message_id, each.excerpt) for each in found.evidence] == [
        (Marker.SHARE_THREAT, "2", "post"),
        (Marker.PAYMENT_DEMAND, "4", f"pay{padding}"),
    ]
    assert [each.probability for each in found.evidence] == sorted(
        (each.probability for each in found.evidence), reverse=True
    )
    assert all(0.5 < each.probability < 1 for each in found.evidence)


def test_an_excerpt_is_short() -> None:
    found = threat("B: hello", "A: pay " + "x" * 5000)
    assert all(len(evidence.excerpt) <= 200 for evidence in found.evidence)
    assert found.evidence


def test_each_sensitivity_has_its_own_thresholds() -> None:
    turns = said("A: yes?", "B: i am blackmailed")
    score = assess(turns)[-1][1].score
    less, more = score - 0.001, score + 0.001
    levels = {
        Sensitivity.LOW: Thresholds(less, more, more),
        Sensitivity.NORMAL: Thresholds(less, less, more),
        Sensitivity.HIGH: Thresholds(less, less, less),
    }
    by_group = {sensitivity: dict.fromkeys(GROUPS, thresholds) for sensitivity, thresholds in levels.items()}
    model = replace(a_model(), thresholds=dict.fromkeys(Kind, by_group))
    found = [assess(turns, sensitivity, model)[-1][1].level for sensitivity in Sensitivity]
    assert found == [Level.NOTICE, Level.ALERT, Level.ADVISE]


def test_each_language_group_has_its_own_thresholds() -> None:
    turns = said("A: yes?", "B: i am blackmailed")
    by_group = {"english": Thresholds(0.01, 0.02, 1), "other": Thresholds(0.01, 1, 1)}
    model = replace(a_model(), thresholds={kind: dict.fromkeys(Sensitivity, by_group) for kind in Kind})
    foreign = replace(model, biases=np.where(np.arange(FEATURES) == FEATURES - 1, np.float32(-1), model.biases))
    levels = [assess(turns, model=each)[-1][1].level for each in (model, foreign)]
    assert levels == [Level.ALERT, Level.NOTICE]


def test_an_edit_is_read_in_place_of_what_was_written() -> None:
    hello, pay, bake = said("B: hello", "A: pay", "A: or i bake it")
    found = [as_threat.level for as_threat, _ in assess([hello, pay, bake, replace(bake, text="or i post it")])]
    assert found == [Level.NONE, Level.NOTICE, Level.NOTICE, Level.ADVISE]


@pytest.mark.parametrize(
    "edits",
    [["or i bake it"], [""], ["hello", "lovely weather", "bye"], ["or i bake it", "or i POST it", "or i bake it"]],
    ids=["another word", "nothing", "again and again", "there and back"],
)
def test_an_edit_takes_nothing_back(edits: list[str]) -> None:
    hello, pay, post = said("B: hello", "A: pay", "A: or i post it")
    before, *after = assess([hello, pay, post, *(replace(post, text=text) for text in edits)])[2:]
    for as_threat, _ in after:
        assert (as_threat.level, as_threat.target) == (Level.ADVISE, B)
        assert as_threat.score == pytest.approx(before[0].score)
        markers = {seen.marker for seen in as_threat.evidence}
        assert markers == {Marker.PAYMENT_DEMAND, Marker.SHARE_THREAT}


def test_an_edit_of_what_hardly_coerced_is_an_edit() -> None:
    hello, told = said("A: hello", "B: i am blackmailed")
    found = [as_disclosure.level for _, as_disclosure in assess([hello, told, replace(told, text="i am fine")])]
    assert found == [Level.NONE, Level.ALERT, Level.NONE]


def test_an_edit_that_coerces_in_more_ways_counts_although_each_is_less_clear() -> None:
    hello, pay = said("B: hello", "A: pay")
    found = [as_threat for as_threat, _ in assess([hello, pay, replace(pay, text="pay or i post it")])]
    assert found[1].evidence[0].probability > found[2].evidence[0].probability
    assert [each.level for each in found] == [Level.NONE, Level.NOTICE, Level.ADVISE]


def test_one_account_does_not_keep_up_the_words_of_another() -> None:
    hello, post = said("B: hello", "A: pay or i post it")
    assert assess([hello, post, replace(post, author=C, text="hello")])[-1][0].evidence == ()
    assert assess([hello, post, replace(post, author=C, text="hello"), *said("A: x")])[-1][0].level is Level.NONE


def test_words_that_turn_out_to_be_forwarded_were_still_seen() -> None:
    hello, post = said("B: hello", "A: pay or i post it")
    assert assess([hello, post, replace(post, forwarded=True)])[-1][0].level >= Level.ALERT


def test_old_threats_fade() -> None:
    *turns, later = said("B: hello", "A: pay or i post it", "A: good morning")
    soon = assess([*turns, later])[-1][0]
    late = assess([*turns, replace(later, sent_at=later.sent_at + timedelta(days=30))])[-1][0]
    assert soon.level >= Level.ALERT
    assert late.level is Level.NONE


def test_an_edit_fades_from_the_latest_line() -> None:
    hello, pay, later = said("B: hello", "A: pay", "B: good morning")
    later = replace(later, sent_at=later.sent_at + timedelta(days=30))
    edit = replace(pay, text="pay or i post it", sent_at=pay.sent_at + timedelta(minutes=1))
    assert assess([hello, pay, edit])[-1][0].level >= Level.ALERT
    assert assess([hello, pay, later, edit])[-1][0].level is Level.NONE


def test_a_line_from_the_future_does_not_fade_what_follows_it() -> None:
    hello, ahead, threatened = said("B: hello", "B: see you", "A: pay or i post it")
    ahead = replace(ahead, sent_at=ahead.sent_at + timedelta(days=400))
    assert assess([hello, ahead, threatened])[-1][0].level >= Level.ALERT


@pytest.fixture(scope="module")
def haven() -> Model:
    model, _ = load(bundled())
    return model


CONVERSATIONS = [
    one
    for one in load_corpus(Path(__file__).parents[1] / "data" / "corpus").conversations
    if one.id in {"w1-0001", "w8-0010", "w4-0020", "w16-0001"}
]


@pytest.mark.parametrize("messages", [one.messages for one in CONVERSATIONS], ids=[one.id for one in CONVERSATIONS])
def test_a_decision_does_not_change_with_what_is_written_later(haven: Model, messages: tuple[Message, ...]) -> None:
    whole = assess(messages, model=haven)
    assert len(CONVERSATIONS) == 4
    for length in range(1, len(messages)):
        assert assess(messages[:length], model=haven) == whole[:length]


def test_haven_tells_blunt_sextortion_from_ordinary_talk(haven: Model) -> None:
    blunt = said(
        "B: hey",
        "A: i recorded the video call and i have your facebook friends list",
        "B: what",
        "A: pay me 500 dollars in gift cards or i send the video to your family and all your friends",
        "B: please dont",
        "A: you have 1 hour. dont block me or i post it now",
    )
    plain = said("B: coming on saturday?", "A: yes, with the photos from last time", "B: lovely, who pays for pizza")
    assert max(found.level for found, _ in assess(blunt, model=haven)) >= Level.ALERT
    assert max(found.level for pair in assess(plain, model=haven) for found in pair) < Level.ALERT


def test_what_is_kept_does_not_grow(haven: Model) -> None:
    classifier, conversation = Classifier(haven), Conversation(START)
    for position in range(3 * RING):
        message = replace(said("A: x")[0], id=str(position), text=f"{position} " + "pay me now " * 2000)
        read(classifier, conversation, message)
    assert len(conversation.lines) == RING
    assert max(len(line.excerpt) for line in conversation.lines) <= 200


@pytest.mark.parametrize("text", ["", " ", "\u200b", "🙂", "a" * 100_000, "\u0336" * 5000, "%00%00", "\x00\x1b[2J"])
def test_odd_texts_are_assessed_too(haven: Model, text: str) -> None:
    (message,) = said("A: x")
    for found in assess([replace(message, text=text)], model=haven)[0]:
        assert 0 <= found.score <= 1
        assert found.level <= Level.NOTICE


def test_an_alert_shows_the_words_that_carried_it_in_the_original_text(haven: Model) -> None:
    turns = said(
        "B: hey",
        "A: I have your v1d30 and your friends list",
        "B: what",
        "A: send m o n e y or I send it to your whole family",
        "A: 300 dollars tonight or everybody sees it",
    )
    found = [each for each in explained(turns, haven) if each.level >= Level.ALERT]
    assert found, "blunt enough to be alerted"
    for seen in found[-1].evidence:
        parts = [seen.excerpt[start:end] for start, end in seen.carried]
        assert all(parts), "no part is empty"
        assert list(seen.carried) == sorted(seen.carried)
        assert all(end <= len(seen.excerpt) for _, end in seen.carried)
    assert any(seen.carried for seen in found[-1].evidence)


def test_what_is_known_is_not_explained_again() -> None:
    classifier, conversation = Classifier(a_model()), Conversation(START)
    (message,) = said("A: pay or i post it")
    found, _ = read(classifier, conversation, message)
    assert [seen.carried for seen in found.evidence] == [(), ()]
    again = classifier.explain(conversation, found, [Marker.PAYMENT_DEMAND])
    assert {seen.marker: bool(seen.carried) for seen in again.evidence} == {
        Marker.PAYMENT_DEMAND: False,
        Marker.SHARE_THREAT: True,
    }


def test_the_word_that_shows_a_marker_carries_it() -> None:
    found = explained(said("B: hello", "A: so pay now", "A: or I post it"))[-1]
    carried = {seen.marker: [seen.excerpt[start:end] for start, end in seen.carried] for seen in found.evidence}
    assert carried == {Marker.PAYMENT_DEMAND: ["pay"], Marker.SHARE_THREAT: ["post"]}


def test_a_long_line_is_read_to_its_end_though_only_its_beginning_is_kept() -> None:
    classifier, conversation = Classifier(a_model()), Conversation(START)
    (message,) = said("A: " + "fine " * 60 + "confiding")
    assert not found_in(classifier, conversation, message)
    (line,) = conversation.lines
    (whole,) = classifier.reader.read([words(message.text)], ["^"])
    assert line.features.tolist() == whole.features.tolist()


@pytest.mark.parametrize("length", [200, 201])
def test_a_line_is_read_to_its_last_letter(length: int) -> None:
    classifier, conversation = Classifier(a_model()), Conversation(START)
    (message,) = said("A: " + "fine " * length)
    message = replace(message, text=f"{message.text[: length - 10]} confiding")
    assert len(message.text) == length
    found_in(classifier, conversation, message)
    read(classifier, conversation, message)
    (line,) = conversation.lines
    (whole,) = classifier.reader.read([words(message.text)], ["^"])
    assert line.features.tolist() == whole.features.tolist()


def test_an_edit_is_read_as_of_the_latest_line() -> None:
    classifier, conversation = Classifier(a_model()), Conversation(START)
    threat, answer = said("A: pay or i post it", "B: hello")
    first = found_in(classifier, conversation, threat)
    found_in(classifier, conversation, replace(answer, sent_at=START + timedelta(days=4)))
    again = found_in(classifier, conversation, threat)
    assert first
    assert again
    assert again.threat.score < first.threat.score


def test_a_forward_says_nothing() -> None:
    classifier = Classifier(a_model())
    (message,) = said("A: pay or i post it")
    heard, forward = classifier.hear([message, replace(message, forwarded=True)])
    assert heard.begun is not None
    assert (forward.words, forward.begun) == ([], None)


def test_a_phrase_of_despair_is_heard_although_the_model_knows_none_of_its_words() -> None:
    classifier, conversation = Classifier(a_model()), Conversation(START)
    (message,) = said("A: i want to die")
    assert classifier.reader.shown([words(message.text)]).markers == [False]
    found = found_in(classifier, conversation, message)
    assert found
    assert found.disclosure.crisis


def test_what_stood_there_before_an_edit_is_not_kept() -> None:
    classifier, conversation = Classifier(a_model()), Conversation(START)
    (message,) = said("A: pay or i post it")
    for text in ("hello", "hello you", message.text):
        found_in(classifier, conversation, replace(message, text=text))
        assert [line.earlier for line in conversation.lines] == [None]
