"""The same context and hand-written runs as the Train page's tests."""

from tests.gui.train.conftest import context, write_run

__all__ = ["context", "write_run"]
