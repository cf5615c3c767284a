# `amsdf serve` on CPUs:
#
#   docker build -t amsdf .
#   docker run --rm -p 8000:8000 -e AMSDF_SERVE_TOKEN=… amsdf
#
# Behind a mirror: --build-arg PIP_INDEX_URL=…. Where the index offers torch for CUDA only, give
# that of torch for CPUs as PIP_EXTRA_INDEX_URL: the image is 4 GB smaller.
# Other detectors: -v ./runs:/runs:ro, and `--detector /runs/mine` behind the name of the image.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
RUN python -m venv /opt/amsdf
COPY requirements.txt .
RUN grep -v '^-e' requirements.txt > pinned.txt && /opt/amsdf/bin/pip install -r pinned.txt
COPY . .
# Whisper asks for triton, 1 GB that only GPUs use.
RUN /opt/amsdf/bin/pip install '.[serve]' -c pinned.txt && /opt/amsdf/bin/pip uninstall -y triton

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/amsdf /opt/amsdf
RUN useradd --system --create-home amsdf
USER amsdf
WORKDIR /srv
ENV PATH=/opt/amsdf/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["amsdf", "serve", "--host", "0.0.0.0", "--port", "8000"]
