"""The pace of posts: messages to one channel keep a distance in time, and urgent ones go first."""

from __future__ import annotations

import asyncio

from services.clients.slack import Pace, Urgency


async def test_messages_of_one_channel_keep_their_distance() -> None:
    pace = Pace(every_s=0.1)
    started = asyncio.get_running_loop().time()

    await asyncio.gather(*[pace.wait("C1") for _ in range(3)])

    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_channels_do_not_wait_for_each_other() -> None:
    pace = Pace(every_s=60)

    await asyncio.wait_for(asyncio.gather(*[pace.wait(f"C{number}") for number in range(10)]), 1)


async def test_a_page_goes_before_everything_that_waits_already() -> None:
    pace, passed = Pace(every_s=0.2), list[str]()  # long enough for all four to wait

    async def go(name: str, urgency: Urgency) -> None:
        await pace.wait("C1", urgency)
        passed.append(name)

    await pace.wait("C1")
    await asyncio.gather(
        go("answer 1", Urgency.ANSWER),
        go("answer 2", Urgency.ANSWER),
        go("note", Urgency.NOTE),
        go("page", Urgency.PAGE),
    )

    assert passed == ["page", "note", "answer 1", "answer 2"]


async def test_pace_counts_from_the_answer_because_slack_counts_from_what_arrived() -> None:
    """Two posts sent 1 s apart arrive closer together if the first one was slow."""
    pace, clock = Pace(every_s=1.5), asyncio.get_running_loop().time
    await pace.wait("C1")
    following = asyncio.create_task(pace.wait("C1", Urgency.PAGE))
    await asyncio.sleep(0.2)

    pace.note_answer("C1")
    answered_at = clock()
    await following

    assert clock() - answered_at >= 1.49


async def test_an_answer_waits_until_slack_takes_one_and_what_is_more_urgent_tries() -> None:
    pace, clock = Pace(every_s=0.01), asyncio.get_running_loop().time

    async def passed_after_s(urgency: Urgency) -> float:
        await pace.wait("C1", urgency)
        return clock() - refused_at

    refused_at = clock()
    pace.note_refusal("C1", 1.5)
    page, note, answer = await asyncio.gather(*map(passed_after_s, Urgency))

    assert max(page, note) < 1.4
    assert answer >= 1.49


async def test_a_canceled_wait_uses_no_slot_of_the_pace() -> None:
    pace = Pace(every_s=0.05)
    await pace.wait("C1")
    first = asyncio.create_task(pace.wait("C1", Urgency.PAGE))
    second = asyncio.create_task(pace.wait("C1"))
    await asyncio.sleep(0)

    first.cancel()

    await asyncio.wait_for(second, 30)
    assert first.cancelled()


async def test_only_pages_pass_while_slack_refuses_them() -> None:
    pace = Pace(every_s=0)
    pace.leave_to_pages(asyncio.get_running_loop().time() + 3600)

    answer = asyncio.create_task(pace.wait("C1"))
    await asyncio.wait_for(pace.wait("C1", Urgency.PAGE), 30)
    await asyncio.sleep(0)

    assert not answer.done()
    answer.cancel()


async def test_the_rest_passes_once_its_moment_has_come() -> None:
    pace = Pace(every_s=0)
    until = asyncio.get_running_loop().time() + 0.05
    pace.leave_to_pages(until)

    await asyncio.wait_for(pace.wait("C1"), 30)

    assert asyncio.get_running_loop().time() >= until
