"""A process that commits whole units until it is killed: ``python -m tests.store.committing DATABASE``."""

from __future__ import annotations

import asyncio
import sys

from sentinel.store import Store
from sentinel.store.unit import Unit
from tests.store import build

MENTIONS = 20


def unit(seq: int) -> Unit:
    view = build.incident(f"inc-{seq}")
    effect = build.effect(of=view)
    return build.fed(
        seq,
        *(build.sighting(1000 * seq + n, f"parola numero {n}") for n in range(MENTIONS)),
        positions={"bluesky": str(seq)},
        incidents=(view,),
        effects=(effect,),
        outbox=(build.entry(effect),),
        snapshots=(build.snapshot(seq=seq),),
    )


async def main(path: str) -> None:
    store = await Store.open(path)
    seq = await store.last_seq()
    while True:
        seq += 1
        await store.commit(unit(seq))
        sys.stdout.write(f"{seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
