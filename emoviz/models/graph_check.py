"""Is an ONNX graph one that this project could have written? Read without being run.

A graph is a program. Taken are operators of feed-forward networks, without loops, branches,
functions or other domains; large arrays must be those of the checkpoint's own weights file; and
no intermediate result may be larger than a network of images needs.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, TensorProto

from emoviz.errors import CheckpointError

MAX_GRAPH_BYTES = 64_000_000
MAX_VALUES = 2**28  # of one result for one image: 1 GB of float32
_FEED_FORWARD = """
Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat
Constant ConstantOfShape Conv Cos CumSum Div Einsum Elu Equal Erf Exp Expand Flatten Floor
Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual
GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization
LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul Max MaxPool Min Mish Mod Mul
Neg Not Or Pad Pow PRelu Range Reciprocal ReduceL2 ReduceLogSumExp ReduceMax ReduceMean
ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Shape Sigmoid Sign
Sin Size Slice Softmax Softplus Split Sqrt Squeeze Sub Sum Swish Tanh Tile Transpose Trilu
Unsqueeze Where
"""
OPERATORS = frozenset(_FEED_FORWARD.split())


def check_graph_file(graph: Path, weights: str, most: int = MAX_GRAPH_BYTES) -> None:
    """Refuse a graph that holds more than a feed-forward network over its own weights.

    Args:
        graph: The ONNX file.
        weights: Name of the file beside it that alone may hold its large arrays.
        most: Bytes of the graph.

    Raises:
        CheckpointError: The message says what the graph holds.
    """
    name = f"{graph.parent.name}/{graph.name}"
    if graph.stat().st_size > most:
        size = f"{graph.stat().st_size / 1e6:,.0f} MB; at most {most / 1e6:,.0f}"
        raise CheckpointError(f"{name} has {size}.")
    try:
        model = onnx.load(str(graph), load_external_data=False)
    except DecodeError:
        raise CheckpointError(f"{name} cannot be run: it is no ONNX graph.") from None
    reason = next(_objections(model, weights), "")
    if reason:
        raise CheckpointError(f"{name} is refused: {reason}.")


def _objections(model: onnx.ModelProto, weights: str) -> Iterator[str]:
    if model.functions or model.training_info:
        yield "it brings functions of its own"
    for entry in model.opset_import:
        if entry.domain not in ("", "ai.onnx"):
            yield f"it uses operators of '{entry.domain[:60]}'"
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            yield f"it uses the operator '{node.op_type[:60]}', which no network here needs"
        if any(_is_inner_graph(attribute) for attribute in node.attribute):
            yield f"its operator '{node.op_type[:60]}' holds a graph of its own"
    if model.graph.sparse_initializer:
        yield "it holds sparse arrays"
    for array in _arrays(model):
        place = {entry.key: entry.value for entry in array.external_data}
        if array.data_location == TensorProto.EXTERNAL and place.get("location") != weights:
            yield f"an array of it lies in '{place.get('location', '')[:60]}', not in {weights}"
        if math.prod(array.dims) > MAX_VALUES:
            yield f"an array of it has the shape {list(array.dims)}"
    yield from _too_large(model)


def _is_inner_graph(attribute: AttributeProto) -> bool:
    return bool(attribute.HasField("g") or attribute.graphs)


def _arrays(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _too_large(model: onnx.ModelProto) -> Iterator[str]:
    """Results for one image above `MAX_VALUES`, as far as shapes can be told beforehand."""
    one = onnx.ModelProto()
    one.CopyFrom(model)
    for value in one.graph.input:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    try:
        graph = onnx.shape_inference.infer_shapes(one, data_prop=True).graph
    except Exception as error:  # the checker's own exceptions, and those of its C++ part
        yield f"its shapes cannot be told ({str(error).splitlines()[0][:120]})"
        return
    shapes = {value.name: _shape(value) for value in (*graph.value_info, *graph.output)}
    for node in graph.node:
        for name in node.output:
            shape = shapes.get(name)
            if shape is not None and math.prod(shape) > MAX_VALUES:
                yield f"its operator '{node.op_type}' gives {math.prod(shape):,} values an image"


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    dims = tensor.shape.dim
    return tuple(d.dim_value for d in dims) if all(d.HasField("dim_value") for d in dims) else None
