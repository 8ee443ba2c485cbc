"""The answering side of Converse: each question a task of its own, answers sent as they gather."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import structlog

from snowcave.model.errors import DeadlinePassed, Kind, RemoteError, SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb

log = structlog.get_logger()

Execute = Callable[[pb.ExecuteRequest], Awaitable[pb.ExecuteReply]]
Keep = Callable[[pb.KeepResultRequest], Awaitable[pb.KeepResultReply]]
# Answers in one message; each may hold a megabyte of rows.
_MOST = 16


class Conversation:
    def __init__(self, execute: Execute, keep: Keep) -> None:
        self._execute = execute
        self._keep = keep
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._answers: list[pb.Answer] = []
        self._news = asyncio.Event()
        self._over = False

    async def run(self, questions: AsyncIterator[pb.Questions]) -> AsyncGenerator[pb.Answers]:
        """Until the asker has said all and heard all, or is gone: then what still runs is cancelled."""
        hearing = asyncio.ensure_future(self._hear(questions))
        try:
            while self._tasks or self._answers or not self._over:
                await self._news.wait()
                self._news.clear()
                while self._answers:
                    told, self._answers = self._answers[:_MOST], self._answers[_MOST:]
                    yield pb.Answers(answers=told)
        finally:
            running = [hearing, *self._tasks.values()]
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    async def _hear(self, questions: AsyncIterator[pb.Questions]) -> None:
        try:
            async for heard in questions:
                for question in heard.questions:
                    self._take(question)
        finally:
            self._over = True
            self._news.set()

    def _take(self, question: pb.Question) -> None:
        number = question.number
        if question.WhichOneof("asked") == "dropped":
            if task := self._tasks.get(number):
                task.cancel()
            return
        task = asyncio.ensure_future(self._answer(question))
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._ended(number))

    def _ended(self, number: int) -> None:
        self._tasks.pop(number, None)
        self._news.set()

    async def _answer(self, question: pb.Question) -> None:
        answer = pb.Answer(number=question.number)
        try:
            match question.WhichOneof("asked"):
                case "execute":
                    answer.executed.CopyFrom(await self._execute(question.execute))
                case "keep":
                    answer.kept.CopyFrom(await self._keep(question.keep))
                case _:
                    raise RemoteError(Kind.INVALID, 1008, "22023", "The question asks nothing.")
        except SnowcaveError as error:
            answer.refused.CopyFrom(_refusal(error))
        except TimeoutError:
            answer.refused.CopyFrom(_refusal(DeadlinePassed("The call took too long.")))
        except Exception:
            log.exception("question_not_answered")
            broken = RemoteError(Kind.INTERNAL, 370001, "XX000", "The warehouse failed.")
            answer.refused.CopyFrom(_refusal(broken))
        self._answers.append(answer)


def _refusal(error: SnowcaveError) -> pb.Refusal:
    return pb.Refusal(
        kind=error.kind.name, code=error.code, sqlstate=error.sqlstate, message=error.message
    )
