"""What runs a network: ONNX Runtime on the CPU, PyTorch on a GPU.

Both take bytes (N, H, W, 3) and give float32; they differ by rounding alone
(tests/test_engines.py holds 1e-4 in probability).
"""

import ctypes
import os
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint, check_graph, load_network
from emoviz.errors import CheckpointError, SettingsError, require_training_packages
from emoviz.memory import available_cores
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.models.fusion import Network

Array = NDArray[np.float32]
Kind = Literal["auto", "onnx", "torch"]


class RawOutput(NamedTuple):
    """What a network gives, float32: see `emoviz.models.network.Output`.

    The last three are (0, 0) of networks that have neither kinds nor dimensions.
    """

    logits: Array
    embedding: Array
    pooled: Array
    energy: Array
    dimensions: Array = np.zeros((0, 0), np.float32)
    kinds: Array = np.zeros((0, 0), np.float32)
    by_kind: Array = np.zeros((0, 0), np.float32)


class Engine(Protocol):
    """Anything that runs a network on bytes."""

    description: str

    def run(self, images: NDArray[np.uint8]) -> RawOutput:
        """Logits, u and h of a batch (N, H, W, 3) of bytes in RGB order."""
        ...


class OnnxEngine:
    """ONNX Runtime in float32 on the CPU.

    Args:
        graph: The checkpoint's ``graph.onnx``; its weights lie beside it.
        threads: Processor threads; 0 takes one for each core.

    Raises:
        CheckpointError: The graph or its weights cannot be read.
    """

    def __init__(self, graph: Path, threads: int = 0) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.log_severity_level = 3
        # A waiting thread that spins takes the core from the thread that decodes images.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's exceptions share no public base
            raise CheckpointError(
                f"{graph.parent.name}/{graph.name} cannot be run: {str(error).splitlines()[0]}"
            ) from None
        given = tuple(output.name for output in self._session.get_outputs())
        if given not in (RawOutput._fields, RawOutput._fields[:4]):
            raise CheckpointError(
                f"{graph.parent.name}/{graph.name} gives {', '.join(given)}; wanted "
                f"{', '.join(RawOutput._fields[:4])}. It is of another version: export it again."
            )
        self.description = f"CPU, ONNX Runtime {ort.__version__}"

    def run(self, images: NDArray[np.uint8]) -> RawOutput:
        """Logits, u and h of a batch (N, H, W, 3). Safe to call from several threads."""
        return finite(RawOutput(*self._session.run(None, {"images": images})))


class TorchEngine:
    """PyTorch in float32 on a GPU, or on the CPU where there is no graph.

    Args:
        checkpoint: Whose network to build.
        device: ``cuda`` or ``cpu``.
        network: Runs in its place, prepared images alike.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: str, network: "Network | None" = None
    ) -> None:
        require_training_packages()
        import torch

        from emoviz.models.export import ExportedGraph

        self._torch = torch
        self._device = torch.device(device)
        network = load_network(checkpoint) if network is None else network
        module = ExportedGraph(network, checkpoint.card.preprocessing).eval()
        self._module = module.to(self._device).to(memory_format=torch.channels_last)
        self._lock = threading.Lock()
        name = torch.cuda.get_device_name(self._device) if device == "cuda" else "CPU"
        self.description = f"{name}, PyTorch {torch.__version__}"

    def run(self, images: NDArray[np.uint8]) -> RawOutput:
        """Logits, u and h of a batch (N, H, W, 3). One batch at a time, whoever calls."""
        with self._lock, self._torch.inference_mode():
            batch = self._torch.from_numpy(np.require(images, requirements=["C", "W"])).to(
                self._device
            )
            return finite(RawOutput(*(part.float().cpu().numpy() for part in self._module(batch))))


def finite(raw: RawOutput) -> RawOutput:
    """What a network gave, unless it holds what is no number; images are bytes and cannot.

    Raises:
        CheckpointError: A value is infinite or not a number.
    """
    if not all(np.isfinite(part).all() for part in raw):
        raise CheckpointError(
            "The network answers with values that are no finite numbers: it is "
            "damaged, or was made to mislead. Choose another."
        )
    return raw


def open_engine(checkpoint: Checkpoint, settings: Settings, kind: Kind = "auto") -> Engine:
    """The engine that suits the machine: a GPU where there is one, else ONNX Runtime.

    A graph that did not come with the project is compared with the weights once
    (`emoviz.inference.trust`); a graph that the card gives no hash of is left alone.

    Raises:
        SettingsError: ``EMOVIZ_DEVICE=cuda`` on a machine without a GPU.
        CheckpointError: The checkpoint cannot be run.
    """
    gpu = settings.device != "cpu" and has_gpu()
    if settings.device == "cuda" and not gpu:
        raise SettingsError("EMOVIZ_DEVICE is 'cuda', but no CUDA GPU answers; use auto or cpu.")
    has_graph = checkpoint.graph.is_file() and bool(checkpoint.card.graph_sha256)
    if kind == "torch" or (kind == "auto" and (gpu or not has_graph)):
        return TorchEngine(checkpoint, "cuda" if gpu else "cpu")
    from emoviz.inference.trust import vouch

    check_graph(checkpoint)
    vouch(checkpoint, settings)
    return OnnxEngine(checkpoint.graph, settings.threads)


@cache
def has_gpu() -> bool:
    """Whether a CUDA GPU answers; asks the driver, so that torch need not be imported to say no."""
    if find_spec("torch") is None:
        return False
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    ready = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    if not (ready and count.value > 0):
        return False
    import torch

    return torch.cuda.is_available()
