#!/bin/sh
# rag.retrieve with Chroma and sentence-transformers, in an environment of its own: part of `make test-real`. Torch
# and 370 MB beside it, some minutes, once: too much for the environment of all other tests.
set -eu
cd "$(dirname "$0")/../.."
venv=$PWD/${ATTAR_RETRIEVAL_VENV:-.venv-retrieval}
if [ ! -e "$venv/.ready" ] || [ pyproject.toml -nt "$venv/.ready" ]; then
    [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
    pip() { "$venv/bin/python" -m pip --disable-pip-version-check -q "$@"; }
    pip install -e '.[retrieval,retrieval-local,chroma]' pytest pytest-timeout
    touch "$venv/.ready"
fi
export ATTAR_REAL=1 HF_HUB_OFFLINE=1
exec "$venv/bin/python" -m pytest tests/real/test_retrieval.py -m real -q -p no:cacheprovider "$@"
