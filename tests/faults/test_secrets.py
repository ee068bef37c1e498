"""A key stays in the environment: in no file of a run, in nothing that is printed, whether the run ends well or not."""

from __future__ import annotations

from pathlib import Path

from support.faults_recipe import copy_recipe, words
from support.runs import Attar

from attar.testing.stand_in import StandInServer

KEY = "sk-never-write-me-down-4711"
HEADER = "header-secret-0815"


def test_no_secret_is_written_or_printed(tmp_path: Path, server: StandInServer) -> None:
    server.configure(api_key=KEY, latency=0)
    recipe = copy_recipe(tmp_path / "recipe", 8)
    recipe.write_text(
        recipe.read_text().replace(
            "backend: endpoint,",
            'backend: endpoint, endpoint: {key: "${env.THE_KEY}", headers: {X-Team: "${env.THE_HEADER}"}},',
        )
    )
    attar = Attar(tmp_path, server.url, THE_KEY=KEY, THE_HEADER=HEADER)
    printed = []
    for more in ([], ["--json", "--fresh"], ["--workers", "2", "--shards", "2", "--fresh"]):
        run = attar(*words(recipe, "--runs", attar.runs, *more))
        printed += [run.stdout, run.stderr]
    wrong = Attar(tmp_path, server.url, THE_KEY=KEY + "x", THE_HEADER=HEADER)
    refused = wrong(*words(recipe, "--runs", attar.runs, "--fresh"), expect=1)
    assert "E601" in refused.stderr or "credentials" in refused.stderr + refused.stdout
    printed += [refused.stdout, refused.stderr, attar("status", "faults", "--runs", attar.runs, expect=None).stdout]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 30
    for secret in (KEY, HEADER):
        assert not [text for text in printed if secret in text]
        assert not [path for path in written if secret.encode() in path.read_bytes()]
