"""YAML of strangers: plain values, and nothing that surprises."""

from __future__ import annotations

from typing import Any

import yaml


def read_yaml(text: str) -> Any:
    """Parse YAML safely: plain values only, no aliases, and no key twice.

    With aliases a small file can unfold into a huge one; a second key would take the first one's place unseen.
    Raises yaml.YAMLError, and RecursionError for what is nested too deep.
    """
    return yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader subclass


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.YAMLError(f"line {key.start_mark.line + 1} gives {key.value} a second time")
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)
