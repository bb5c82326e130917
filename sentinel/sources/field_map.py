"""The field map: how another party's shape becomes the canonical mention, by configuration alone.

What lives here: the target names, path look-up and overlay. What does not: the meaning of the
fields (``canonical``).
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinel.errors import ConfigError

TARGETS: frozenset[str] = frozenset(
    {
        "id",
        "source",
        "channel",
        "published_at",
        "text",
        "language",
        "url",
        "reply_to",
        "repost_of",
        "brand",
        "op",
        "mentions_of",
        "author.id",
        "author.handle",
        "author.name",
        "author.followers",
        "author.created_at",
        "engagement.likes",
        "engagement.reposts",
        "engagement.replies",
        "engagement.views",
    }
)
"""Fields of the canonical mention that a map may fill."""

Path = tuple[str, ...]


def lookup(item: object, path: Path) -> object:
    """Walk ``path`` through objects and lists; None when it leads nowhere.

    >>> lookup({"author": {"ids": [7, 8]}}, ("author", "ids", "1"))
    8
    >>> lookup({"author": None}, ("author", "id")) is None
    True
    """
    for step in path:
        if isinstance(item, dict):
            item = item.get(step)
        elif isinstance(item, list) and step.isdecimal() and int(step) < len(item):
            item = item[int(step)]
        else:
            return None
    return item


class FieldMap:
    """A checked map of target field to source path.

    A path is dotted (``author.id``, ``data.posts.0.text``); a key that itself contains the dots wins,
    so that a CSV column ``author.id`` is found too. ``=word`` is the constant ``word``. Several paths
    joined with ``+`` (``title+body``) give their texts on separate lines.

    A mapped target never falls back to the canonical spelling: where its path leads nowhere it is absent.

    >>> FieldMap({"text": "data.body", "channel": "=forum"}).overlay({"data": {"body": "hi"}}, {})
    {'channel': 'forum', 'text': 'hi'}

    Raises:
        ConfigError: A target is not a field of a mention, or a path is empty.
    """

    def __init__(self, mapping: Mapping[str, str] | None = None, *, key: str = "field_map") -> None:
        self._constants: list[tuple[str, str]] = []
        self._paths: list[tuple[str, tuple[tuple[str, Path], ...]]] = []
        for target, spelled in (mapping or {}).items():
            place = f"{key}.{target}"
            if target not in TARGETS:
                known = ", ".join(sorted(TARGETS))
                raise ConfigError(f"not a field of a mention; known are {known}", key=place)
            if spelled.startswith("="):
                self._constants.append((target, spelled[1:]))
                continue
            parts = [part.strip() for part in spelled.split("+")]
            if not all(parts):
                raise ConfigError("the path is empty", key=place)
            paths = tuple((part, tuple(part.split("."))) for part in parts)
            self._paths.append((target, paths))

    def __bool__(self) -> bool:
        """Whether it maps anything."""
        return bool(self._constants or self._paths)

    def overlay(self, whole: object, base: dict[str, object]) -> dict[str, object]:
        """Return ``base`` with the mapped fields taken from ``whole``."""
        result = dict(base)
        for target, constant in self._constants:
            _put(result, target, constant)
        for target, paths in self._paths:
            found = [_find(whole, spelled, path) for spelled, path in paths]
            if len(found) == 1:
                _put(result, target, found[0])
            else:
                texts = [value for value in found if isinstance(value, str) and value]
                _put(result, target, "\n".join(texts) if texts else None)
        return result


def _find(whole: object, spelled: str, path: Path) -> object:
    if isinstance(whole, dict) and spelled in whole:
        return whole[spelled]
    return lookup(whole, path)


def _put(result: dict[str, object], target: str, value: object) -> None:
    outer, dot, inner = target.partition(".")
    if not dot:
        result[target] = value
        return
    nested = result.get(outer)
    group = dict(nested) if isinstance(nested, dict) else {}
    group[inner] = value
    result[outer] = group
