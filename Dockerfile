# The image. Docker 20.10 or newer builds it, with or without BuildKit.
#
#   docker build -t fast-api-ml .
#   docker run -p 8000:8000 fast-api-ml
ARG BASE_IMAGE=python:3.13-slim
FROM ${BASE_IMAGE} AS server

WORKDIR /app

# The layers that rarely change come first. On a base image from gunicorn/Dockerfile.fast-ml, both steps find nothing to do.
#
# libgomp is what LightGBM's and XGBoost's wheels need. scikit-learn brings its own.
RUN ldconfig -p | grep -q libgomp.so.1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/*; }

# pip's bytecode stays: it takes 50 MB and makes every start and training 5 s faster. The libraries' tests, 95 MB, go.
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir --root-user-action=ignore -r requirements.txt -c constraints.txt \
 && cd "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && find numpy pandas scipy sklearn joblib -name tests -prune -exec rm -rf {} +

COPY wsgi.py ./
COPY gunicorn gunicorn
COPY rest_api rest_api
COPY ML ML

# The server's user owns only the model store. `chmod a+rX` makes the rest readable after a clone with a strict umask.
# Its home is /tmp, which is always writable, for libraries that keep a cache. The store has mode 777, because a tmpfs
# mounted on it takes over the mode but not the owner, and `docker run -u` sets another user.
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin app \
 && chmod -R a+rX . && chmod a+x gunicorn/start-server.sh \
 && mkdir -p ML/saved_models && chown app ML/saved_models && chmod 777 ML/saved_models

# A number, because Kubernetes' runAsNonRoot can't look up a name.
USER 10001

# Log to stdout only. A file would grow in the container's layer.
ENV HOST=0.0.0.0 LOG_FILE= PYTHONUNBUFFERED=1

# Train the sample models now, so that a start need not.
RUN python -m ML.training --bootstrap

EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "/app/gunicorn/healthcheck.py"]
ENTRYPOINT ["/app/gunicorn/start-server.sh"]

# SageMaker runs trainings as root, because its folders below /opt/ml belong to root:
#
#   docker build -t fast-api-ml-sagemaker --target sagemaker .
FROM server AS sagemaker
USER 0
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
EXPOSE 8080

# Without --target, Docker builds the last stage.
FROM server
