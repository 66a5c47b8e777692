"""How a configuration's key says that it takes another component. Standard library only."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Any

METADATA = "prefrun_nested"
"""Key of a field's metadata that holds the group of the component that it takes."""


def nested(group: str, *, several: bool = False) -> Any:
    """Return the field of a config dataclass that takes a component of GROUP; by default none.

    The user chooses it by `'+GROUP@KEY=NAME'`, such as '+data@algo.prompts=trl', and gives its keys
    below, such as algo.prompts.path=FILE. They are checked, its paths are made absolute, and what
    is at these counts, as with the run's own components. The field holds None or the component's
    settings, which `prefrun.nesting.build` takes; with SEVERAL a dict of them, by the last word of
    '+GROUP@KEY.WORD=NAME'. Annotate it as Any, or as dict[str, Any].
    """
    if several:
        return field(default_factory=dict, metadata={METADATA: group})
    return field(default=None, metadata={METADATA: group})


def declared_groups(config: Any) -> dict[str, str]:
    """Return, by key of the dataclass CONFIG that takes a component, the component's group."""
    return {
        each.name: each.metadata[METADATA]
        for each in dataclasses.fields(config)
        if METADATA in each.metadata
    }
