"""Starts the plan's processes, keeps them running, replaces them one by one, ends them in order."""

import asyncio
import signal

import structlog

from deploy.processes.plan import Plan
from deploy.processes.post import Post

log = structlog.get_logger()

GATEWAY_FIRST_SECONDS = 1.0
"""How long the others go on when the gateway was told to stop: it has requests to them in hand."""


class Supervisor:
    """One system of several processes on this machine."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._posts = {
            name: [
                Post(
                    plan.doors[name],
                    plan.environment,
                    plan.logs / (f"{name}.log" if number == 1 else f"{name}-{number}.log"),
                )
                for number in range(1, count + 1)
            ]
            for name, count in plan.replicas.items()
        }

    async def run(self) -> bool:
        """Run until SIGTERM or SIGINT; return whether every process ended in order.

        SIGHUP replaces every process, one after the other. Raises `CannotStart` with the words of
        the process that does not get ready, after ending the others.
        """
        stopping, replacing = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
        loop.add_signal_handler(signal.SIGHUP, replacing.set)
        running = asyncio.create_task(self._run(replacing))
        told = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            running.cancel()
            outcome = await asyncio.gather(running, return_exceptions=True)
            in_order = await self._end()
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return in_order

    async def _run(self, replacing: asyncio.Event) -> None:
        await self._begin()
        async with asyncio.TaskGroup() as tasks:
            for posts in self._posts.values():
                for post in posts:
                    tasks.create_task(post.keep(posts))
            while True:
                await replacing.wait()
                replacing.clear()
                await self._replace_all()

    async def _begin(self) -> None:
        starts = [asyncio.create_task(post.begin()) for post in self._all()]
        try:
            for start in asyncio.as_completed(starts):
                await start
        finally:
            for task in starts:
                task.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
        gateway = self._plan.doors["gateway"].url
        log.info(
            "ready",
            address=gateway,
            docs=f"{gateway}/docs",
            logs=str(self._plan.logs),
            pids={name: [post.pid for post in posts] for name, posts in self._posts.items()},
        )

    async def _replace_all(self) -> None:
        log.info("replacing_all")
        for post in self._all():
            if not await post.replace():
                log.error("replacing_stopped", service=post.service)
                return
        log.info("replaced_all")

    async def _end(self) -> bool:
        log.info("stopping")
        gateway = [asyncio.create_task(post.end()) for post in self._posts["gateway"]]
        await asyncio.wait(gateway, timeout=GATEWAY_FIRST_SECONDS)
        others = [post.end() for post in self._all() if post.service != "gateway"]
        ended = await asyncio.gather(*gateway, *others)
        log.info("stopped", in_order=all(ended))
        return all(ended)

    def _all(self) -> list[Post]:
        return [post for posts in self._posts.values() for post in posts]
