# Two images: `bots` for Discord, Slack and the web chat, without torch; `worker` for the workers of all queues.
FROM python:3.12.12-slim-bookworm AS packages
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
# The project without its code: packages are installed again only if one of these files changes.
COPY pyproject.toml README.md requirements.lock ./

FROM packages AS bots-build
RUN /venv/bin/pip install -c requirements.lock '.[discord,slack,web]'
COPY bots bots
COPY worker worker
COPY indexer indexer
COPY model model
COPY text text
RUN /venv/bin/pip install --no-deps --force-reinstall .

FROM packages AS worker-build
# The index of the torch build that fits the machine (CPU, or the driver's CUDA); empty: pip's own, large one.
ARG TORCH_INDEX=
RUN grep '^torch==' requirements.lock > torch.lock \
    && /venv/bin/pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r torch.lock \
    && /venv/bin/pip install -c requirements.lock '.[train]'
COPY bots bots
COPY worker worker
COPY indexer indexer
COPY model model
COPY text text
# The model's files are fetched here, so that containers need no package registry.
RUN /venv/bin/pip install --no-deps --force-reinstall . && /venv/bin/python -m model.starter.artifacts

FROM python:3.12.12-slim-bookworm AS runtime
RUN useradd --create-home --uid 10001 reelseek && install -d -o reelseek /data
WORKDIR /data
# Compose makes everything read-only but /data, the presets and /tmp, which holds HOME and the libraries' caches.
ENV PATH=/venv/bin:$PATH HOME=/tmp REELSEEK_DATA_DIR=/data PYTHONUNBUFFERED=1
EXPOSE 9100
ENTRYPOINT ["reelseek"]
CMD ["--help"]

FROM runtime AS bots
COPY --from=bots-build /venv /venv
USER reelseek

FROM runtime AS worker
# Reads Korean text on the screen.
RUN apt-get update -q && apt-get install -y -q --no-install-recommends tesseract-ocr tesseract-ocr-kor \
    && rm -rf /var/lib/apt/lists/*
COPY --from=worker-build /venv /venv
# Presets of a model hub, and compiled models, are kept here; compose mounts volumes over it.
RUN install -d -o reelseek /venv/share/reelseek/hub /venv/share/reelseek/compiled
USER reelseek
