"""What all settings have in common: validated once, they do not change, nested ones neither."""

from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings that do not change and take no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FrozenDict(dict[str, Any]):
    """A dictionary that does not change; `thaw` makes a copy that does."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("settings do not change; make an experiment with other ones instead")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are made at once, not key by key."""
        return type(self), (dict(self),)


def freeze(value: Any) -> Any:
    """A copy of a nested value whose dictionaries do not change."""
    if isinstance(value, Mapping):
        return FrozenDict({key: freeze(part) for key, part in value.items()})
    return [freeze(part) for part in value] if isinstance(value, list) else value


def thaw(value: Any) -> Any:
    """A copy of a nested value in plain dictionaries, for who may change it."""
    if isinstance(value, Mapping):
        return {key: thaw(part) for key, part in value.items()}
    return [thaw(part) for part in value] if isinstance(value, list) else value


#: The arguments of a plugin.
Arguments = Annotated[dict[str, Any], AfterValidator(freeze)]
