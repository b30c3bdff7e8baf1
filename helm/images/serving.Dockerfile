# syntax=docker/dockerfile:1
# The image of serving and of the schema migration. From the root of the repository:
#   docker build -f helm/images/serving.Dockerfile -t tributary-serving:0.1.0 .

FROM python:3.11-slim-bookworm AS build
COPY requirements/serving.lock /build/
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r /build/serving.lock
WORKDIR /opt/tributary
COPY serving serving
COPY connectors connectors
COPY udfs udfs
RUN /opt/venv/bin/python -m serving.generate
# The lock also holds the local stack, the simulator and the tests: what serving does not import goes, all from one verified lock.
RUN /opt/venv/bin/pip uninstall --yes \
    authlib chdb chdb-core confluent-kafka duckdb flask grpcio-tools hypothesis mta mypy mypy-protobuf pytest pytest-asyncio pytest-timeout \
    ruff scikit-learn types-grpcio types-grpcio-health-checking types-grpcio-reflection types-protobuf types-pyyaml \
    && /opt/venv/bin/python -m serving --help > /dev/null \
    && /opt/venv/bin/python -m connectors.clickhouse.migrations --help > /dev/null

FROM python:3.11-slim-bookworm
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/tributary /opt/tributary
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/tributary \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/tributary
USER 10001
EXPOSE 50051 8080
CMD ["python", "-m", "serving"]
