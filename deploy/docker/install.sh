#!/bin/sh
# install.sh SOURCES PREFIX [PYTHON]: build penstock's wheel from a checkout, and install it with every extra into a new
# virtual environment at PREFIX. The versions are those of constraints.txt. The Dockerfile runs this, and so does a test.
set -eu
sources=$1
prefix=$2
python=${3:-python3}
export PIP_CONSTRAINT="$sources/deploy/docker/constraints.txt" # for the build's own environment, too
export PIP_NO_CACHE_DIR=${PIP_NO_CACHE_DIR:-1} PIP_DISABLE_PIP_VERSION_CHECK=1

wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
"$python" -m venv "$prefix"
"$prefix/bin/pip" wheel --quiet --no-deps --wheel-dir "$wheels" "$sources"
"$prefix/bin/pip" install --quiet "$(echo "$wheels"/penstock-*.whl)[all]"
"$prefix/bin/penstock" --version
