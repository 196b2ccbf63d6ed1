"""Documents made from what users did."""

from tasuki.reports.service import ReportService

__all__ = ["ReportService"]
