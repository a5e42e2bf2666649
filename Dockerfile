# One image for the API, both workers and the bot; the command says which (Procfile):
#   docker build --build-arg GIT_SHA=$(git rev-parse HEAD) --tag dragonfly .
#   docker run --read-only --tmpfs /tmp --env-file .env dragonfly python -m bot
# It writes to /tmp only: the API and the ingest worker keep an uploaded file there for as long as they read it.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/dragonfly
WORKDIR /src
# With the extra [otel], so that OTEL_EXPORTER_OTLP_ENDPOINT is all that traces need.
COPY requirements-otel.txt ./
RUN /opt/dragonfly/bin/pip install --require-hashes --only-binary :all: -r requirements-otel.txt
COPY . .
RUN /opt/dragonfly/bin/pip install --no-deps .

FROM python:3.11-slim-bookworm
# Railway sets the variable itself; elsewhere the build argument is what the processes report as their commit.
ARG GIT_SHA=""
ENV PATH=/opt/dragonfly/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RAILWAY_GIT_COMMIT_SHA=$GIT_SHA
LABEL org.opencontainers.image.title="Dragonfly ChatOps" \
      org.opencontainers.image.revision=$GIT_SHA
COPY --from=build /opt/dragonfly /opt/dragonfly
# Files of your own in the repository's root (an on-call file, a policy, alerts) are found by their name.
WORKDIR /app
COPY *.toml ./
USER 10001:10001
EXPOSE 8080
CMD ["dragonfly", "help"]
