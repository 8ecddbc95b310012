#!/bin/sh
# Start the server: sample models first, where there are none or they are out of date, then gunicorn.
# Settings come from the environment (ML/config/config.py); the training checks them and names a wrong one.
set -eu
cd "$(dirname "$0")/.."

python -m ML.training --bootstrap

# exec: gunicorn takes this process's place, so that SIGTERM reaches it.
exec python -m gunicorn --config gunicorn/gunicorn-config.py wsgi:app
