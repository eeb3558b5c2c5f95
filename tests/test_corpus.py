"""Reading labelled conversations, and what must be true of ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from classifiers.assessment import Kind, Marker
from classifiers.conversation import Account
from classifiers.corpus import KINDS, Corpus, Labelled, conversations_of, load_corpus
from classifiers.errors import InputError
from classifiers.words import words

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"


def talk(*turns: tuple[str, str, list[str]], **keys: object) -> str:
    """Return a line of a corpus; turns are who, what, and the markers."""
    messages = [{"from": author, "text": text, "markers": markers} for author, text, markers in turns]
    conversation = {"id": "t-1", "kind": "sextortion", "offenders": ["A"], "targets": ["B"], "messages": messages}
    return json.dumps(conversation | keys)


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / f"{name}.jsonl").write_text(content, encoding="utf-8")
    return folder


def labels(labelled: Labelled, kind: Kind) -> list[bool | None]:
    return [labelled.label(kind, position) for position in range(len(labelled.messages))]


@pytest.mark.parametrize(
    ("begins", "begun"),
    [
        ("payment_demand", True),
        ("share_threat", True),
        ("contacts_threat", True),
        ("compliance_demand", True),
        ("image_claim", None),
        ("image_solicitation", None),
        ("pressure", None),
        ("isolation", None),
    ],
)
def test_a_threat_begins_with_a_demand_or_a_threat(tmp_path: Path, begins: str, begun: bool | None) -> None:
    line = talk(("A", "hello", []), ("B", "hi", []), ("A", "listen", [begins]), ("B", "no", []), ("A", "well?", []))
    (labelled,) = load_corpus(write(tmp_path, writer=line)).conversations
    assert labels(labelled, Kind.THREAT) == [None, False, begun, False, begun]


def test_only_offenders_of_sextortion_threaten(tmp_path: Path) -> None:
    turns = ("A", "pay", ["payment_demand"]), ("B", "pay yourself", ["payment_demand"])
    lines = [talk(*turns, id=f"t-{kind}", kind=kind) for kind in KINDS]
    found = load_corpus(write(tmp_path, writer="\n".join(lines))).conversations
    assert {one.kind: labels(one, Kind.THREAT) for one in found} == {
        "sextortion": [True, False],
        "hard_negative": [False, False],
        "victim_disclosure": [False, False],
        "benign": [False, False],
    }


def test_a_disclosure_begins_with_its_own_authors_words_in_any_kind(tmp_path: Path) -> None:
    turns: list[tuple[str, str, list[str]]]
    turns = [("B", "hi", []), ("B", "he wants money", ["victim_disclosure"]), ("C", "oh no", []), ("B", "yes", [])]
    lines = [talk(*turns, id=f"t-{kind}", kind=kind, offenders=["B"]) for kind in KINDS]
    for labelled in load_corpus(write(tmp_path, writer="\n".join(lines))).conversations:
        assert labels(labelled, Kind.DISCLOSURE) == [False, True, False, True]


def test_a_label_does_not_look_ahead(tmp_path: Path) -> None:
    turns = [("A", "a", ["image_claim"]), ("B", "b", []), ("A", "c", ["payment_demand"]), ("A", "d", [])]
    lines = [talk(*turns[:length], id=f"t-{length}") for length in range(1, 5)]
    found = load_corpus(write(tmp_path, writer="\n".join(lines))).conversations
    for kind in Kind:
        whole = labels(found[-1], kind)
        assert [labels(one, kind) for one in found] == [whole[:length] for length in range(1, 5)]


def test_a_corpus_knows_writers_languages_and_people(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        zoe=talk(("A", "hi", []), id=1, platform="discord"),
        adam=talk(("A", "salut", []), lang="fr"),
    )
    corpus = load_corpus(folder)
    assert corpus.writers == ["adam", "zoe"]
    french, english = corpus.conversations
    assert (french.writer, french.english, english.english) == ("adam", False, True)
    assert english.id == "1"
    assert english.offenders == {Account("discord", "A")}
    assert english.targets == {Account("discord", "B")}


def test_the_hash_of_a_corpus_changes_with_content_and_writer(tmp_path: Path) -> None:
    def digest(**files: str) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return load_corpus(write(folder, **files)).sha256

    line = talk(("A", "hi", []))
    assert digest(adam=line) == digest(adam=line)
    assert len({digest(adam=line), digest(zoe=line), digest(adam=line.replace("hi", "ho"))}) == 3


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        pytest.param("{", "not JSON", id="not JSON"),
        pytest.param('{"id": 2, "kind": "benign"}', "messages", id="no messages"),
        pytest.param(talk(id="t-2"), "no messages", id="an empty conversation"),
        pytest.param(talk(("A", "hi", []), id=None), "an id", id="no id"),
        pytest.param(talk(("A", "hi", []), id="t-2", kind="rude"), "a kind", id="an unknown kind"),
        pytest.param(talk(("A", "hi", ["rude"]), id="t-2"), "markers", id="an unknown marker"),
        pytest.param(talk(("A", "hi", [])), "'t-1' is taken", id="an id twice"),
        pytest.param(talk(("C", "hi", []), id="t-2"), "offenders who speak", id="an offender who says nothing"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str, says: str) -> None:
    folder = write(tmp_path, adam=talk(("A", "hi", [])), zoe=talk(("A", "hi", []), id="t-0") + f"\n{bad}\n")
    with pytest.raises(InputError) as caught:
        load_corpus(folder)
    text = str(caught.value)
    assert text.startswith(f"{folder / 'zoe.jsonl'}:2: ")
    assert says in text
    assert "\n" not in text


def test_empty_lines_are_skipped_and_an_empty_file_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, adam="\n" + talk(("A", "hi", [])) + "\n\n")
    assert len(load_corpus(folder).conversations) == 1
    write(tmp_path, adam="\n")
    with pytest.raises(InputError, match=re.escape(f"{folder / 'adam.jsonl'}: no conversations here")):
        load_corpus(folder)


def test_a_folder_without_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: no corpus here")):
        load_corpus(tmp_path)


def test_conversations_without_labels_are_read_and_empty_lines_skipped(tmp_path: Path) -> None:
    content = '{"messages": [{"from": "A", "text": "hi"}]}\n\n{"messages": [{"from": "B", "text": "ho"}]}\n'
    file = write(tmp_path, chat=content) / "chat.jsonl"
    found = conversations_of(file)
    assert [[message.text for message in one] for one in found] == [["hi"], ["ho"]]
    assert [one[0].channel for one in found] == ["chat:1", "chat:3"]


# What must be true of the corpus that Haven's model learns from.

HELPLINES = {"0800555111", "08009995428", "03456000459", "08001110111", "08081640123"}
TELEPHONE = re.compile(r"(?<![\w.,/:-])(?<!\d )(?:\+|\(?0{1,2})[1-9](?:[ ()-]{0,2}\d){7,12}(?![ -]?\d|\w)")
LINK = re.compile(r"(?:https?://|www\.)(?![\w.-]*\bexample\b|127\.0\.0\.1|\$)\S+")
MAIL = re.compile(r"[\w.+-]+@(?![\w.-]*\bexample\b)[\w-]+(?:\.[\w-]+)+")
WALLET = re.compile(r"\b(?:bc1[a-z0-9]{20,}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|0x[0-9a-fA-F]{20,})\b")
REVIEWED = {
    "https://discord.gg/moss.",
    "https://fotopool.fi/p/77120",
    "https://imgbin.gg/a/thr_loot_0311",
    "https://steamnews.gg/0412",
    "https://youtu.be/xx",
    "report@phishing.gov.uk",
}
BEGAN_EARLIER = {"w8-0027"}
LONG = 25
CONVERSATIONS_PER_REPEAT = 500
RUN = 5
MOST_IN_COMMON = 0.3


@pytest.fixture(scope="module")
def raw() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{file.name}:{number}", json.loads(line))
        for folder in ("corpus", "test")
        for file in sorted((DATA / folder).glob("*.jsonl"))
        for number, line in enumerate(file.read_bytes().splitlines(), 1)
    ]


@pytest.fixture(scope="module")
def ours() -> Corpus:
    return load_corpus(DATA / "corpus")


@pytest.fixture(scope="module")
def test_set() -> Corpus:
    return load_corpus(DATA / "test")


def test_our_corpus_and_test_set_load_whole(
    ours: Corpus, test_set: Corpus, raw: list[tuple[str, dict[str, Any]]]
) -> None:
    all_of_them = ours.conversations + test_set.conversations
    assert len(all_of_them) == len(raw) == len({one.id for one in all_of_them})
    assert all(len(one.messages) >= 2 for one in all_of_them)


def test_our_corpus_has_the_size_and_breadth_that_was_asked(ours: Corpus) -> None:
    assert len(ours.conversations) >= 10_000
    assert len(ours.writers) >= 25
    assert len({one.lang for one in ours.conversations}) >= 15


def test_three_other_writers_wrote_the_test_set(ours: Corpus, test_set: Corpus) -> None:
    english = {
        writer: {one.english for one in test_set.conversations if one.writer == writer} for writer in test_set.writers
    }
    assert sorted(map(str, english.values())) == ["{False}", "{True}", "{True}"]
    assert not {*test_set.writers} & {*ours.writers}
    stated = [one for one in test_set.conversations if one.crisis]
    assert len(stated) >= 20
    assert {one.kind for one in stated} == {"sextortion", "victim_disclosure"}


def test_our_conversations_use_known_keys_only(raw: list[tuple[str, dict[str, Any]]]) -> None:
    keys = {"id", "lang", "kind", "subkind", "surface", "platform", "messages", "offenders", "targets", "crisis"}
    of_messages = {"id", "from", "text", "to", "reply_to", "mentions", "t", "quoted", "forwarded", "markers"}
    odd = [
        (where, sorted({*one} - keys), sorted({key for message in one["messages"] for key in message} - of_messages))
        for where, one in raw
        if {*one} - keys or any({*message} - of_messages for message in one["messages"])
    ]
    assert not odd


def test_our_speakers_answers_and_markers_agree_with_the_kind(raw: list[tuple[str, dict[str, Any]]]) -> None:
    odd = []
    for where, one in raw:
        speakers = {message["from"] for message in one["messages"]}
        marked = {marker for message in one["messages"] for marker in message["markers"]}
        ids = [message["id"] for message in one["messages"] if "id" in message]
        answered = [message["reply_to"] for message in one["messages"] if message.get("reply_to") is not None]
        checks = {
            "offenders speak": speakers >= {*one["offenders"]},
            "ids once": len(ids) == len({*ids}),
            "answers to something": {*ids} >= {*answered},
            "sextortion has offenders": one["kind"] != "sextortion" or bool(one["offenders"]),
            "disclosures disclose": one["kind"] != "victim_disclosure" or "victim_disclosure" in marked,
            "benign talk coerces nobody": one["kind"] != "benign" or marked <= {"image_solicitation"},
            "a surface": one["surface"] in {"dm", "group"},
        }
        odd += [(where, name) for name, good in checks.items() if not good]
    assert not odd


def test_every_sextortion_of_ours_begins(ours: Corpus, test_set: Corpus) -> None:
    never = [
        one.id
        for one in ours.conversations + test_set.conversations
        if one.kind == "sextortion" and True not in labels(one, Kind.THREAT) and one.id not in BEGAN_EARLIER
    ]
    assert not never


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("ring +44 7700 900123", True),
        ("ring (07700) 900-123", True),
        ("ring 06 39 98 12 34", True),
        ("see www.harbour.net/a or http://harbour.net", True),
        ("write to kim@harbour.net", True),
        ("to bc1qinventedinventedinvented0", True),
        ("see https://www.example.org/a or http://127.0.0.1:80/ or kim@mail.example.net", False),
        ("F0 00 20 29 02 11 40 00 24 7F, 0000000000000038, 2026-05-01 12:00, 0 0 0 0 0 0 0 0 0", False),
    ],
)
def test_what_leads_to_somebody_is_found(text: str, leads: bool) -> None:
    assert bool(leads_to(text)) == leads


def leads_to(text: str) -> list[str]:
    """Return links, addresses, wallets and telephone numbers that could be somebody's."""
    return [
        match[0]
        for pattern in (TELEPHONE, LINK, MAIL, WALLET)
        for match in pattern.finditer(text)
        if match[0] not in REVIEWED and re.sub(r"\D", "", match[0]) not in HELPLINES
    ]


