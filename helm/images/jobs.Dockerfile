# syntax=docker/dockerfile:1
# The image of the Flink pods: Flink 2.2.1, Java 17, Python 3.11, the Kafka connector and the code. From the root of the repository:
#   docker build -f helm/images/jobs.Dockerfile -t tributary-jobs:0.1.0 .

FROM maven:3.9-eclipse-temurin-17 AS jars
WORKDIR /build
COPY pom.xml ./
# The execution `flink` of pom.xml: the connector alone, without the broker of the local stack.
RUN mvn --batch-mode --quiet dependency:copy@flink -Djars.directory=/jars

FROM flink:2.2.1-java17 AS flink

# The locks are made for Python 3.11. Flink's image is an Ubuntu 24.04 with 3.12, so Flink and its Java move into Python's image.
FROM python:3.11-slim-bookworm
# What Flink's image has beside Java: Snappy, jemalloc (RocksDB fragments glibc's heap) and envsubst for its start script.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gettext-base libjemalloc-dev libsnappy1v5 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 9999 flink \
    && useradd --system --home-dir /opt/flink --uid 9999 --gid flink flink
COPY --from=flink /opt/java/openjdk /opt/java/openjdk
COPY --from=flink /docker-entrypoint.sh /docker-entrypoint.sh
COPY --from=flink --chown=flink:flink /opt/flink /opt/flink
ENV JAVA_HOME=/opt/java/openjdk \
    FLINK_HOME=/opt/flink \
    PATH=/opt/flink/bin:/opt/java/openjdk/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/tributary

COPY requirements/jobs.lock /tmp/jobs.lock
# The package brings a second copy of Flink's jars and tools. FLINK_HOME points to the first one; only bin/ holds a script that workers use.
# hadolint ignore=DL3003
RUN pip install --no-cache-dir --require-hashes -r /tmp/jobs.lock \
    && cd /usr/local/lib/python3.11/site-packages/pyflink \
    && rm -rf lib opt plugins examples licenses /tmp/jobs.lock

# The cluster itself loads the connector and flink-python. Loaded with each job instead, thread mode fails at a restart, because a native
# library cannot be loaded twice in one JVM. A plugin is a folder with a jar: object stores by their schemes s3, gs, abfs.
COPY --from=jars --chown=flink:flink /jars/flink/ /opt/flink/lib/
RUN ln -s ../opt/flink-python-2.2.1.jar /opt/flink/lib/ \
    && for plugin in s3-fs-presto gs-fs-hadoop azure-fs-hadoop; do \
        mkdir -p "/opt/flink/plugins/$plugin" \
        && ln -s "../../opt/flink-$plugin-2.2.1.jar" "/opt/flink/plugins/$plugin/" \
        && test -e "/opt/flink/plugins/$plugin/flink-$plugin-2.2.1.jar" || exit 1; \
    done

COPY avro /opt/tributary/avro
COPY udfs /opt/tributary/udfs
COPY connectors /opt/tributary/connectors
COPY jobs /opt/tributary/jobs

WORKDIR /opt/flink
USER 9999
EXPOSE 6123 8081 9249
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["help"]
