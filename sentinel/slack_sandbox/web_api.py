"""The Web API's methods over the sandbox's workspace: arguments in, Slack's answer out. No network here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sentinel.slack_sandbox.block_kit import TOTAL_TEXT, VIEW_BLOCKS, problems, total_text
from sentinel.slack_sandbox.workspace import (
    APP_ID,
    BOT_ID,
    BOT_USER_ID,
    TEAM_ID,
    Channel,
    Json,
    Message,
    Workspace,
    micros,
    page_of,
)

TRIGGER_SECONDS = 3.0
VIEW_METADATA = 3000


class ApiError(Exception):
    """An answer with ``ok: false``.

    Attributes:
        code: Slack's error code.
        extra: Further fields of the answer.
    """

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code, self.extra = code, extra

    def to_slack(self) -> Json:
        """The JSON body."""
        return {"ok": False, "error": self.code, **self.extra}


class WebApi:
    """Slack's methods by name.

    Args:
        workspace: What they work on.
        charts: Whether ``data_visualization`` blocks are known.
        monotonic: Seconds, for the life of a trigger id.
        changed: Called after every change that the page should show.
        open_socket: Gives the address of a new Socket Mode connection.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        charts: bool,
        monotonic: Callable[[], float],
        changed: Callable[[], None],
        open_socket: Callable[[], str],
    ) -> None:
        self.workspace, self.charts = workspace, charts
        self.views: list[tuple[str, Json]] = []
        self._named = 0
        self._triggers: dict[str, tuple[str, float]] = {}
        self._monotonic, self._changed, self._open_socket = monotonic, changed, open_socket
        self._methods: dict[str, Callable[[Json], Json]] = {
            "api.test": lambda args: {"args": args},
            "auth.test": self._auth_test,
            "apps.connections.open": lambda _args: {"url": self._open_socket()},
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.list": self._list,
            "conversations.replies": self._replies,
            "reactions.add": self._react,
            "users.info": self._user,
            "views.open": self._open_view,
            "views.update": self._update_view,
        }

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods it knows."""
        return tuple(self._methods)

    def new_trigger(self, user_id: str) -> str:
        """A trigger id for an interaction: good once, for three seconds."""
        trigger = f"{len(self._triggers) + 1}.0.sandbox"
        self._triggers[trigger] = (user_id, self._monotonic())
        return trigger

    def call(self, method: str, args: Json) -> Json:
        """Do what the method does.

        Raises:
            ApiError: What Slack answers with ``ok: false``.
        """
        handler = self._methods.get(method)
        if handler is None:
            raise ApiError("unknown_method", req_method=method)
        return {"ok": True, **handler(args)}

    def post_ephemeral(self, channel: str, user: str, args: Json) -> Message:
        """Show something to one person only."""
        text, blocks = self._content(args)
        return self._store(
            Message(
                channel, self.workspace.next_ts(), text, blocks, metadata={}, ephemeral_for=user
            )
        )

    def _store(self, message: Message) -> Message:
        self.workspace.messages.append(message)
        self._changed()
        return message

    def _channel(self, args: Json, *, by_name: bool = True) -> Channel:
        channel = self.workspace.channel(str(args.get("channel", "")), by_name=by_name)
        if channel is None:
            raise ApiError("channel_not_found")
        return channel

    def _content(self, args: Json) -> tuple[str, list[Json]]:
        text, blocks = str(args.get("text") or ""), _decoded(args.get("blocks")) or []
        if not text and not blocks:
            raise ApiError("no_text")
        self._check(blocks)
        for block in blocks:  # Slack names the blocks that came without a name
            self._named += 1
            block.setdefault("block_id", f"sb{self._named}")
        return text, blocks

    def _check(self, blocks: Any, limit: int = 50) -> None:
        found = problems(blocks, charts=self.charts, limit=limit)
        if found:
            messages = [f"[ERROR] {problem}" for problem in found]
            raise ApiError("invalid_blocks", errors=found, response_metadata={"messages": messages})
        if total_text(blocks) > TOTAL_TEXT:
            raise ApiError("msg_blocks_too_long")

    def _post(self, args: Json) -> Json:
        channel = self._channel(args)
        text, blocks = self._content(args)
        thread = str(args.get("thread_ts") or "")
        if thread and self.workspace.find(channel.id, thread) is None:
            raise ApiError("cannot_reply_to_message")
        broadcast = bool(thread) and _truth(args.get("reply_broadcast"))
        message = self._store(
            Message(
                channel.id,
                self.workspace.next_ts(),
                text,
                blocks,
                metadata=_metadata(args),
                thread_ts=thread,
                broadcast=broadcast,
            )
        )
        return {"channel": channel.id, "ts": message.ts, "message": message.to_slack()}

    def _post_ephemeral(self, args: Json) -> Json:
        channel = self._channel(args)
        if self.workspace.user(str(args.get("user"))) is None:
            raise ApiError("user_not_in_channel")
        return {"message_ts": self.post_ephemeral(channel.id, str(args["user"]), args).ts}

    def _update(self, args: Json) -> Json:
        channel = self._channel(args, by_name=False)
        message = self.workspace.find(channel.id, str(args.get("ts")))
        if message is None:
            raise ApiError("message_not_found")
        text, blocks = self._content(args)
        if len(text) > 4000:
            raise ApiError("msg_too_long")
        message.text, message.blocks = text, blocks
        if "metadata" in args:
            message.metadata = _metadata(args)
        message.edits += 1
        message.edited_ts = self.workspace.next_ts()
        self._changed()
        return {
            "channel": channel.id,
            "ts": message.ts,
            "text": text,
            "message": message.to_slack(),
        }

    def _history(self, args: Json) -> Json:
        channel = self._channel(args, by_name=False)
        return self._listing(list(reversed(self.workspace.visible(channel.id))), args)

    def _replies(self, args: Json) -> Json:
        channel = self._channel(args, by_name=False)
        thread = self.workspace.thread(channel.id, str(args.get("ts")))
        if not thread:
            raise ApiError("thread_not_found")
        root, replies = thread[:1], thread[1:]
        answer = self._listing(replies, args)
        answer["messages"] = [m.to_slack(metadata=_with_metadata(args)) for m in root] + answer[
            "messages"
        ]
        return answer

    def _listing(self, messages: list[Message], args: Json) -> Json:
        oldest = micros(str(args.get("oldest") or "0"))
        latest = micros(str(args.get("latest") or "")) or None
        inclusive = _truth(args.get("inclusive"))

        def within(message: Message) -> bool:
            at = micros(message.ts)
            above = at >= oldest if inclusive else at > oldest
            return above and (latest is None or (at <= latest if inclusive else at < latest))

        try:
            page, cursor = page_of([m for m in messages if within(m)], args)
        except ValueError as error:
            raise ApiError("invalid_cursor") from error
        answer: Json = {
            "messages": [m.to_slack(metadata=_with_metadata(args)) for m in page],
            "has_more": bool(cursor),
        }
        if cursor:
            answer["response_metadata"] = {"next_cursor": cursor}
        return answer

    def _list(self, args: Json) -> Json:
        channels = list(self.workspace.channels.values())
        limit, start = int(args.get("limit") or 100), int(args.get("cursor") or 0)
        end = start + limit
        return {
            "channels": [
                {"id": c.id, "name": c.name, "is_channel": True, "is_archived": False}
                for c in channels[start:end]
            ],
            "response_metadata": {"next_cursor": str(end) if end < len(channels) else ""},
        }

    def _react(self, args: Json) -> Json:
        channel = self._channel(args, by_name=False)
        if self.workspace.find(channel.id, str(args.get("timestamp"))) is None:
            raise ApiError("message_not_found")
        return {}

    def _user(self, args: Json) -> Json:
        user = self.workspace.user(str(args.get("user")))
        if user is None:
            raise ApiError("user_not_found")
        profile = {"display_name": user.name, "real_name": user.name}
        return {"user": {"id": user.id, "name": user.name, "profile": profile}}

    def _open_view(self, args: Json) -> Json:
        trigger = str(args.get("trigger_id") or "")
        if trigger not in self._triggers:
            raise ApiError("invalid_trigger_id")
        user, issued = self._triggers[trigger]
        if issued < 0:
            raise ApiError("exchanged_trigger_id")
        if self._monotonic() - issued > TRIGGER_SECONDS:
            raise ApiError("expired_trigger_id")
        view = self._modal(args)
        self._triggers[trigger] = (user, -1.0)
        self.views.append((user, view))
        self._changed()
        return {"view": {"id": f"V0{len(self.views)}", **view}}

    def _modal(self, args: Json) -> Json:
        view = _decoded(args.get("view"))
        if not isinstance(view, dict) or view.get("type") != "modal":
            raise ApiError("invalid_arguments")
        title = view.get("title", {}).get("text", "")
        if not 0 < len(title) <= 24 or len(str(view.get("private_metadata", ""))) > VIEW_METADATA:
            raise ApiError("invalid_arguments")
        self._check(view.get("blocks"), VIEW_BLOCKS)
        return view

    def _update_view(self, args: Json) -> Json:
        number = str(args.get("view_id") or "").removeprefix("V0")
        if not number.isdigit() or not 0 < int(number) <= len(self.views):
            raise ApiError("not_found")
        user, _ = self.views[int(number) - 1]
        view = self._modal(args)
        self.views[int(number) - 1] = (user, view)
        self._changed()
        return {"view": {"id": f"V0{number}", **view}}

    def _auth_test(self, _args: Json) -> Json:
        return {
            "url": "http://sandbox.invalid/",
            "team": "Sandbox",
            "user": "sentinel",
            "team_id": TEAM_ID,
            "user_id": BOT_USER_ID,
            "bot_id": BOT_ID,
            "app_id": APP_ID,
            "is_enterprise_install": False,
        }


def _decoded(value: Any) -> Any:
    """A nested argument: JSON text when it came in a query or form, as it is when it came in JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ApiError("invalid_blocks_format") from error


def _truth(value: Any) -> bool:
    return value in (True, 1, "1", "true", "True")


def _with_metadata(args: Json) -> bool:
    return _truth(args.get("include_all_metadata"))


def _metadata(args: Json) -> Json:
    metadata = _decoded(args.get("metadata")) or {}
    if metadata and (
        not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}
    ):
        raise ApiError("invalid_metadata_format")
    return dict(metadata)
