# A server for trained models: `seqwise serve` on port 8000, as a user without rights, on a file system that may be read-only.
#
#   docker build -t seqwise .
#   docker run --rm --read-only --tmpfs /tmp -p 8000:8000 -v "$PWD/my-model-onnx:/model:ro" seqwise
#
# By default it runs models that `seqwise export --onnx` wrote, and has no PyTorch in it. For model folders as they were
# trained: docker build --build-arg RUNTIME=torch -t seqwise:torch .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ARG RUNTIME=onnx
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Further packages, such as those that the requirements.txt of an exported model names.
ARG PACKAGES=""
WORKDIR /source
# Without pip in it: nothing is installed where it runs.
RUN python -m venv --without-pip /opt/seqwise
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY docker ./docker
RUN set -eu; \
    into="--python /opt/seqwise/bin/python install --no-cache-dir --constraint constraints.txt"; \
    case "$RUNTIME" in \
    onnx) pip $into --requirement docker/requirements.txt $PACKAGES ;; \
    torch) pip $into --index-url "$TORCH_INDEX" torch ;; \
    *) echo "RUNTIME is onnx or torch, not $RUNTIME" >&2; exit 2 ;; \
    esac
COPY src ./src
RUN set -eu; \
    into="--python /opt/seqwise/bin/python install --no-cache-dir --constraint constraints.txt"; \
    case "$RUNTIME" in \
    onnx) pip $into --no-deps . ;; \
    torch) pip $into ".[serve]" $PACKAGES ;; \
    esac

FROM python:${PYTHON}-slim
COPY --from=build /opt/seqwise /opt/seqwise
ENV PATH=/opt/seqwise/bin:$PATH \
    HOME=/tmp \
    SEQWISE_CACHE=/tmp/seqwise \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=4)"]
ENTRYPOINT ["seqwise"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "/model"]
