"""Reads a report as a browser does: its elements, and the data in its scripts."""

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from nanobanana_async.bulk.report import write_report

Entry = dict[str, Any]


class Page(HTMLParser):
    """What a page holds, after it was written anew."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.meta: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self._name = ""
        self.source = write_report(folder).read_text("utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        given = {name: value or "" for name, value in attrs}
        if "http-equiv" in given:
            self.meta[given["http-equiv"]] = given["content"]
        if tag in ("script", "style", "title"):
            self._name = given.get("id", tag)
            self.texts[self._name] = ""

    def handle_endtag(self, _tag: str) -> None:
        self._name = ""

    def handle_data(self, data: str) -> None:
        if self._name:
            self.texts[self._name] += data

    @property
    def about(self) -> Entry:
        found: Entry = json.loads(self.texts["data-about"])
        return found

    @property
    def rows(self) -> list[Entry]:
        found: list[Entry] = json.loads(self.texts["data-rows"])
        return found

    @property
    def rejected(self) -> list[Entry]:
        found: list[Entry] = json.loads(self.texts["data-rejected"])
        return found
