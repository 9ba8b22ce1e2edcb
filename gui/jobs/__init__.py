"""Long work beside the window: each piece is a job with a title, progress and a cancel."""

from gui.jobs.jobs import Job, JobRunner

__all__ = ["Job", "JobRunner"]
