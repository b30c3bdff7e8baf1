"""What was acknowledged is there after a crash; one process holds a directory; a stop is clean."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from tests.stack.clickhouse_front.front_process import REPOSITORY, FrontProcess, wait_until

BATCH = 500


@pytest.fixture
def front(tmp_path):
    started = FrontProcess(tmp_path / "data").start()
    yield started
    if started.process.poll() is None:
        started.stop()


def write_until_dead(front, writer, acknowledged, attempted):
    """Insert batches with known ids until the server dies; note each batch before it is sent and after its answer."""
    client = front.client(database="tributary")
    try:
        while True:
            batch = len(attempted[writer])
            attempted[writer].add(batch)
            first = (writer * 100_000 + batch) * BATCH
            client.insert_arrow(
                "t",
                pa.table(
                    {
                        "batch": pa.array([writer * 100_000 + batch] * BATCH, pa.uint64()),
                        "id": pa.array(range(first, first + BATCH), pa.uint64()),
                    }
                ),
            )
            acknowledged[writer].add(batch)
    except (ClickHouseError, OSError):
        return


def test_kill_under_insert_load_loses_no_acknowledged_insert(front):
    writers = 4
    front.client().command("CREATE TABLE tributary.t (batch UInt64, id UInt64) ENGINE = MergeTree ORDER BY id")
    acknowledged = [set() for _ in range(writers)]
    attempted = [set() for _ in range(writers)]
    for crash in range(1, 4):
        threads = [
            threading.Thread(target=write_until_dead, args=(front, writer, acknowledged, attempted))
            for writer in range(writers)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda c=crash: min(len(done) for done in acknowledged) >= c * 15, "the writers are in full swing")
        front.kill()
        for thread in threads:
            thread.join()
        front.start()
        stored = dict(front.client().query("SELECT batch, count() FROM tributary.t GROUP BY batch").result_rows)
        sent = {writer * 100_000 + batch for writer in range(writers) for batch in acknowledged[writer]}
        tried = {writer * 100_000 + batch for writer in range(writers) for batch in attempted[writer]}
        assert sent <= set(stored), f"acknowledged, and lost: {sorted(sent - set(stored))[:10]}"
        assert set(stored) <= tried
        # A batch without an answer is there wholly or not at all.
        assert set(stored.values()) == {BATCH}
        assert front.client().query("SELECT count() = uniqExact(id) FROM tributary.t").result_rows == [(True,)]


def test_tables_and_databases_survive_a_kill_right_after_their_answer(front):
    client = front.client()
    client.command("CREATE DATABASE other")
    client.command("CREATE TABLE other.t (a Int8) ENGINE = ReplacingMergeTree ORDER BY a")
    client.command("INSERT INTO other.t VALUES (1)")
    client.command("ALTER TABLE other.t ADD COLUMN b String DEFAULT 'x'")
    front.kill()
    client = front.start().client()
    assert client.query("SELECT a, b FROM other.t").result_rows == [(1, "x")]
    assert {"tributary", "other"} <= {row[0] for row in client.query("SHOW DATABASES").result_rows}


def test_stop_is_clean_and_data_stays(front):
    client = front.client()
    client.command("CREATE TABLE tributary.t (a UInt32) ENGINE = MergeTree ORDER BY a")
    client.insert("tributary.t", [[number] for number in range(1000)], column_names=["a"])
    port = front.port
    assert front.stop() == 0
    # The same port at once: a restart of the stack must not wait for the kernel.
    front.start(port)
    assert front.client().query("SELECT count() FROM tributary.t").result_rows == [(1000,)]


def test_stop_waits_for_a_running_statement(front):
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(front.request("POST", "/?query_id=slow", b"SELECT sleep(2), 'done'"))
    )
    thread.start()
    client = front.client()
    wait_until(
        lambda: client.command("SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'slow'"), "it runs"
    )
    assert front.stop() == 0
    thread.join()
    assert answers[0][::2] == (200, b"0\tdone\n")


def test_stop_cancels_what_does_not_end(front):
    answers = []
    endless = b"SELECT count() FROM numbers(1e14) WHERE NOT ignore(sipHash64(number))"
    thread = threading.Thread(target=lambda: answers.append(front.request("POST", "/?query_id=endless", endless)))
    thread.start()
    client = front.client()
    wait_until(
        lambda: client.command("SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'endless'"),
        "it runs",
    )
    assert front.stop() == 0
    thread.join()
    assert answers[0][1]["X-ClickHouse-Exception-Code"] == "394"


def run(*options):
    command = [sys.executable, "-m", "local.clickhouse", *options]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=180, check=False)


def test_second_process_on_the_directory_is_refused(front):
    ended = run("--path", str(front.path), "--port", "0")
    assert ended.returncode == 1
    assert f"in use by process {front.process.pid}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert front.client().command("SELECT 1") == 1


def test_lock_ends_with_the_process_however_it_ends(front):
    front.process.send_signal(signal.SIGKILL)
    front.process.wait()
    front._forget()
    assert front.start().client().command("SELECT 1") == 1


def test_taken_port_is_said(front, tmp_path):
    ended = run("--path", str(tmp_path / "other"), "--port", str(front.port))
    assert (ended.returncode, f"cannot listen on 127.0.0.1:{front.port}" in ended.stderr) == (1, True), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--port", "70000"), "--port is 70000; allowed: 0 to 65535"),
        (("--port", "0", "--database", "a-b"), "--database is 'a-b'; allowed:"),
        (("--port", "0", "--memory-mib", "1"), "--memory-mib is 1; allowed: 512 and more"),
    ],
)
def test_bad_options_are_named(tmp_path, options, message):
    ended = run("--path", str(tmp_path / "data"), *options)
    assert (ended.returncode, message in ended.stderr) == (1, True), ended.stderr


def test_path_that_cannot_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    ended = run("--path", str(tmp_path / "file"), "--port", "0")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_database_of_the_option_is_made(tmp_path):
    front = FrontProcess(tmp_path / "odd ü folder", ("--database", "mine")).start()
    assert "mine" in {row[0] for row in front.client().query("SHOW DATABASES").result_rows}
    assert front.stop() == 0


def test_memory_limit_of_all_statements(tmp_path):
    front = FrontProcess(tmp_path / "data", ("--memory-mib", "600")).start()
    with pytest.raises(ClickHouseError, match="241"):
        front.client().query("SELECT uniqExact(number) FROM numbers(1e9)")
    # It goes on working.
    assert front.client().command("SELECT 1") == 1
    assert front.stop() == 0


def test_nothing_is_left_in_memory_files_after_a_kill(front):
    """Data of inserts lives in files without a name, which end with the process."""
    import pathlib

    before = set(pathlib.Path("/dev/shm").iterdir())
    client = front.client()
    client.command("CREATE TABLE tributary.t (a String) ENGINE = Null")
    client.insert("tributary.t", [["x" * 1000]] * 10_000, column_names=["a"])
    front.kill()
    assert set(pathlib.Path("/dev/shm").iterdir()) <= before
    front.start()
    assert not [item for item in (front.path / "tmp").iterdir() if item.is_file()]


def test_inserts_are_refused_before_a_merge_could_meet_a_full_disk(front):
    """What is left is more than a merge writes; `make faults` fills a disk for real."""
    assert front.client().query("SELECT keep_free_space FROM system.disks").result_rows == [(256 << 20,)]
