"""Every story is told through the real guard, database, outbox and console, with the model that comes with Haven."""

from __future__ import annotations

import asyncio
import io
import shutil
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from rich.console import Console

from bot import advice
from bot.app import composed, open_classifier
from bot.case import Case, view
from bot.config import Config
from bot.effects import AdviseTarget, Alert, AlertModerators, Delivery, Effect, PageModerators, Ruling, UpdateAlert
from bot.platforms.console import NAME, ConsolePlatform
from bot.sealing import Seal, one_time_seal
from bot.store import Store
from bot.story import (
    START,
    Expected,
    ExpectedAdvice,
    ExpectedAlert,
    ExpectedCase,
    ExpectedPage,
    ExpectedUpdate,
    Story,
    load_story,
    messages_of,
    read_story,
)
from classifiers.assessment import Kind, Level
from classifiers.classifier import Classifier
from classifiers.conversation import Account
from classifiers.errors import InputError

FOLDER = Path(__file__).parent / "stories"
STORIES = sorted(FOLDER.glob("*.toml"))
SPACE = "story"
MODERATOR = Account(NAME, "moderator")
WIDE = 500  # columns, so that no line of a page is broken


@dataclass(frozen=True)
class Seen:
    """An effect, and the turn at which it was performed."""

    turn: int
    effect: Effect

    def __str__(self) -> str:
        match self.effect:
            case AdviseTarget(target=to, kind=kind, crisis=crisis):
                return f"{self.turn}: advise {to.id} ({kind}, crisis {crisis})"
            case AlertModerators(alert=alert):
                return f"{self.turn}: alert {told(alert)}"
            case UpdateAlert(alert=alert):
                return f"{self.turn}: update {told(alert)}"
            case PageModerators(role=role, why=why):
                return f"{self.turn}: page {role} ({why})"


@dataclass(frozen=True)
class Played:
    """What came of a story."""

    story: Story
    seen: list[Seen]
    cases: list[Case]
    refused: list[str]
    waiting: float | None
    screen: str
    folder: Path
    seal: Seal

    def __str__(self) -> str:
        return "\n".join(map(str, self.seen)) or "no effects"

    def alerts(self) -> list[Alert]:
        """Every alert as it was shown, the edits too."""
        return [one.effect.alert for one in self.seen if isinstance(one.effect, AlertModerators | UpdateAlert)]


class Witness:
    """The console, with a note of what it is given at which turn."""

    name = NAME
    remembers = 0.0

    def __init__(self, console: ConsolePlatform) -> None:
        self._console = console
        self.turn = 0
        self.seen: list[Seen] = []

    async def ready(self) -> None:
        """There is nothing to wait for."""

    async def perform(self, effect: Effect, key: str) -> Delivery:
        self.seen.append(Seen(self.turn, effect))
        return await self._console.perform(effect, key)


def told(alert: Alert) -> str:
    states = {target.account.id: str(target.advice) for target in alert.targets}
    about = alert.sender.id if alert.sender else "nobody accused"
    return f"{about} ({alert.kind}, {alert.level.name}, {states}, crisis {alert.crisis}, ruling {alert.ruling})"


def play(story: Story, folder: Path, seal: Seal, classifier: Classifier) -> Played:
    """Tell the story message by message; each is delivered before the next is read."""
    return asyncio.run(_play(story, folder, seal, classifier))


async def _play(story: Story, folder: Path, seal: Seal, classifier: Classifier) -> Played:
    now = START
    screen = io.StringIO()
    refused: list[str] = []
    witness = Witness(ConsolePlatform(Console(file=screen, width=WIDE), refuses=story.refuses))
    store = Store(folder / "haven.db", seal)
    config = Config(policy=story.policy)
    with composed(config, store, [witness], classifier, clock=lambda: now) as haven:
        for name, opted_in in story.choices.items():
            store.choose(Account(NAME, name), opted_in=opted_in)
        for turn, message in enumerate(messages_of(story, NAME, SPACE)):
            witness.turn, now = turn, message.sent_at
            haven.guard.receive([message])
            await haven.outbox.drain()
            for act in story.acts:
                if act.after != turn:
                    continue
                case = store.case(SPACE, Account(NAME, act.about), Kind.THREAT)
                assert case, f"there is no case about {act.about} at turn {turn}"
                if act.ruling:
                    haven.moderation.rule(SPACE, case.id, act.ruling, MODERATOR)
                if act.advise:
                    try:
                        haven.moderation.advise(SPACE, case.id, Account(NAME, act.advise), MODERATOR)
                    except InputError as error:
                        refused.append(str(error))
                await haven.outbox.drain()
        names = sorted({turn.author for turn in story.turns} | {name for turn in story.turns for name in turn.to})
        found = [store.case(SPACE, Account(NAME, name), kind) for name, kind in product(names, Kind)]
        cases = [case for case in found if case and case.level >= Level.ALERT]
        return Played(story, witness.seen, cases, refused, store.next_due(NAME), screen.getvalue(), folder, seal)


