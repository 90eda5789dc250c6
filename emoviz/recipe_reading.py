"""YAML nodes to frozen dataclasses, with the line of whatever does not fit.

Knows nothing of recipes but that the keys of their tables are taxonomies: the fields' types and
the limits in their metadata say what is allowed.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, NoReturn, get_args, get_origin

import yaml

from emoviz.errors import RecipeError
from emoviz.labels import TAXONOMIES

_NO_LIMITS: Mapping[str, Any] = types.MappingProxyType({})
_LONGEST = 100_000  # letters: reading YAML takes a second for so many
_MOST_NODES, _DEEPEST = 20_000, 40  # of a recipe, its references written out
_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def number(default: Any, low: float, high: float = float("inf"), open_low: bool = False) -> Any:
    """A dataclass field with limits, `low` itself being outside where `open_low`."""
    limits = {"low": low, "high": high, "open_low": open_low}
    return field(default=default, metadata=limits)


def compose(text: str, name: str) -> yaml.Node:
    """Nodes of a YAML text, with their lines.

    Raises:
        RecipeError: It is no YAML, or empty.
    """
    try:
        node = _composed(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from None
    if node is None:
        raise RecipeError(f"{name} is empty.")
    return node


def _composed(text: str) -> yaml.Node | None:
    """Nodes of a YAML text, of a number and depth that recipes have.

    Raises:
        yaml.YAMLError: It is no YAML, goes too deep, or repeats itself without end.
    """
    if len(text) > _LONGEST:
        raise yaml.YAMLError(f"it has {len(text):,} letters; at most {_LONGEST:,} are read")
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise yaml.YAMLError("its blocks lie too deep in one another") from None
    except ValueError as error:  # signs that no text has
        raise yaml.YAMLError(str(error)) from None
    left, seen = [(node, 0)], 0
    while left:
        (item, depth), seen = left.pop(), seen + 1
        if seen > _MOST_NODES or depth > _DEEPEST:
            raise yaml.YAMLError("it has too many values, or they lie too deep in one another")
        if isinstance(item, yaml.SequenceNode):
            left += [(part, depth + 1) for part in item.value]
        elif isinstance(item, yaml.MappingNode):
            left += [(part, depth + 1) for pair in item.value for part in pair]
    return node


def merged(base: yaml.Node, over: yaml.Node) -> yaml.Node:
    """Blocks are merged key by key; single values and lists are replaced."""
    if not (isinstance(base, yaml.MappingNode) and isinstance(over, yaml.MappingNode)):
        return over
    known = {key.value: (key, value) for key, value in base.value}
    for key, value in over.value:
        below = known[key.value][1] if key.value in known else value
        known[key.value] = (key, merged(below, value))
    return yaml.MappingNode(over.tag, list(known.values()), over.start_mark, over.end_mark)


def scalar_under(node: yaml.Node, key: str) -> str:
    """Text of one key of a block; empty where there is none."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((str(v.value) for k, v in pairs if k.value == key), "")


