"""Model files: what is saved comes back, and nothing else is opened."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from classifiers.artefact import MANIFEST_FILE, MODEL_FILE, bundled, load, read_manifest, save
from classifiers.assessment import Kind, Sensitivity
from classifiers.corpus import load_corpus
from classifiers.errors import InputError
from classifiers.model import FEATURES, GROUPS, HIDDEN, PARTS, Floats, Layer, Model, Scale, Thresholds
from classifiers.training import ORDINARY_CHAT
from classifiers.vocabulary import Vocabulary

TERMS = ("pay", "~<pa", "^ pay", "é", "ж")


def a_model() -> Model:
    numbers = np.random.default_rng(7)
    rates = iter(range(100))

    def some(*shape: int) -> Floats:
        return numbers.normal(size=shape).astype(np.float32)

    return Model(
        rows=Vocabulary("\n".join(TERMS)),
        steps=numbers.integers(-127, 128, size=(len(TERMS), FEATURES), dtype=np.int8),
        sizes=some(len(TERMS)),
        biases=some(FEATURES),
        hidden=Layer(some(PARTS * FEATURES, HIDDEN), some(HIDDEN)),
        verdicts=Layer(some(HIDDEN, len(Kind)), some(len(Kind))),
        scales={Kind.THREAT: Scale(1.5, 0.25), Kind.DISCLOSURE: Scale(2.0, -0.5)},
        thresholds={
            kind: {
                sensitivity: {group: Thresholds(0.25, 0.5, next(rates) / 100) for group in GROUPS}
                for sensitivity in Sensitivity
            }
            for kind in Kind
        },
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(a_model(), tmp_path, "data", {"auc": 0.9})
    return tmp_path


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest."""
    file = folder / MANIFEST_FILE
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")


def put(folder: Path, content: object) -> None:
    """Put something into the model file that the manifest vouches for."""
    buffer = io.BytesIO()
    joblib.dump(content, buffer, compress=("zlib", 9))
    vouched(folder, buffer.getvalue())


def vouched(folder: Path, raw: bytes) -> None:
    (folder / MODEL_FILE).write_bytes(raw)
    edit(folder, lambda manifest: manifest.update(sha256=hashlib.sha256(raw).hexdigest()))


def refusal(folder: Path) -> str:
    """Return the one line that loading ends with."""
    with pytest.raises(InputError) as caught:
        load(folder)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_what_is_saved_comes_back(saved: Path) -> None:
    model, manifest = load(saved)
    expected = a_model()
    assert [*model.rows] == [*expected.rows]
    for name in ("steps", "sizes", "biases"):
        np.testing.assert_array_equal(getattr(model, name), getattr(expected, name))
    for name in ("hidden", "verdicts"):
        for part, other in zip(getattr(model, name), getattr(expected, name), strict=True):
            np.testing.assert_array_equal(part, other)
    assert model.scales == expected.scales
    assert model.thresholds == expected.thresholds
    assert (manifest.data_sha256, manifest.metrics) == ("data", {"auc": 0.9})
    assert manifest.sha256 == hashlib.sha256((saved / MODEL_FILE).read_bytes()).hexdigest()
    assert set(manifest.libraries) == {"python", "joblib", "numpy", "scikit-learn"}


def test_the_same_model_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    model = a_model()
    turned = replace(
        model,
        scales=dict(reversed(list(model.scales.items()))),
        thresholds=dict(reversed(list(model.thresholds.items()))),
    )
    again = tmp_path / "a" / "b"
    save(turned, again, "data", {"auc": 0.9})
    for name in (MODEL_FILE, MANIFEST_FILE):
        assert (again / name).read_bytes() == (saved / name).read_bytes()


def test_a_loaded_model_is_saved_as_it_was(saved: Path, tmp_path: Path) -> None:
    model, manifest = load(saved)
    again = tmp_path / "again"
    assert save(model, again, manifest.data_sha256, manifest.metrics) == manifest
    for name in (MODEL_FILE, MANIFEST_FILE):
        assert (again / name).read_bytes() == (saved / name).read_bytes()


