"""Where mentions come from: one file a vendor, one registry line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sentinel.sources.base import Source, SourceConfig, SourceContext
from sentinel.sources.bluesky import BlueskyConfig, BlueskySource
from sentinel.sources.files import FileConfig, FileSource
from sentinel.sources.mqtt import MqttConfig, MqttSource
from sentinel.sources.push import HttpIngestConfig, PushSource

Factory = Callable[[Any, SourceContext], Source]

REGISTRY: dict[str, tuple[type[SourceConfig], Factory]] = {
    "bluesky": (BlueskyConfig, BlueskySource),
    "file": (FileConfig, FileSource),
    "http": (HttpIngestConfig, PushSource),
    "mqtt": (MqttConfig, MqttSource),
}
"""``type`` in the configuration to its keys and to what builds it."""

AnySourceConfig = BlueskyConfig | FileConfig | HttpIngestConfig | MqttConfig
"""The same as a tagged union, for msgspec."""


def build(config: SourceConfig, context: SourceContext) -> Source:
    """The source that a ``[[sources]]`` table describes.

    Raises:
        ConfigError: A setting is wrong in a way that its type does not tell.
    """
    _, factory = REGISTRY[str(config.__struct_config__.tag)]
    return factory(config, context)
