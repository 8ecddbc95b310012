#!/bin/sh
# Start the server: train the sample models that are missing or out of date, then run gunicorn.
# Settings come from the environment and from .env (ML/config/config.py). The training checks them and names a wrong one.
#
# SageMaker calls it with an argument: `serve` serves by SageMaker's rules, `train` trains and ends.
set -eu
cd "$(dirname "$0")/.."
# Values of .env count for this script and for gunicorn's and other libraries' variables too.
if [ -f .env ]; then
    values=$(python -m ML.config.environment)
    eval "$values"
fi
OPT_ML="${OPT_ML:-/opt/ml}"

serve() {
    # Where an endpoint has several containers, SageMaker gives each a port.
    export PORT="${PORT:-${SAGEMAKER_BIND_TO_PORT:-8080}}"
    case ",${OPEN_PROTOCOLS-}," in
        *,sagemaker,*) ;;
        *) echo "SageMaker sends no credentials: set OPEN_PROTOCOLS=sagemaker in the model's environment" ;;
    esac
    [ -z "${MODELS_DIR-}" ] && [ -n "$(ls -A "$OPT_ML/model" 2>/dev/null)" ] || return 0
    if ! ls "$OPT_ML"/model/*/current >/dev/null 2>&1; then
        echo "$OPT_ML/model contains no versions of this project; train with this image, or create the model without data" >&2
        exit 1
    fi
    # Serve what was trained elsewhere. The folder may be read-only, and is lost with the container.
    export MODELS_DIR="$OPT_ML/model" TRAINING="${TRAINING:-off}"
}

case "${1-}" in
    "") ;;
    serve) serve ;;
    train) MODELS_DIR="${MODELS_DIR:-$OPT_ML/model}" exec python -m ML.training.sagemaker "$OPT_ML" ;;
    *) echo "start-server.sh: unknown argument $1; use serve, train or none" >&2; exit 64 ;;
esac

# Process 1 of a container ignores signals that it has no trap for.
training=
trap 'kill $training; exit 143' TERM
trap 'kill $training; exit 130' INT
python -m ML.training --bootstrap &
training=$!
wait $training

# exec: gunicorn replaces this process, so that SIGTERM reaches it.
exec python -m gunicorn --config gunicorn/gunicorn-config.py wsgi:app
