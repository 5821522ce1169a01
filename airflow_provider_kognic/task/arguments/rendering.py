"""Templates: what is only known when the task runs, and what it must not turn out to be then: nothing.

Where nothing is what an argument is by default, a template that finds nothing would switch off a filter, a check, a
class mapping, and nobody would see it. So it is noted where the operator is made which of its arguments are
templates, and looked at when they are rendered.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import secrets_of
from airflow_provider_kognic.core.texts import brief

# What a template may be of that: where None and the word are values like others, which switch nothing off that is
# looked for in what is sent.
MAY_BE_NOTHING = frozenset({"journal", "receipts", "report"})
# Rows in a Dag file are not looked through for templates: they are checked one by one when they are read.
_ROWS = frozenset({"predictions", "scene_uuids"})


class HidesSecrets:
    """An operator whose paths may be URLs with passwords or signatures: Airflow stores and shows what is rendered.

    It masks what it knows for a secret, and stores what was rendered before the task begins. So what is one is told
    as soon as it is rendered; that is the one place where a mapped task's operator comes by, too.
    """

    template_fields: Collection[str]

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:
        super()._do_render_template_fields(*args, **kwargs)  # type: ignore[misc]  # Airflow's operators have it
        for name in self.template_fields:
            value = getattr(self, name)
            # Of what a dict has, a shard's path is one, too.
            for one in value.values() if isinstance(value, Mapping) else (value,):
                if isinstance(one, str) or hasattr(one, "read_bytes"):
                    for secret in secrets_of(str(one)):
                        _mask(secret)


def _mask(secret: str) -> None:
    from airflow.providers.common.compat.sdk import mask_secret

    mask_secret(secret)


def is_template(value: Any) -> bool:
    """Tell whether a value is only known when the task runs: Jinja text, another task's result, or a function.

    Airflow calls functions in the place of template fields where it is new enough; else they are no values.
    """
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return hasattr(value, "resolve") or callable(value)


def is_running() -> bool:
    """Tell whether a task runs, rather than that a DAG file is parsed.

    A mapped task makes its operator of its share of the arguments only then, and by Airflow's rules an error of its
    constructor is tried again. `execute` looks at the same arguments, and what it raises says that this is no use.
    """
    from airflow.providers.common.compat.sdk import get_current_context

    try:
        get_current_context()
    except RuntimeError:
        return False
    return True


def is_known(operator: Any, name: str) -> bool:
    """Tell whether an argument is known where the DAG file is parsed."""
    return name not in operator.template_fields or not is_template(getattr(operator, name))


def is_nothing(value: Any) -> bool:
    """Tell whether a value is None, or what a template makes of None where it does not render natively."""
    return value is None or (isinstance(value, str) and value.strip().lower() == "none")


def rendered_to_nothing(what: str, value: Any) -> KognicInputError:
    """Return what is said of an argument whose template found nothing."""
    return KognicInputError(
        f"{what} is {brief(value)}, which is what a template makes of nothing: look at the task's rendered"
        " template."
    )


def templates_of(operator: Any) -> dict[str, Any]:
    """Return those arguments that are templates, as they are before they are rendered.

    Args:
        operator: Has the arguments as attributes; it is being made.
    """
    return {
        name: value
        for name in operator.template_fields
        if is_template(value := getattr(operator, name)) or (name not in _ROWS and any(_inside(value)))
    }


def check_rendered(operator: Any, templates: Mapping[str, Any]) -> None:
    """Say which template found nothing, where that would be taken for an argument that was not given.

    Args:
        operator: Has the arguments as attributes, rendered.
        templates: What `templates_of` returned when the operator was made.

    Raises:
        KognicInputError: Naming the first one.
    """
    defaults = inspect.signature(type(operator).__init__).parameters
    for name, before in templates.items():
        value = getattr(operator, name)
        if name in MAY_BE_NOTHING:
            continue
        if not is_template(before):
            _check_inside(f"'{name}'", before, value)
        elif is_nothing(value) and (
            defaults[name].default is None
            # None itself is refused where it is looked at; the word would be a name like another.
            or (defaults[name].default is inspect.Parameter.empty and value is not None)
        ):
            raise rendered_to_nothing(f"'{name}'", value)


def _inside(value: Any) -> Iterator[bool]:
    """Tell of each value in a dict or a list whether it is a template."""
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for one in value:
            yield is_template(one) if not isinstance(one, (Mapping, list, tuple)) else any(_inside(one))


def _check_inside(what: str, before: Any, value: Any) -> None:
    """Look for templates in a dict or a list that found nothing; what has become of another size is left."""
    pairs: Iterator[tuple[str, Any, Any]] = iter(())
    if isinstance(before, Mapping) and isinstance(value, Mapping):
        pairs = (
            (f"{what}, of {brief(key)},", one, value.get(key)) for key, one in before.items() if key in value
        )
    elif isinstance(before, Sequence) and isinstance(value, Sequence) and not isinstance(value, str):
        pairs = ((f"one of {what}", one, other) for one, other in zip(before, value, strict=False))
    for named, one, other in pairs:
        if is_template(one) and is_nothing(other):
            raise rendered_to_nothing(named, other)
        if isinstance(one, (Mapping, list, tuple)):
            _check_inside(what, one, other)
