"""Model files: a joblib file, of which nothing is run, and a manifest that is checked before the file is opened."""

from __future__ import annotations

import hashlib
import io
import json
import platform as machine
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import numpy.typing as npt

from classifiers import custody, joblibfile
from classifiers.assessment import Kind, Sensitivity
from classifiers.errors import InputError
from classifiers.model import FEATURES, GROUPS, HIDDEN, PARTS, Layer, Model, Scale, Thresholds
from classifiers.vocabulary import Vocabulary

FORMAT = 2
MODEL_FILE = "haven.joblib"
MANIFEST_FILE = "manifest.json"
_COMPRESSION = ("zlib", 9)
_LAYERS = {
    "hidden": (PARTS * FEATURES, HIDDEN),
    "verdicts": (HIDDEN, len(Kind)),
}


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a model file before it is opened; thresholds and scales live here, not in the file."""

    format: int
    sha256: str
    data_sha256: str
    libraries: dict[str, str]
    scales: dict[Kind, Scale]
    thresholds: dict[Kind, dict[Sensitivity, dict[str, Thresholds]]]
    metrics: dict[str, Any]


def bundled() -> Path:
    """Return the folder of the model that came with Haven: inside the package, or the checkout's `models`."""
    inside = Path(__file__).parent / "bundled"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "models"


def save(model: Model, folder: Path, data_sha256: str, metrics: Mapping[str, Any]) -> Manifest:
    """Write the model and its manifest; the same model gives the same bytes."""
    buffer = io.BytesIO()
    content = {
        "terms": "\n".join(model.rows),
        "steps": model.steps,
        "sizes": model.sizes,
        "biases": model.biases,
        **{name: [*getattr(model, name)] for name in _LAYERS},
    }
    joblib.dump(content, buffer, compress=_COMPRESSION)
    manifest = Manifest(
        format=FORMAT,
        sha256=hashlib.sha256(buffer.getvalue()).hexdigest(),
        data_sha256=data_sha256,
        libraries=_libraries(),
        scales=dict(model.scales),
        thresholds={
            kind: {sensitivity: dict(groups) for sensitivity, groups in by.items()}
            for kind, by in model.thresholds.items()
        },
        metrics=dict(metrics),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(buffer.getvalue())
    text = json.dumps(msgspec.to_builtins(manifest), indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")
    return manifest


def load(folder: Path) -> tuple[Model, Manifest]:
    """Return the model of a folder; InputError when a file is missing, altered, of another format or not safe."""
    for name in (MANIFEST_FILE, MODEL_FILE):
        custody.check(folder / name)
    manifest = read_manifest(folder / MANIFEST_FILE)
    file = folder / MODEL_FILE
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot read the model: {error.strerror}") from None
    if hashlib.sha256(raw).hexdigest() != manifest.sha256:
        raise InputError(f"{file}: not the file that {MANIFEST_FILE} describes (SHA-256 differs); not loaded")
    try:
        content = joblibfile.read(raw)
        rows = Vocabulary(content["terms"])
        model = Model(
            rows=rows,
            steps=_array(content["steps"], np.int8, len(rows), FEATURES),
            sizes=_array(content["sizes"], np.float32, len(rows)),
            biases=_array(content["biases"], np.float32, FEATURES),
            scales=manifest.scales,
            thresholds=manifest.thresholds,
            **{
                name: Layer(_array(weights, np.float32, *shape), _array(biases, np.float32, shape[1]))
                for name, shape in _LAYERS.items()
                for weights, biases in [content[name]]
            },
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: not a model that this version of Haven reads: {error}") from None
    return model, manifest


def read_manifest(file: Path) -> Manifest:
    """Return a manifest; InputError naming the file and the key when it is missing or wrong."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot read the model's manifest: {error.strerror}") from None
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file}: not a model manifest: {error}") from None
    if manifest.format != FORMAT:
        raise InputError(f"{file}: model format {manifest.format}, but this version of Haven reads {FORMAT}")
    for kind in Kind:
        groups = [manifest.thresholds.get(kind, {}).get(sensitivity, {}) for sensitivity in Sensitivity]
        if kind not in manifest.scales or any({*group} != {*GROUPS} for group in groups):
            raise InputError(f"{file}: lacks scales or thresholds for {kind}")
    return manifest


def _array(values: object, kind: type[Any], *shape: int) -> npt.NDArray[Any]:
    if not isinstance(values, np.ndarray) or values.dtype != kind or values.shape != shape:
        raise ValueError(f"{shape} {kind.__name__} are expected where something else stands")
    return values


def _libraries() -> dict[str, str]:
    import sklearn

    return {
        "python": ".".join(machine.python_version_tuple()[:2]),
        "joblib": joblib.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }
