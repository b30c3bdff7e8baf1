"""Serving: one set of answers about campaigns, attribution, alerts and quality, over gRPC.

The messages are generated from `serving/proto` into `serving/gen` by `make proto`. This is the one place that puts
that folder on the import path, so that `tributary.v1.campaign_metrics_pb2` and its siblings can be imported by
whatever imports a module of this package.
"""

import sys
from pathlib import Path

GENERATED_FOLDER = Path(__file__).parent / "gen"

if str(GENERATED_FOLDER) not in sys.path:
    sys.path.append(str(GENERATED_FOLDER))
