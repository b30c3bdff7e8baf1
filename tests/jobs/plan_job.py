"""Plan the measurement job as `flink run` would, in a process of its own, and print its operators as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

from jobs.measurement import build, table_environment
from jobs.options import parse

JARS = Path(__file__).parents[2] / ".cache" / "jars" / "flink"

if __name__ == "__main__":
    configuration = Configuration()
    configuration.set_string("pipeline.jars", ";".join(jar.as_uri() for jar in sorted(JARS.glob("*.jar"))))
    configuration.set_string("python.execution-mode", "thread")
    configuration.set_string("python.executable", sys.executable)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    options = parse(sys.argv[1:])
    build(table_environment(env, options), options)
    nodes = env._j_stream_execution_environment.getStreamGraph(False).getStreamNodes().toArray()
    print(json.dumps([{"name": node.getOperatorName(), "uid": node.getTransformationUID()} for node in nodes]))
