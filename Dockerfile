# The agent, in a container beside those it runs. How to start it: docs/how-to/run-in-docker.md
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements/agent.txt requirements/
RUN python -m venv /opt/iotistic \
    && /opt/iotistic/bin/pip install --no-cache-dir --require-hashes -r requirements/agent.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/iotistic/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl sqlite3 \
    && rm -rf /var/lib/apt/lists/* \
    # Not root: what it needs is the group of the engine's socket, given by `--group-add`.
    && useradd --system --uid 1484 --home-dir /app --shell /usr/sbin/nologin iotistic \
    && install -d -o iotistic -g iotistic -m 0700 /app/data
COPY --from=build /opt/iotistic /opt/iotistic
ENV PATH=/opt/iotistic/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DATABASE_PATH=/app/data/device.sqlite \
    CONFIG_DIR=/app/data
WORKDIR /app
USER iotistic
VOLUME /app/data
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["iotctl", "--quiet", "status"]
ENTRYPOINT ["iotistic-agent"]
