"""Sets up the log: to stdout and, if LOG_FILE is set, to a file that logrotate may move."""

import logging
import sys
from logging.handlers import WatchedFileHandler

from pydantic_core import to_json

from ML.config.config import Settings
from rest_api.telemetry.request_log import now, requests

log = logging.getLogger("fast_ml")

FORMAT = "%(asctime)s %(levelname)s %(message)s"


def set_up(settings: Settings) -> None:
    """Send the log to stdout and to the file. If the file can't be opened, log one warning."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    problem = None
    try:
        # It reopens the file after logrotate has moved it, and appends, so that workers don't overwrite each other.
        handlers += [WatchedFileHandler(settings.log_file)] if settings.log_file else []
    except OSError as error:
        problem = error
    log.handlers, log.propagate = handlers, False
    log.setLevel(settings.log_level.upper())
    for handler in handlers:
        handler.setFormatter(_JsonFormatter() if settings.log_format == "json" else _Formatter(FORMAT))
    if problem:
        log.warning("the log goes to stdout only: %s", problem)


class _JsonFormatter(logging.Formatter):
    """Writes each line as a JSON object, with the traceback in it. Request lines are JSON already."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == requests.name:
            return str(record.msg)
        fields = {"time": now(), "level": record.levelname, "message": record.getMessage()}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return to_json(fields).decode()


class _Formatter(logging.Formatter):
    """Writes lines as text. Request lines are complete already."""

    def format(self, record: logging.LogRecord) -> str:
        return str(record.msg) if record.name == requests.name else super().format(record)
