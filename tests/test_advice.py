from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise, product
from pathlib import Path

import pytest
from msgspec.structs import asdict

from bot import advice
from bot.advice import Finding, Page, Section
from bot.effects import Act, Advice
from classifiers.assessment import Evidence, Kind, Marker
from classifiers.errors import InputError

FOLDER = Path(advice.__file__).parent
CHECK_FACTS_EVERY = timedelta(days=400)
THE_FOUR_LINES = ["Don't panic.", "Don't pay.", "Get help.", "Report it."]
AGE_11 = 6  # years of school: a grade by Flesch and Kincaid
PREVIEW = 60  # characters of a message on a locked screen
BUTTON = 80  # characters on a button of Discord
TELEGRAM_ANSWER = 200  # characters of the answer to a button
SITUATIONS = ["under_18", "over_18", "already_paid", "already_shared", "someone_i_know"]
OCCASIONS = list(product(Kind, (False, True)))

every_locale = pytest.mark.parametrize("locale", advice.LOCALES)
every_finding = pytest.mark.parametrize("finding", Finding)
every_occasion = pytest.mark.parametrize(("kind", "crisis"), OCCASIONS)


def source(locale: str) -> str:
    return (FOLDER / f"{locale}.toml").read_text(encoding="utf-8")


def seen(*found: tuple[Marker, float]) -> list[Evidence]:
    return [Evidence(marker, "1", probability, "words") for marker, probability in found]


def pages(locale: str) -> Iterator[Page]:
    yield advice.help_page(locale)
    yield advice.front_page(locale)
    for id in advice.situations(locale):
        yield advice.situation(locale, id)
    for finding, crisis in product(Finding, (False, True)):
        for buttons in (True, False):
            found = seen(*((marker, 0.9) for marker in Marker))
            yield advice.checked(locale, finding, found, crisis=crisis, buttons=buttons)
    for kind, crisis in OCCASIONS:
        for private in (True, False):
            yield advice.warning(locale, kind=kind, crisis=crisis, private=private)
        yield advice.guidance(locale, kind=kind, crisis=crisis)


def short_answers(locale: str) -> dict[str, str]:
    """What Haven says without a page, as people read it."""
    held = {name: text for name, text in asdict(advice.says(locale)).items() if not name.endswith("_button")}
    for part in ("because", "press", "type"):  # of a page
        del held[part]
    return held | {"privacy": held["privacy"].format(days=30)}


def buttons(locale: str) -> list[str]:
    said = [text for name, text in asdict(advice.says(locale)).items() if name.endswith("_button")]
    return [*said, *advice.situations(locale).values()]


def the_four_lines(page: Page) -> list[str]:
    return [section.heading for section in page.sections if section.heading in THE_FOUR_LINES]


def sentences(page: Page) -> list[list[str]]:
    """The words of a page by sentence, without links, numbers and commands."""
    lines = [line for section in page.sections for line in (section.heading, *section.lines)]
    bare = [re.sub(r"https://\S+|/\w+|[\d ]*\d", "", line).rstrip(" .") for line in lines]
    found = [re.findall(r"[A-Za-z']+", part) for line in bare for part in re.split(r"[.?]\s", line)]
    return [words for words in found if words]


def syllables(word: str) -> int:
    return max(1, len(re.findall(r"[aeiouy]+", re.sub(r"e[sd]?$", "", word.lower()))))


# The files.


def test_the_locales_are_the_files() -> None:
    assert sorted(advice.LOCALES) == sorted(path.stem for path in FOLDER.glob("*.toml"))


@every_locale
def test_a_locale_has_the_facts_and_sections_of_british_english(locale: str) -> None:
    def shape(locale: str) -> dict[str, object]:
        book = advice.parse(source(locale).encode(), locale)
        return {
            "facts": sorted(book.facts),
            "warning": [(section.id, section.when) for section in book.warning.sections],
            "guidance": [(section.id, section.when) for section in book.guidance.sections],
            "help": [(section.id, section.when, bool(section.button)) for section in book.help.sections],
            "check": [[section.id for section in getattr(book.check, finding).sections] for finding in Finding],
        }

    assert shape(locale) == shape("en-GB")


