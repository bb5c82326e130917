import io
from pathlib import Path

import msgspec
import pytest

from sentinel.errors import NotifyError
from sentinel.model import Direction, Effect, EffectKind, Phase
from sentinel.notify.base import Notice, Notifier
from sentinel.notify.console import ConsoleConfig, ConsoleNotifier
from tests.notify.aurora import (
    INCIDENT,
    PLAYBOOK,
    SUNDAY_2240,
    Context,
    change,
    effect,
    quote,
    said,
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Told:
    """A console notifier and what it has printed."""

    def __init__(
        self,
        config: ConsoleConfig | None = None,
        *,
        language: str = "it",
        stream: io.StringIO | None = None,
    ) -> None:
        self.stream = stream if stream is not None else io.StringIO()
        self.notifier = ConsoleNotifier(
            config or ConsoleConfig(), Context(language), stream=self.stream
        )

    async def tell(self, *effects: Effect) -> str:
        for each in effects:
            await self.notifier.deliver(Notice(key=f"{each.id}@console", effect=each))
        return self.stream.getvalue()


def flat(text: str) -> str:
    """Without the line breaks that the width of a page makes."""
    return " ".join(text.split())


@pytest.mark.parametrize("language", ["it", "en"])
async def test_an_alert_is_printed_with_everything_a_person_needs(language: str) -> None:
    text = flat(await Told(language=language).tell(effect()))
    message = said(language=language)
    for fact in (
        message.header,
        message.sentence,
        message.trend,
        message.who,
        message.quotes[0].text,
        message.playbook_line,
        *(row.title for row in message.checklist),
        message.status_line,
        message.stand_down,
        f"http://127.0.0.1:8080/incidents/{INCIDENT.id}",
    ):
        assert fact in text


async def test_the_language_is_the_brands_and_the_default_for_operations() -> None:
    told = Told(language="it")
    silent = Effect("s", EffectKind.SOURCE_SILENT, SUNDAY_2240, sources=("jetstream",))
    text = await told.tell(effect(), silent)
    assert "Allerta crisi" in text
    assert "Source silent: jetstream" in text


async def test_mark_up_in_a_post_is_shown_and_not_obeyed() -> None:
    hostile = "[red]sconto[/] [link=#]qui[/link] :boom: \x1b[2J"
    incident = change(INCIDENT, quotes=(quote(1, hostile),))
    told = Told(stream=Terminal())
    text = await told.tell(effect(incident=incident))
    assert "[red]sconto[/] [link=#]qui[/link] :boom: [2J" in text
    assert "\x1b[2J" not in text


async def test_a_pipe_gets_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    text = await Told().tell(effect(), effect(EffectKind.UPDATED))
    assert "\x1b" not in text
    assert all(len(line) <= 100 for line in text.splitlines())


async def test_no_color_is_honoured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    red = "\x1b[1;31m"
    assert red in await Told(stream=Terminal()).tell(effect())
    monkeypatch.setenv("NO_COLOR", "1")
    assert red not in await Told(stream=Terminal()).tell(effect())


async def test_new_figures_take_one_short_line() -> None:
    text = await Told().tell(effect(EffectKind.UPDATED))
    assert len(text.splitlines()) == 1
    assert len(text.rstrip()) <= 100
    assert text.startswith("22:40 Pastificio Aurora: Raddoppia ogni 17 minuti")


async def test_new_figures_can_be_switched_off() -> None:
    notifier = Told(ConsoleConfig(updates=False)).notifier
    assert not notifier.wants(effect(EffectKind.UPDATED))
    assert notifier.wants(effect(EffectKind.OPENED))
    assert Told().notifier.wants(effect(EffectKind.UPDATED))


async def test_a_change_of_state_is_a_line_with_its_time_and_brand() -> None:
    taken = change(INCIDENT, acknowledged_by="Anna", acknowledged_at=SUNDAY_2240 + 60)
    text = await Told().tell(
        effect(EffectKind.ACKNOWLEDGED, incident=taken, at=SUNDAY_2240 + 60, actor="Anna")
    )
    assert text == "22:41 Pastificio Aurora: Anna l'ha presa in carico alle 22:41.\n"


@pytest.mark.parametrize(
    "kind",
    [
        EffectKind.ESCALATED,
        EffectKind.RETURNED,
        EffectKind.DECAYING,
        EffectKind.RESOLVED,
        EffectKind.FALSE_ALARM,
        EffectKind.SNOOZED,
        EffectKind.HANDED_UP,
        EffectKind.PLAYBOOK_CHANGED,
        EffectKind.NEW_NORMAL,
    ],
)
async def test_every_change_of_state_says_what_the_thread_says(kind: EffectKind) -> None:
    told = effect(kind, incident=change(INCIDENT, phase=Phase.PEAK), actor="Anna")
    assert said(told).thread_reply in flat(await Told().tell(told))


async def test_a_drill_is_marked_in_the_alert_and_on_every_line() -> None:
    drill = change(INCIDENT, drill=True)
    opened = await Told().tell(effect(incident=drill))
    assert "ESERCITAZIONE: è una prova" in opened
    line = await Told().tell(effect(EffectKind.UPDATED, incident=drill))
    assert "22:40 [ESERCITAZIONE] Pastificio Aurora" in line


async def test_a_notice_that_comes_twice_is_printed_once() -> None:
    told = Told()
    once = await told.tell(effect())
    assert once == await told.tell(effect())


async def test_the_plan_can_be_left_out() -> None:
    text = await Told(ConsoleConfig(checklist=False)).tell(effect())
    assert PLAYBOOK.steps[0].title.it not in text
    assert PLAYBOOK.title.it in text


async def test_an_opportunity_is_printed_as_one() -> None:
    praise = change(INCIDENT, direction=Direction.OPPORTUNITY, kind="opportunity")
    assert "🟢 Opportunità (grande)" in await Told().tell(effect(incident=praise))


async def test_a_pipe_that_nobody_reads_is_a_failure_that_may_pass(tmp_path: Path) -> None:
    with (tmp_path / "read-only").open("w", encoding="utf-8") as made:
        made.write("")
    with (tmp_path / "read-only").open(encoding="utf-8") as stream:
        notifier = ConsoleNotifier(ConsoleConfig(), Context(), stream=stream)
        with pytest.raises(NotifyError) as failed:
            await notifier.deliver(Notice("k", effect()))
    assert (failed.value.reason, failed.value.permanent) == ("unreachable", False)


async def test_what_failed_is_printed_at_the_next_attempt() -> None:
    closed = io.StringIO()
    notifier = ConsoleNotifier(ConsoleConfig(), Context(), stream=closed)
    closed.close()
    with pytest.raises(NotifyError):
        await notifier.deliver(Notice("k", effect()))
    with pytest.raises(NotifyError):
        await notifier.deliver(Notice("k", effect(), attempt=2))


def test_storylines_and_operations_have_their_own_lanes() -> None:
    notifier: Notifier = Told().notifier
    silent = Effect("s", EffectKind.SOURCE_SILENT, SUNDAY_2240, sources=("mqtt",))
    assert [notifier.lane(each) for each in (effect(), silent)] == ["aurora-1", "operations"]


def test_settings_are_strict_and_tagged() -> None:
    decode = msgspec.convert
    assert ConsoleConfig(name="term") == decode({"type": "console", "name": "term"}, ConsoleConfig)
    with pytest.raises(msgspec.ValidationError, match="colour"):
        decode({"type": "console", "colour": True}, ConsoleConfig)
