#!/bin/sh
# Start the server: sample models first, where there are none or they are out of date, then gunicorn.
# Settings come from the environment (ML/config/config.py); the training checks them and names a wrong one.
set -eu
cd "$(dirname "$0")/.."

# As process 1 of a container we are sent signals that only a trap lets through.
training=
trap 'kill $training; exit 143' TERM
trap 'kill $training; exit 130' INT
python -m ML.training --bootstrap &
training=$!
wait $training

# exec: gunicorn takes this process's place, so that SIGTERM reaches it.
exec python -m gunicorn --config gunicorn/gunicorn-config.py wsgi:app