def test_an_unknown_locale_is_told_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"tlh.*en-GB"):
        advice.help_page("tlh")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("{childline}", "{nobody}", r"mine\.toml: the facts do not fill .*: 'nobody'"),
        ("{childline}", "{childline.label}", r"mine\.toml: the facts do not fill"),
        ("{childline}", "{childline", r"mine\.toml: the facts do not fill"),
        ("{samaritans_url}", "{childline_url}", r"mine\.toml: the facts do not fill .*: 'childline_url'"),
        ('when = "crisis"', 'wen = "crisis"', r"mine\.toml: .*`wen`"),
        ('when = "crisis"', 'when = "never"', r"mine\.toml: .*'never'"),
        ("verified = true", "", r"mine\.toml: .*`verified`"),
        ('url = "https:', 'url = "http:', r"mine\.toml: .*url"),
        ("[warning]", "[warning", r"mine\.toml: "),
        ('failed = "Something', 'faild = "Something', r"mine\.toml: .*`faild`"),
        ('failed = "Something', 'failed = "{nobody} Something', r"mine\.toml: the facts do not fill .*: 'nobody'"),
        ("[check.told]", "[check.untold]", r"mine\.toml: .*`untold`"),
    ],
)
def test_a_mistake_in_a_file_is_named(old: str, new: str, complaint: str) -> None:
    assert old in source("en-GB")
    with pytest.raises(InputError, match=complaint):
        advice.parse(source("en-GB").replace(old, new).encode(), "mine.toml")


# The facts.


@every_locale
def test_facts_say_where_they_come_from_and_were_checked_lately(locale: str) -> None:
    for name, fact in advice.facts(locale).items():
        assert fact.label, name
        assert fact.source.startswith("https://"), name
        assert date.today() - CHECK_FACTS_EVERY <= fact.checked_on <= date.today(), name  # noqa: DTZ011 a calendar day


@every_locale
def test_numbers_and_links_stand_in_the_facts_only(locale: str) -> None:
    texts = source(locale).partition("\n[warning]\n")[2]
    assert texts
    assert not re.findall(r"\d{3,}|https?:|www\.", texts)


@every_locale
def test_every_fact_is_told(locale: str) -> None:
    told = set(re.findall(r"\{(\w+)\}", source(locale).partition("\n[warning]\n")[2]))
    held = advice.facts(locale)
    assert told - {"days", "done", "press"} == set(held) | {f"{name}_url" for name, fact in held.items() if fact.url}


@every_locale
def test_links_are_secure(locale: str) -> None:
    for page in pages(locale):
        assert "http://" not in page.plain()


@every_locale
def test_nothing_is_left_to_be_filled_in(locale: str) -> None:
    texts = [page.plain() for page in pages(locale)]
    for text in (*texts, *short_answers(locale).values(), *buttons(locale)):
        assert not set("{}") & set(text)
    assert advice.says(locale).privacy.format(days=17).count("17") == 1


@every_locale
def test_hours_stand_beside_their_number(locale: str) -> None:
    for fact in advice.facts(locale).values():
        for page in pages(locale) if fact.hours else ():
            assert page.plain().count(fact.value) == page.plain().count(f"{fact.value} ({fact.hours})")


@every_locale
def test_help_has_every_number(locale: str) -> None:
    text = advice.help_page(locale).plain()
    for number in ("101", "999", "18001 101", "0800 1111", "0345 6000 459", "0800 555 111", "116 123"):
        assert number in text


# What fits.


@every_locale
def test_pages_fit_discord_and_telegram(locale: str) -> None:
    for page in pages(locale):
        assert len(page.title) <= 256
        assert len(page.sections) <= 25
        opens_untitled = page.title in {advice.situation(locale, id).title for id in advice.situations(locale)}
        assert all(0 < len(section.heading) <= 256 for section in page.sections[opens_untitled:])
        assert all(0 < len(section.body) <= 1024 for section in page.sections)
        assert len(page.plain()) <= 6000
        assert all(len(section.plain()) <= 4096 for section in page.sections)
        assert len({section.id for section in page.sections}) == len(page.sections)


@every_locale
@every_occasion
def test_messages_are_short(locale: str, kind: Kind, crisis: bool) -> None:
    assert len(advice.warning(locale, kind=kind, crisis=crisis).plain()) <= 2000
    assert len(advice.guidance(locale, kind=kind, crisis=crisis).plain()) <= 1000


@every_locale
def test_answers_are_short_and_buttons_shorter(locale: str) -> None:
    for page in (page for page in pages(locale) if page != advice.help_page(locale)):
        assert len(page.plain()) <= 2000
    assert all(0 < len(text) <= 500 for text in short_answers(locale).values())
    assert all(0 < len(label) <= BUTTON for label in buttons(locale))
    assert len(set(buttons(locale))) == len(buttons(locale))


