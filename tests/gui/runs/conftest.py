"""The same context and hand-written runs as the Train page's tests."""

from tests.gui.train.conftest import context, tiny_data, tiny_tree, write_run

__all__ = ["context", "tiny_data", "tiny_tree", "write_run"]
