"""Makes log.html independent of where the suites are."""

from robot import result
from robot.api import SuiteVisitor


class MovableLog(SuiteVisitor):  # type: ignore[misc]
    """A pre-Rebot modifier: removes the links to the suites' sources from log.html, which would be dead elsewhere.

    | robot --prerebotmodifier ReportLibrary.movable_log.MovableLog suites/
    """

    def start_suite(self, suite: result.TestSuite) -> None:
        """Forgets where the suite came from."""
        suite.source = None
