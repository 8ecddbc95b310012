# The image. Needs no BuildKit: any Docker since 20.10 builds it.
#
#   docker build -t fast-api-ml .
#   docker run -p 8000:8000 fast-api-ml
ARG BASE_IMAGE=python:3.13-slim
FROM ${BASE_IMAGE}

WORKDIR /app

# Changes rarely, so it comes first; done already in a base from gunicorn/Dockerfile.fast-ml. pip's bytecode is kept
# (50 MB, and every start and training 5 s faster); the libraries' own tests are not (95 MB).
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir --root-user-action=ignore -r requirements.txt -c constraints.txt \
 && cd "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && find numpy pandas scipy sklearn joblib -name tests -prune -exec rm -rf {} +

COPY wsgi.py ./
COPY gunicorn gunicorn
COPY rest_api rest_api
COPY ML ML

# The server's user owns nothing but the versions; a clone made under a strict umask must still be readable to it.
# Its home is the one folder that is always writable, for libraries that keep a cache. A tmpfs mounted on the versions
# takes over their mode but not their owner, so the mode lets anyone in (as it does a user set by `docker run -u`).
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin app \
 && chmod -R a+rX . && chmod a+x gunicorn/start-server.sh \
 && mkdir -p ML/saved_models && chown app ML/saved_models && chmod 777 ML/saved_models

# By number: Kubernetes' runAsNonRoot can't look up a name.
USER 10001

# Logs go to stdout only: a file would grow in the container's layer.
ENV HOST=0.0.0.0 PORT=8000 LOG_FILE= PYTHONUNBUFFERED=1

# The sample models are trained now, so that the start finds it done.
RUN python -m ML.training --bootstrap

EXPOSE 8000
# GUNICORN_CMD_ARGS may name another port than PORT does; of several addresses the last is the one.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "\
import http.client, os, re, sys; \
ports = re.findall(r'(?:^|\\s)(?:-b|--bind)[\\s=]*\\S*:(\\d+)', os.environ.get('GUNICORN_CMD_ARGS', '')); \
server = http.client.HTTPConnection('127.0.0.1', int([os.environ['PORT'], *ports][-1]), timeout=4); \
server.request('GET', '/health/ready'); \
sys.exit(server.getresponse().status != 200)"]
ENTRYPOINT ["/app/gunicorn/start-server.sh"]
