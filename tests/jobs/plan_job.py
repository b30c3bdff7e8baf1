"""Plans the measurement job without a cluster: `plan_job.py OPTIONS …`, each a JSON list of the job's options.

The last line printed is a JSON list with one plan for each OPTIONS, in order: the `[uid, name, parallelism]` of every
operator of the job's graph, uid null for one that has none. Numbers in uids go on from plan to plan of one process, as
the planner counts per JVM; a submission is a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

from jobs.measurement import build, table_environment
from jobs.options import parse

CONNECTOR_JARS = Path(__file__).resolve().parents[2] / ".cache" / "jars" / "flink"


def plan(arguments: list[str]) -> list[tuple[str | None, str, int]]:
    """Return uid, name and parallelism of every operator that the job, submitted with two, would have."""
    options = parse(arguments)
    jars = sorted(CONNECTOR_JARS.glob("*.jar"))
    if not jars:
        raise FileNotFoundError("Flink's Kafka connector is missing from .cache/jars/flink: run `make jars`")
    configuration = Configuration()
    configuration.set_string("pipeline.jars", ";".join(jar.as_uri() for jar in jars))
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(2)
    build(table_environment(env, options), options)
    # Not through the environment's own plan, which is a drawing without uids.
    nodes = env._j_stream_execution_environment.getStreamGraph(False).getStreamNodes().toArray()
    return [(node.getTransformationUID(), node.getOperatorName(), node.getParallelism()) for node in nodes]


if __name__ == "__main__":
    print(json.dumps([plan(json.loads(options)) for options in sys.argv[1:]]))
