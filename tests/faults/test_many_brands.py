"""Ten thousand brands: the service starts in a time that people wait for, and finds the one that is meant."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp
import pytest

from tests.faults.rig import T0, Service, config_text, post, send

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NUMBER = 10_000
LIMIT_SECONDS = 60.0
"""Measured at about a tenth of it on an idle machine."""


async def test_ten_thousand_brands_start_soon_and_the_right_one_is_found(tmp_path: Path) -> None:
    brands = "\n".join(
        f'[[brands]]\nid = "brand-{n}"\nname = "Bottega Numero {n}"\n'
        f'terms = ["Bottega Numero {n}", "bottega{n:05}"]\n'
        for n in range(NUMBER)
    )
    service = Service(tmp_path, config_text(brands=brands), T0 + 60)
    began = time.monotonic()
    async with service, aiohttp.ClientSession() as session:
        took = time.monotonic() - began
        texts = [
            "Alla Bottega Numero 7777 torno volentieri",
            "#Bottega00042 e #bottega09999",
            "Niente",
        ]
        status, answer = await send(
            session, service.address, [post(n, T0 + n, text) for n, text in enumerate(texts)]
        )
        assert (status, answer["accepted"], answer["unmatched"]) == (200, 2, 1)
        found = service.rows("SELECT brand FROM mention_brands ORDER BY brand")
        assert found == [("brand-42",), ("brand-7777",), ("brand-9999",)]
        assert (await service.get("/"))[0] == 200
        assert await service.terminate() == 0
    assert took < LIMIT_SECONDS
    assert service.logged("started")[0]["brands"] == NUMBER
    assert "Traceback" not in service.stderr
