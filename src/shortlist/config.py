"""Config: how every recipe and every file of settings is described, read and written.

A `Config` is frozen and typed, refuses keys it does not know, and says each hyperparameter once: type with its
limits, default, and a sentence with its unit beneath. TOML, command-line overrides, `--help` and the JSON Schema
all come from that one description.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from shortlist.errors import ConfigError, nearest

C = TypeVar("C", bound="Config")
NONE = "none"
"""How TOML, which has no null, says that an option with a default is to be none at all: `window = "none"`."""


class Config(BaseModel):
    """A frozen, typed description. Equal descriptions compare equal and hash alike."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _none_is_none(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {k: None if v == NONE and _none_is_meant(cls.model_fields.get(k)) else v for k, v in values.items()}


def parse(kind: type[C], values: Mapping[str, Any], *, where: str = "the settings") -> C:
    """The description that `values` spell out; whatever is wrong is told with its path and the nearest name."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        told = "\n".join(f"  {line}" for line in _explained(error, kind))
        raise ConfigError(f"{where} cannot be used:\n{told}") from None


def read_toml(kind: type[C], path: str | Path, overrides: Iterable[str] = ()) -> C:
    """The description in a TOML file, after `overrides` such as `"pipeline.ranker.rounds=200"`.

    A number in a path picks from a list (`pipeline.retrievers.0.half_life=30d`).
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no file {str(path)!r}: name the one that holds the settings, or start from `shortlist demo`"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} is not TOML: {error}") from None
    return parse(kind, overridden(values, overrides), where=f"{str(path)!r}")


def to_toml(config: Config) -> str:
    """The description as TOML, defaults written out; `read_toml` gives back an equal one.

    What is none by default is left out; what is none though its default is something is written as `"none"`.
    """
    return tomli_w.dumps(_written(config))


def json_schema(kind: type[Config]) -> str:
    """The JSON Schema by which editors complete and check a TOML file of this kind."""
    return json.dumps(kind.model_json_schema(), indent=2)


def overridden(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """`values` with each `path=value` put in; a value is read as TOML where it is TOML, else as text."""
    changed: dict[str, Any] = _plain(values)
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"{override!r} is not an override: write it as path=value, such as seed=3")
        *parents, last = path.strip().split(".")
        place: Any = changed
        for name in parents:
            place = _step(place, name, override)
        if isinstance(place, list):
            place[_index(place, last, override)] = _value(text)
        else:
            place[last] = _value(text)
    return changed


def _step(place: Any, name: str, override: str) -> Any:
    found = place[_index(place, name, override)] if isinstance(place, list) else place.setdefault(name, {})
    if not isinstance(found, dict | list):
        raise ConfigError(f"override {override!r}: {name!r} is a value, not a table, so nothing can be set inside it")
    return found


def _index(place: list[Any], name: str, override: str) -> int:
    if not name.isdecimal() or int(name) >= len(place):
        raise ConfigError(
            f"override {override!r}: the list has {len(place)} places, counted from 0, and none is {name!r}"
        )
    return int(name)


def _value(text: str) -> Any:
    try:
        return _plain(tomllib.loads(f"value = {text}")["value"])
    except tomllib.TOMLDecodeError:
        return text


def _plain(value: Any) -> Any:
    """A copy in which dates and times are text, as a description takes them."""
    return json.loads(json.dumps(value, default=str))


def _written(value: Any) -> Any:
    if isinstance(value, Config):
        parts = {name: (getattr(value, name), field) for name, field in type(value).model_fields.items()}
        return {
            name: NONE if part is None else _written(part)
            for name, (part, field) in parts.items()
            if part is not None or field.default is not None
        }
    if isinstance(value, Mapping):
        return {k: _written(v) for k, v in value.items() if v is not None}
    return [_written(v) for v in value] if isinstance(value, tuple | list) else to_jsonable_python(value)


def _none_is_meant(field: FieldInfo | None) -> bool:
    """Whether the text "none" stands for none in a field: not where that may be any text, such as a column's name."""
    if field is None or NoneType not in get_args(field.annotation):
        return False
    return field.default is not None or str not in get_args(field.annotation)


def _explained(error: ValidationError, kind: type[BaseModel]) -> Iterable[str]:
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            name = str(problem["loc"][-1])
            beside = _schema_at(kind, problem["loc"][:-1]).get("properties", {})
            yield f"{path}: there is no such key{nearest(name, beside)}"
        elif problem["type"] == "union_tag_invalid":
            given, known = str(problem["ctx"]["tag"]), str(problem["ctx"]["expected_tags"])
            names = [name.strip(" '") for name in known.split(",")]
            yield f"{path}.kind: there is no {given!r}{nearest(given, names)}"
        elif problem["type"] == "union_tag_not_found":
            known_kinds = _schema_at(kind, problem["loc"]).get("discriminator", {}).get("mapping", {})
            yield f"{path}: say its kind{nearest('', known_kinds)}"
        else:
            given = "" if problem["type"] == "missing" else f" (given: {problem['input']!r})"
            yield f"{path}: {problem['msg'].removeprefix('Value error, ')}{given}"


def _schema_at(kind: type[BaseModel], path: tuple[int | str, ...]) -> dict[str, Any]:
    """What the schema says of the place to which a path leads."""
    definitions = kind.model_json_schema()
    place: dict[str, Any] = definitions
    for part in path:
        place = _entered(_resolved(place, definitions), part)
    return _resolved(place, definitions)


def _entered(place: dict[str, Any], part: int | str) -> dict[str, Any]:
    if isinstance(part, int):
        found = place.get("items", {})
    elif part in place.get("properties", {}):
        found = place["properties"][part]
    else:
        found = {"$ref": place.get("discriminator", {}).get("mapping", {}).get(part, "")}
    return dict(found)


def _resolved(place: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    for option in place.get("anyOf", []):
        if "$ref" in option or "properties" in option or "discriminator" in option:
            place = option
            break
    name = str(place.get("$ref", "")).rsplit("/", maxsplit=1)[-1]
    found: dict[str, Any] = definitions.get("$defs", {}).get(name, place)
    return found
