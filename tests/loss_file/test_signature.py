"""The parameters of a loss function are keys with types and defaults."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError

from prefrun.commands.fields import keys_of
from prefrun.errors import ConfigError, PluginError
from prefrun.loss_file.reading import read_loss_file
from prefrun.loss_file.signature import config_class, settings_of

ALL = """
from __future__ import annotations
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nowhere import Batch

class Mode(Enum):
    hard = 1
    soft = 2

def loss(
    batch: Batch, beta: float = 1, mode: Mode = Mode.hard, top: int | None = None, *,
    parts: list[float] = [0.5], steps: int,
) -> Batch:
    ...
"""


def schema(path):
    return OmegaConf.structured(config_class(read_loss_file(path), "Made", __name__))


def test_parameters_become_typed_keys(write):
    config = schema(write(ALL))
    config.merge_with({"mode": "soft", "steps": "3"})
    settings = dict(settings_of(OmegaConf.to_object(config)))
    assert {**settings, "mode": settings["mode"].name} == {
        "beta": 1.0, "mode": "soft", "top": None, "parts": [0.5], "steps": 3,
    }  # fmt: skip
    with pytest.raises(ValidationError):
        config.beta = "big"


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_an_annotated_parameter_explains_its_key(write, future):
    code = (
        f"{future}from typing import Annotated\n"
        "def f(batch, beta: Annotated[float, 'Scale, > 0.'] = 0.1, *, "
        "parts: Annotated[list[float], 3, 'Parts.'] = [0.5], steps: int | None = None): ...\n"
    )
    keys = keys_of(config_class(read_loss_file(write(code)), "Made", __name__))
    assert [(key.name, key.type, key.text) for key in keys[:2]] == [
        ("beta", "float", "Scale, > 0."),
        ("parts", "list", "Parts."),
    ]
    assert keys[2].text == ""
    assert schema(write(code)).parts == [0.5]


def test_a_parameter_without_default_must_be_given(write):
    assert OmegaConf.missing_keys(schema(write(ALL))) == {"steps"}


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("beta=0.1", "'beta' has no type hint"),
        ("beta: flot = 0.1", "'beta' has a type hint that cannot be read: name 'flot'"),
        ("beta: set[int] = None", "'beta' cannot be a key of the configuration"),
        ("beta: float = 'big'", "'beta' cannot be a key of the configuration"),
        ("beta: float = None", "'beta' cannot be a key of the configuration"),
        ("**rest: float", "'rest' is no named parameter"),
        ("sha256: str = ''", "'sha256' is a name that prefrun uses itself"),
    ],
)
def test_a_parameter_that_cannot_be_a_key_is_refused_at_its_line(write, parameter, expected):
    code = f"from __future__ import annotations\ndef f(\n    batch,\n    {parameter},\n): ...\n"
    if parameter.startswith("**"):
        code = code.replace(",\n)", "\n)")
    path = write(code)
    with pytest.raises(PluginError) as caught:
        schema(path)
    assert str(caught.value).startswith(f"{path}:4: parameter {expected}")
    assert f"\n    {parameter}" in str(caught.value)


@pytest.mark.parametrize("parameters", ["", "*, beta: float = 1.0"])
def test_a_function_that_takes_no_batch_is_refused(write, parameters):
    with pytest.raises(PluginError, match="takes no batch as its first parameter"):
        schema(write(f"def f({parameters}): ...\n"))


def test_settings_of_other_content_are_refused(write):
    config = schema(write("def f(batch): ...\n"))
    config.sha256 = "0123456789ab"
    with pytest.raises(ConfigError, match=r"has changed: its sha256 is .*, not 0123456789ab"):
        OmegaConf.to_object(config)