def meets(wanted: Expected, seen: Seen) -> bool:
    """Return whether the effect is the one that is expected; what the story leaves open is not looked at."""
    last = wanted.turn if wanted.until is None else wanted.until
    if not wanted.turn <= seen.turn <= last:
        return False
    match wanted, seen.effect:
        case (ExpectedAdvice(), AdviseTarget(target=to, kind=kind, crisis=crisis)):
            return (to.id, kind) == (wanted.to, wanted.kind) and wanted.crisis in (None, crisis)
        case (ExpectedPage(), PageModerators(role=role, why=why)):
            return wanted.role == role and wanted.why in (None, why)
        case (ExpectedUpdate(), UpdateAlert(alert=alert)):
            return shows(wanted, alert)
        case (ExpectedAlert(), AlertModerators(alert=alert)):
            return shows(wanted, alert)
    return False


def shows(wanted: ExpectedAlert, alert: Alert) -> bool:
    states = {target.account.id: target.advice for target in alert.targets}
    return (
        (wanted.kind, wanted.sender) == (alert.kind, alert.sender and alert.sender.id)
        and wanted.targets in (None, states)
        and wanted.level in (None, alert.level.name.lower())
        and wanted.crisis in (None, alert.crisis)
        and wanted.ruling in (None, alert.ruling)
    )


def remembers(wanted: ExpectedCase, case: Case) -> bool:
    return (
        (wanted.about, wanted.kind, wanted.level) == (case.about.id, case.kind, case.level.name.lower())
        and wanted.targets == {target.account.id: target.advice for target in case.targets}
        and wanted.crisis in (None, case.crisis)
        and wanted.ruling == case.ruling
    )


def frames(played: Played) -> list[list[str]]:
    """The frames on the screen, each as its title and its lines."""
    found = []
    for frame in played.screen.split("╭─ ")[1:]:
        title, *lines = frame.split("\n")
        found.append([title, *(line[2:-2].strip() for line in lines if line.startswith("│"))])
    return found


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_classifier(Config(), Path())


@pytest.fixture(scope="module", params=STORIES, ids=lambda file: file.stem)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Played:
    file: Path = request.param
    return play(read_story(file), tmp_path_factory.mktemp(file.stem), one_time_seal(), classifier)


def test_a_story_causes_its_alerts_warnings_and_pages_and_no_others(played: Played) -> None:
    wanted = [one for one in played.story.expect if not isinstance(one, ExpectedUpdate)]
    seen = [one for one in played.seen if not isinstance(one.effect, UpdateAlert)]
    assert len(wanted) == len(seen), str(played)
    for expected, one in zip(wanted, seen, strict=True):
        assert meets(expected, one), f"{expected}\n\n{played}"


def test_a_story_causes_its_updates_in_order(played: Played) -> None:
    updates = iter([one for one in played.seen if isinstance(one.effect, UpdateAlert)])
    for expected in played.story.expect:
        if isinstance(expected, ExpectedUpdate):
            assert any(meets(expected, one) for one in updates), f"{expected}\n\n{played}"


def test_a_story_leaves_its_cases_and_no_others(played: Played) -> None:
    assert len(played.cases) == len(played.story.cases), f"{played.cases}\n\n{played}"
    for expected in played.story.cases:
        assert any(remembers(expected, case) for case in played.cases), f"{expected}\n\n{played.cases}\n\n{played}"


def test_everything_recorded_is_delivered(played: Played) -> None:
    assert played.waiting is None


def test_an_alert_is_shown_once_and_edited_only_when_it_has_something_new(played: Played) -> None:
    shown: dict[str, Alert] = {}
    references: dict[str, str] = {}
    for one in played.seen:
        match one.effect:
            case AlertModerators(alert=alert):
                assert alert.case not in shown, str(played)
                shown[alert.case] = alert
            case UpdateAlert(alert=alert, reference=reference):
                assert alert != shown[alert.case], str(played)
                assert references.setdefault(alert.case, reference) == reference
                shown[alert.case] = alert


def test_moderators_read_the_case_as_it_is_in_the_end(played: Played) -> None:
    shown = {alert.case: alert for alert in played.alerts()}
    for case in played.cases:
        if case.id in shown and case.ruling is not Ruling.NOT_SEXTORTION:
            assert shown[case.id] == view(case)


def test_a_press_is_refused_where_the_member_said_no_and_nowhere_else(played: Played) -> None:
    presses = [act.advise for act in played.story.acts if act.advise]
    said_no = [name for name in presses if played.story.choices.get(name) is False]
    assert played.refused == [f"nothing to send to '{name}': declined" for name in said_no]


def test_nobody_is_warned_twice_except_once_more_in_a_crisis_and_no_sender_is_written_to(played: Played) -> None:
    warnings = [one.effect for one in played.seen if isinstance(one.effect, AdviseTarget)]
    warned = [(effect.case, effect.target, effect.crisis) for effect in warnings]
    accused = {alert.sender for alert in played.alerts()} | {
        case.about for case in played.cases if case.kind is Kind.THREAT
    }
    assert len(warned) == len(set(warned)), str(played)
    assert not accused & {effect.target for effect in warnings}, str(played)
    calm = {(case, target): turn for turn, (case, target, crisis) in enumerate(warned) if not crisis}
    upset = {(case, target): turn for turn, (case, target, crisis) in enumerate(warned) if crisis}
    assert all(calm[one] < upset[one] for one in calm.keys() & upset.keys()), str(played)


