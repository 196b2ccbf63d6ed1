"""What can be wrong with an export."""

from tasuki.core.errors import NotFound, RateLimited, TasukiError, Unavailable


class DatasetNotFound(NotFound):
    """There is no such dataset, or none for this caller; the two look alike."""


class ExportNotFound(NotFound):
    """There is no such export, or it is somebody else's, or it is long over."""


class TooManyExports(RateLimited):
    """As many exports run as may run at once."""


class ExportRunning(Unavailable):
    """The file is still being written."""


class ExportFailed(TasukiError):
    """The rows could not be read to the end; the file is not whole."""

    code = "export_failed"
    title = "The export failed"
    retryable = True
