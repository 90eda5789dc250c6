"""A network as an ONNX graph that reads its weights out of the checkpoint's safetensors file.

The graph's large arrays are external data: file name, offset and length inside
``model.safetensors``. So a checkpoint has two engines and one copy of its weights.
"""

import json
import logging
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn

from emoviz.data.preprocessing import Preprocessing
from emoviz.models.crops import run_on_crops
from emoviz.models.fusion import Network
from emoviz.models.network import NetworkConfig, Normalise

INPUT = "images"
OUTPUTS = ("logits", "embedding", "pooled", "energy")
BESIDE = ("dimensions", "kinds", "by_kind")  # of networks that have them


def output_names(network: Network) -> tuple[str, ...]:
    """What a network's graph gives, in order."""
    config = network.config
    has_more = isinstance(config, NetworkConfig) and (config.kinds or config.dimensions)
    return (*OUTPUTS, *BESIDE) if has_more else OUTPUTS


class ExportedGraph(nn.Module):
    """Bytes in, the fields of `Output` out: the network with its normalisation in front.

    Where the preprocessing asks for ten crops, they are cut and averaged in here too.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.normalise = Normalise(preprocessing.mean, preprocessing.std)
        self.network = network
        self.names = output_names(network)
        self.ten_crop = preprocessing.ten_crop

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, H, W, 3) uint8 -> what `output_names` says, as in `Output`."""
        out = run_on_crops(self.network, self.normalise(images), self.ten_crop)
        # A plain backbone's u is h itself; as one tensor the graph would name it only once.
        given = {**out._asdict(), "embedding": out.embedding.clone()}
        return tuple(given[name] for name in self.names)


def export_graph(
    network: Network, preprocessing: Preprocessing, weights: Path, folder: Path
) -> Path:
    """Write ``graph.onnx`` for a network whose weights are already in a safetensors file.

    Args:
        network: With the same weights as the file.
        preprocessing: Gives the input's size and normalisation.
        weights: The safetensors file, whose array names are ``network.`` + state-dict key.
        folder: Where the graph is written; must be the folder of `weights`.

    Returns:
        The graph's path.
    """
    model = _trace(network, preprocessing)
    _simplify(model.graph)
    places = _places(weights)
    for array in model.graph.initializer:
        if array.data_type == TensorProto.FLOAT and array.name in places:
            _refer(array, weights.name, *places[array.name])
    _strip(model)
    path = folder / "graph.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _trace(network: Network, preprocessing: Preprocessing) -> onnx.ModelProto:
    module = ExportedGraph(network, preprocessing).eval()
    side = preprocessing.size
    example = torch.from_numpy(np.zeros((2, side, side, 3), dtype=np.uint8))
    chatter = logging.getLogger("torch.onnx")
    before = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                optimize=False,
                verbose=False,
                input_names=[INPUT],
                output_names=list(module.names),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
    finally:
        chatter.setLevel(before)
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    return model


def _simplify(graph: onnx.GraphProto) -> None:
    """Write constants as constants, or the runtime cannot merge convolution, norm and activation.

    The exporter writes a convolution's missing bias as zeros computed from the weights' shape,
    and a clip's limits as casts of constants: four times slower at inference.
    """
    maker = {name: node for node in graph.node for name in node.output}

    def constant(name: str) -> np.ndarray[Any, Any] | None:
        node = maker.get(name)
        if node is None or node.op_type != "Constant":
            return None
        value = node.attribute[0]
        if value.type == onnx.AttributeProto.FLOAT:
            return np.array(value.f, np.float32)
        return numpy_helper.to_array(value.t) if value.HasField("t") else None

    for node in graph.node:  # casts of a float32 constant to what is float32 all along
        for i, name in enumerate(node.input):
            cast = maker.get(name)
            if cast is not None and cast.op_type == "CastLike":
                value = constant(cast.input[0])
                if value is not None and value.dtype == np.float32:
                    node.input[i] = cast.input[0]
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 3:
            bias = maker.get(node.input[2])
            zero = None if bias is None or bias.op_type != "Expand" else constant(bias.input[0])
            if zero is not None and not zero.any():
                node.input.pop()
    _drop_unused(graph)


def _names_read(node: onnx.NodeProto) -> set[str]:
    """What a node reads, inside its loops and branches too."""
    names = set(node.input)
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            names.update(*(_names_read(part) for part in inner.node))
            names.update(output.name for output in inner.output)
    return names


def _drop_unused(graph: onnx.GraphProto) -> None:
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= _names_read(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))


def _places(weights: Path) -> dict[str, tuple[int, int]]:
    """Offset and length in bytes of each float32 array of a safetensors file."""
    with weights.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    base = 8 + length
    return {
        name: (base + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def _refer(array: TensorProto, file: str, offset: int, length: int) -> None:
    """Point an initialiser at bytes of the weights file; small ones stay in the graph."""
    stored = len(array.raw_data)
    if stored != length or length < 1024:
        return
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    del array.external_data[:]
    for key, value in (("location", file), ("offset", str(offset)), ("length", str(length))):
        entry = array.external_data.add()
        entry.key, entry.value = key, value


def _strip(model: onnx.ModelProto) -> None:
    """Drop the exporter's stack traces: they make up nine tenths of the file."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for array in model.graph.initializer:
        del array.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
