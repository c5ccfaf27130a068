"""The report: a campaign told in one self-contained HTML file, read from the store only."""

from lab.report.writing import write_report

__all__ = ["write_report"]
