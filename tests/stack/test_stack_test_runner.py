"""The line that the test run ends with counts every test once, and a run that broke off is not a success."""

from __future__ import annotations

import pytest

from tests.run import Counts, Suite, main, read_counts, run

REPORT = """\
<testsuites><testsuite tests="6">
  <testcase name="a"/>
  <testcase name="b"><failure message="no"/></testcase>
  <testcase name="c"><failure message="no"/><error message="at teardown"/></testcase>
  <testcase name="d"><error message="at setup"/></testcase>
  <testcase name="e"><skipped message="why"/></testcase>
  <testcase name="f"><system-out>text</system-out></testcase>
</testsuite></testsuites>
"""


def test_every_case_counts_once(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    assert read_counts(tmp_path / "report.xml") == Counts(passed=2, failed=3, skipped=1)


def test_the_line_reads_as_promised():
    assert str(Counts(1, 2, 3) + Counts(4, 0, 0)) == "5 passed, 2 failed, 3 skipped"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def test_a(): pass", Counts(passed=1)),
        ("def test_a(): assert False", Counts(failed=1)),
        ("import pytest\ndef test_a(): pytest.skip('why')", Counts(skipped=1)),
        ("import not_there", Counts(failed=1)),
        ("import os\ndef test_a(): os._exit(3)", Counts(failed=1)),
    ],
)
def test_what_pytest_reports_is_what_is_counted(text, expected, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.run.RESULTS", tmp_path)
    (tmp_path / "test_sample.py").write_text(text)
    assert run(Suite("serving", (str(tmp_path / "test_sample.py"), str(tmp_path))), ["-q"]) == expected


def test_no_test_at_all_is_not_a_success(tmp_path, monkeypatch, capfd):
    (tmp_path / "test_nothing.py").touch()
    monkeypatch.setattr("tests.run.RESULTS", tmp_path)
    monkeypatch.setattr("tests.run.UNIT", (Suite("serving", (str(tmp_path),)),))
    assert main(["--unit"]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "0 passed, 0 failed, 0 skipped"
