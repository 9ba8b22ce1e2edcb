"""The same context and model as the tests of predictions."""

from tests.gui.predict.conftest import bare_context, context

__all__ = ["bare_context", "context"]
