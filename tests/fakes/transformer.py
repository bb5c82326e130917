"""A tiny real model: a bag of embeddings and a linear layer in ONNX, with a word tokenizer, in the directory layout of exporters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

OUTPUTS = ("positive", "negative", "neutral")
"""In an order that nobody may take for granted."""
FEELING = {
    "[PAD]": (50.0, -50.0, 50.0),  # whoever reads the padding is far off
    "[UNK]": (0.0, 0.0, 0.5),
    "schifo": (-1.0, 3.0, 0.0),
    "vergogna": (-1.0, 2.0, 0.0),
    "terrible": (-1.0, 3.0, 0.0),
    "horrible": (-1.0, 3.0, 0.0),
    "grazie": (2.5, -1.0, 0.0),
    "ottimo": (3.0, -1.0, 0.0),
    "lovely": (3.0, -1.0, 0.0),
    "treno": (0.0, 0.0, 2.0),
    "user": (0.0, 0.0, 1.0),
    "http": (0.0, 0.0, 1.5),
    "the": (0.1, 0.1, 0.1),
}

WORDS = tuple(FEELING)


def write(
    folder: Path,
    *,
    classes: int = 3,
    rows: int = len(WORDS),
    labels: dict[str, str] | None = None,
    first_input: str = "input_ids",
    token_types: bool = False,
) -> Path:
    """Write a model; the arguments make it a wrong one.

    Args:
        classes: Outputs.
        rows: Rows of the embedding table.
        labels: ``id2label`` in place of the right one.
        first_input: Name of the input for token ids.
        token_types: Whether the model takes ``token_type_ids`` as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_graph(classes, rows, first_input, token_types), folder / "model.onnx")
    words = WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]")
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = Whitespace()
    # As real ones do: settings of its training, which are not ours.
    tokenizer.enable_padding(length=200)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = labels or {str(place): name for place, name in enumerate(OUTPUTS)}
    (folder / "config.json").write_text(
        json.dumps({"model_type": "tiny", "id2label": named, "pad_token_id": 0})
    )
    return folder


def _graph(classes: int, rows: int, first_input: str, token_types: bool) -> onnx.ModelProto:
    table = np.array([FEELING[word] for word in WORDS], dtype=np.float32)[:rows]
    inputs = [first_input, "attention_mask", *(["token_type_ids"] if token_types else [])]
    nodes = [
        helper.make_node("Gather", ["table", first_input], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["embedded", "column"], ["shown"]),
        helper.make_node("ReduceSum", ["shown", "middle"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["number"], keepdims=1),
        helper.make_node("Div", ["sum", "number"], ["mean"]),
        helper.make_node("MatMul", ["mean", "layer"], ["logits"]),
    ]
    constants = {
        "table": table,
        "layer": np.eye(3, dtype=np.float32)[:, :classes],
        "last": np.array([2], dtype=np.int64),
        "middle": np.array([1], dtype=np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "bag",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "l"]) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model
