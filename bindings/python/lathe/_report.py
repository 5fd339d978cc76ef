"""How the extension module tells what it is doing: logger "lathe", and bars of tqdm."""
from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

_LOGGER = logging.getLogger("lathe")
_LEVELS = {"failed": logging.WARNING, "note": logging.INFO}


class _Bars:
    """One bar a stage."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._stage = ""
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._bar is None or stage != self._stage:
            self.close()
            self._stage = stage
            self._bar = self._tqdm(total=total, desc=stage)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _nothing(stage: str, done: int, total: int) -> None:
    pass


def open_progress(progress: Any) -> Callable[[str, int, int], None]:
    """None: bars of tqdm where it is installed. False: nothing. True: bars. Else: a function of stage, done, total."""
    if callable(progress):
        return progress  # type: ignore[no-any-return]
    if progress is False:
        return _nothing
    try:
        from tqdm.auto import tqdm
    except ImportError:
        if progress is None:
            return _nothing
        raise
    return _Bars(tqdm)


def close_progress(progress: Any) -> None:
    if isinstance(progress, _Bars):
        progress.close()


def warn(message: str) -> None:
    _LOGGER.warning("%s", message)


def inform(message: str) -> None:
    _LOGGER.info("%s", message)


def remark(kind: str, pass_name: str, node: str, message: str) -> None:
    level = _LEVELS.get(kind, logging.DEBUG)
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(level, "%s: %s: %s%s", pass_name, kind, f"{node}: " if node else "", message)
