"""A connection: hot requests need no task, and where their head came before, not even the parser."""

from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from rest_api.cycle import WHOLE, Cycle, Run, Whole
from rest_api.heads import SAME, Head, Heads
from rest_api.limited import Limited


class Protocol(Limited):
    """What the server makes of each connection."""

    heads: ClassVar = Heads()
    """Of all connections: many clients send the same."""

    _hot: tuple[Cycle, Any] | None = None

    def data_received(self, data: bytes) -> None:
        """Called by the event loop with what has come."""
        begins = not self._begun and self._idle
        if begins and (found := self.heads.find(data)):
            self._again(*found)
            return
        super().data_received(data)
        if self._hot:
            cycle, front = self._hot
            scope: dict[str, Any] = {**cycle.scope}  # as the parser left it: the app adds to it
            again = begins and not self._begun and cycle.keep_alive and not cycle.waiting_for_100_continue
            self._run()
            if again:
                self.heads.learn(data, scope, front)

    def _again(self, head: Head, body: bytes) -> None:
        """Runs a request whose head is known."""
        own = {"client": self.client, "server": self.server, "scheme": self.scheme, "state": self.app_state.copy()}
        self.scope = {**head.scope, **own}  # type: ignore[typeddict-item]
        self.cycle = Whole(self, body)
        Run(self.cycle.run_asgi(head.front), self.tasks)

    def on_response_complete(self) -> None:
        """Called when an answer is written: the next request of a pipeline may begin."""
        waits = bool(self.pipeline)
        super().on_response_complete()
        if waits:
            self.loop.call_soon(self._run)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Called for a request once its head is there. A hot one is run when all that has come is read."""
        hot = getattr(self.config.app, "hot", None)  # another app around ours may need tasks
        if hot and (front := hot(cycle.scope)):
            cycle.__class__ = Cycle  # uvicorn makes its own
            cycle.scope["extensions"] = {WHOLE: {}, SAME: {}}
            self._hot = cycle, front  # type: ignore[assignment]
        else:
            super()._start_asgi_task(cycle, app)

    def _run(self) -> None:
        # In a loop, because an answer that is ready at once starts the next request of a pipeline.
        while hot := self._hot:
            self._hot = None
            Run(hot[0].run_asgi(hot[1]), self.tasks)
