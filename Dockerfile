# A small image with the core install on a CPU. It has not been built in CI yet: treat it as a starting point.
#
#   docker build -t provetune .
#   docker run --rm -v "$PWD:/work" -v provetune-cache:/cache provetune run problem.yaml

FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PROVETUNE_CACHE=/cache
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY provetune ./provetune
RUN pip install --quiet --constraint constraints.txt . && rm -rf /src && useradd --create-home worker \
 && mkdir /cache /work && chown worker /cache /work

USER worker
WORKDIR /work
VOLUME ["/cache", "/work"]
ENTRYPOINT ["provetune"]
CMD ["--help"]
