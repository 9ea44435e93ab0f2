# One image for every process of the grown form. The build fetches the model parts, so containers need no registry.
FROM python:3.12.12-slim-bookworm AS build
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
# The index of the torch build that fits the machine (CPU, or the driver's CUDA); empty: pip's own, large one.
ARG TORCH_INDEX=
COPY requirements.lock .
RUN grep '^torch==' requirements.lock > torch.lock \
    && /venv/bin/pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r torch.lock \
    && /venv/bin/pip install -r requirements.lock
COPY pyproject.toml README.md ./
COPY bots bots
COPY worker worker
COPY indexer indexer
COPY model model
RUN /venv/bin/pip install --no-deps . && /venv/bin/python -m model.starter.artifacts

FROM python:3.12.12-slim-bookworm
RUN useradd --create-home --uid 10001 reelseek && install -d -o reelseek /data
COPY --from=build /venv /venv
WORKDIR /data
# Where the presets of a model hub are kept; compose mounts a volume over it.
RUN install -d -o reelseek /venv/share/reelseek/hub
USER reelseek
# Compose makes everything read-only but /data, the presets and /tmp, where libraries keep what they only remember.
ENV PATH=/venv/bin:$PATH HOME=/tmp REELSEEK_DATA_DIR=/data PYTHONUNBUFFERED=1
EXPOSE 9100
ENTRYPOINT ["reelseek"]
CMD ["--help"]
