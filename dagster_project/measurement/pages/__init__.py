"""Pages: static files under ``HOME/reports``, written from the published marts after each push.

    index.html                  where to begin
    executives.html             the newest quarter: money with its interval, times, what is open; DORA beside
    product.html                evidence by feature and issue type, ranked
    issues/ISS-….html           one issue as one time line: complaint, issue, ticket, plan, act, recovery
    ml.html                     golden set, drift and label quality
    executives-2026-Q4.html …   each quarter by its name; links keep the quarter
    rows/*.csv                  the rows of each figure and table

A page needs no script and loads nothing. Totals are the sums of the rows that are shown and written beside them.
"""

from dagster_project.measurement.pages.write import are_current, write_pages

__all__ = ["are_current", "write_pages"]
