"""The waiting list for database sessions: the bot's own work comes before answers to people."""

from __future__ import annotations

import asyncio

from services.clients.postgres.waiting_list import WaitingList, behind, reading_facts


async def ask(turns: WaitingList, name: str, got: list[str]) -> None:
    with behind():
        await turns.acquire()
    got.append(name)


async def read(turns: WaitingList, name: str, got: list[str]) -> None:
    with reading_facts():
        await turns.acquire()
    got.append(name)


async def act(turns: WaitingList, name: str, got: list[str]) -> None:
    await turns.acquire()
    got.append(name)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_questions_never_take_the_last_session() -> None:
    turns, got = WaitingList(2), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(turns, "question", got))
        second = group.create_task(ask(turns, "another question", got))
        await settle()
        group.create_task(act(turns, "page", got))
        await settle()
        second.cancel()

    assert got == ["question", "page"]


async def test_facts_never_take_the_last_session_and_questions_leave_them_one() -> None:
    turns, got = WaitingList(4), list[str]()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(ask(turns, f"question {number}", got)) for number in (1, 2, 3)]
        await settle()
        waiting += [group.create_task(read(turns, f"facts {number}", got)) for number in (1, 2)]
        await settle()
        assert got == ["question 1", "question 2", "facts 1"]
        group.create_task(act(turns, "page", got))
        await settle()
        for task in waiting:
            task.cancel()

    assert got == ["question 1", "question 2", "facts 1", "page"]


async def test_facts_go_before_questions_that_have_waited_longer() -> None:
    turns, got = WaitingList(1), list[str]()
    await turns.acquire()
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(turns, "question", got))
        await settle()
        group.create_task(read(turns, "facts", got))
        await settle()
        for _ in range(2):
            turns.release()
            await settle()

    assert got == ["facts", "question"]


async def test_a_read_of_the_leader_goes_before_waiting_commands() -> None:
    turns, got = WaitingList(3), list[str]()
    with behind():
        tasks = [asyncio.create_task(read(turns, str(number), got)) for number in range(2)]
    await settle()

    await read(turns, "facts of the leader", got)

    assert got == ["0", "facts of the leader"]
    tasks[1].cancel()


async def test_pool_serves_an_act_before_older_reads() -> None:
    turns, got = WaitingList(1), list[str]()
    await turns.acquire()
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(turns, "question", got))
        await settle()
        group.create_task(act(turns, "page", got))
        await settle()
        for _ in range(2):
            turns.release()
            await settle()

    assert got == ["page", "question"]


async def test_a_pool_of_one_session_answers_questions_too() -> None:
    turns, got = WaitingList(1), list[str]()

    await ask(turns, "question", got)

    assert got == ["question"]


async def test_a_canceled_request_keeps_no_session() -> None:
    turns, got = WaitingList(1), list[str]()
    await turns.acquire()
    waiting = asyncio.create_task(act(turns, "gave up", got))
    given = asyncio.create_task(act(turns, "given and cancelled", got))
    await settle()
    waiting.cancel()
    turns.release()  # given to the second waiter, which is cancelled before it runs
    given.cancel()
    await settle()

    await asyncio.wait_for(turns.acquire(), 60)

    assert got == []


async def test_tasks_begun_by_a_question_are_behind_too() -> None:
    turns, got = WaitingList(2), list[str]()
    with behind():
        tasks = [asyncio.create_task(act(turns, str(number), got)) for number in range(2)]
    await settle()

    await act(turns, "page", got)

    assert got == ["0", "page"]
    tasks[1].cancel()
