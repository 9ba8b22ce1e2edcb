"""Jobs: results, failures, progress and cancel, from the window's side."""

from __future__ import annotations

import threading
import weakref

import pytest

from core.control import JobControl
from core.errors import UnreadableScan
from gui.context import AppContext
from gui.jobs.job_line import JobLine
from gui.jobs.jobs import Job, JobRunner

WAIT = 5000


@pytest.fixture
def runner(app_context: AppContext) -> JobRunner:
    return app_context.jobs


def test_a_result_arrives_on_the_windows_thread(qtbot: object, runner: JobRunner):
    got: list[tuple[int, threading.Thread]] = []
    job = runner.run("Count", lambda _control: 42, done=lambda n: got.append((n, threading.current_thread())))
    qtbot.waitUntil(lambda: bool(got), timeout=WAIT)
    assert got == [(42, threading.main_thread())]
    assert job.state == "done"


def test_progress_reaches_the_job(qtbot: object, runner: JobRunner):
    go = threading.Event()

    def work(control: JobControl) -> None:
        control.progress(0.5, "half of it")
        go.wait(5)

    job = runner.run("Work", work)
    qtbot.waitUntil(lambda: job.fraction == 0.5, timeout=WAIT)
    assert job.message == "half of it"
    go.set()
    qtbot.waitUntil(lambda: job.state == "done", timeout=WAIT)


def test_a_cancelled_job_answers_at_once_and_calls_nobody(qtbot: object, runner: JobRunner):
    began, told = threading.Event(), []

    def work(control: JobControl) -> None:
        began.set()
        while True:
            control.check()

    job = runner.run("Endless", work, done=told.append, failed=told.append)
    assert began.wait(5)
    job.cancel()
    assert job.state == "cancelled"
    assert job not in runner.jobs
    assert runner.shutdown()
    assert told == []


def test_the_result_of_a_cancelled_job_is_dropped(qtbot: object, runner: JobRunner):
    class Big:
        pass

    began, go = threading.Event(), threading.Event()
    kept: list[weakref.ref[Big]] = []

    def work(_control: JobControl) -> Big:
        began.set()
        go.wait(5)
        big = Big()
        kept.append(weakref.ref(big))
        return big

    job = runner.run("Deaf", work)
    assert began.wait(5)
    job.cancel()
    go.set()
    qtbot.waitUntil(lambda: bool(kept) and kept[0]() is None, timeout=WAIT)


@pytest.mark.parametrize("error", [ValueError("bad"), MemoryError(), UnreadableScan("no scan", where="x.txt")])
def test_a_failure_is_handed_over_whole(qtbot: object, runner: JobRunner, error: Exception):
    def work(_control: JobControl) -> None:
        raise error

    told: list[Exception] = []
    job = runner.run("Fail", work, failed=told.append)
    qtbot.waitUntil(lambda: bool(told), timeout=WAIT)
    assert told == [error]
    assert job.state == "failed"


def test_an_exit_inside_a_job_does_not_end_the_program(qtbot: object, runner: JobRunner):
    def work(_control: JobControl) -> None:
        raise SystemExit(3)

    told: list[Exception] = []
    runner.run("Exit", work, failed=told.append)
    qtbot.waitUntil(lambda: bool(told), timeout=WAIT)


def test_an_unheard_failure_becomes_a_notice(qtbot: object, app_context: AppContext):
    def work(_control: JobControl) -> None:
        raise UnreadableScan("this is a text file", where="notes.txt", mend="Drop a scan.")

    with qtbot.waitSignal(app_context.notice, timeout=WAIT) as told:
        app_context.jobs.run("Open", work)
    assert told.args == ["bad", "notes.txt: this is a text file. Drop a scan."]


def test_a_training_job_counts_as_running_until_it_has_stopped(qtbot: object, runner: JobRunner):
    began, go = threading.Event(), threading.Event()

    def work(_control: JobControl) -> None:
        began.set()
        go.wait(5)

    job = runner.run("Train", work, kind="training")
    assert began.wait(5)
    with qtbot.waitSignal(job.cancel_requested):
        job.cancel()
    assert job.running
    go.set()
    qtbot.waitUntil(lambda: job.state == "cancelled", timeout=WAIT)


def test_the_job_line_shows_the_newest_job_and_cancels_it(qtbot: object, runner: JobRunner):
    line = JobLine(runner)
    qtbot.addWidget(line)
    hidden, shown = Job("Look", kind="background"), Job("Predict head")
    runner.adopt(shown)
    runner.adopt(hidden)
    shown.report(0.25, "Averaging")
    assert line.job is shown
    with qtbot.waitSignal(shown.cancel_requested):
        line.findChild(object, "job-cancel").click()
    shown.finish("cancelled")
    hidden.finish()
    assert line.job is None
