"""Sources written in Python: what they are asked, and how the library calls them; see `Sources.register`."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from lochan import _arguments

if TYPE_CHECKING:
    from lochan.sources import Failures

__all__ = ["Adapter", "RequestContext", "Scope", "Source"]


class RequestContext(NamedTuple):
    """What an update was asked for."""

    source: str
    dataset: str
    source_dataset: str
    """The provider's name of the dataset."""
    start: datetime.date | None
    """Of the request; None: where the ledger begins."""
    end: datetime.date | None
    assets: tuple[str, ...]
    """Empty: the request names none."""
    force: bool
    repair: bool
    backfill: bool
    validate: str
    """spec, strict, off"""
    workers: int
    batch_size: int
    max_retries: int
    retry_backoff_seconds: float
    options: dict[str, str]
    """Of the source, with what `configure` and `source_options` say."""


class Scope(NamedTuple):
    """What one call of `fetch` is to bring."""

    start: datetime.date | None
    """Both included; None if the dataset has no days."""
    end: datetime.date | None
    assets: tuple[str, ...]
    """Empty: all there are."""
    parameters: dict[str, str]
    """The dataset's own."""
    parameter_set: str | None
    request: RequestContext


class Source(Protocol):
    """A source written in Python; see `Sources.register`. It may also have `plan(scope)`, `parallel` and `options`."""

    name: str

    def fetch(self, scope: Scope, /) -> Any:
        """The rows of a scope: something with an Arrow stream or array, an iterable of such, or None for no rows."""


def _day(text: str | None) -> datetime.date | None:
    return None if text is None else datetime.date.fromisoformat(text)


def _mapping(pairs: list[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs)


def _scope(fields: dict[str, Any], context: dict[str, Any]) -> Scope:
    request = RequestContext(**{**context, "start": _day(context["start"]), "end": _day(context["end"]),
                                "assets": tuple(context["assets"]), "options": _mapping(context["options"])})
    return Scope(_day(fields["start"]), _day(fields["end"]), tuple(fields["assets"]), _mapping(fields["parameters"]),
                 fields["parameter_set"], request)


def _is_rows(data: object) -> bool:
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


class Adapter:
    """A source as the library calls it."""

    def __init__(self, fetch: Callable[[Scope], Any], plan: Callable[[Scope], Any] | None, failures: Failures) -> None:
        self._fetch = fetch
        self._plan = plan
        self._failures = failures

    def plan(self, fields: dict[str, Any], context: dict[str, Any]) -> list[tuple[str, str]]:
        scope = _scope(fields, context)
        try:
            assert self._plan is not None
            windows = [(_arguments.date(start), _arguments.date(end)) for start, end in self._plan(scope)]
            return [(start, end) for start, end in windows if start is not None and end is not None]
        except BaseException as e:
            self._failures.note(scope, e)
            raise

    def fetch(self, fields: dict[str, Any], context: dict[str, Any]) -> Iterator[Any]:
        scope = _scope(fields, context)
        try:
            got = self._fetch(scope)
            if _is_rows(got):
                yield got
            elif got is not None:
                yield from got
        except GeneratorExit:
            raise
        except BaseException as e:
            self._failures.note(scope, e)
            raise