def plain(value: Any) -> Any:
    """Plain values for YAML and JSON, spelled as in the file."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            _spelled(item.name): plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def with_setting(value: Any, kind: Any, setting: str) -> Any:
    """A copy of a dataclass with one value changed.

    Args:
        value: An instance of `kind`.
        kind: A dataclass.
        setting: ``key=value`` as on the command line, such as ``loss.beta=0.5``.

    Raises:
        RecipeError: There is no such key, or the value is impossible.
    """
    key, sign, text = setting.partition("=")
    own = getattr(value, "taxonomy", "")
    reader = _SettingReader(f"--set {setting}", "the recipe", own)
    if not sign or not key.strip():
        reader.refuse("wanted: key=value, such as loss.beta=0.5")
    try:
        node = _composed(text)
    except yaml.YAMLError:
        reader.refuse(f"'{text}' is no YAML value")
    if node is None:
        node = yaml.ScalarNode("tag:yaml.org,2002:null", "")
    return reader.change(value, kind, key.strip().split("."), node)


class Reader:
    """Turns YAML nodes into dataclasses.

    Args:
        name: Of the file, for messages.
        own: A taxonomy of the file's own, allowed as a key of tables beside the registered ones.
    """

    def __init__(self, name: str, own: str = "") -> None:
        self._name, self._own = name, own

    def read(
        self, node: yaml.Node, kind: Any, key: str, limits: Mapping[str, Any] = _NO_LIMITS
    ) -> Any:
        """The value of a node as `kind`: a dataclass, a tuple, a table or a single value.

        Raises:
            RecipeError: A key is unknown or a value impossible; the message has the line.
        """
        if dataclasses.is_dataclass(kind):
            return self._dataclass(node, kind, key)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is tuple:
            return self._tuple(node, arguments[0], key)
        if _is_table(kind):
            return self._table(node, arguments[1], key)
        return self._scalar(node, kind, key, limits)

    def _dataclass(self, node: yaml.Node, kind: Any, key: str) -> Any:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"{key} must be a block of keys")
        types_ = typing.get_type_hints(kind)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = str(key_node.value)
            item = self._field(key_node, kind, name, key)
            values[item.name] = self.read(value_node, types_[item.name], name, item.metadata)
        return kind(**values)

    def _field(self, node: yaml.Node, kind: Any, name: str, key: str) -> Any:
        fields = {_spelled(item.name): item for item in dataclasses.fields(kind)}
        if name not in fields:
            self._fail(node, f"{key} has no key '{name}'; allowed: {', '.join(fields)}")
        return fields[name]

    def _tuple(self, node: yaml.Node, kind: Any, key: str) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode):
            self._fail(node, f"{key} must be a list")
        return tuple(self.read(item, kind, key) for item in node.value)

    def _table(self, node: yaml.Node, kind: Any, key: str) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"{key} must be a block of keys")
        for key_node, _ in node.value:
            self._check_taxonomy(key_node, str(key_node.value))
        return {str(k.value): self.read(v, kind, str(k.value)) for k, v in node.value}

    def _check_taxonomy(self, node: yaml.Node, name: str) -> None:
        if name.partition("/")[0] not in (*TAXONOMIES, self._own):
            self._fail(node, f"'{name}' is no taxonomy; {', '.join(TAXONOMIES)}")

    def _scalar(self, node: yaml.Node, kind: Any, key: str, limits: Mapping[str, Any]) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, f"{key} must be a single value")
        value = self._value(node, key) if kind is not str else str(node.value)
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                self._fail(node, f"{key} is '{value}'; allowed: {', '.join(get_args(kind))}")
            return value
        if kind is float:
            value = self._float(node, key, value)
        kinds = get_args(kind) or (kind,)
        if type(value) not in kinds:
            wanted = " or ".join(_KINDS[item] for item in kinds)
            self._fail(node, f"{key} is '{node.value}'; wanted: {wanted}")
        if limits:
            self._check_limits(node, key, typing.cast(float, value), limits)
        return value

    def _value(self, node: yaml.Node, key: str) -> Any:
        try:
            value = yaml.safe_load(str(node.value))
        except (yaml.YAMLError, ValueError, RecursionError):  # a date that is none, 5,000 digits
            value = None
        if value is None or (isinstance(value, int) and abs(value) >= 1 << 63):
            self._fail(node, f"{key} is '{str(node.value)[:40]}', which is no value here")
        return value

    def _float(self, node: yaml.Node, key: str, value: Any) -> float:
        if isinstance(value, bool):
            self._fail(node, f"{key} is '{node.value}'; wanted: a number")
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as a text
        except (TypeError, ValueError, OverflowError):
            self._fail(node, f"{key} is '{node.value}'; wanted: a number")

    def _check_limits(
        self, node: yaml.Node, key: str, value: float, limits: Mapping[str, Any]
    ) -> None:
        low, high, is_open = limits["low"], limits["high"], limits["open_low"]
        if not math.isfinite(value):
            self._fail(node, f"{key} is {value:g}; it must be a finite number")
        if not (low < value if is_open else low <= value) or not value <= high:
            words = f"above {low:g}" if is_open else f"at least {low:g}"
            words += "" if high == float("inf") else f" and at most {high:g}"
            self._fail(node, f"{key} is {value:g}; allowed: {words}")

    def _fail(self, node: yaml.Node, message: str) -> NoReturn:
        raise RecipeError(f"{self._name}, line {node.start_mark.line + 1}: {message}.")


class _SettingReader(Reader):
    """Changes one value in a dataclass; messages name the setting, for it has no line."""

    def __init__(self, name: str, top: str, own: str = "") -> None:
        super().__init__(name, own)
        self._top = top

    def change(self, value: Any, kind: Any, keys: Sequence[str], node: yaml.Node) -> Any:
        """`value` with what stands under `keys` replaced by the node's value."""
        if dataclasses.is_dataclass(kind):
            return self._change_field(value, kind, keys, node)
        if get_origin(kind) is tuple and keys:
            return self._change_item(value, get_args(kind)[0], keys, node)
        if _is_table(kind):
            return self._change_table(value, get_args(kind)[1], keys, node)
        if keys:
            self.refuse(f"{self._top} is a single value and has no keys")
        return self.read(node, kind, self._top)

    def _change_field(self, value: Any, kind: Any, keys: Sequence[str], node: yaml.Node) -> Any:
        if not keys:
            names = ", ".join(_spelled(item.name) for item in dataclasses.fields(kind))
            self.refuse(f"{self._top} is a block; set one of its keys: {names}")
        item = self._field(node, kind, keys[0], self._top)
        below, self._top = typing.get_type_hints(kind)[item.name], keys[0]
        if len(keys) == 1 and not (dataclasses.is_dataclass(below) or _is_table(below)):
            new = self.read(node, below, keys[0], item.metadata)
        else:
            new = self.change(getattr(value, item.name), below, keys[1:], node)
        return dataclasses.replace(value, **{item.name: new})

    def _change_item(self, value: Any, kind: Any, keys: Sequence[str], node: yaml.Node) -> Any:
        place = int(keys[0]) if keys[0].isdecimal() else -1
        if not 0 <= place < len(value):
            self.refuse(
                f"{self._top} is a list of {len(value)}; say which by its number, "
                f"counted from 0, such as {self._top}.0"
            )
        new = self.change(value[place], kind, keys[1:], node)
        return (*value[:place], new, *value[place + 1 :])

    def _change_table(self, value: Any, kind: Any, keys: Sequence[str], node: yaml.Node) -> Any:
        if not keys:
            self.refuse(f"{self._top} is a block by taxonomy, such as {self._top}.emotion6")
        self._check_taxonomy(node, keys[0])
        self._top = keys[0]
        return {**value, keys[0]: self.change(value.get(keys[0], kind()), kind, keys[1:], node)}

    def refuse(self, message: str) -> NoReturn:
        raise RecipeError(f"{self._name}: {message}.")

    def _fail(self, node: yaml.Node, message: str) -> NoReturn:
        self.refuse(message)


def _is_table(kind: Any) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _spelled(name: str) -> str:
    return name.rstrip("_")
