from __future__ import annotations

import asyncio

import pytest

from pepay_core.testing.receiver import Answer, Received, Receiver


@pytest.fixture
async def receiver():
    async with Receiver() as receiver:
        yield receiver


async def exchange(receiver, *requests):
    """Send requests over one connection and return all that came back."""
    port = int(receiver.url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.writelines(requests)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


async def test_a_request_is_written_down_as_it_came(receiver):
    await exchange(receiver, b"PUT /a?b=c HTTP/1.1\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 3\r\n\r\n\x00ab")
    assert receiver.requests == [Received("PUT", "/a?b=c", {"x-one": "1, 2", "content-length": "3"}, b"\x00ab")]


async def test_a_body_may_come_in_chunks(receiver):
    await exchange(receiver, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n")
    assert receiver.requests[0].body == b"abc0123456789"


async def test_one_connection_carries_several_requests(receiver):
    answer = await exchange(receiver, *[b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n%d" % n for n in range(3)])
    assert [request.body for request in receiver.requests] == [b"0", b"1", b"2"]
    assert answer.count(b"HTTP/1.1 200") == 3


async def test_answers_are_given_in_turn_and_the_last_one_from_then_on(receiver):
    receiver.answer(500, Answer(202, b"hm", {"X-A": "b"}), 204)
    answer = await exchange(receiver, b"GET / HTTP/1.1\r\n\r\n" * 4)
    assert answer == (
        b"HTTP/1.1 500 \r\ncontent-length: 0\r\n\r\nHTTP/1.1 202 \r\ncontent-length: 2\r\nX-A: b\r\n\r\nhmHTTP/1.1 204 \r\n\r\nHTTP/1.1 204 \r\n\r\n"
    )


async def test_waiting_ends_as_soon_as_enough_has_arrived(receiver):
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(receiver.wait_for(2))
        await exchange(receiver, b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
    assert [request.path for request in waiting.result()] == ["/1", "/2"]


async def test_waiting_in_vain_says_how_many_came(receiver):
    await exchange(receiver, b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(TimeoutError, match=r"1 of 2 requests arrived within 0\.05 s"):
        await receiver.wait_for(2, timeout=0.05)


@pytest.mark.parametrize(("answer", "beginning"), [(Answer(silent=True), b""), (Answer(trickle=True), b"HTTP/1.1 200 ")])
async def test_it_closes_at_once_while_somebody_still_waits_for_an_answer(answer, beginning):
    async with asyncio.timeout(3):
        async with Receiver() as receiver:
            receiver.answer(answer)
            task = asyncio.ensure_future(exchange(receiver, b"GET / HTTP/1.1\r\n\r\n"))
            await receiver.wait_for(1)
        assert (await task)[: len(beginning) or None] == beginning
