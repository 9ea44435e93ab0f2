"""Errors that end a job before it is done."""


class WorkerStoppingError(Exception):
    """The worker is shutting down; the job must go back to its queue."""


class CancelledByAdminError(Exception):
    """An admin cancelled the retrain."""
