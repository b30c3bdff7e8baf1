"""Serving: one set of answers about campaigns, attribution, alerts and quality, over gRPC.

The messages are generated from `serving/proto` into `serving/gen` by `make proto`. This is the one place that puts
that folder on the import path, so that `tributary.v1.campaign_metrics_pb2` and its siblings can be imported by
whatever imports a module of this package.
"""

import os
import sys
from pathlib import Path

GENERATED_FOLDER = Path(__file__).parent / "gen"

# gRPC has no setting for the lowest version of TLS, and reads this variable when it is imported, which is after this.
# TLS 1.3 has suites of its own, which this list does not touch; of those before it names only one for keys that are
# shared beforehand, which nobody has: older handshakes find no suite in common.
os.environ.setdefault("GRPC_SSL_CIPHER_SUITES", "ECDHE-PSK-CHACHA20-POLY1305")

if str(GENERATED_FOLDER) not in sys.path:
    sys.path.append(str(GENERATED_FOLDER))