def test_a_warning_is_the_page_of_advice_and_nothing_else(played: Played) -> None:
    private = [frame for frame in frames(played) if "in private" in frame[0]]
    delivered = [
        one.effect
        for one in played.seen
        if isinstance(one.effect, AdviseTarget) and one.effect.target.id not in played.story.refuses
    ]
    assert len(private) == len(delivered)
    for (title, *lines), effect in zip(private, delivered, strict=True):
        page = advice.warning(effect.locale, kind=effect.kind, crisis=effect.crisis)
        assert title.startswith(f"to {effect.target.id}, in private")
        assert lines == page.plain().split("\n")


def test_the_files_hold_no_words_of_the_chat(played: Played) -> None:
    files = list(played.folder.iterdir())
    assert played.folder / "haven.db" in files
    held = b"".join(file.read_bytes() for file in files)
    for turn in played.story.turns:
        assert len(turn.text) < 12 or turn.text.encode() not in held


def test_a_story_told_again_after_a_restart_causes_nothing(
    played: Played, tmp_path: Path, classifier: Classifier
) -> None:
    shutil.copytree(played.folder, tmp_path, dirs_exist_ok=True)
    again = play(played.story, tmp_path, played.seal, classifier)
    assert not [one for one in again.seen if not isinstance(one.effect, UpdateAlert)], str(again)
    assert len(again.refused) == len([act for act in played.story.acts if act.advise])


def test_in_a_crisis_the_lines_against_self_harm_come_first(tmp_path: Path, classifier: Classifier) -> None:
    played = play(read_story(FOLDER / "despair.toml"), tmp_path, one_time_seal(), classifier)
    alerts = [frame for frame in frames(played) if frame[0].startswith("to the moderators")]
    (warning,) = [frame for frame in frames(played) if frame[0].startswith("to Sam, in private")]
    page = advice.warning("en-GB", kind=Kind.THREAT, crisis=True)
    assert all("signs of despair" in alert[1] for alert in alerts)
    assert page.sections[0].id == "crisis"
    assert warning[3] == page.sections[0].heading
    assert "999" in warning[4]


def test_who_despairs_after_the_warning_is_told_once_more_whom_to_call(tmp_path: Path, classifier: Classifier) -> None:
    played = play(read_story(FOLDER / "despair_later.toml"), tmp_path, one_time_seal(), classifier)
    first, further = [frame for frame in frames(played) if frame[0].startswith("to Sam, in private")]
    page = advice.warning("en-GB", kind=Kind.THREAT, crisis=True)
    assert page.sections[0].heading not in first
    assert further[3] == page.sections[0].heading
    assert "999" in further[4]
    shown = [one for one in played.seen if isinstance(one.effect, UpdateAlert) and one.effect.alert.crisis]
    assert shown[0].turn == 8


@pytest.mark.parametrize(
    ("toml", "wrong"),
    [
        ("turns = []", "about"),
        ('about = ""\nturns = [{ from = "A", said = "hi" }]', "said"),
        ('about = ""\nturns = []\nexpect = [{ effect = "shout", turn = 0 }]', "shout"),
        ('about = ""\nturns = []\nexpect = [{ effect = "advise", turn = 0, to = "A", sender = "B" }]', "sender"),
        ('about = ""\nturns = []\nacts = [{ after = 0, about = "A", ruling = "maybe" }]', "maybe"),
        ('about = ""\nturns = []\npolicy = { mode = "loud" }', "loud"),
        ("about = ", "Invalid value"),
        ("\xff", "utf-8"),
    ],
)
def test_a_wrong_story_is_refused_with_its_file_and_what_is_wrong(toml: str, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong) as caught:
        load_story(toml.encode("latin-1"), "a.toml")
    assert str(caught.value).startswith("a.toml: ")
    assert "\n" not in str(caught.value)


def test_an_edit_carries_the_id_of_what_it_replaces_and_time_goes_on() -> None:
    toml = 'about = ""\nturns = [{ from = "A" }, { from = "B", after = 5 }, { from = "A", edits = 0 }]'
    messages = list(messages_of(load_story(toml.encode(), "a.toml"), NAME, SPACE))
    assert [message.id for message in messages] == ["0", "1", "0"]
    assert [(message.sent_at - START).total_seconds() for message in messages] == [20, 25, 45]


def test_a_turn_becomes_a_message_with_all_that_it_says() -> None:
    toml = 'about = ""\nturns = [{ from = "A", text = "t", to = ["B"], quoted = "q", forwarded = true }]'
    (message,) = messages_of(load_story(toml.encode(), "a.toml"), NAME, SPACE)
    assert (message.author, message.to) == (Account(NAME, "A"), (Account(NAME, "B"),))
    assert (message.text, message.quoted, message.forwarded) == ("t", "q", True)
    assert (message.space, message.channel) == (SPACE, SPACE)
