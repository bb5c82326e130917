"""The file of a trained model. What lives here: its format, writing it, reading it with care.

What does not: how weights come about (``train``), what they mean (``linear``).

Layout: the magic word, a format version (one byte), the SHA-256 of the payload, the payload: a
zlib-compressed msgpack map. Feature names are one text, weights are 8-bit integers with a scale per
output, so the file stays small; nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sentinel.errors import LanguageError

MAGIC: Final = b"SENTINEL-LANGUAGE"
FORMAT: Final = 1
_HASH_BYTES = 32
_MAX_BYTES = 64 * 1024 * 1024

Floats = NDArray[np.float32]


class Weights(msgspec.Struct, frozen=True):
    """A trained model.

    Attributes:
        model_id: Name and version, as in ``Verdict.model_id``.
        languages: Languages it can read.
        types: Names of the crisis-type outputs, the last one meaning none.
        features: Feature names, one per row of `table`.
        table: Weights, one row per feature: negative, neutral, positive, then one per type.
        temperature: What the sentiment scores are divided by before they become probabilities.
        bias: Added to the three sentiment scores after that.
        lists: The word lists that the features were made with.
        about: What it was trained on and how well it did; for people.
    """

    model_id: str
    languages: tuple[str, ...]
    types: tuple[str, ...]
    features: tuple[str, ...]
    table: Floats
    temperature: float
    bias: tuple[float, float, float]
    lists: dict[str, str]
    about: dict[str, str]


class _Stored(msgspec.Struct, frozen=True):
    model_id: str
    languages: tuple[str, ...]
    types: tuple[str, ...]
    features: str
    scales: tuple[float, ...]
    table: bytes
    temperature: float
    bias: tuple[float, float, float]
    lists: dict[str, str]
    about: dict[str, str]


def dump(weights: Weights) -> bytes:
    """A model as bytes; the same model gives the same bytes."""
    scales = np.maximum(np.abs(weights.table).max(axis=0), 1e-9) / 127
    packed = np.rint(weights.table / scales).astype(np.int8)
    stored = _Stored(
        model_id=weights.model_id,
        languages=weights.languages,
        types=weights.types,
        features="\n".join(weights.features),
        scales=tuple(float(scale) for scale in scales),
        table=np.ascontiguousarray(packed.T).tobytes(),
        temperature=weights.temperature,
        bias=weights.bias,
        lists=weights.lists,
        about=weights.about,
    )
    payload = zlib.compress(msgspec.msgpack.encode(stored), 9)
    return MAGIC + bytes([FORMAT]) + hashlib.sha256(payload).digest() + payload


def load(data: bytes, name: str) -> Weights:
    """A model from bytes.

    Args:
        data: What `dump` made.
        name: The file's name, for messages.

    Raises:
        LanguageError: Not a model file, of another format version, or damaged.
    """
    head = len(MAGIC) + 1
    if not data.startswith(MAGIC) or len(data) < head + _HASH_BYTES:
        raise LanguageError(f"{name}: not a Sentinel language model")
    if data[head - 1] != FORMAT:
        raise LanguageError(
            f"{name}: model format {data[head - 1]}, this Sentinel reads format {FORMAT}; "
            "train it again with `sentinel language train`"
        )
    payload = data[head + _HASH_BYTES :]
    if hashlib.sha256(payload).digest() != data[head : head + _HASH_BYTES]:
        raise LanguageError(f"{name}: checksum mismatch, the file is damaged")
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(payload, _MAX_BYTES)
        stored = msgspec.msgpack.decode(raw, type=_Stored)
        features = tuple(stored.features.split("\n")) if stored.features else ()
        shape = (3 + len(stored.types), len(features))
        packed = np.frombuffer(stored.table, dtype=np.int8).reshape(shape)
    except (zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise LanguageError(f"{name}: cannot be read ({error})") from error
    table = packed.T.astype(np.float32) * np.asarray(stored.scales, dtype=np.float32)
    return Weights(
        model_id=stored.model_id,
        languages=stored.languages,
        types=stored.types,
        features=features,
        table=np.ascontiguousarray(table),
        temperature=stored.temperature,
        bias=stored.bias,
        lists=stored.lists,
        about=stored.about,
    )


def read(path: Path) -> Weights:
    """A model from a file.

    Raises:
        LanguageError: The file is missing, unreadable or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LanguageError(f"{path}: {error.strerror or error}") from error
    return load(data, str(path))