# What people read.


@every_locale
@every_occasion
def test_the_crisis_lines_come_first_and_only_in_a_crisis(locale: str, kind: Kind, crisis: bool) -> None:
    samaritans = advice.facts(locale)["samaritans"].value
    for page in (
        advice.warning(locale, kind=kind, crisis=crisis),
        advice.guidance(locale, kind=kind, crisis=crisis),
    ):
        first, *rest = page.sections
        assert ("999" in first.body and samaritans in first.body) == crisis
        assert (first.id == "crisis") == crisis
        assert not any(section.id == "crisis" or samaritans in section.body for section in rest)


@every_locale
def test_help_has_a_section_for_each_situation(locale: str) -> None:
    ids = [section.id for section in advice.help_page(locale).sections]
    assert ids[0] == "crisis"
    assert set(SITUATIONS) <= set(ids)


@every_locale
def test_where_there_are_buttons_each_situation_is_a_page_of_its_own(locale: str) -> None:
    whole, front = advice.help_page(locale), advice.front_page(locale)
    assert list(advice.situations(locale)) == SITUATIONS
    assert [*front.sections] == [section for section in whole.sections if section.id not in SITUATIONS]
    report = next(section for section in whole.sections if section.id == "report")
    for id in SITUATIONS:
        page = advice.situation(locale, id)
        (own,) = (section for section in whole.sections if section.id == id)
        assert page.title == own.heading
        assert [section.body for section in page.sections] == [own.body, report.body]


@every_locale
@pytest.mark.parametrize("finding", Finding)
@pytest.mark.parametrize("crisis", [True, False])
def test_an_answer_names_buttons_only_where_there_are_some(locale: str, finding: Finding, crisis: bool) -> None:
    says = advice.says(locale)
    with_them, without = (
        advice.checked(locale, finding, (), crisis=crisis, buttons=buttons).plain() for buttons in (True, False)
    )
    assert with_them.count(says.press) == without.count(says.type) == 1
    assert without == with_them.replace(says.press, says.type)
    if locale == "en-GB":
        assert "button" not in without
        assert "/help" in without


@every_locale
@pytest.mark.parametrize("id", ["", "crisis", "report", "under_19"])
def test_what_is_no_situation_is_told_the_situations(locale: str, id: str) -> None:
    with pytest.raises(InputError, match=f"no help for '{id}'; known: {', '.join(SITUATIONS)}"):
        advice.situation(locale, id)


def test_help_gives_the_four_lines() -> None:
    page = advice.help_page("en-GB")
    assert the_four_lines(page) == THE_FOUR_LINES
    assert " ".join(THE_FOUR_LINES) in page.plain()


@every_locale
def test_the_number_for_information_on_offenders_is_no_number_for_the_person_aimed_at(locale: str) -> None:
    number = advice.facts(locale)["crimestoppers"].value
    to_moderators = [advice.guidance(locale, kind=kind, crisis=crisis) for kind in Kind for crisis in (False, True)]
    to_members = [page for page in pages(locale) if page not in to_moderators]
    holders = [section.id for page in to_members for section in page.sections if number in section.body]
    assert set(holders) == {"someone_i_know"}
    assert any(number in section.body for page in to_moderators for section in page.sections)


@every_occasion
def test_the_warning_gives_the_four_lines_and_both_ages(kind: Kind, crisis: bool) -> None:
    page = advice.warning("en-GB", kind=kind, crisis=crisis)
    assert [s.heading for s in page.sections if s.heading in THE_FOUR_LINES] == THE_FOUR_LINES
    for words in (
        "Under 18",
        "0800 1111",
        "Report Remove",
        "CEOP",
        "18 or over",
        "0345 6000 459",
        "StopNCII",
    ):
        assert words in page.plain()


@every_occasion
def test_the_warning_gives_its_advice_in_order(kind: Kind, crisis: bool) -> None:
    text = advice.warning("en-GB", kind=kind, crisis=crisis).plain()
    steps = [
        "Don't panic",
        "Do not send money",
        "Stop replying",
        "Delete nothing",
        "block and report them",
        "Make your accounts private",
        "tell your bank",
        "Tell someone you trust",
        "Call the police on 101",
    ]
    assert all(text.index(first) < text.index(then) for first, then in pairwise(steps))


