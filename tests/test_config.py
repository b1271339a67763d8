import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from shortlist.config import Config, json_schema, overridden, parse, read_toml, to_toml
from shortlist.errors import ConfigError
from shortlist.moments import Duration


class Wheel(Config):
    kind: Literal["wheel"] = "wheel"
    spokes: int = Field(32, ge=1)
    """Spokes of the wheel."""
    wear: Duration | None = "30d"
    """Time after which it is worn; none never is."""


class Sail(Config):
    kind: Literal["sail"] = "sail"
    area: float = 12.5
    """Square metres."""
    colour: str | None = None
    """What it looks like."""


class Cart(Config):
    parts: tuple[Annotated[Wheel | Sail, Field(discriminator="kind")], ...] = (Wheel(),)
    """What it stands on."""
    spare: Wheel | None = None
    """One more."""
    sail: Sail = Sail()
    """What drives it."""
    names: tuple[str, ...] = ()
    """What it is called."""
    since: str = ""
    """A date."""


def written(folder: Path, text: str) -> Path:
    place = folder / "cart.toml"
    place.write_text(text, encoding="utf-8")
    return place


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"part": []}, "part: there is no such key; did you mean 'parts'?"),
        ({"sail": {"aera": 1}}, "sail.aera: there is no such key; did you mean 'area'?"),
        ({"spare": {"spoke": 3}}, "spare.spoke: there is no such key; did you mean 'spokes'?"),
        (
            {"parts": [{"kind": "wheel"}, {"kind": "sail", "colr": ""}]},
            "parts.1.sail.colr: there is no such key; did you mean 'colour'?",
        ),
        ({"parts": [{"kind": "whel"}]}, "parts.0.kind: there is no 'whel'; did you mean 'wheel'?"),
        (
            {"parts": [{"kind": "wheel", "spokes": 0}]},
            "parts.0.wheel.spokes: Input should be greater than or equal to 1 (given: 0)",
        ),
        ({"sail": {"area": float("nan")}}, "sail.area: Input should be a finite number"),
        ({"spare": {"wear": "soon"}}, "spare.wear: 'soon' is not a duration"),
        ({"zzz": 1}, "zzz: there is no such key; there is 'names', 'parts', 'sail', 'since', 'spare'"),
    ],
)
def test_what_is_wrong_is_told_with_its_path_and_the_nearest_name(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(Cart, values, where="the cart")
    assert str(caught.value).startswith("the cart cannot be used:\n")
    assert told in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(Cart, {"part": 1, "sail": {"aera": 2}})
    assert str(caught.value).count("did you mean") == 2


def test_a_config_is_frozen_and_equal_ones_hash_alike() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Sail().area = 3  # type: ignore[misc]
    assert hash(Cart()) == hash(Cart(parts=(Wheel(spokes=32),)))


def test_a_file_that_is_not_there_and_one_that_is_no_toml_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        read_toml(Cart, tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="is not TOML"):
        read_toml(Cart, written(tmp_path, "parts = ["))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        read_toml(Cart, tmp_path / "bytes.toml")


def test_overrides_reach_tables_and_lists(tmp_path: Path) -> None:
    place = written(tmp_path, '[[parts]]\nkind = "wheel"\n\n[[parts]]\nkind = "sail"\n')
    cart = read_toml(
        Cart,
        place,
        [
            *("parts.0.spokes=36", "parts.0.wear=2w", "parts.1.colour=red", "sail.area=1e1", "spare.spokes=3"),
            *('names=["a", "b"]', "names.1=c d", "since=2017-11-27"),
        ],
    )
    assert cart == Cart(
        parts=(Wheel(spokes=36, wear="2w"), Sail(colour="red")),
        sail=Sail(area=10),
        spare=Wheel(spokes=3),
        names=("a", "c d"),
        since="2017-11-27",
    )


def test_an_override_says_none_where_none_is_allowed(tmp_path: Path) -> None:
    place = written(tmp_path, '[spare]\nspokes = 3\n[sail]\ncolour = "red"\n')
    cart = read_toml(Cart, place, ["spare=none", "parts.0.wear=none", "sail.colour=none"][::2])
    assert cart.spare is None
    # A colour may be any text, so "none" is the name of one.
    assert cart.sail.colour == "none"


def test_overrides_leave_what_they_are_given_as_it_was() -> None:
    values = {"sail": {"area": 1}}
    assert overridden(values, ["sail.area=2", "names=[]"]) == {"sail": {"area": 2}, "names": []}
    assert values == {"sail": {"area": 1}}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("sail.area", "write it as path=value"),
        ("=3", "write it as path=value"),
        ("parts.2.spokes=3", "the list has 1 places, counted from 0, and none is '2'"),
        ("parts.-1.spokes=3", "none is '-1'"),
        ("parts.x=3", "none is 'x'"),
        ("since.year=3", "'since' is a value, not a table"),
    ],
)
def test_overrides_that_lead_nowhere_are_refused(override: str, told: str) -> None:
    with pytest.raises(ConfigError, match="override") as caught:
        overridden({"parts": [{}], "since": "x"}, [override])
    assert told in str(caught.value)


wheels = st.builds(Wheel, spokes=st.integers(1, 99), wear=st.none() | st.sampled_from(["30d", "1.5w", "5min"]))
sails = st.builds(
    Sail,
    area=st.floats(allow_nan=False, allow_infinity=False),
    colour=st.none() | st.text(st.characters(codec="utf-8"), max_size=6) | st.just("none"),
)
carts = st.builds(
    Cart,
    parts=st.lists(wheels | sails, max_size=3).map(tuple),
    spare=st.none() | wheels,
    sail=sails,
    names=st.lists(st.text(st.characters(codec="utf-8"), max_size=6), max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(carts)
def test_toml_gives_back_an_equal_description(tmp_path_factory: pytest.TempPathFactory, cart: Cart) -> None:
    assert read_toml(Cart, written(tmp_path_factory.getbasetemp(), to_toml(cart))) == cart


def test_toml_writes_defaults_out_and_says_none_only_where_it_must() -> None:
    assert to_toml(Wheel()) == 'kind = "wheel"\nspokes = 32\nwear = "30d"\n'
    assert to_toml(Wheel(wear=None)) == 'kind = "wheel"\nspokes = 32\nwear = "none"\n'
    assert "spare" not in to_toml(Cart())


def test_the_json_schema_tells_every_fields_meaning_and_limits() -> None:
    schema = json.loads(json_schema(Cart))
    assert schema["additionalProperties"] is False
    assert schema["properties"]["names"]["description"] == "What it is called."
    spokes = schema["$defs"]["Wheel"]["properties"]["spokes"]
    assert (spokes["description"], spokes["minimum"], spokes["default"]) == ("Spokes of the wheel.", 1, 32)
