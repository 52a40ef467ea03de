"""`lake.sources`: where rows come from."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lochan import _arguments, _lochan
from lochan._arguments import Path
from lochan.reports import SourceAnswer
from lochan.table import Table

if TYPE_CHECKING:
    from lochan._arguments import Date
    from lochan.callback import Scope, Source

__all__ = ["Sources"]


class Failures:
    """What sources written in Python raised, until the update's own exception is raised from it."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake
        self._raised: dict[tuple[str, str], Exception] = {}
        self._stop: BaseException | None = None

    def note(self, scope: Scope, why: BaseException) -> None:
        """The first one of a dataset counts; KeyboardInterrupt and the like before all."""
        if isinstance(why, Exception):
            self._raised.setdefault((scope.request.source, scope.request.dataset), why)
        else:
            self._stop = self._stop or why

    def take(self, source: str, dataset: str) -> Exception | None:
        return self._raised.pop((source, dataset), None)

    def reraise(self) -> None:
        stop, self._stop = self._stop, None
        if stop is not None:
            self._lake.resume()
            raise stop


class Sources:
    """`lake.sources`: where rows come from."""

    def __init__(self, lake: _lochan.Lake, failures: Failures) -> None:
        self._lake = lake
        self._failures = failures

    def add(self, what: Path, replace: bool = False) -> None:
        """Adds a source: the name of a bundled one ("ecb"), the path of a spec (a Path, or a str that ends in .yaml or
        .yml), or a spec as YAML text. replace: change the source of that name."""
        if _arguments.is_path(what) or _arguments.is_yaml(os.fspath(what)):
            self._lake.add("source", *_arguments.read_spec(what), replace)
        elif replace:
            raise _lochan.ArgumentError("replace: for specs of your own, not for bundled ones")
        else:
            self._lake.do("source_add_bundled", os.fspath(what))

    def register(self, source: Source | Callable[[Scope], Any], name: str | None = None) -> None:
        """Rows from your own code, for this `DataLake`, until it is closed.

        source: an object with `name` and `fetch(scope)`, or a function `fetch(scope)` with name=. fetch gets a `Scope` and
        gives, or yields one after the other, anything with an Arrow stream (a frame of Polars or pandas, a table of
        pyarrow, ...), all with the same columns; None for no rows. An exception fails the scope; ConnectionError,
        TimeoutError and errors of lochan's that are `retryable` are tried again first. Nothing of a scope lands unless it
        came to its end.

        The object may also have `plan(scope)`, which gives (start, end) pairs, the windows to fetch of the days that are
        missing; `parallel = True`, if fetch may be called from several threads at a time; and `options`, a dict that the
        spec of the source gets when it is added here. A source that the lake does not have yet is added; its datasets are
        specs like all others. A name that is registered already gets the new functions.
        """
        from lochan.callback import Adapter

        name = name if name is not None else getattr(source, "name", None)
        fetch = getattr(source, "fetch", source)
        if not isinstance(name, str) or not callable(fetch):
            raise TypeError(f"expected an object with name and fetch(scope), or a function with name=, got {source!r}")
        plan = getattr(source, "plan", None)
        adapter = Adapter(fetch, plan, self._failures)
        self._add_kind(name, getattr(source, "options", {}))
        self._lake.source_register(name, adapter.plan if plan is not None else None, adapter.fetch,
                                   bool(getattr(source, "parallel", False)))

    def _add_kind(self, name: str, options: Mapping[str, object]) -> None:
        """The source's few words in the catalog, unless they are there."""
        if any(row["name"] == name for row in self.list().rows()):
            return
        spec: dict[str, Any] = {"name": name, "kind": "callback"}
        if options:
            spec["options"] = {key: _arguments.text(value) for key, value in options.items()}
        self._lake.add("source", json.dumps(spec), f"source '{name}'", False)

    def unregister(self, name: str) -> None:
        """Takes `register` back; the source stays in the lake."""
        self._lake.do("source_unregister", name)

    def configure(self, name: str, overrides: Mapping[str, object] | None = None, /, **fields: object) -> None:
        """Overrides fields of a source in this lake: `configure("ecb", url=..., workers=8)`, and nested ones by a dict:
        `configure("ecb", {"csv.delimiter": ";"})`. None takes an override back. Secrets are references: "env:NAME" or
        "file:PATH". Each field is checked and set by itself, in this order."""
        for key, value in {**(overrides or {}), **fields}.items():
            self._lake.do("source_set", name, key, None if value is None else _arguments.text(value))

    def test(
        self,
        name: str,
        dataset: str | None = None,
        *,
        start: Date | None = None,
        end: Date | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> SourceAnswer:
        """Makes one small request, without retries, and tells what came. Writes nothing.

        dataset: the provider's name of a dataset. start, end: by default the last seven days. parameters: a dataset's own.
        An exception says what an update would say; its `.answer` is what came nevertheless."""
        answer: dict[str, Any] = {}
        try:
            self._lake.source_test(answer, name, dataset, _arguments.date(start), _arguments.date(end), _arguments.pairs(parameters))
        except _lochan.Error as e:
            e.answer = SourceAnswer(**answer) if answer else None
            raise
        return SourceAnswer(**answer)

    @staticmethod
    def draft(sample: str | bytes | os.PathLike[str], name: str = "draft") -> tuple[str, str]:
        """First specs from a sample of an answer (CSV, or JSON as a table or records; its text, or a Path): those of a
        source and of a dataset, as YAML in which a url and a key are to be put in by hand."""
        if isinstance(sample, os.PathLike):
            with open(sample, "rb") as file:
                sample = file.read(_arguments.MAX_SPEC + 1)
        if len(sample) > _arguments.MAX_SPEC:
            raise _lochan.ArgumentError("the sample is larger than 1 MB: a page of a few rows is enough")
        return _lochan.spec_draft(sample, name)

    def get(self, name: str) -> str:
        """A source as YAML, as it is in effect."""
        return self._lake.text("source", name)

    def enable(self, name: str) -> None:
        """Takes `disable` back."""
        self._lake.do("source_set", name, "enabled", "true")

    def disable(self, name: str) -> None:
        """Updates of the source's datasets are refused; those of the whole lake leave them out. What is there stays readable."""
        self._lake.do("source_set", name, "enabled", "false")

    def remove(self, name: str) -> None:
        """Forgets a source and what was configured. `ExistsError` while there are datasets of it."""
        self._lake.do("source_remove", name)

    def list(self) -> Table:
        """name, kind, url, enabled, bundled, datasets."""
        return Table(self._lake.rows("sources"))

    @staticmethod
    def bundled() -> Table:
        """The specs that come with lochan: kind ("source" or "dataset"), name."""
        return Table(_lochan.rows("bundled"))

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()
