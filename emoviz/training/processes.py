"""One process, or several that work on one run: `accelerate launch -m emoviz train ...`.

Every process takes its share of each global batch; gradients are summed, and the losses are
divided by what the whole batch holds, so several processes do what one would do with the same
batch. The first process alone writes.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from emoviz.errors import TrainingError


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is.

    Attributes:
        index: From 0.
        count: Of all machines together.
        accelerator: Hugging Face accelerate's, where there are several.
    """

    index: int = 0
    count: int = 1
    accelerator: Any = None

    @classmethod
    def started(cls, on_gpu: bool) -> "Processes":
        """Join the others that a launcher started; alone where there was none."""
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return cls()
        from accelerate import Accelerator

        accelerator = Accelerator(cpu=not on_gpu)
        return cls(accelerator.process_index, accelerator.num_processes, accelerator)

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    def share(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of a global batch."""
        return np.array_split(rows, self.count)[self.index]

    def summed(self, value: Tensor) -> Tensor:
        """The sum over all processes, without a gradient."""
        if self.count == 1:
            return value.detach()
        total: Tensor = self.accelerator.reduce(value.detach(), reduction="sum")
        return total

    def sum_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes, in one message."""
        if self.count == 1:
            return
        given = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        flat = self.summed(torch.cat([g.flatten() for g in given]))
        sizes = [g.numel() for g in given]
        for p, part in zip(parameters, torch.split(flat, sizes), strict=True):
            p.grad = part.view_as(p)

    def same_start(self, tensors: list[Tensor]) -> None:
        """Give every process the first one's values."""
        if self.count == 1:
            return
        from accelerate.utils import broadcast

        with torch.no_grad():
            for tensor in tensors:
                tensor.copy_(broadcast(tensor.detach().clone(), from_process=0))

    def agree_on(self, numbers: list[int]) -> None:
        """Check that every process is at the same place.

        Raises:
            TrainingError: They do not see the same run folder.
        """
        if self.count == 1:
            return
        mine = torch.tensor(numbers, device=self.accelerator.device)
        every = self.accelerator.gather(mine).view(self.count, -1)
        if not bool((every == mine).all()):
            raise TrainingError(
                "The processes do not find the same state in the run folder: it must be one folder "
                "that all machines share."
            )

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            self.accelerator.wait_for_everyone()

    def join_batch_norms(self, network: nn.Module, backbone_too: bool) -> None:
        """Let batch normalisation in training see the whole global batch.

        The modules' normalisation is joined by `JoinedBatchNorm` on any device; that of a
        backbone by torch's synchronised one, which needs GPUs.

        Raises:
            TrainingError: The backbone's statistics are trained and there is no GPU.
        """
        if self.count == 1:
            return
        if backbone_too:
            if self.accelerator.device.type != "cuda":
                raise TrainingError(
                    "Several processes can train the backbone's batch normalisation on GPUs only. "
                    "Use one process, or set batch_norm: kept in the phase."
                )
            from timm.layers.norm_act import convert_sync_batchnorm

            if any(isinstance(module, nn.SyncBatchNorm) for module in network.modules()):
                return  # an earlier phase has done it
            for name, child in list(network.named_children()):
                if name == "backbone":
                    setattr(network, name, convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.BatchNorm1d:
                    setattr(parent, name, JoinedBatchNorm.of(child))


class JoinedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of (N, C) over the samples of all processes.

    torch's own synchronised version runs on GPUs alone; this one on any device. Same weights,
    same names, same result as `nn.BatchNorm1d` on the whole batch.
    """

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> "JoinedBatchNorm":
        """The same layer, joined."""
        made = cls(norm.num_features, norm.eps, norm.momentum).to(norm.weight.device)
        made.load_state_dict(norm.state_dict())
        return made.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        if not self.training:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        x = x.float()
        ones = x.new_ones(1, x.shape[1]) * x.shape[0]
        count, total = _summed(torch.stack([ones[0], x.sum(dim=0)]))
        mean = total / count
        squares = _summed((x - mean).square().sum(dim=0))
        variance = squares / count
        self._follow(mean.detach(), (squares / (count - 1)).detach())
        normal: Tensor = (x - mean) * torch.rsqrt(variance + self.eps)
        return normal * self.weight + self.bias

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


def _summed(value: Tensor) -> Tensor:
    """The sum over all processes, with a gradient."""
    from torch.distributed.nn.functional import all_reduce

    total: Tensor = all_reduce(value)  # type: ignore[no-untyped-call]
    return total