@every_occasion
def test_the_warning_says_who_writes_and_how_to_stop_it(kind: Kind, crisis: bool) -> None:
    text = advice.warning("en-GB", kind=kind, crisis=crisis).plain()
    for words in (
        "automatic safety helper in this community",
        "not a person",
        "Nobody else in the chat can see this message",
        "I may be wrong",
        "not your fault",
        "not part of any group named here",
        "Never send the pictures to people who offer help",
        "United Kingdom",
        "/help",
        "/protect off",
        "/privacy",
    ):
        assert words in text


@every_occasion
def test_the_warning_about_a_private_chat_says_that_nobody_is_told_and_otherwise_the_same(
    kind: Kind, crisis: bool
) -> None:
    community, private = (
        advice.warning("en-GB", kind=kind, crisis=crisis, private=private) for private in (False, True)
    )
    (who,) = (section for section in private.sections if section.id == "who")
    assert "Nobody else can see this message, and I tell nobody." in who.lines
    assert "You let me read some of your chats." in who.body
    for word in ("community", "moderator", "people who run it", "may be told"):
        assert word not in private.plain()
    differing = [a.id for a, b in zip(community.sections, private.sections, strict=True) if a != b]
    assert differing == ["who"]
    assert len(private.plain()) <= 2000


def test_a_disclosure_and_a_threat_open_differently() -> None:
    for say in (advice.warning, advice.guidance):
        threat, disclosure = (say("en-GB", kind=kind, crisis=False) for kind in Kind)
        differing = [a.id for a, b in zip(threat.sections, disclosure.sections, strict=True) if a.body != b.body]
        assert differing == (["why"] if say is advice.warning else ["what", "do"])
    assert "You wrote about" in advice.warning("en-GB", kind=Kind.DISCLOSURE, crisis=False).plain()
    assert "You wrote" not in advice.warning("en-GB", kind=Kind.THREAT, crisis=False).plain()
    assert "ban the sender" not in advice.guidance("en-GB", kind=Kind.DISCLOSURE, crisis=False).plain()


@every_occasion
def test_a_locked_screen_does_not_tell_the_subject(kind: Kind, crisis: bool) -> None:
    page = advice.warning("en-GB", kind=kind, crisis=crisis)
    preview = page.plain()[:PREVIEW].lower()
    for word in (
        "picture",
        "image",
        "nude",
        "sex",
        "pay",
        "money",
        "police",
        "blackmail",
        "threat",
        "scare",
    ):
        assert word not in preview


@every_occasion
def test_moderators_are_told_how_not_to_harm(kind: Kind, crisis: bool) -> None:
    text = advice.guidance("en-GB", kind=kind, crisis=crisis).plain()
    for words in (
        "may be wrong",
        "Save the messages as proof before you delete",
        "If life is at risk, call 999",
        "report it to CEOP",
        "in public",
        "argue with the sender",
        "Do not investigate",
        "share any pictures",
        "nothing to the sender",
    ):
        assert words.lower() in text.lower()


def test_nothing_blames_frightens_or_uses_jargon() -> None:
    for text in map(str.lower, (*(page.plain() for page in pages("en-GB")), *short_answers("en-GB").values())):
        for word in (
            "!",
            "victim",
            "predator",
            "perpetrator",
            "sextortion",
            "should have",
            "why did you",
            "shame",
        ):
            assert word not in text
        assert text.count("your fault") == text.count("not your fault")


def test_people_in_distress_can_read_it() -> None:
    answers = [Page("", (Section("", (text,)),)) for text in short_answers("en-GB").values()]
    for page in (*pages("en-GB"), *answers):
        said = sentences(page)
        words = [word for sentence in said for word in sentence]
        words_a_sentence = len(words) / len(said)
        syllables_a_word = sum(map(syllables, words)) / len(words)
        assert words_a_sentence <= 10
        assert sum(map(len, words)) / len(words) <= 4.7
        assert 0.39 * words_a_sentence + 11.8 * syllables_a_word - 15.59 <= AGE_11


# What a private check answers.


@every_locale
@every_finding
@pytest.mark.parametrize("crisis", [True, False])
def test_a_check_is_answered_with_what_to_do_and_whom_to_call_first(
    locale: str, finding: Finding, crisis: bool
) -> None:
    page = advice.checked(locale, finding, (), crisis=crisis)
    samaritans = advice.facts(locale)["samaritans"].value
    assert ("999" in page.sections[0].body and samaritans in page.sections[0].body) is crisis
    assert not any(samaritans in section.body for section in page.sections[1:])
    assert [section.id for section in page.sections[crisis:]] == ["found", "next"]
    assert "999" in page.sections[-1].body
    assert "Nobody else can see this answer" in page.plain()


