"""Feed: a provider on your own machine, to try and test sources without one."""

from __future__ import annotations

import os

from lochan import _lochan
from lochan.reports import FeedStats

__all__ = ["Feed"]


class Feed:
    """Serves CSV files (plain or .gz) on 127.0.0.1 as a data provider would, until `stop` or the end of a `with` block.

    path: a file, or a folder of them. port: 0 for any free one. date_column: None for the first column with dates.
    latency_ms: before each answer. page_cap: rows a page at most. rate_per_second: above it, status 429. faults: what shall
    go wrong, such as "http500:0.1,cut:0.1"; seed: another number, other requests that fail. replay: path is a folder of
    answers that an update recorded (record=). tls_certificate, tls_key: files (PEM) with which to serve https; a source
    trusts the certificate by `ca_file`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        port: int = 0,
        *,
        date_column: str | None = None,
        latency_ms: int = 0,
        page_cap: int = 0,
        rate_per_second: int = 0,
        faults: str | None = None,
        seed: int = 0,
        replay: bool = False,
        tls_certificate: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
    ) -> None:
        self._path = os.fspath(path)
        self._scheme = "http" if tls_certificate is None else "https"
        self._feed = _lochan.Feed(path, port=port, date_column=date_column, latency_ms=latency_ms, page_cap=page_cap,
                                  rate_per_second=rate_per_second, faults=faults, fault_seed=seed, replay=replay,
                                  tls_certificate=None if tls_certificate is None else os.fspath(tls_certificate),
                                  tls_key=None if tls_key is None else os.fspath(tls_key))

    @property
    def port(self) -> int:
        return self._feed.port

    @property
    def url(self) -> str:
        """For `lake.sources.configure(name, url=feed.url)`."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def stats(self) -> FeedStats:
        return FeedStats(*self._feed.stats)

    def stop(self) -> None:
        self._feed.stop()

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"at {self.url}" if self._feed.running else "stopped"
        return f"<lochan.Feed: {self._path} {state}, {self.stats.requests:,} requests>"
