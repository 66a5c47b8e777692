"""What a plugin registers: a name in a config group, its schema, and where its code lives."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from prefrun.errors import PluginError, PrefrunError, closest

GROUPS = ("algo", "data", "model", "reward", "evaluator", "tracker")


@dataclass(frozen=True, slots=True)
class Component:
    """One choice in a config group, such as `algo=lipo`. Cheap: `factory` is only a string."""

    group: str
    """One of GROUPS: what the component is, and the key the user types."""
    name: str
    """The word the user types after `group=`."""
    config: type
    """Dataclass of its keys. Every component has one of its own, by which it is found."""
    factory: str
    """'module:attribute' of the class that is called with the config; imported on first use."""
    summary: str
    """One line for `prefrun plugins` and `--help`."""

    @property
    def prefix(self) -> str:
        """What its keys begin with; evaluators are chosen several at a time, so each has a name."""
        return f"evaluator.{self.name}" if self.group == "evaluator" else self.group

    def load(self) -> Any:
        """Import `factory` and return it.

        Raises PluginError, naming the choice, file and line, where that fails; a PrefrunError that
        the module itself raises as it is.
        """
        module, _, attribute = self.factory.partition(":")
        found = self._imported(module)
        if hasattr(found, attribute):
            return getattr(found, attribute)
        names = [name for name in vars(found) if not name.startswith("_")]
        raise PluginError(
            f"{self.group}={self.name}: its factory is '{self.factory}', but {found.__file__} has "
            f"no '{attribute}'.{closest(attribute, names)}"
        )

    def make(self, settings: Any) -> Any:
        """Import the class and call it with SETTINGS, its config.

        Raises PluginError, naming the choice, file and line, if that fails; a PrefrunError that the
        class itself raises as it is.
        """
        factory = self.load()
        try:
            return factory(settings)
        except PrefrunError:
            raise
        except Exception as error:
            from prefrun.blame import told  # with all that looks into tracebacks

            reason = told(error, self.factory.partition(":")[0])
            raise PluginError(f"{self.group}={self.name} cannot be made: {reason}") from error

    def _imported(self, module: str) -> ModuleType:
        try:
            return import_module(module)
        except (KeyboardInterrupt, PrefrunError):
            raise
        except BaseException as error:  # SystemExit, too
            missing = getattr(error, "name", None)
            if isinstance(error, ModuleNotFoundError) and _is_part(missing, module):
                reason = f"there is no module '{missing}'"
            else:
                from prefrun.blame import told  # with all that looks into tracebacks

                reason = f"importing it failed: {told(error, module)}"
            raise PluginError(
                f"{self.group}={self.name}: its factory is '{self.factory}', but {reason}"
            ) from error


def _is_part(missing: str | None, module: str) -> bool:
    return missing is not None and (module == missing or module.startswith(f"{missing}."))


def flaw_of(component: object) -> str | None:
    """Return what is wrong with what a plugin gives for a component; None where nothing is."""
    if not isinstance(component, Component):
        return f"{component!r:.80} is a {type(component).__name__}, no Component"
    what = f"{component.group}={component.name}"
    if component.group not in GROUPS:
        return (
            f"'{component.name}' is registered in the unknown group '{component.group}'; "
            f"groups are {', '.join(GROUPS)}"
        )
    if not isinstance(component.config, type) or not is_dataclass(component.config):
        return f"{what}: its config must be a dataclass, not {component.config!r:.80}"
    texts = (component.name, component.factory, component.summary)
    if not all(isinstance(text, str) for text in texts):
        return f"{what}: its name, factory and summary must be text"
    module, _, attribute = component.factory.partition(":")
    if not module or not attribute:
        return f"{what}: its factory must be 'module:attribute', not '{component.factory}'"
    return None