@every_finding
def test_a_check_says_why_only_where_it_saw_what_others_wrote(finding: Finding) -> None:
    found = seen((Marker.PAYMENT_DEMAND, 0.9), (Marker.PRESSURE, 0.7), (Marker.ISOLATION, 0.1))
    why = "Why: it demands money or its like and sets a deadline or presses for an answer."
    explained = finding in (Finding.BLACKMAIL, Finding.SIGNS)
    page = advice.checked("en-GB", finding, found, crisis=True)
    assert (why in page.sections[1].lines) is explained
    assert page.plain().count("Why: ") == explained
    assert "Why: " not in advice.checked("en-GB", finding, (), crisis=True).plain()


def test_a_check_answers_each_finding_differently_and_is_never_certain_of_nothing() -> None:
    answers = {finding: advice.checked("en-GB", finding, (), crisis=False).plain() for finding in Finding}
    assert len(set(answers.values())) == len(Finding)
    assert all("not your fault" in answers[finding] for finding in Finding if finding is not Finding.NOTHING)
    assert answers[Finding.NOTHING].startswith("I cannot tell from this\n")
    assert "That does not mean that you are safe: I miss some." in answers[Finding.NOTHING]
    for finding in (Finding.BLACKMAIL, Finding.TOLD):
        steps = [answers[finding].index(step) for step in THE_FOUR_LINES if step in answers[finding]]
        assert len(steps) == len(THE_FOUR_LINES)
        assert steps == sorted(steps)


@every_finding
def test_the_title_of_a_check_that_found_nothing_does_not_stand_above_despair(finding: Finding) -> None:
    calm, upset = (advice.checked("en-GB", finding, (), crisis=crisis) for crisis in (False, True))
    assert upset.title == ("Please read this first" if finding is Finding.NOTHING else calm.title)
    assert upset.sections[0].heading == "Please read this first"
    assert "Please read this first" not in calm.plain()


# Why an alert was raised, and what was done about it.


def test_an_alert_is_explained_by_what_is_clear_and_otherwise_by_the_two_likeliest_things() -> None:
    claim, demand, hurry = (Marker.IMAGE_CLAIM, 0.9), (Marker.PAYMENT_DEMAND, 0.7), (Marker.PRESSURE, 0.5)
    assert advice.because("en-GB", seen(claim, demand, hurry, (Marker.ISOLATION, 0.49))) == (
        "In these lines somebody claims to have intimate pictures, demands money or its like and sets a deadline or"
        " presses for an answer."
    )
    assert advice.because("en-GB", seen(claim)) == "In these lines somebody claims to have intimate pictures."
    unclear = seen((Marker.ISOLATION, 0.4), (Marker.PRESSURE, 0.3), (Marker.DISTRESS, 0.2))
    assert advice.because("en-GB", unclear) == (
        "In these lines somebody wants it kept secret or moved elsewhere and sets a deadline or presses for an answer."
    )


@every_locale
def test_every_marker_has_its_words(locale: str) -> None:
    found = {advice.because(locale, seen((marker, 0.9))) for marker in Marker}
    assert len(found) == len(Marker)


@every_locale
def test_a_marker_without_words_is_named(locale: str) -> None:
    lacking = re.sub(r"(?m)^isolation = .*$", "", source(locale))
    with pytest.raises(InputError, match=re.escape("because.markers lacks isolation")):
        advice.parse(lacking.encode(), "here.toml")


@every_locale
def test_every_state_of_a_warning_and_every_act_has_words_of_its_own(locale: str) -> None:
    said = advice.on_alert(locale)
    assert len(set(said.advice.values())) == len(said.advice) == len(Advice)
    assert len(set(said.acts.values())) == len(said.acts) == len(Act)
    assert len(said.dismissed) <= TELEGRAM_ANSWER


@every_locale
@pytest.mark.parametrize(("key", "where"), [("held", "alert.advice"), ("took_evidence", "alert.acts")])
def test_a_state_or_an_act_without_words_is_named(locale: str, key: str, where: str) -> None:
    lacking = re.sub(rf"(?m)^{key} = .*$", "", source(locale))
    with pytest.raises(InputError, match=re.escape(f"{where} lacks {key}")):
        advice.parse(lacking.encode(), "here.toml")
