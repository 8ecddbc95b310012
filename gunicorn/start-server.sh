#!/bin/sh
# Start the server: sample models first, where there are none or they are out of date, then gunicorn.
# Settings come from the environment (ML/config/config.py); the training checks them and names a wrong one.
#
# SageMaker calls it with an argument: `serve` serves as it wants it, `train` trains and ends.
set -eu
cd "$(dirname "$0")/.."
OPT_ML="${OPT_ML:-/opt/ml}"

serve() {
    # Several containers of an endpoint are told their ports.
    export PORT="${PORT:-${SAGEMAKER_BIND_TO_PORT:-8080}}"
    case ",${OPEN_PROTOCOLS-}," in
        *,sagemaker,*) ;;
        *) echo "SageMaker calls without credentials: set OPEN_PROTOCOLS=sagemaker in the model's environment" ;;
    esac
    [ -z "${MODELS_DIR-}" ] && [ -n "$(ls -A "$OPT_ML/model" 2>/dev/null)" ] || return 0
    if ! ls "$OPT_ML"/model/*/current >/dev/null 2>&1; then
        echo "$OPT_ML/model holds no versions of this project; let the image train, or leave the model's data out" >&2
        exit 1
    fi
    # What was trained elsewhere is served; the folder may be read-only, and ends with the container.
    export MODELS_DIR="$OPT_ML/model" TRAINING="${TRAINING:-off}"
}

case "${1-}" in
    "") ;;
    serve) serve ;;
    train) MODELS_DIR="${MODELS_DIR:-$OPT_ML/model}" exec python -m ML.training.sagemaker "$OPT_ML" ;;
    *) echo "start-server.sh: $1 is neither serve nor train" >&2; exit 64 ;;
esac

# As process 1 of a container we are sent signals that only a trap lets through.
training=
trap 'kill $training; exit 143' TERM
trap 'kill $training; exit 130' INT
python -m ML.training --bootstrap &
training=$!
wait $training

# exec: gunicorn takes this process's place, so that SIGTERM reaches it.
exec python -m gunicorn --config gunicorn/gunicorn-config.py wsgi:app
