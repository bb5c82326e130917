"""A transformer of one's own, in place of the linear model's sentiment. Needs the extra ``transformer``, and a directory with the model.

What lives here: reading that directory and running it. What does not: getting a model (nothing is downloaded, ever), training one. The
directory is what exporters to ONNX write: ``model.onnx`` with token ids and attention mask in and three logits out, ``tokenizer.json``,
``config.json`` with ``id2label``. Language, terms and crisis types remain the linear model's; sentiment is the transformer's alone, in the
configured languages. As in ``embedding``, the last digits depend on the batch, so probabilities are rounded to three.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sentinel.errors import LanguageError
from sentinel.language.base import UNSCORED, Post
from sentinel.language.linear import LABELS, LinearScorer, shipped, softmax
from sentinel.language.text import clean
from sentinel.model import Verdict

MODEL: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "config.json"

MAX_TOKENS: Final = 128
"""Tokens of a post that are read: three times a short post. Time and memory grow with them, so a long article must not hold up a batch."""
_MAX_CHARS = 1_000
_BATCH = 16
_DIGITS = 3
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})

# Models of short posts are trained on handles and links that were masked like this (Barbieri et al., XLM-T, LREC 2022); to others it is no loss.
_HANDLE = re.compile(r"(?<!\w)@\w+")
_LINK = re.compile(r"https?://\S+|www\.\S+")

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]


class _Settings(msgspec.Struct):
    """What is read of ``config.json``."""

    id2label: dict[str, str]
    pad_token_id: int | None = None
    max_position_embeddings: int | None = None


def missing() -> str:
    """Why there is no transformer scorer here; empty if there can be one. Loads nothing."""
    if find_spec("onnxruntime") is None or find_spec("tokenizers") is None:
        return "the extra is not installed: pip install 'brand-sentinel[transformer]'"
    return ""


class TransformerScorer:
    """Sentiment by a three-class transformer, the rest by the linear model; see `Scorer`.

    Args:
        languages: To expect, the most usual first; only these are read.
        folder: The model's directory.
        threads: Processor threads.

    Raises:
        LanguageError: The extra is missing, or a file of the directory cannot be used; names the file.
    """

    def __init__(self, languages: Sequence[str], folder: Path, threads: int = 1) -> None:
        if none := missing():
            raise LanguageError(f"no transformer scorer: {none}")
        if not folder.is_dir():
            raise LanguageError(
                f"{folder}: no such directory; it needs {MODEL}, {TOKENIZER}, {CONFIG}"
            )
        settings = _settings(folder / CONFIG)
        self._columns = _columns(folder / CONFIG, settings)
        self._pad = settings.pad_token_id or 0
        self._longest = min(MAX_TOKENS, (settings.max_position_embeddings or MAX_TOKENS + 2) - 2)
        self._tokenizer = _tokenizer(folder / TOKENIZER, self._longest)
        self._session, self._inputs = _session(folder / MODEL, threads)
        self._probe(folder)
        self._model_id = f"{_name(folder)}@{_digest(folder)}"
        self._linear = LinearScorer(shipped(), languages)

    @classmethod
    def load(cls, languages: Sequence[str], path: Path | None, threads: int) -> TransformerScorer:
        """The model of a directory, beside the shipped linear one.

        Raises:
            LanguageError: There is no directory, or it cannot be used.
        """
        if path is None:
            raise LanguageError(
                f"the transformer scorer needs a model: a directory with {MODEL}, {TOKENIZER} and {CONFIG}"
            )
        return cls(languages, path, threads)

    @property
    def model_id(self) -> str:
        """The directory's name, and the beginning of a checksum of the weights."""
        return self._model_id

    def score(self, posts: Sequence[Post]) -> list[Verdict]:
        """One verdict per post, in order."""
        verdicts = self._linear.score(posts)
        read = [
            place
            for place, one in enumerate(verdicts)
            if one.model_id != UNSCORED or one.language in self._linear.languages
        ]
        tokens = [self._tokens(posts[place].text) for place in read]
        # Posts of one length together: padding is time.
        order = sorted(range(len(read)), key=lambda number: len(tokens[number]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            table = softmax(self._logits([tokens[number] for number in rows])[:, self._columns])
            for number, row in zip(rows, table.tolist(), strict=True):
                verdicts[read[number]] = self._judged(verdicts[read[number]], row)
        return verdicts

    def _judged(self, verdict: Verdict, probabilities: Sequence[float]) -> Verdict:
        negative, _, positive = (round(one, _DIGITS) for one in probabilities)
        found = (negative, round(1.0 - negative - positive, _DIGITS), positive)
        if not np.isfinite(found).all():  # a model that overflows has said nothing
            return verdict
        return msgspec.structs.replace(
            verdict,
            negative=found[0],
            neutral=found[1],
            positive=found[2],
            label=LABELS[found.index(max(found))],
            model_id=self._model_id,
        )

    def _tokens(self, text: str) -> list[int]:
        masked = _LINK.sub("http", _HANDLE.sub("@user", clean(text)[:_MAX_CHARS]))
        found: list[int] = self._tokenizer.encode(masked).ids
        return found or [self._pad]

    def _logits(self, tokens: Sequence[Sequence[int]]) -> Floats:
        shape = (len(tokens), max(map(len, tokens)))
        ids: Ids = np.full(shape, self._pad, dtype=np.int64)
        mask: Ids = np.zeros(shape, dtype=np.int64)
        for row, one in enumerate(tokens):
            ids[row, : len(one)] = one
            mask[row, : len(one)] = 1
        every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        given = {name: every[name] for name in self._inputs}
        logits: Floats = np.asarray(self._session.run(None, given)[0], dtype=np.float32)
        return logits

    def _probe(self, folder: Path) -> None:
        """Run the longest post with the last word of the vocabulary now, so that no post can be the first one to fail."""
        last = self._tokenizer.get_vocab_size() - 1
        try:
            logits = self._logits([[last] * self._longest, [last]])
        except Exception as error:  # the runtime's errors have no base of their own
            raise LanguageError(
                f"{folder / MODEL}: does not take {self._longest} tokens up to number {last} of {TOKENIZER}: {_short(error)}"
            ) from error
        if logits.shape != (2, len(LABELS)):
            raise LanguageError(
                f"{folder / MODEL}: gives {logits.shape} for two posts; three classes are needed"
            )


def _settings(path: Path) -> _Settings:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Settings)
    except OSError as error:
        raise LanguageError(f"{path}: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LanguageError(f"{path}: {error}") from error


def _columns(path: Path, settings: _Settings) -> list[int]:
    """Where the model has negative, neutral and positive."""
    places = {name.lower(): key for key, name in settings.id2label.items()}
    try:
        found = [int(places[label]) for label in LABELS]
    except (KeyError, ValueError):
        found = []
    if sorted(found) != [0, 1, 2] or len(settings.id2label) != len(LABELS):
        raise LanguageError(
            f"{path}: id2label must name the outputs 0, 1 and 2 negative, neutral and positive, in the model's order;"
            f" it has {_short(settings.id2label)}"
        )
    if settings.max_position_embeddings is not None and settings.max_position_embeddings < 8:
        raise LanguageError(f"{path}: max_position_embeddings: too few to read a post")
    return found


def _tokenizer(path: Path, longest: int) -> Any:
    from tokenizers import Tokenizer  # noqa: PLC0415 - an extra

    if not path.is_file():
        raise LanguageError(f"{path}: no such file")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        raise LanguageError(f"{path}: {_short(error)}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=longest)
    return tokenizer


def _session(path: Path, threads: int) -> tuple[Any, list[str]]:
    import onnxruntime  # noqa: PLC0415 - an extra

    if not path.is_file():
        raise LanguageError(f"{path}: no such file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what is wrong is raised as well
    # Threads that wait busily would take from the pipeline what they do not use.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime's errors have no base of their own
        raise LanguageError(f"{path}: {_short(error)}") from error
    names = [one.name for one in session.get_inputs()]
    if "input_ids" not in names or not _INPUTS.issuperset(names):
        raise LanguageError(
            f"{path}: takes {_short(names)}; known are {', '.join(sorted(_INPUTS))}"
        )
    return session, names


def _name(folder: Path) -> str:
    return re.sub(r"[^\w.-]+", "-", folder.resolve().name, flags=re.ASCII)[:40]


def _digest(folder: Path) -> str:
    """Of the weights, wherever the exporter put them: in the model or in files beside it."""
    total = hashlib.sha256()
    for path in sorted(folder.glob(f"{MODEL}*")):
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:8]


def _short(what: object) -> str:
    return " ".join(str(what).split())[:300]
