"""A stranger's network is built no larger than the weights that are to fill it.

A configuration of a hundred bytes can ask for a million blocks or for terabytes; weights cannot.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor
from torch.nn.modules import module as registered

from emoviz.errors import WeightsError

# Loading registers each parameter again; what a network computes for itself (positions, windows)
# and its parts without weights are not in the file.
_TIMES, _SPARE = 3, 20_000_000  # numbers
_PARTS_AN_ARRAY, _SPARE_PARTS = 12, 300


@contextmanager
def no_larger_than(arrays: Mapping[str, Tensor]) -> Iterator[None]:
    """While a network is built in this thread, it may have as many parts as these arrays fill.

    Raises:
        WeightsError: It has far more; at the part that is too much, before that takes memory.
    """
    numbers = _TIMES * sum(array.numel() for array in arrays.values()) + _SPARE
    parts = _PARTS_AN_ARRAY * len(arrays) + _SPARE_PARTS
    mine = threading.get_ident()

    def count(_: Any, __: str, part: Any) -> None:
        nonlocal numbers, parts
        if threading.get_ident() != mine or part is None:
            return
        parts -= 1
        numbers -= part.numel() if isinstance(part, Tensor) else 0
        if min(parts, numbers) < 0:
            raise WeightsError(
                "Its configuration asks for a network far larger than its weights, which are "
                f"{len(arrays):,} arrays."
            )

    with ExitStack() as hooks:
        for listen in (
            registered.register_module_parameter_registration_hook,
            registered.register_module_buffer_registration_hook,
            registered.register_module_module_registration_hook,
        ):
            hooks.callback(listen(count).remove)
        yield
