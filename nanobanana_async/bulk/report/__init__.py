"""The report of a bulk run: one page beside the pictures, which needs no network."""

from nanobanana_async.bulk.report._write import write_report

__all__ = ["write_report"]
