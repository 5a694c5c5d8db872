"""What the library logs, kept for tests that run many clients in one."""

import logging


class Records(logging.Handler):
    """Keeps what the library logs from WARNING on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