def test_our_texts_lead_to_nobody(raw: list[tuple[str, dict[str, Any]]]) -> None:
    found = [(where, leads_to(message["text"])) for where, one in raw for message in one["messages"]]
    assert not [(where, leads) for where, leads in found if leads]


def test_hardly_a_long_message_of_ours_recurs(raw: list[tuple[str, dict[str, Any]]]) -> None:
    where_said = defaultdict(set)
    for where, one in raw:
        for message in one["messages"]:
            where_said[message["text"]].add(where)
    recurring = {text: places for text, places in where_said.items() if len(places) > 1 and len(text) > LONG}
    assert len(recurring) <= len(raw) / CONVERSATIONS_PER_REPEAT, recurring


def test_no_writer_of_ours_wrote_what_another_wrote(ours: Corpus, test_set: Corpus) -> None:
    both = ours.conversations + test_set.conversations
    runs = {one.id: runs_of_words(one) for one in both}
    writers = {one.id: one.writer for one in both}
    found_in = defaultdict(list)
    for id, having in runs.items():
        for run in having:
            found_in[run].append(id)
    common: Counter[tuple[str, str]] = Counter()
    for ids in found_in.values():
        common.update(pair for pair in combinations(ids, 2) if writers[pair[0]] != writers[pair[1]])
    shares = {pair: count / min(len(runs[id]) for id in pair) for pair, count in common.items()}
    assert shares, "some runs of words do recur"
    assert max(shares.values()) <= MOST_IN_COMMON, max(shares, key=shares.__getitem__)


def runs_of_words(one: Labelled) -> set[tuple[str, ...]]:
    """Return every five words that follow each other."""
    said = [word for message in one.messages for word in words(message.text) if word[0].isalnum()]
    return {tuple(said[at : at + RUN]) for at in range(len(said) - RUN + 1)}


def test_the_datasheet_tells_what_is_there() -> None:
    page = (DATA / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    run = subprocess.run([sys.executable, "-"], input=code, capture_output=True, check=True, cwd=ROOT, encoding="utf-8")
    _, _, rest = page.partition("<!-- composition: begin -->")
    told, _, _ = rest.partition("<!-- composition: end -->")
    assert told.strip() == run.stdout.strip(), "run the code at the end of data/README.md and put its tables in"
    for file in sorted((DATA / "corpus").glob("*.jsonl")):
        assert page.count(f"\n| {file.stem} |") == 2, f"{file.name}: its part is missing in data/README.md"


def test_the_labelling_guide_has_every_marker_and_kind_with_examples() -> None:
    page = (DATA / "LABELS.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL))
    assert [*sections] == [*Marker]
    for name, section in sections.items():
        assert (section.count("- Yes: "), section.count("- Not: ")) == (2, 2), name
    assert all(f"`{kind}`" in page for kind in KINDS)