def test_a_missing_folder_or_file_is_named(saved: Path, tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere' / MANIFEST_FILE}: cannot read")
    (saved / MODEL_FILE).unlink()
    assert refusal(saved).startswith(f"{saved / MODEL_FILE}: cannot read")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: raw[: len(raw) // 2], id="cut"),
        pytest.param(lambda raw: b"", id="emptied"),
        pytest.param(lambda raw: raw + b"\0", id="lengthened"),
        pytest.param(lambda raw: raw[:100] + bytes([raw[100] ^ 1]) + raw[101:], id="one bit altered"),
    ],
)
def test_a_file_that_is_not_the_one_described_is_refused(saved: Path, change: Callable[[bytes], bytes]) -> None:
    file = saved / MODEL_FILE
    file.write_bytes(change(file.read_bytes()))
    assert refusal(saved).startswith(f"{file}: not the file that {MANIFEST_FILE} describes")


class Trap:
    """A pickle that makes a folder when it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_file_that_is_not_the_one_described_is_not_opened(saved: Path, tmp_path: Path) -> None:
    joblib.dump(Trap(tmp_path / "sprung"), saved / MODEL_FILE)
    assert "not loaded" in refusal(saved)
    assert not (tmp_path / "sprung").exists()
    joblib.load(saved / MODEL_FILE)
    assert (tmp_path / "sprung").exists(), "the trap would have shown it"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(b"", "not a model manifest", id="empty"),
        pytest.param(b"\xff\xfe\x00", "not a model manifest", id="not text"),
        pytest.param(b'{"format": 1', "not a model manifest", id="cut"),
        pytest.param(b"[1]", "not a model manifest", id="a list"),
        pytest.param(b"{}", "`format`", id="nothing in it"),
        pytest.param(b'{"metrics": {"deep": ' + b"[" * 100_000, "not a model manifest", id="too deep"),
    ],
)
def test_a_garbage_manifest_is_named(saved: Path, raw: bytes, says: str) -> None:
    (saved / MANIFEST_FILE).write_bytes(raw)
    text = refusal(saved)
    assert text.startswith(f"{saved / MANIFEST_FILE}: ")
    assert says in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda m: m.update(format=1), "model format 1", id="another format"),
        pytest.param(lambda m: m.update(colour="red"), "`colour`", id="an unknown key"),
        pytest.param(lambda m: m.pop("sha256"), "`sha256`", id="a missing key"),
        pytest.param(lambda m: m["scales"].update(gossip=m["scales"]["threat"]), "$.scales", id="an unknown kind"),
        pytest.param(lambda m: m["scales"]["threat"].update(slope="steep"), "$.scales[...].slope", id="a word"),
        pytest.param(lambda m: m["scales"].pop("threat"), "threat", id="no scale"),
        pytest.param(lambda m: m["thresholds"].pop("disclosure"), "disclosure", id="no thresholds"),
        pytest.param(lambda m: m["thresholds"]["threat"].pop("low"), "threat", id="no thresholds when low"),
        pytest.param(lambda m: m["thresholds"]["threat"]["low"].pop("other"), "threat", id="none for other languages"),
        pytest.param(lambda m: m["thresholds"]["threat"]["low"].update(other=[0.5]), "$.thresholds", id="one of three"),
    ],
)
def test_a_manifest_that_does_not_fit_is_named_with_its_key(
    saved: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    edit(saved, change)
    text = refusal(saved)
    assert text.startswith(f"{saved / MANIFEST_FILE}: ")
    assert says in text


def content(**changes: object) -> dict[str, object]:
    """Return what a model file holds, with changes."""
    model = a_model()
    parts = {
        "terms": "\n".join(TERMS),
        "steps": model.steps,
        "sizes": model.sizes,
        "biases": model.biases,
        "hidden": [*model.hidden],
        "verdicts": [*model.verdicts],
    }
    return parts | changes


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"terms": "pay"}, id="fewer terms than rows"),
        pytest.param({"terms": "\n".join(TERMS[:-1] * 2)}, id="a term twice"),
        pytest.param({"terms": None}, id="no terms"),
        pytest.param({"steps": np.zeros((len(TERMS), 3), dtype=np.int8)}, id="fewer columns"),
        pytest.param({"steps": np.zeros((len(TERMS), FEATURES))}, id="steps that are no whole numbers"),
        pytest.param({"steps": "heavy"}, id="steps that are words"),
        pytest.param({"sizes": np.zeros(3, dtype=np.float32)}, id="fewer sizes"),
        pytest.param({"biases": np.zeros(3, dtype=np.float32)}, id="fewer biases"),
        pytest.param({"hidden": [np.zeros((3, HIDDEN), dtype=np.float32)]}, id="a layer without biases"),
        pytest.param({"verdicts": None}, id="no verdicts"),
    ],
)
def test_a_model_of_another_shape_is_refused(saved: Path, changed: dict[str, object]) -> None:
    put(saved, content())
    load(saved)
    put(saved, content(**changed))
    assert refusal(saved).startswith(f"{saved / MODEL_FILE}: not a model that this version of Haven reads")


@pytest.mark.parametrize("raw", [b"", b"words", b"x\x9c\x00", b"\x80\x05.", b"\x80\x04N.", b"cnowhere\nNothing\n."])
def test_garbage_that_the_manifest_vouches_for_is_refused(saved: Path, raw: bytes) -> None:
    vouched(saved, raw)
    assert refusal(saved).startswith(f"{saved / MODEL_FILE}: ")


def test_the_model_that_comes_with_haven_was_made_from_the_corpus_beside_it() -> None:
    root = Path(__file__).parents[1]
    corpus = load_corpus(root / "data" / "corpus")
    ordinary = hashlib.sha256(version(ORDINARY_CHAT).encode()).hexdigest()
    manifest = read_manifest(root / "models" / MANIFEST_FILE)
    assert manifest.data_sha256 == hashlib.sha256((corpus.sha256 + ordinary).encode()).hexdigest(), "run haven train"
    assert manifest.metrics["conversations"] == len(corpus.conversations)


def test_the_model_card_and_its_pictures_are_of_that_model() -> None:
    models = Path(__file__).parents[1] / "models"
    card = (models / "README.md").read_text(encoding="utf-8")
    manifest = read_manifest(models / MANIFEST_FILE)
    assert card.count(manifest.sha256[:16]) == 2, "run haven train and haven evaluate with --card models/README.md"
    assert manifest.sha256[:16] in json.loads((models / "report.json").read_text(encoding="utf-8"))["circumstances"]
    for linked in re.findall(r"\]\((?!https?:|\.\.)([^)]+)\)", card):
        assert (models / linked).is_file(), linked


def test_the_model_that_comes_with_haven_loads_and_tells_how_it_was_made() -> None:
    model, manifest = load(bundled())
    assert model.steps.shape == (len(model.rows), FEATURES)
    assert len(model.rows) > 10_000
    for numbers in (model.sizes, model.biases, *model.hidden, *model.verdicts):
        assert np.isfinite(numbers).all()
    assert manifest.metrics["conversations"] > 1000
    for kind in Kind:
        for group in GROUPS:
            by_sensitivity = [model.thresholds[kind][sensitivity][group] for sensitivity in Sensitivity]
            assert all(list(thresholds) == sorted(thresholds) for thresholds in by_sensitivity)
            alerts = [thresholds.alert for thresholds in by_sensitivity]
            assert alerts == sorted(alerts, reverse=True), "low, normal, high: each alerts more readily"
