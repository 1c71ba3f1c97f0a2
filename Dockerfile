# The image of both nodes and of the command line. No key and no certificate is inside: pki-init makes them at run time.

FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir -c constraints.txt hatchling \
    && pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir /wheel .

FROM python:3.11-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /src/constraints.txt /wheel/*.whl /install/
RUN pip install --no-cache-dir -c /install/constraints.txt /install/*.whl \
    && useradd --uid 10001 --no-create-home ocen \
    && install -d -o ocen -g ocen -m 0700 /pki /data
USER ocen
WORKDIR /data
CMD ["ocen-sandbox", "--help"]
