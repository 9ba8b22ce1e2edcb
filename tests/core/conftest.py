"""The command line as the tests of core call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from core import cli


@pytest.fixture
def isocenter(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any, str]]:
    """The command `isocenter`: its exit code, what it prints (as plain values where that is JSON) and its errors."""

    def run(*args: object) -> tuple[int, Any, str]:
        code = cli.main([*map(str, args)])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out.startswith("{") else out, err

    return run
